// Gives each window of one browser its own kept identity: two windows with one key would be one peer twice.
// Invariant: while a window is open, no other window of the browser uses its identity.
// Not here: the key itself.
import { IDENTITIES_MAX, IDENTITY_LOCK_MS } from "./limits.ts";
import { prefs } from "./prefs.ts";

/** Name of the key for a slot; the first is "default". */
export const identityName = (slot: number): string => (slot === 1 ? "default" : `default-${slot}`);

/** Takes the first free slot above one whose identity cannot be read; 0 when all are taken. */
export async function takeOtherSlot(unreadable: number): Promise<number> {
  if (!navigator.locks) return 0;
  for (let slot = unreadable + 1; slot <= IDENTITIES_MAX; slot += 1) {
    if (await lock(slot, 0)) return kept(slot);
  }
  return 0;
}

/** Takes the first free slot, the window's former one if possible; 0 when all are taken. */
export async function takeSlot(): Promise<number> {
  // Without locks (insecure context) keys are not kept either, so windows cannot collide.
  if (!navigator.locks) return 1;
  const former = prefs.slot();
  // After a reload the browser may take a moment to free the lock of the old document.
  if (await lock(former, former === 1 && !reloaded() ? 0 : IDENTITY_LOCK_MS)) return kept(former);
  for (let slot = 1; slot <= IDENTITIES_MAX; slot += 1) {
    if (slot !== former && (await lock(slot, 0))) return kept(slot);
  }
  return 0;
}

function kept(slot: number): number {
  prefs.setSlot(slot);
  return slot;
}

function reloaded(): boolean {
  const [entry] = performance.getEntriesByType("navigation");
  return entry instanceof PerformanceNavigationTiming && entry.type === "reload";
}

/** Takes the lock and keeps it until the window closes; false when it stays taken for `waitMs`. */
function lock(slot: number, waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const options = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true };
    const held = (lock: Lock | null): Promise<void> | undefined => {
      resolve(lock !== null);
      return lock ? new Promise<void>(() => undefined) : undefined;
    };
    navigator.locks.request(`peerloom.${identityName(slot)}`, options, held).catch(() => resolve(false));
  });
}
