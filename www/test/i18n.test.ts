import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, pickLanguage, Speech, type Key } from "../src/i18n.ts";

// The tests run compiled, from a cache folder; `npm test` starts them in the package's folder.
const root = process.cwd();
type Words = Record<string, string | Record<string, string>>;
const words = (language: string): Words =>
  JSON.parse(readFileSync(`${root}/src/i18n/${language}.json`, "utf8")) as Words;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith(".ts") ? [readFileSync(path, "utf8")] : [];
  });
}

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((one) => one[1] ?? "").sort();
const forms = (entry: string | Record<string, string>): string[] =>
  typeof entry === "string" ? [entry] : Object.values(entry);

test("every language has exactly the keys of English", () => {
  const keys = Object.keys(words("en")).sort();
  for (const language of LANGUAGES) assert.deepEqual(Object.keys(words(language)).sort(), keys, language);
});

test("every key is used, and every used key exists", () => {
  const code = sources(`${root}/src`).join("\n");
  const keys = Object.keys(words("en"));
  assert.deepEqual(
    keys.filter((key) => !code.includes(`"${key}"`)),
    [],
    "unused keys",
  );
  const said = [...code.matchAll(/\bsay\(\s*"([^"]+)"/g)].map((one) => one[1] ?? "");
  assert.ok(said.length > 50);
  assert.deepEqual(
    said.filter((key) => !keys.includes(key)),
    [],
    "missing keys",
  );
});

test("translations keep the places and have the plural forms of their language", () => {
  const english = words("en");
  for (const language of LANGUAGES) {
    const plurals = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const [key, entry] of Object.entries(words(language))) {
      const model = english[key];
      assert.ok(model !== undefined);
      assert.equal(typeof entry, typeof model, `${language} ${key}`);
      if (typeof entry === "object")
        assert.deepEqual(Object.keys(entry).sort(), plurals, `${language} ${key}`);
      for (const form of forms(entry)) {
        assert.deepEqual(places(form), places(forms(model)[0] ?? ""), `${language} ${key}`);
        assert.notEqual(form.trim(), "", `${language} ${key}`);
      }
    }
  }
});

test("Chinese files are translated and keep to their script", () => {
  const same = new Set(["app.name", "app.title", "app.titleUnread"]);
  for (const [key, entry] of Object.entries(words("zh-Hant"))) {
    const text = forms(entry).join("");
    if (!same.has(key) && !key.startsWith("transport.")) assert.match(text, /\p{Script=Han}/u, key);
    assert.doesNotMatch(text, /[节发连线网时会个对复输显启]/u, key);
  }
  for (const [key, entry] of Object.entries(words("zh-Hans"))) {
    assert.doesNotMatch(forms(entry).join(""), /[節發連線網時會個對複輸顯啟]/u, key);
  }
});

test("plurals, numbers and units follow the language", () => {
  const english = new Speech("en");
  assert.equal(english.say("status.connected", { n: 1 }), "Connected to 1 peer");
  assert.equal(english.say("status.connected", { n: 1234 }), "Connected to 1,234 peers");
  assert.equal(english.seconds(4_200), "5 seconds");
  assert.equal(english.seconds(10), "1 second");
  assert.equal(english.bytes(640_000), "640 kB");
  assert.equal(english.list(["a", "b", "c"]), "a, b, and c");
  assert.equal(new Speech("en", ["en-GB"]).list(["a", "b", "c"]), "a, b and c");
  assert.equal(new Speech("zh-Hant").say("composer.queued", { n: 3 }), "恢復連線後會送出 3 則訊息");
  assert.equal(new Speech("en").say("app.name" satisfies Key, {}), "Peerloom");
});

test("days are named relative to now", () => {
  const speech = new Speech("en");
  const now = new Date(2026, 4, 10, 0, 30).getTime();
  assert.equal(speech.day(now, now), "Today");
  assert.equal(speech.day(now - 3_600_000, now), "Yesterday");
  assert.match(speech.day(now - 5 * 86_400_000, now), /May 5, 2026/);
});

test("the browser's languages choose one of ours", () => {
  assert.equal(pickLanguage(["fr", "zh-TW"]), "zh-Hant");
  assert.equal(pickLanguage(["zh-HK"]), "zh-Hant");
  assert.equal(pickLanguage(["zh-MO"]), "zh-Hant");
  assert.equal(pickLanguage(["zh-Hant-CN"]), "zh-Hant");
  assert.equal(pickLanguage(["zh-Hans-HK"]), "zh-Hans");
  assert.equal(pickLanguage(["zh"]), "zh-Hans");
  assert.equal(pickLanguage(["zh-SG"]), "zh-Hans");
  assert.equal(pickLanguage(["de", "en-GB", "zh-TW"]), "en");
  assert.equal(pickLanguage(["de"]), "en");
});
