// What every test of this package shares: clean up whatever happens, and show the node's log when it fails.

/**
 * `later(thing)` remembers something with a `stop()` to call after the test; `checked(run)` is `run` as a test function.
 * `log()` returns the text that explains a failure.
 */
export function fixture(log) {
  const open = []
  const later = (thing) => {
    open.push(thing)
    return thing
  }
  const checked = (run) => async (context) => {
    try {
      await run(context)
    } catch (error) {
      if (error instanceof Error) error.message += `\n--- the log ends with ---\n${log()}`
      throw error
    } finally {
      await Promise.allSettled(open.splice(0).map(async (thing) => thing.stop()))
    }
  }
  return { later, checked }
}
