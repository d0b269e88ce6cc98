// The two test protocols that every foreign peer of these tests speaks, over streams of js-libp2p:
//   /peerloom-test/echo/1  the server sends back what it gets and ends when the client has ended;
//   /peerloom-test/rr/1    the client sends 4 bytes, the length wanted (big-endian), and ends its half; the server
//                          sends that many bytes and ends. The second half of such a stream lives alone.

export const ECHO = '/peerloom-test/echo/1'
export const RR = '/peerloom-test/rr/1'
export const PING = '/ipfs/ping/1.0.0'
/** Streams of one protocol on one connection, each way: js-libp2p allows 32 and 64 unless told otherwise. */
export const STREAMS_MAX = 256

const ANSWER_MAX = 16 * 1024 * 1024
const PIECE = 64 * 1024
const PING_SIZE = 32
const SERVED_MS = 60_000

/**
 * Calls `take(bytes)` with everything that arrives, until the other side has ended; rejects when the stream breaks.
 * Not the stream's own iterator: that one waits for the end to be told, which for a short request has happened
 * before the handler is called.
 */
function read(stream, take, ms) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no end of the stream within ${ms} ms`)), ms)
    const finish = (settle, value) => {
      clearTimeout(late)
      settle(value)
    }
    stream.addEventListener('end', () => finish(resolve))
    stream.addEventListener('close', ({ error }) => error && finish(reject, error))
    stream.addEventListener('message', ({ data }) => take(data.subarray()))
    if (stream.readableEnded) finish(resolve)
    else if (stream.status === 'reset' || stream.status === 'aborted') {
      finish(reject, new Error(`the stream is ${stream.status}`))
    }
  })
}

/** Everything that arrives, in one piece. */
async function readAll(stream, ms) {
  const parts = []
  await read(stream, (bytes) => parts.push(bytes), ms)
  return join(parts)
}

function join(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Sends all bytes as fast as the stream takes them. */
async function sendAll(stream, bytes, signal) {
  for (let at = 0; at < bytes.length; at += PIECE) {
    if (!stream.send(bytes.subarray(at, at + PIECE))) await stream.onDrain({ signal })
  }
}

function randomBytes(size) {
  const all = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(all.subarray(at, at + 65_536))
  return all
}

function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}

/** Sends `size` random bytes, ends, and compares what comes back. Resolves with the ms from first byte to last. */
export async function callEcho(stream, size, ms) {
  const signal = AbortSignal.timeout(ms)
  const sent = randomBytes(size)
  const start = performance.now()
  const answer = readAll(stream, ms)
  const sending = sendAll(stream, sent, signal).then(() => stream.close({ signal }))
  const [got] = await Promise.all([answer, sending])
  const took = performance.now() - start
  if (!same(sent, got)) throw new Error(`the echo of ${size} bytes differs (${got.length} bytes came back)`)
  return took
}

/** Asks for `wanted` bytes. Resolves with the ms it took. */
export async function callRr(stream, wanted, ms) {
  const signal = AbortSignal.timeout(ms)
  const request = new Uint8Array(4)
  new DataView(request.buffer).setUint32(0, wanted)
  const start = performance.now()
  const answer = readAll(stream, ms)
  const sending = sendAll(stream, request, signal).then(() => stream.close({ signal }))
  const [got] = await Promise.all([answer, sending])
  if (got.length !== wanted) throw new Error(`asked for ${wanted} bytes, got ${got.length}`)
  return performance.now() - start
}

/** Sends `count` pings, each after the answer to the one before. Resolves with the round-trip times in ms. */
export async function callPing(stream, count, ms) {
  let got = new Uint8Array()
  let wake = () => {}
  const take = (bytes) => {
    got = join([got, bytes])
    wake()
  }
  const ended = read(stream, take, ms).then(() => {
    throw new Error('the stream ended before the last answer')
  })
  const times = []
  const pinging = async () => {
    for (let round = 0; round < count; round++) {
      const sent = randomBytes(PING_SIZE)
      const start = performance.now()
      const answered = new Promise((resolve) => {
        wake = () => got.length >= PING_SIZE && resolve()
      })
      stream.send(sent)
      await answered
      if (!same(got.subarray(0, PING_SIZE), sent)) throw new Error(`a wrong answer to ping ${round + 1}`)
      got = got.subarray(PING_SIZE)
      times.push(performance.now() - start)
    }
  }
  await Promise.race([pinging(), ended])
  // What happens to the stream from here on is the caller's business.
  ended.catch(() => {})
  return times
}

/** Serves one echo stream: what came is sent on at once, in order. */
export async function serveEcho(stream) {
  const signal = AbortSignal.timeout(SERVED_MS)
  let sending = Promise.resolve()
  const pass = (bytes) => {
    // A caller that sends faster than it reads is held up here as far as js-libp2p can: it cannot pause a channel.
    sending = sending.then(() => sendAll(stream, bytes, signal))
    sending.catch((error) => stream.abort(error))
  }
  await read(stream, pass, SERVED_MS)
  await sending
  await stream.close({ signal })
}

/** Serves one request. */
export async function serveRr(stream) {
  const signal = AbortSignal.timeout(SERVED_MS)
  const request = await readAll(stream, SERVED_MS)
  if (request.length !== 4) throw new Error(`a request of ${request.length} bytes`)
  const wanted = new DataView(request.buffer).getUint32(0)
  if (wanted > ANSWER_MAX) throw new Error(`a request for ${wanted} bytes`)
  await sendAll(stream, randomBytes(wanted), signal)
  await stream.close({ signal })
}
