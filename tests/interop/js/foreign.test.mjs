// Stock js-libp2p peers against a real node: connections, identify, ping, relay, chat in both payload forms,
// discovery, and messages that must not pass.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { fixture } from './lib/checked.mjs'
import { startLeaf } from './lib/leaf.mjs'
import { Node } from './lib/node.mjs'
import {
  Inbox,
  UC_DISCOVERY_TOPIC,
  UC_TOPIC,
  dial,
  identified,
  meshReady,
  multiaddr,
  roomTopic,
  startPeer,
  subscribe,
} from './lib/peer.mjs'
import { KIND, decodePost, encodePost, readFields } from './lib/post.mjs'
import { encodeMessage, frame, ihave, graft, publication, signedMessage, subscription } from './lib/rpc.mjs'
import { pingOneStream } from './lib/ping.mjs'
import { until, within } from './lib/wait.mjs'

const PROTOCOLS = [
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
  '/ipfs/ping/1.0.0',
  '/meshsub/1.2.0',
  '/meshsub/1.1.0',
  '/meshsub/1.0.0',
  '/libp2p/circuit/relay/0.2.0/hop',
  '/libp2p/autonat/2/dial-request',
]

let node
const { later, checked } = fixture(() => node?.log)
const peerOf = async (options) => later(await startPeer(options))
const text = (bytes) => new TextDecoder().decode(bytes)
const bytes = (string) => new TextEncoder().encode(string)

before(async () => {
  node = await Node.start()
  await node.api('POST', '/api/v1/rooms/join', { room: 'lobby', name: 'node' })
  await node.api('POST', '/api/v1/rooms/join', { room: UC_TOPIC })
})

after(async () => {
  await node?.dispose()
})

for (const transport of ['tcp', 'websocket']) {
  describe(`a js peer over ${transport}`, () => {
    test(
      'identify and ping',
      { timeout: 60_000 },
      checked(async () => {
        const peer = await peerOf()
        const connection = await dial(peer, node.address(transport))
        assert.equal(connection.remotePeer.toString(), node.id)
        const said = await identified(peer, connection.remotePeer)
        assert.match(said.agent, /^peerloom\/\d+\.\d+\.\d+\S* \(native\)$/)
        assert.equal(said.version, 'peerloom/1')
        for (const protocol of PROTOCOLS) assert.ok(said.protocols.includes(protocol), `${protocol} is offered`)
        const rtt = await within(peer.services.ping.ping(connection.remotePeer), 5_000, 'a ping')
        assert.ok(rtt < 5_000)
      }),
    )

    test(
      '20 pings on one stream, and on 20 streams',
      { timeout: 60_000 },
      checked(async () => {
        const peer = await peerOf()
        const connection = await dial(peer, node.address(transport))
        const times = await pingOneStream(connection, 20)
        assert.equal(times.length, 20)
        for (let round = 0; round < 20; round++) {
          await within(peer.services.ping.ping(connection.remotePeer), 5_000, `ping ${round}`)
        }
      }),
    )

    test(
      'a wrong peer id behind the address is refused',
      { timeout: 60_000 },
      checked(async () => {
        const peer = await peerOf()
        const wrong = node.address(transport).replace(node.id, peer.peerId.toString())
        const other = await peerOf()
        await assert.rejects(dial(other, wrong))
        assert.ok(await node.alive())
      }),
    )
  })
}

test(
  'a js peer reserves a relay slot and is reached through it',
  { timeout: 60_000 },
  checked(async () => {
    const listener = await peerOf({ listen: [`${node.address('tcp')}/p2p-circuit`] })
    const circuit = await until(
      () =>
        listener
          .getMultiaddrs()
          .map(String)
          .find((address) => address.includes('/p2p-circuit')),
      10_000,
      'a circuit address',
    )
    assert.ok(circuit.includes(node.id), circuit)
    const caller = await peerOf()
    const through = `${node.address('websocket')}/p2p-circuit/p2p/${listener.peerId}`
    const connection = await dial(caller, through)
    assert.equal(connection.remotePeer.toString(), listener.peerId.toString())
    assert.ok(connection.limits, 'the connection is known to be limited')
    const times = await pingOneStream(connection, 20)
    assert.equal(times.length, 20)
  }),
)

test(
  '100 messages each way between two js peers, none lost, none twice',
  { timeout: 120_000 },
  checked(async () => {
    const ends = await Promise.all(
      ['tcp', 'websocket'].map(async (transport) => {
        const peer = await peerOf()
        await dial(peer, node.address(transport))
        const inbox = new Inbox(peer, UC_TOPIC)
        await subscribe(peer, UC_TOPIC, node.id)
        return { peer, inbox }
      }),
    )
    const [a, b] = ends
    await Promise.all([meshReady(a.peer, b.inbox, UC_TOPIC), meshReady(b.peer, a.inbox, UC_TOPIC)])
    const lists = ['from a', 'from b'].map((who) => Array.from({ length: 100 }, (_, i) => `${who} ${i}`))
    for (let i = 0; i < 100; i++) {
      await Promise.all(ends.map(({ peer }, side) => peer.services.pubsub.publish(UC_TOPIC, bytes(lists[side][i]))))
    }
    await Promise.all([b.inbox.expect(lists[0], 20_000), a.inbox.expect(lists[1], 20_000)])
    // A copy by gossip repair would come within the next heartbeats: a later message closes the window.
    for (let i = 0; i < 3; i++) {
      await Promise.all([meshReady(a.peer, b.inbox, UC_TOPIC), meshReady(b.peer, a.inbox, UC_TOPIC)])
    }
    assert.deepEqual(a.inbox.twice(), [])
    assert.deepEqual(b.inbox.twice(), [])
    for (const message of lists[0]) assert.equal(b.inbox.authors.get(message), a.peer.peerId.toString())
  }),
)

test(
  'chat with the node in the universal-connectivity form',
  { timeout: 60_000 },
  checked(async () => {
    const peer = await peerOf()
    await dial(peer, node.address('websocket'))
    const inbox = new Inbox(peer, UC_TOPIC)
    await subscribe(peer, UC_TOPIC, node.id)
    const hello = `hello from js, 你好 ${Date.now()}`
    const got = await untilNodeHas(peer, UC_TOPIC, UC_TOPIC, hello, () => bytes(hello))
    assert.equal(got.author, peer.peerId.toString())
    assert.equal(got.own, false)
    assert.equal(got.sentMs, null, 'this format carries no time')
    const sent = await node.api('POST', '/api/v1/rooms/send', { room: UC_TOPIC, text: 'hello from the node' })
    assert.equal(sent.text, 'hello from the node')
    assert.equal(sent.own, true)
    await inbox.expect(['hello from the node'], 10_000)
    assert.equal(inbox.authors.get('hello from the node'), node.id)
    const notText = Uint8Array.of(0xff, 0xfe, 0x00, 0xc3)
    await peer.services.pubsub.publish(UC_TOPIC, notText)
    await peer.services.pubsub.publish(UC_TOPIC, bytes('after bad UTF-8'))
    await untilNodeHas(peer, UC_TOPIC, UC_TOPIC, 'after bad UTF-8')
  }),
)

test(
  'chat with the node in the Post form of the other rooms',
  { timeout: 60_000 },
  checked(async () => {
    const topic = roomTopic('lobby')
    const peer = await peerOf()
    await dial(peer, node.address('tcp'))
    const posts = []
    peer.services.pubsub.addEventListener('message', ({ detail }) => {
      if (detail.topic === topic) posts.push({ post: decodePost(detail.data), from: detail.from.toString() })
    })
    await subscribe(peer, topic, node.id)
    let counter = Date.now()
    const body = `Grüße ${counter}`
    const got = await untilNodeHas(peer, topic, 'lobby', body, () => encodePost({ counter: counter++, body }))
    assert.equal(got.author, peer.peerId.toString())
    assert.ok(Math.abs(got.sentMs - Date.now()) < 30_000)
    await node.api('POST', '/api/v1/rooms/send', { room: 'lobby', text: 'a post' })
    const found = await until(() => posts.find(({ post }) => post.text === 'a post'), 10_000, 'the post of the node')
    assert.equal(found.from, node.id)
    assert.equal(found.post.v, 1)
    assert.equal(found.post.kind, KIND.text)
    assert.ok(Math.abs(found.post.createdMs - Date.now()) < 30_000)
    await node.api('POST', '/api/v1/rooms/send', { room: 'lobby', text: 'the next post' })
    const next = await until(() => posts.find(({ post }) => post.text === 'the next post'), 10_000, 'the next post')
    assert.ok(next.post.counter > found.post.counter, 'the counter rises')
    // Presence: the node's own shows up here, and ours shows up there as a member with its name.
    const presence = await until(() => posts.find(({ post }) => post.kind === KIND.presence), 30_000, 'a presence post')
    assert.equal(presence.from, node.id)
    const named = encodePost({ counter: counter++, kind: KIND.presence, body: 'js friend' })
    await peer.services.pubsub.publish(topic, named)
    await until(
      async () => (await member('lobby', peer.peerId.toString()))?.name === 'js friend',
      10_000,
      'the js peer among the members',
    )
    await peer.services.pubsub.publish(topic, encodePost({ counter: counter++, kind: KIND.leave }))
    await until(async () => !(await member('lobby', peer.peerId.toString())), 10_000, 'the js peer leaving')
  }),
)

test(
  'the node announces itself in the universal-connectivity form',
  { timeout: 60_000 },
  checked(async () => {
    const peer = await peerOf()
    await dial(peer, node.address('websocket'))
    const heard = new Promise((resolve) => {
      peer.services.pubsub.addEventListener('message', ({ detail }) => {
        if (detail.topic === UC_DISCOVERY_TOPIC && detail.from.toString() === node.id) resolve(detail)
      })
    })
    await subscribe(peer, UC_DISCOVERY_TOPIC, node.id)
    const { data } = await within(heard, 25_000, 'an announcement of the node')
    assert.ok(data.length <= 4096)
    const fields = readFields(data)
    const keys = fields.filter(([number]) => number === 1)
    assert.equal(keys.length, 1)
    assert.equal(peerIdFromPublicKey(publicKeyFromProtobuf(keys[0][1])).toString(), node.id)
    const addresses = fields.filter(([number]) => number === 2).map(([, value]) => multiaddr(value).toString())
    assert.ok(addresses.length >= 1 && addresses.length <= 8, `${addresses.length} addresses`)
    assert.ok(
      addresses.some((address) => address.includes('/tcp/')),
      addresses.join(' '),
    )
    // Announcements that are not one: the node must ignore them and stay.
    const foreign = await peerOf()
    const key = foreign.components.privateKey.publicKey
    for (const bad of [bytes('not protobuf'), new Uint8Array(5_000), announcement(key, [bytes('no address')])]) {
      await peer.services.pubsub.publish(UC_DISCOVERY_TOPIC, bad)
    }
    await within(peer.services.ping.ping(multiaddr(node.address('websocket'))), 5_000, 'a ping after bad announcements')
  }),
)

describe('messages that must not pass', () => {
  const topic = UC_TOPIC
  let watcher
  let seen

  const watch = async () => {
    seen = []
    watcher = later(await startLeaf(node.address('tcp'), topic, (data) => seen.push(text(data))))
  }

  /** Waits until messages pass from a fresh honest client to the watcher. */
  const honest = async () => {
    const friend = later(await startLeaf(node.address('tcp'), topic, () => {}))
    const mark = `honest ${crypto.randomUUID()}`
    let sent = 0
    await until(
      async () => {
        await friend.publish(bytes(`${mark} ${sent++}`))
        return seen.some((line) => line.startsWith(mark))
      },
      15_000,
      'an honest message',
      { every: 300 },
    )
  }

  /** The bad messages: name and a function from the sender's private key to the fields. */
  const cases = {
    'no signature, no author': async (_, data) => ({ topic, data }),
    'author and seqno but no signature': async (key, data) => {
      const { from, seqno } = await signedMessage(key, topic, data)
      return { from, seqno, topic, data }
    },
    'a signature over other data': async (key, data) => ({ ...(await signedMessage(key, topic, bytes('x'))), data }),
    'a signature over another topic': async (key, data) => ({ ...(await signedMessage(key, 'other', data)), topic }),
    "another author's name": async (key, data) => ({
      ...(await signedMessage(key, topic, data)),
      from: watcher.peer.components.privateKey.publicKey.toMultihash().bytes,
    }),
    'a cut signature': async (key, data) => {
      const message = await signedMessage(key, topic, data)
      return { ...message, signature: message.signature.subarray(0, 40) }
    },
    'a short seqno': async (key, data) => ({ ...(await signedMessage(key, topic, data)), seqno: bytes('abc') }),
    'the key of somebody else': async (key, data) => ({
      ...(await signedMessage(key, topic, data)),
      key: publicKeyToProtobuf(watcher.peer.components.privateKey.publicKey),
    }),
  }

  for (const [name, build] of Object.entries(cases)) {
    test(
      name,
      { timeout: 60_000 },
      checked(async () => {
        await watch()
        await honest()
        const forger = later(await startLeaf(node.address('tcp'), topic, () => {}))
        const line = `forged: ${name} ${crypto.randomUUID()}`
        const message = await build(forger.peer.components.privateKey, bytes(line))
        forger.sendRpc(publication(encodeMessage(message)))
        // A ping behind it on the same connection: the node has read both, unless it has closed the connection.
        await pingOneStream(forger.connection, 1).catch(() => {})
        await honest()
        assert.ok(!seen.includes(line), 'the forged message was forwarded')
        const { messages } = await nodeMessages(topic)
        assert.ok(!messages.some((known) => known.text === line), 'the node took the forged message')
        assert.ok(await node.alive())
      }),
    )
  }

  test(
    'a replayed message passes once',
    { timeout: 60_000 },
    checked(async () => {
      await watch()
      await honest()
      const author = later(await startLeaf(node.address('tcp'), topic, () => {}))
      const line = `replayed ${crypto.randomUUID()}`
      const message = encodeMessage(await signedMessage(author.peer.components.privateKey, topic, bytes(line)))
      const parrot = later(await startLeaf(node.address('websocket'), topic, () => {}))
      for (let i = 0; i < 5; i++) author.sendRpc(publication(message))
      await until(() => seen.includes(line), 10_000, 'the message')
      for (let i = 0; i < 5; i++) parrot.sendRpc(publication(message))
      await honest()
      assert.equal(seen.filter((known) => known === line).length, 1)
    }),
  )

  test(
    'odd and oversized RPCs',
    { timeout: 60_000 },
    checked(async () => {
      await watch()
      const ids = Array.from({ length: 1_000 }, () => crypto.getRandomValues(new Uint8Array(20)))
      const odd = [
        graft('no-such-topic'),
        graft(topic.repeat(100)),
        ihave(topic, ids),
        Buffer.concat(Array.from({ length: 300 }, (_, i) => subscription(`topic-${i}`))),
        Buffer.alloc(1_000, 0xff),
        Buffer.alloc(0),
        Buffer.concat([publication(encodeMessage({ topic, data: new Uint8Array(100 * 1024) }))]),
      ]
      for (const rpc of odd) {
        const strange = later(await startLeaf(node.address('tcp'), topic, () => {}))
        strange.sendRpc(rpc)
        strange.sendRaw(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f))
      }
      const big = later(await startLeaf(node.address('websocket'), topic, () => {}))
      big.sendRaw(frame(Buffer.alloc(2 * 1024 * 1024, 0x12)))
      await honest()
      assert.ok(await node.alive())
    }),
  )
})

/** `{ messages }` that the node holds of a room. */
async function nodeMessages(room) {
  const answer = await node.api('GET', `/api/v1/rooms/messages?room=${room}&limit=500`)
  return { messages: Array.isArray(answer) ? answer : answer.messages }
}

/** Waits until the node holds `wanted`; `build`, when given, makes the payload to send (again, until it is there). */
async function untilNodeHas(peer, topic, room, wanted, build) {
  return until(
    async () => {
      if (build) await peer.services.pubsub.publish(topic, build())
      const { messages } = await nodeMessages(room)
      return messages.find((message) => message.text === wanted)
    },
    15_000,
    `the node holding ${JSON.stringify(wanted)}`,
    { every: 300 },
  )
}

async function member(room, id) {
  const { rooms } = await node.api('GET', '/api/v1/status')
  return rooms.find(({ name }) => name === room)?.members.find((known) => known.id === id)
}

/** A discovery announcement: {1 key, 2 repeated addresses}. */
function announcement(key, addresses) {
  const out = []
  const put = (field, value) => out.push((field << 3) | 2, value.length, ...value)
  put(1, [8, 1, 18, 32, ...key.raw])
  addresses.forEach((address) => put(2, address))
  return Uint8Array.from(out)
}
