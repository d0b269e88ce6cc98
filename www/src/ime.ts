// Decides what a key in the composer does, with input methods (Zhuyin, Pinyin, kana) in mind.
// Invariant: the Enter that confirms a candidate never sends.
// Not here: what sending does.

/** The parts of a KeyboardEvent that matter. */
export interface Key {
  readonly key: string;
  readonly keyCode: number;
  readonly isComposing: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly timeStamp: number;
}

/** What to do with a key. */
export type KeyAction = "send" | "recall" | "none";

// Safari reports the end of a composition a few ms before the Enter that caused it.
const SAME_KEY_MS = 100;
const HANDLED_BY_IME = 229;

/** Watches one text field. */
export class ImeGuard {
  #endedAt = Number.NEGATIVE_INFINITY;

  /** A composition ended. */
  ended(timeStamp: number): void {
    this.#endedAt = timeStamp;
  }

  /** Any key was released: what follows is a new key. */
  released(): void {
    this.#endedAt = Number.NEGATIVE_INFINITY;
  }

  /** What a pressed key means while the field is `empty` or not. */
  pressed(key: Key, empty: boolean): KeyAction {
    if (key.isComposing || key.keyCode === HANDLED_BY_IME) return "none";
    const plain = !key.shiftKey && !key.altKey && !key.ctrlKey && !key.metaKey;
    if (key.key === "Enter" && plain) {
      const confirms = key.timeStamp - this.#endedAt < SAME_KEY_MS;
      return confirms ? "none" : "send";
    }
    return key.key === "ArrowUp" && plain && empty ? "recall" : "none";
  }
}
