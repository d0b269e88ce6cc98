// A small picture for a PeerId, so that people tell ids apart at a glance.
// Invariant: the same id gives the same picture everywhere; the picture proves nothing.
// Not here: drawing; see ui/avatar.ts.

/** Number of colours that names and pictures use; base.css defines them. */
export const HUES = 10;

/** A woven 5 by 5 pattern, mirrored, and one of HUES colours. */
export interface Identicon {
  readonly hue: number;
  /** Rows of five cells. */
  readonly cells: readonly (readonly boolean[])[];
}

/** Derives the picture from all characters of the id. */
export function identicon(id: string): Identicon {
  const next = stream(id);
  const hue = next() % HUES;
  const cells = Array.from({ length: 5 }, () => {
    const half = [next(), next(), next()].map((number) => number % 100 < 52);
    return [...half, half[1] === true, half[0] === true];
  });
  return { hue, cells };
}

/** A stream of 32-bit numbers seeded by text (FNV-1a, then xorshift). */
function stream(seed: string): () => number {
  let state = 0x811c9dc5;
  for (let i = 0; i < seed.length; i += 1) {
    state = Math.imul(state ^ seed.charCodeAt(i), 0x01000193) >>> 0;
  }
  state ||= 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state >>> 8;
  };
}
