// A light client: js-libp2p carries the connection (TCP or WebSocket, Noise, yamux, identify); gossipsub is only what
// a leaf needs: subscribe, publish signed messages, count what comes. It checks no signatures and forwards nothing,
// because checking costs more than all the rest and 50 clients share one machine with the hub.
import './node20.mjs'
import { startPeer, dial } from './peer.mjs'
import { until } from './wait.mjs'
import {
  Frames,
  MESHSUB,
  frame,
  publication,
  encodeMessage,
  readRpc,
  signedMessage,
  subscription,
  graft,
} from './rpc.mjs'

/** Connects to `address` and subscribes to `topic`; `onData(bytes)` gets each message's data. */
export async function startLeaf(address, topic, onData) {
  const peer = await startPeer({ pubsub: false })
  const wanted = Buffer.from(topic)
  let hubListens = false
  const handlers = {
    onMessage: (message) => {
      if (message.topic && wanted.equals(message.topic)) onData(message.data)
    },
    onTopic: (name, on) => {
      if (name === topic) hubListens = on
    },
  }
  await peer.handle(MESHSUB, (stream) => {
    const frames = new Frames((rpc) => readRpc(rpc, handlers))
    stream.addEventListener('message', ({ data }) => frames.push(data.subarray()))
  })
  const connection = await dial(peer, address)
  const stream = await connection.newStream(MESHSUB, { signal: AbortSignal.timeout(10_000) })
  stream.send(frame(Buffer.concat([subscription(topic), graft(topic)])))
  await until(() => hubListens, 10_000, `subscription of the hub to ${topic}`)
  const sendRaw = (bytes) => {
    if (stream.status === 'open') stream.send(bytes)
  }
  const privateKey = peer.components.privateKey
  return {
    peer,
    /** Signs and sends one message. */
    async publish(data) {
      const message = await signedMessage(privateKey, topic, data)
      stream.send(frame(publication(encodeMessage(message))))
    },
    connection,
    /** Sends an RPC of the caller's making; nothing happens when the hub has closed the stream. */
    sendRpc: (rpc) => sendRaw(frame(rpc)),
    /** The same for bytes without a length in front. */
    sendRaw,
    stop: () => peer.stop(),
  }
}
