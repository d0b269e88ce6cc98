// The page's words in three languages, and numbers, dates and lists the way each writes them.
// Invariant: whole sentences with named places; plurals by Intl, never by gluing.
// Not here: English details that the network layer reports; those are shown with lang="en".
import en from "./i18n/en.json" with { type: "json" };
import zhHans from "./i18n/zh-Hans.json" with { type: "json" };
import zhHant from "./i18n/zh-Hant.json" with { type: "json" };

/** Languages of the page. */
export const LANGUAGES = ["en", "zh-Hant", "zh-Hans"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Key = keyof typeof en;
type Entry = string | Readonly<Record<string, string>>;
type Words = Readonly<Record<Key, Entry>>;
/** Values for the places of a sentence; `n` also chooses the plural form. */
export type Params = Readonly<Record<string, string | number>>;

const WORDS: Readonly<Record<Language, Words>> = { en, "zh-Hant": zhHant, "zh-Hans": zhHans };

/** How each language calls itself. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  "zh-Hant": "繁體中文",
  "zh-Hans": "简体中文",
};

/** The first language of a preference list that the page speaks. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const lower = tag.toLowerCase();
    if (lower === "en" || lower.startsWith("en-")) return "en";
    if (lower === "zh" || lower.startsWith("zh-")) {
      if (lower.includes("hans")) return "zh-Hans";
      return /hant|-(tw|hk|mo)\b/.test(lower) ? "zh-Hant" : "zh-Hans";
    }
  }
  return "en";
}

/** Formats everything in one language. */
export class Speech {
  readonly language: Language;
  readonly #locale: string;
  readonly #words: Words;
  readonly #plural: Intl.PluralRules;
  readonly #number: Intl.NumberFormat;
  readonly #list: Intl.ListFormat;
  readonly #time: Intl.DateTimeFormat;
  readonly #moment: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #relativeDay: Intl.RelativeTimeFormat;
  readonly #units = new Map<string, Intl.NumberFormat>();

  /** `wanted` are the browser's languages: "en-GB" says more than "en" about times and numbers. */
  constructor(language: Language, wanted: readonly string[] = []) {
    this.language = language;
    const locale = wanted.find((tag) => pickLanguage([tag]) === language && known(tag)) ?? language;
    this.#locale = locale;
    this.#words = WORDS[language];
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale);
    this.#list = new Intl.ListFormat(locale, { type: "conjunction" });
    this.#time = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.#moment = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });
    this.#day = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
    this.#relativeDay = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  }

  /** The sentence `key` with its places filled. */
  say(key: Key, params: Params = {}): string {
    const entry = this.#words[key];
    const n = params["n"];
    const form = typeof n === "number" ? this.#plural.select(n) : "other";
    const text = typeof entry === "string" ? entry : (entry[form] ?? entry["other"] ?? key);
    return text.replace(/\{(\w+)\}/g, (place, name: string) => {
      const value = params[name];
      if (value === undefined) return place;
      return typeof value === "number" ? this.#number.format(value) : value;
    });
  }

  /** "a, b and c". */
  list(items: readonly string[]): string {
    return this.#list.format(items);
  }

  /** Whole seconds, rounded up, at least one. */
  seconds(ms: number): string {
    return this.#unit("second", "long", 0).format(Math.max(1, Math.ceil(ms / 1000)));
  }

  /** Round-trip time. */
  millis(ms: number): string {
    return this.#unit("millisecond", "short", 0).format(Math.max(1, Math.round(ms)));
  }

  /** A quantity of bytes, in kB or MB. */
  bytes(count: number): string {
    return count < 1_000_000
      ? this.#unit("kilobyte", "short", 0).format(Math.round(count / 1_000))
      : this.#unit("megabyte", "short", 1).format(count / 1_000_000);
  }

  /** Hour and minute. */
  time(ms: number): string {
    return this.#time.format(ms);
  }

  /** Day and time in full, for tooltips. */
  moment(ms: number): string {
    return this.#moment.format(ms);
  }

  /** "Today", "Yesterday", or the date. */
  day(ms: number, now: number): string {
    const days = Math.round((midnight(ms) - midnight(now)) / 86_400_000);
    if (days > 0 || days < -1) return this.#day.format(ms);
    const word = this.#relativeDay.format(days, "day");
    return word.charAt(0).toLocaleUpperCase(this.language) + word.slice(1);
  }

  #unit(unit: string, unitDisplay: "long" | "short", digits: number): Intl.NumberFormat {
    const known = this.#units.get(unit);
    if (known) return known;
    const options = { style: "unit", unit, unitDisplay, maximumFractionDigits: digits } as const;
    const made = new Intl.NumberFormat(this.#locale, options);
    this.#units.set(unit, made);
    return made;
  }
}

/** Whether a tag names one of the page's languages at all; others fall back to English. */
const known = (tag: string): boolean => /^(en|zh)\b/i.test(tag);

/** Start of the local day. */
export function midnight(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}
