// A stock js-libp2p peer before a node that is closed: it hears who the node is, may show grants, and is shown out.
// The same peer before an open node is the control: there everything opens.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fixture } from './lib/checked.mjs'
import { Node } from './lib/node.mjs'
import { dial, identified, startPeer } from './lib/peer.mjs'
import { pingOneStream } from './lib/ping.mjs'
import { putBytes, putVarint, takeVarint } from './lib/post.mjs'
import { until, within } from './lib/wait.mjs'

const AUTH = '/peerloom/auth/1'
/** What everybody is told of, whatever the policy. */
const GREETING = ['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0', '/ipfs/ping/1.0.0', AUTH]
/** What an open node serves besides, on a direct connection. */
const SERVED = [
  '/floodsub/1.0.0',
  '/meshsub/1.0.0',
  '/meshsub/1.1.0',
  '/meshsub/1.2.0',
  '/peerloom/kad/1',
  '/libp2p/circuit/relay/0.2.0/hop',
  '/libp2p/circuit/relay/0.2.0/stop',
  '/libp2p/autonat/2/dial-request',
  '/libp2p/autonat/2/dial-back',
]
/** What a closed node must not answer either: relayed connections', other networks', and ours of other versions. */
const OTHERS = [
  '/libp2p/dcutr',
  '/webrtc-signaling/0.0.1',
  '/meshsub/1.3.0',
  '/ipfs/kad/1.0.0',
  '/peerloom/find/1',
  '/peerloom/mailbox/1',
  '/peerloom/content/1',
  '/peerloom/history/1',
  '/peerloom/dm/1',
  '/peerloom/hop/1',
]
const PROBATION_MS = 5_000
const CLOSED = 3

let closed, open
const { later, checked } = fixture(() => `closed:\n${closed?.log}\nopen:\n${open?.log}`)
const sorted = (list) => [...list].sort()

before(async () => {
  const start = (policy) =>
    Node.start({ args: ['--policy', policy, '--room', 'lobby'], transports: ['tcp', 'websocket'] })
  ;[closed, open] = await Promise.all(['closed', 'open'].map(start))
})

after(async () => {
  await Promise.all([closed?.dispose(), open?.dispose()])
})

/** `yes` where the node takes a stream of this protocol, else the name of the error. */
async function opens(connection, protocol) {
  try {
    const options = { signal: AbortSignal.timeout(10_000), runOnLimitedConnection: true, negotiateFully: true }
    const stream = await connection.newStream(protocol, options)
    stream.abort(new Error('seen'))
    return 'yes'
  } catch (error) {
    return error.name
  }
}

/** Shows nothing to the node over `/peerloom/auth/1`; resolves with the numbers of its answer, by field. */
async function showNothing(connection) {
  const stream = await connection.newStream(AUTH, { signal: AbortSignal.timeout(10_000) })
  const request = []
  putBytes(request, 1, new Uint8Array(32))
  const message = []
  putVarint(message, request.length)
  let got = Buffer.alloc(0)
  const whole = new Promise((resolve) => {
    stream.addEventListener('message', ({ data }) => {
      got = Buffer.concat([got, data.subarray()])
      const [length, at] = takeVarint(got, 0)
      if (got.length >= at + Number(length)) resolve(got.subarray(at, at + Number(length)))
    })
  })
  stream.send(Uint8Array.from([...message, ...request]))
  const answer = await within(whole, 5_000, 'the answer about grants')
  const fields = new Map()
  for (let at = 0; at < answer.length;) {
    let tag, value
    ;[tag, at] = takeVarint(answer, at)
    assert.equal(tag & 7n, 0n, 'an answer to nothing has numbers only')
    ;[value, at] = takeVarint(answer, at)
    fields.set(Number(tag >> 3n), Number(value))
  }
  return { status: fields.get(1), allowed: fields.get(2) ?? 0, access: fields.get(5) }
}

for (const transport of ['tcp', 'websocket']) {
  describe(`over ${transport}`, () => {
    test(
      'a closed node tells of identify, ping and auth only, and opens nothing else',
      { timeout: 60_000 },
      checked(async () => {
        const peer = later(await startPeer())
        const connection = await dial(peer, closed.address(transport))
        const began = performance.now()
        const ended = once(connection, 'close').then(() => performance.now() - began)
        const said = await identified(peer, connection.remotePeer)
        assert.deepEqual(sorted(said.protocols), sorted(GREETING))
        const refused = {}
        for (const protocol of [...SERVED, ...OTHERS]) refused[protocol] = await opens(connection, protocol)
        const wrong = Object.entries(refused).filter(([, how]) => how !== 'UnsupportedProtocolError')
        assert.deepEqual(wrong, [], 'protocol not supported')
        assert.equal((await pingOneStream(connection, 3)).length, 3)
        // 1 is OK: nothing that it showed was wrong.
        assert.deepEqual(await showNothing(connection), { status: 1, allowed: 0, access: CLOSED })
        assert.equal(connection.status, 'open', 'all of this was refused on a connection that stood')
        assert.ok(!peer.services.pubsub.getPeers().length, 'gossip has found nobody')

        const took = await within(ended, PROBATION_MS + 5_000, 'the end of probation')
        assert.ok(took > PROBATION_MS - 500, `shown out after ${took} ms`)
        const again = await identified(peer, connection.remotePeer)
        assert.deepEqual(sorted(again.protocols), sorted(GREETING), 'nothing was added until the end')
        const { peers } = await closed.api('GET', '/api/v1/status')
        assert.ok(!peers.some(({ id }) => id === peer.peerId.toString()))
      }),
    )

    test(
      'an open node serves the same peer everything',
      { timeout: 60_000 },
      checked(async () => {
        const peer = later(await startPeer())
        const connection = await dial(peer, open.address(transport))
        const began = performance.now()
        const said = await identified(peer, connection.remotePeer)
        const served = said.protocols.filter((protocol) => !GREETING.includes(protocol))
        for (const protocol of SERVED) assert.ok(served.includes(protocol), `${protocol} is not in ${served}`)
        const answers = {}
        // Of gossip one version: a node takes a handful of its streams on one connection.
        const once = (protocol) => !/^\/(meshsub|floodsub)/.test(protocol) || protocol === '/meshsub/1.1.0'
        for (const protocol of [...GREETING, ...served].filter(once))
          answers[protocol] = await opens(connection, protocol)
        const wrong = Object.entries(answers).filter(([, how]) => how !== 'yes')
        assert.deepEqual(wrong, [])
        await until(() => peer.services.pubsub.getPeers().length > 0, 10_000, 'gossip with the node')
        await until(
          async () => {
            await pingOneStream(connection, 1)
            return performance.now() - began > PROBATION_MS + 2_000
          },
          PROBATION_MS + 10_000,
          'a stay that is longer than probation',
          { every: 250 },
        )
        assert.equal(connection.status, 'open')
      }),
    )
  })
}

/** A peer that listens through a node, if that lets it, and its addresses there. */
async function listenThrough(node) {
  const peer = await startPeer({ listen: [`${node.address('tcp')}/p2p-circuit`] }).catch(() => null)
  if (peer) later(peer)
  const slots = () => (peer?.getMultiaddrs() ?? []).map(String).filter((address) => address.includes('/p2p-circuit'))
  return { peer, slots }
}

test(
  'a closed node gives a stranger no relay slot and no circuit, an open one does',
  { timeout: 60_000 },
  checked(async () => {
    const served = await listenThrough(open)
    await until(() => served.slots().length > 0, 10_000, 'a slot at the open node')
    const through = `${open.address('websocket')}/p2p-circuit/p2p/${served.peer.peerId}`
    assert.ok((await dial(later(await startPeer()), through)).limits, 'a circuit of the open node')

    const { peer, slots } = await listenThrough(closed)
    if (peer) {
      const left = () => peer.getConnections().length === 0
      await until(left, PROBATION_MS + 10_000, 'the end of probation')
    }
    assert.deepEqual(slots(), [])
    const caller = later(await startPeer())
    const target = peer?.peerId ?? served.peer.peerId
    await assert.rejects(dial(caller, `${closed.address('tcp')}/p2p-circuit/p2p/${target}`))
  }),
)
