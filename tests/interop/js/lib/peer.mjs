// Stock js-libp2p peers: the foreign side of the interoperation tests. Nothing here is tuned to suit Peerloom.
import './node20.mjs'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { gossipsub } from '@libp2p/gossipsub'
import { circuitRelayTransport, circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { multiaddr } from '@multiformats/multiaddr'
import { until, within } from './wait.mjs'

export { multiaddr }

/** The topic of the universal-connectivity chat and of the room of that name. */
export const UC_TOPIC = 'universal-connectivity'
/** The topic on which universal-connectivity peers announce their addresses. */
export const UC_DISCOVERY_TOPIC = 'universal-connectivity-browser-peer-discovery'
/** The topic of one of our open rooms. */
export const roomTopic = (room) => (room === UC_TOPIC ? UC_TOPIC : `peerloom/open/${room}`)

/**
 * A started js-libp2p peer with TCP, WebSocket, Noise, yamux, identify, ping, stock gossipsub (StrictSign) and the
 * relay client. `listen`: multiaddrs as text. `relayServer`: also be a relay. `gossip`: gossipsub settings other
 * than stock, for stand-in hubs only.
 */
export async function startPeer({ listen = [], relayServer = false, gossip = {}, pubsub = true } = {}) {
  const services = { identify: identify(), identifyPush: identifyPush(), ping: ping() }
  if (pubsub) services.pubsub = gossipsub(gossip)
  if (relayServer) services.relay = circuitRelayServer({ reservations: { maxReservations: 512 } })
  return createLibp2p({
    addresses: { listen },
    transports: [tcp(), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services,
    connectionManager: { maxConnections: 600, inboundConnectionThreshold: 600, maxIncomingPendingConnections: 600 },
  })
}

/** Dials and resolves with the connection; 10 s deadline. */
export function dial(peer, address) {
  return within(peer.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) }), 11_000, `dial ${address}`)
}

/** What the remote side said of itself: waits until identify has run on `peer`'s connection to `id`. */
export function identified(peer, id) {
  return until(
    async () => {
      const known = await peer.peerStore.get(id)
      if (known.protocols.length === 0 || !known.metadata.has('AgentVersion')) return false
      const agent = known.metadata.get('AgentVersion')
      const version = known.metadata.get('ProtocolVersion')
      const text = (bytes) => (bytes ? new TextDecoder().decode(bytes) : null)
      return { agent: text(agent), version: text(version), protocols: known.protocols, addresses: known.addresses }
    },
    10_000,
    `identify of ${id}`,
  )
}

/** Subscribes and waits until the peer knows that `hub` (a PeerId) is subscribed too. */
export async function subscribe(peer, topic, hub) {
  const { pubsub } = peer.services
  pubsub.subscribe(topic)
  await until(
    () => pubsub.getSubscribers(topic).some((id) => id.toString() === hub),
    15_000,
    `subscription of ${hub} to ${topic}`,
  )
}

/** Counts what arrives on a topic: `times` maps each payload (through `read`) to how often it came. */
export class Inbox {
  constructor(peer, topic, read = (data) => new TextDecoder().decode(data)) {
    this.times = new Map()
    this.authors = new Map()
    this.peer = peer
    this.listener = ({ detail }) => {
      if (detail.topic !== topic) return
      const text = read(detail.data)
      if (text === null) return
      this.times.set(text, (this.times.get(text) ?? 0) + 1)
      this.authors.set(text, detail.type === 'signed' ? detail.from.toString() : null)
    }
    peer.services.pubsub.addEventListener('message', this.listener)
  }

  /** The texts of `wanted` that have not come yet. */
  missing(wanted) {
    return wanted.filter((text) => !this.times.has(text))
  }

  /** Waits until all of `wanted` have come; the error names what is missing. */
  async expect(wanted, ms) {
    await until(() => this.missing(wanted).length === 0, ms, `${wanted.length} messages`, {
      describe: () => `${this.missing(wanted).length} missing, first ${this.missing(wanted)[0]}`,
    })
  }

  /** The texts that came more than once. */
  twice() {
    return [...this.times].filter(([, count]) => count > 1).map(([text]) => text)
  }

  close() {
    this.peer.services.pubsub.removeEventListener('message', this.listener)
  }
}

/**
 * Sends probes from one peer until the other has one: the path through the mesh is open from then on.
 * Probes carry a mark of their own, so they never mix with counted messages.
 */
export async function meshReady(sender, inbox, topic, encode = (text) => new TextEncoder().encode(text)) {
  const mark = `probe ${crypto.randomUUID()}`
  let sent = 0
  await until(
    async () => {
      await sender.services.pubsub.publish(topic, encode(`${mark} ${sent++}`)).catch(() => {})
      return [...inbox.times.keys()].some((text) => text.startsWith(mark))
    },
    20_000,
    `a message through the mesh on ${topic}`,
    { every: 300 },
  )
}
