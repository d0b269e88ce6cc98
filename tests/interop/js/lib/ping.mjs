// Ping without the library's service, which opens a new stream each time: go and py reuse one stream.
import { within } from './wait.mjs'

const PING = '/ipfs/ping/1.0.0'
const SIZE = 32

/** Sends `count` pings one after the other on a single stream; resolves with the round-trip times in ms. */
export async function pingOneStream(connection, count, ms = 5_000) {
  const options = { signal: AbortSignal.timeout(10_000), runOnLimitedConnection: true }
  const stream = await connection.newStream(PING, options)
  let got = Buffer.alloc(0)
  let wake = () => {}
  stream.addEventListener('message', ({ data }) => {
    got = Buffer.concat([got, data.subarray()])
    wake()
  })
  const times = []
  try {
    for (let round = 0; round < count; round++) {
      const sent = Buffer.from(crypto.getRandomValues(new Uint8Array(SIZE)))
      const start = performance.now()
      const answered = new Promise((resolve) => {
        wake = () => got.length >= SIZE && resolve()
      })
      stream.send(sent)
      await within(answered, ms, `answer to ping ${round + 1} of ${count} on one stream`)
      if (!got.subarray(0, SIZE).equals(sent)) throw new Error(`wrong answer to ping ${round + 1}`)
      got = got.subarray(SIZE)
      times.push(performance.now() - start)
    }
  } finally {
    stream.abort(new Error('done'))
  }
  return times
}
