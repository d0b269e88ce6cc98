// Text from other people, made safe to show.
// Invariant: results are plain strings for text nodes; nothing here makes HTML.
// Not here: translations; see i18n.ts.
import { NAME_CHARS_MAX, ROOM_CHARS_MAX } from "./limits.ts";

// Controls, bidi overrides and isolates, zero-width and other invisible characters, language tags.
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

/** A name fit to stand beside others: visible characters only, bounded; null when nothing is left. */
export function cleanName(name: string | null): string | null {
  if (name === null) return null;
  const visible = name
    .slice(0, NAME_CHARS_MAX * 8)
    .replace(/\s+/gu, " ")
    .replace(INVISIBLE, "")
    // Towers of combining marks would climb over the neighbouring lines.
    .replace(/(\p{M}{2})\p{M}+/gu, "$1")
    .trim();
  const cut = [...visible].slice(0, NAME_CHARS_MAX).join("").trim();
  return cut === "" ? null : cut;
}

/** The end of a PeerId: the part in which ids differ. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** A piece of a message: plain text, or text that leads to `href`. */
export interface Piece {
  readonly text: string;
  readonly href: string | null;
}

// Ends at whitespace, quotes, invisible characters and the full-width punctuation that closes CJK sentences.
const LINK = /(?<![a-z0-9])https?:\/\/[^\s<>"'`\p{Cc}\p{Cf}。，、；：！？「」『』（）《》〈〉【】]+/giu;

/** Splits a message into text and http(s) links. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = withoutTrailing(match[0]);
    const href = safeHref(shown);
    if (href === null) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), href: null });
    found.push({ text: shown, href });
    from = match.index + shown.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), href: null });
  return found;
}

/** Punctuation after a link belongs to the sentence, unless it closes a bracket of the link itself. */
function withoutTrailing(link: string): string {
  let end = link.length;
  for (; end > 0; end -= 1) {
    const last = link.charAt(end - 1);
    if (".,;:!?*_~".includes(last)) continue;
    const open = { ")": "(", "]": "[", "}": "{" }[last];
    if (open === undefined) break;
    const kept = link.slice(0, end);
    if (kept.split(open).length >= kept.split(last).length) break;
  }
  return link.slice(0, end);
}

function safeHref(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const web = url.protocol === "http:" || url.protocol === "https:";
  // "https://bank.example@evil.example" reads as the bank: such text stays text.
  const plain = url.username === "" && url.password === "";
  return web && plain && url.hostname !== "" ? url.href : null;
}

/** UTF-8 length, the measure that the network's limits use. */
export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** What stands before the name of a room for members. */
const MEMBERS = "members/";

/** Whether a room is sealed against everybody who holds no grant for it. */
export function isMembersRoom(name: string): boolean {
  return name.startsWith(MEMBERS);
}

/** A room name as typed, made canonical; null when it cannot be one. */
export function roomName(typed: string): string | null {
  const name = typed.trim().replace(/^#/, "").toLowerCase();
  const bare = isMembersRoom(name) ? name.slice(MEMBERS.length) : name;
  return /^[a-z0-9._-]+$/.test(bare) && bare.length <= ROOM_CHARS_MAX ? name : null;
}

/** The room that a URL fragment names, `#room=NAME`. */
export function roomOfHash(hash: string): string | null {
  const typed = new URLSearchParams(hash.replace(/^#/, "")).get("room");
  return typed === null ? null : roomName(typed);
}

/** The invitation in a URL fragment, `#j=...`; null where there is none. */
export function inviteOfHash(hash: string): string | null {
  return hash.startsWith("#j=") ? hash : null;
}

/** The room that a grant is about, by its topic; null when it is about something else. */
export function roomOfTopic(about: string): string | null {
  const open = "topic/peerloom/open/";
  if (about.startsWith(open)) return roomName(about.slice(open.length));
  const members = "topic/peerloom/";
  return about.startsWith(`${members}${MEMBERS}`) ? roomName(about.slice(members.length)) : null;
}
