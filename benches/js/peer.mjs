// js-libp2p in Node over WebRTC-direct, with the protocol and the orders of src/peer.rs.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { webRTCDirect } from '@libp2p/webrtc'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { block } from './pattern.mjs'

const PROTOCOL = '/peerloom-bench/1'
const [UP, DOWN, ECHO] = [1, 2, 3]
const ECHO_BYTES = 64
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const pattern = block()
const quiet = () => {}

// js-libp2p uses it, and Node has it since version 22 only.
Promise.withResolvers ??= function () {
  const made = {}
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}

/** Reads a stream piece by piece: `take(n)` waits for at least one byte and gives at most n. */
function reader(stream) {
  const pieces = stream[Symbol.asyncIterator]()
  let rest = new Uint8Array(0)
  const take = async (most) => {
    while (rest.length === 0) {
      const { value, done } = await pieces.next()
      if (done) throw new Error('the stream ended')
      rest = value.subarray()
    }
    const piece = rest.subarray(0, most)
    rest = rest.subarray(piece.length)
    return piece
  }
  const exactly = async (count) => {
    const all = new Uint8Array(count)
    for (let at = 0; at < count;) {
      const piece = await take(count - at)
      all.set(piece, at)
      at += piece.length
    }
    return all
  }
  return { take, exactly }
}

async function write(stream, bytes) {
  if (!stream.send(bytes)) await stream.onDrain()
}

async function send(stream, count) {
  for (let left = count; left > 0;) {
    const piece = pattern.subarray(0, Math.min(left, pattern.length))
    await write(stream, piece)
    left -= piece.length
  }
}

async function receive(from, count) {
  const hash = createHash('sha256')
  for (let left = count; left > 0;) {
    const piece = await from.take(left)
    hash.update(piece)
    left -= piece.length
  }
  return hash.digest()
}

function head(what, count) {
  const bytes = new Uint8Array(9)
  bytes[0] = what
  new DataView(bytes.buffer).setBigUint64(1, BigInt(count))
  return bytes
}

async function answer(stream) {
  const from = reader(stream)
  const asked = await from.exactly(9)
  const count = Number(new DataView(asked.buffer).getBigUint64(1))
  if (asked[0] === UP) await write(stream, await receive(from, count))
  else if (asked[0] === DOWN) await send(stream, count)
  else for (;;) await write(stream, await from.exactly(ECHO_BYTES))
  await stream.close()
}

async function start(listen) {
  return createLibp2p({
    addresses: { listen },
    transports: [webRTCDirect()],
    connectionGater: { denyDialMultiaddr: () => false },
  })
}

async function serve() {
  const node = await start(['/ip4/127.0.0.1/udp/0/webrtc-direct'])
  await node.handle(PROTOCOL, (stream) => answer(stream).catch(quiet), { maxInboundStreams: 1000 })
  say({ address: node.getMultiaddrs()[0].toString() })
}

async function bulk(connection, what, count) {
  const stream = await connection.newStream(PROTOCOL)
  const from = reader(stream)
  const begin = performance.now()
  await write(stream, head(what, count))
  if (what === UP) await send(stream, count)
  const hash = what === UP ? await from.exactly(32) : await receive(from, count)
  const seconds = (performance.now() - begin) / 1000
  stream.close().catch(quiet)
  return { seconds, sha256: Buffer.from(hash).toString('hex') }
}

async function echoOnce(stream, from) {
  await write(stream, new Uint8Array(ECHO_BYTES))
  await from.exactly(ECHO_BYTES)
}

async function roundTrips(connection, order) {
  const micros = []
  let stream
  let from
  for (let turn = 0; turn < (order.echo ?? order.open); turn++) {
    const begin = performance.now()
    if (order.open || !stream) {
      stream = await connection.newStream(PROTOCOL, { maxOutboundStreams: 1000 })
      from = reader(stream)
      await write(stream, head(ECHO, 0))
    }
    await echoOnce(stream, from)
    micros.push((performance.now() - begin) * 1000)
    if (order.open) stream.abort(new Error('done'))
  }
  return { micros }
}

async function dial(address) {
  const node = await start([])
  const begin = performance.now()
  const connection = await node.dial(multiaddr(address))
  say({ connected: (performance.now() - begin) / 1000 })
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line)
    if (order.up) say(await bulk(connection, UP, order.up))
    else if (order.down) say(await bulk(connection, DOWN, order.down))
    else say(await roundTrips(connection, order))
  }
}

const [role, address] = process.argv.slice(2)
process.stdin.on('end', () => process.exit())
process.stdin.resume()
await (role === 'serve' ? serve() : dial(address))
