// Waiting with a deadline: every wait of the tests goes through these functions, so none can hang.

/** Resolves after `ms` milliseconds. For pacing only, never for waiting until something has happened. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The promise's result, or an error that names `what` once `ms` milliseconds have passed. */
export async function within(promise, ms, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Calls `probe` until it returns something truthy and returns that. Errors of the probe count as "not yet";
 * the last one is shown when the deadline passes. `describe`, when given, adds the state seen last.
 */
export async function until(probe, ms, what, { every = 50, describe } = {}) {
  const end = Date.now() + ms
  let last
  for (;;) {
    try {
      const found = await within(Promise.resolve(probe()), Math.max(1, end - Date.now()), what)
      if (found) return found
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() >= end) {
      const state = describe ? `; last state: ${await describe()}` : ''
      const reason = last ? `; last error: ${last.message}` : ''
      throw new Error(`${what}: not within ${ms} ms${reason}${state}`)
    }
    await pause(every)
  }
}
