// What the page remembers in this browser, outside of the peer's key.
// Invariant: works, forgetfully, where storage is blocked.
// Not here: the key; the peer keeps it in IndexedDB.
import { LANGUAGES, pickLanguage, type Language } from "./i18n.ts";
import { roomName } from "./text.ts";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

function read(store: () => Storage, key: string): string | null {
  try {
    return store().getItem(`peerloom.${key}`);
  } catch {
    return null;
  }
}

function write(store: () => Storage, key: string, value: string | null): void {
  try {
    if (value === null) store().removeItem(`peerloom.${key}`);
    else store().setItem(`peerloom.${key}`, value);
  } catch {
    // Storage is blocked or full: the choice holds until the page closes.
  }
}

const local = (): Storage => localStorage;
const session = (): Storage => sessionStorage;

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** A message that waits to be sent. */
export interface Waiting {
  readonly room: string;
  readonly text: string;
}

export const prefs = {
  language(): Language {
    const kept = read(local, "language");
    return LANGUAGES.find((one) => one === kept) ?? pickLanguage(navigator.languages);
  },
  setLanguage: (value: Language): void => write(local, "language", value),

  theme(): Theme {
    const kept = read(local, "theme");
    return THEMES.find((one) => one === kept) ?? "system";
  },
  setTheme: (value: Theme): void => write(local, "theme", value),

  /** Whether "/" and "?" act outside of text fields. */
  singleKeys: (): boolean => read(local, "single-keys") !== "off",
  setSingleKeys: (on: boolean): void => write(local, "single-keys", on ? null : "off"),

  name: (slot: number): string => read(local, `name.${slot}`) ?? "",
  setName: (slot: number, name: string): void => write(local, `name.${slot}`, name === "" ? null : name),

  rooms(): string[] {
    const kept = parsed(read(local, "rooms"));
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string" && roomName(one) === one) : [];
  },
  setRooms: (rooms: readonly string[]): void => write(local, "rooms", JSON.stringify(rooms)),

  /** The identity this window had before a reload. */
  slot: (): number => Number(read(session, "slot")) || 1,
  setSlot: (slot: number): void => write(session, "slot", String(slot)),

  waiting(): Waiting[] {
    const kept = parsed(read(session, "waiting"));
    if (!Array.isArray(kept)) return [];
    return kept.filter(
      (one): one is Waiting => typeof one?.room === "string" && typeof one?.text === "string",
    );
  },
  setWaiting: (list: readonly Waiting[]): void =>
    write(session, "waiting", list.length === 0 ? null : JSON.stringify(list)),
};
