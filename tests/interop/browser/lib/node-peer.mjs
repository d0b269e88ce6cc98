// A stock js-libp2p peer in this process, over WebRTC-direct. It has the methods of the peer in a page.
import '../../js/lib/node20.mjs'
import { createLibp2p } from 'libp2p'
import { webRTCDirect } from '@libp2p/webrtc'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { ECHO, PING, RR, STREAMS_MAX, callEcho, callPing, callRr, serveEcho, serveRr } from '../protocols.mjs'

const CALL_MS = 60_000
const STREAMS = { maxInboundStreams: STREAMS_MAX, maxOutboundStreams: STREAMS_MAX }

export class NodePeer {
  static async start() {
    const peer = new NodePeer()
    peer.wrong = []
    peer.node = await createLibp2p({
      transports: [webRTCDirect({ rtcConfiguration: { iceServers: [] } })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), ping: ping() },
    })
    peer.id = peer.node.peerId.toString()
    for (const [protocol, serve] of [
      [ECHO, serveEcho],
      [RR, serveRr],
    ]) {
      const handle = (stream) =>
        serve(stream).catch((error) => {
          peer.wrong.push(`${protocol}: ${error.message}`)
          stream.abort(error)
        })
      await peer.node.handle(protocol, handle, STREAMS)
    }
    return peer
  }

  stop() {
    return this.node.stop()
  }

  dial(address) {
    return this.node.dial(multiaddr(address), { signal: AbortSignal.timeout(20_000) })
  }

  async call(id, protocol, run) {
    const [connection] = this.node.getConnections(peerIdFromString(id))
    if (!connection) throw new Error(`no connection to ${id}`)
    const stream = await connection.newStream(protocol, { ...STREAMS, signal: AbortSignal.timeout(CALL_MS) })
    try {
      return await run(stream)
    } catch (error) {
      stream.abort(error)
      throw error
    }
  }

  echo(id, size) {
    return this.call(id, ECHO, (stream) => callEcho(stream, size, CALL_MS))
  }

  rr(id, count) {
    const one = (_, i) => this.call(id, RR, (stream) => callRr(stream, 1_000 + 37 * i, CALL_MS))
    return Promise.all(Array.from({ length: count }, one))
  }

  ping(id, count) {
    return this.call(id, PING, async (stream) => {
      const times = await callPing(stream, count, CALL_MS)
      stream.abort(new Error('done'))
      return times
    })
  }

  /** What went wrong while serving others. */
  async faults() {
    return [...this.wrong]
  }
}
