// The text a person can copy when something broke.
// Invariant: holds no message text and nothing typed.
// Not here: sending it anywhere; nothing is sent.
import type { State } from "./state.ts";

const LINES_MAX = 40;
const LINE_CHARS_MAX = 2_000;
const lines: string[] = [];

/** Keeps the console's last errors: a panic of the peer writes its cause there. */
export function recordErrors(): void {
  const original = console.error.bind(console);
  console.error = (...parts: unknown[]): void => {
    note(parts.map(String).join(" "));
    original(...parts);
  };
  addEventListener("error", (event) => note(`${event.message} (${event.filename}:${event.lineno})`));
  addEventListener("unhandledrejection", (event) => note(`unhandled rejection: ${String(event.reason)}`));
}

function note(line: string): void {
  lines.push(`${new Date().toISOString()} ${line.slice(0, LINE_CHARS_MAX)}`);
  if (lines.length > LINES_MAX) lines.shift();
}

/** The report. */
export function report(state: State): string {
  const { status } = state;
  const parts = {
    schema: "peerloom/report/1",
    at: new Date().toISOString(),
    page: location.origin,
    browser: navigator.userAgent,
    phase: state.phase,
    crash: state.crash ?? state.trouble,
    rooms: state.rooms.size,
    status,
    errors: lines,
  };
  return JSON.stringify(parts, null, 2);
}
