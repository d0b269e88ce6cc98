// A stock js-libp2p peer inside a web page, as `window.foreign`: what a test asks of it comes in as plain values and
// goes out as plain values. Only what a browser or a loopback test needs differs from js-libp2p's defaults.
import { createLibp2p } from 'libp2p'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping as pingService } from '@libp2p/ping'
import { gossipsub } from '@libp2p/gossipsub'
import { peerIdFromString } from '@libp2p/peer-id'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { ECHO, PING, RR, STREAMS_MAX, callEcho, callPing, callRr, serveEcho, serveRr } from './protocols.mjs'

const DIAL_MS = 20_000
const CALL_MS = 60_000
/** The topic on which universal-connectivity peers announce their addresses. */
const DISCOVERY_TOPIC = 'universal-connectivity-browser-peer-discovery'

let node
const heard = []
const faults = []

const asText = (bytes) => new TextDecoder().decode(bytes)
const asBytes = (text) => new TextEncoder().encode(text)

/** Starts the peer. With `relays` (addresses with their peer ids) it reserves a slot at each and takes /webrtc calls. */
async function create({ relays = [] } = {}) {
  if (node) throw new Error('there is a peer in this page already')
  const listen = relays.map((relay) => `${relay}/p2p-circuit`)
  if (relays.length > 0) listen.push('/webrtc')
  // No public STUN servers: the tests stay on this machine.
  const rtcConfiguration = { iceServers: [] }
  node = await createLibp2p({
    addresses: { listen },
    transports: [
      webSockets(),
      circuitRelayTransport(),
      webRTC({ rtcConfiguration }),
      webRTCDirect({ rtcConfiguration }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // In a browser js-libp2p refuses loopback addresses and unencrypted WebSocket by itself.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), identifyPush: identifyPush(), ping: pingService(), pubsub: gossipsub() },
  })
  await serve(ECHO, serveEcho)
  await serve(RR, serveRr)
  node.services.pubsub.addEventListener('message', ({ detail }) => {
    const from = detail.type === 'signed' ? detail.from.toString() : null
    heard.push({ topic: detail.topic, from, text: asText(detail.data) })
  })
  return node.peerId.toString()
}

function serve(protocol, handler) {
  const handle = async (stream) => {
    try {
      await handler(stream)
    } catch (error) {
      faults.push(`${protocol}: ${error.message}`)
      stream.abort(error)
    }
  }
  return node.handle(protocol, handle, { maxInboundStreams: STREAMS_MAX, maxOutboundStreams: STREAMS_MAX })
}

/** What carries a connection: behind `/webrtc` or `/p2p-circuit` the parts before only say how it came about. */
function transportOf(address) {
  const names = multiaddr(address)
    .getComponents()
    .map(({ name }) => name)
  const found = ['webrtc', 'p2p-circuit', 'webrtc-direct', 'wss', 'ws'].find((name) => names.includes(name))
  return { 'p2p-circuit': 'circuit', ws: 'websocket', wss: 'websocket' }[found] ?? found ?? 'other'
}

function describe(connection) {
  const address = connection.remoteAddr.toString()
  return {
    peer: connection.remotePeer.toString(),
    address,
    transport: transportOf(address),
    direction: connection.direction,
    // `direct` is what js-libp2p makes of the address; `limited` what a relay said.
    direct: connection.direct,
    limited: connection.limits !== undefined,
    status: connection.status,
    muxer: connection.multiplexer,
    encryption: connection.encryption,
    // The last round-trip time that js-libp2p's own watch over the connection measured, in ms.
    rtt: connection.rtt ?? null,
    id: connection.id,
  }
}

/** Connects; resolves with the connection and the ms it took. */
async function dial(address) {
  const start = performance.now()
  const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(DIAL_MS) })
  return { ...describe(connection), ms: performance.now() - start }
}

/** What a peer said of itself through identify, or null while it has not. */
async function identified(peer) {
  const known = await node.peerStore.get(peerIdFromString(peer)).catch(() => null)
  if (!known?.metadata.has('AgentVersion')) return null
  return {
    agent: asText(known.metadata.get('AgentVersion')),
    version: asText(known.metadata.get('ProtocolVersion') ?? new Uint8Array()),
    protocols: known.protocols,
  }
}

/** The connection for calls: open, and no relay's limits on it. */
function unlimited(peer) {
  const found = node
    .getConnections(peerIdFromString(peer))
    .find(({ status, limits }) => status === 'open' && limits === undefined)
  if (!found) throw new Error(`no unlimited connection to ${peer}`)
  return found
}

/** A stream of its own for one call; aborted when the call fails. */
async function call(connection, protocol, run) {
  const options = { signal: AbortSignal.timeout(CALL_MS), maxOutboundStreams: STREAMS_MAX }
  const stream = await connection.newStream(protocol, options)
  try {
    return await run(stream)
  } catch (error) {
    stream.abort(error)
    throw error
  }
}

/** Pings one after the other on one stream, which go and py do as well; the round-trip times in ms. */
async function ping(peer, count) {
  return call(unlimited(peer), PING, async (stream) => {
    const times = await callPing(stream, count, DIAL_MS)
    stream.abort(new Error('done'))
    return times
  })
}

/** The same through js-libp2p's own service: each ping has a stream, which must be closed before the next is opened. */
async function stockPing(peer, count) {
  const times = []
  for (let i = 0; i < count; i++) {
    times.push(await node.services.ping.ping(peerIdFromString(peer), { signal: AbortSignal.timeout(DIAL_MS) }))
  }
  return times
}

/** Sends `size` bytes and gets them back; the ms it took. */
async function echo(peer, size) {
  return call(unlimited(peer), ECHO, (stream) => callEcho(stream, size, CALL_MS))
}

/** `count` requests at the same time, each for another length; `{ ms, slowest }`. */
async function rr(peer, count) {
  const connection = unlimited(peer)
  const start = performance.now()
  const one = (_, i) => call(connection, RR, (stream) => callRr(stream, 1_000 + 37 * i, CALL_MS))
  const times = await Promise.all(Array.from({ length: count }, one))
  return { ms: performance.now() - start, slowest: Math.max(...times) }
}

const gossip = {
  join: (topic) => node.services.pubsub.subscribe(topic),
  /** The peers known to be in the topic. */
  members: (topic) => node.services.pubsub.getSubscribers(topic).map(String),
  /** Resolves with the number of peers it went to; rejects when there is none. */
  send: async (topic, text) => (await node.services.pubsub.publish(topic, asBytes(text))).recipients.length,
  /** `{ from, text }` of everything that has come, oldest first. */
  received: (topic) => heard.filter((one) => one.topic === topic).map(({ from, text }) => ({ from, text })),
  /** Announces this peer's addresses in the form of universal-connectivity: {1 public key, 2 repeated addresses}. */
  announce: async () => {
    const key = publicKeyToProtobuf(node.peerId.publicKey)
    const addresses = node.getMultiaddrs().map((address) => address.bytes)
    const fields = [[1, key], ...addresses.map((bytes) => [2, bytes])]
    const data = Uint8Array.from(fields.flatMap(([number, bytes]) => [...head(number, bytes.length), ...bytes]))
    return (await node.services.pubsub.publish(DISCOVERY_TOPIC, data)).recipients.length
  },
}

/** Tag and length of a protobuf field of bytes shorter than 16 KiB. */
function head(number, length) {
  const tag = (number << 3) | 2
  return length < 128 ? [tag, length] : [tag, (length & 127) | 128, length >> 7]
}

window.foreign = {
  create,
  dial,
  identified,
  ping,
  stockPing,
  echo,
  rr,
  gossip,
  /** The addresses under which others reach this peer. */
  listenAddrs: () => node.getMultiaddrs().map(String),
  connections: () => node.getConnections().map(describe),
  hangUp: (peer) => node.hangUp(peerIdFromString(peer), { signal: AbortSignal.timeout(DIAL_MS) }),
  /** What went wrong while serving others. */
  faults: () => [...faults],
  stop: async () => {
    await node?.stop()
    node = undefined
  },
}
