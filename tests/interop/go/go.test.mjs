// Stock go-libp2p peers against a real node, over WebRTC Direct in both versions of its handshake and over the other
// transports; and against each other, which shows that what the tests expect can be had.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fixture } from '../js/lib/checked.mjs'
import { EchoPeer } from '../js/lib/echo-peer.mjs'
import { Node } from '../js/lib/node.mjs'
import { until, within } from '../js/lib/wait.mjs'
import { GoPeer, build, missing } from './lib/gopeer.mjs'
import { usernameOf } from './lib/stun.mjs'

const WEBRTC = '/ip4/127.0.0.1/udp/0/webrtc-direct'
const ECHO = '/peerloom-test/echo/1'
const TOPIC = 'universal-connectivity'
const MIB = 1 << 20
const PROTOCOLS = ['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0', '/ipfs/ping/1.0.0', '/meshsub/1.2.0', '/meshsub/1.1.0']

let node
const { later, checked } = fixture(() => node?.log ?? 'no node')
const goPeer = async (options) => later(await GoPeer.start(options))
const range = (count, make) => Array.from({ length: count }, (_, i) => make(i))

before(
  async () => {
    if (!missing) await build()
  },
  { timeout: 620_000 },
)

/** `caller` and `other` know each other and are connected: bytes, half-closed requests and pings, all at once too. */
async function exchange(caller, other) {
  const identity = await caller.command('identify', other)
  assert.ok(identity.protocols.includes(ECHO), 'echo is offered')
  for (const size of [0, 1, MIB]) assert.equal((await caller.command('echo', other, size)).bytes, size)
  assert.equal((await caller.command('rr', other, 16)).count, 16)
  await Promise.all([
    caller.command('echo', other, MIB),
    caller.command('rr', other, 8),
    caller.command('ping', other, 20),
  ])
}

for (const version of [1, 2]) {
  const v2 = version === 2
  describe(`two Go peers, version ${version} of the handshake`, { skip: missing }, () => {
    test(
      'the dialer uses that version',
      { timeout: 30_000 },
      checked(async () => {
        const socket = dgram.createSocket('udp4')
        later({ stop: () => socket.close() })
        socket.bind(0, '127.0.0.1')
        await once(socket, 'listening')
        const name = new Promise((resolve) => {
          socket.on('message', (bytes) => {
            const found = usernameOf(bytes)
            if (found !== null) resolve(found)
          })
        })
        const [stranger, dialer] = await Promise.all([goPeer({ listen: [WEBRTC] }), goPeer({ v2 })])
        const silent = stranger.addresses[0].replace(/\/udp\/\d+\//, `/udp/${socket.address().port}/`)
        const failed = assert.rejects(dialer.command('dial', silent), /dial/)
        const [server, client] = (await within(name, 10_000, 'a connectivity check')).split(':')
        if (v2) {
          assert.match(server, /^libp2p\+webrtc\+v2\/[a-zA-Z0-9+/]{22,}$/)
          assert.doesNotMatch(client, /libp2p/)
        } else {
          assert.match(server, /^libp2p\+webrtc\+v1\//)
          assert.equal(client, server)
        }
        await dialer.stop()
        await failed
      }),
    )

    test(
      'identify, ping, echo and half-closed requests in both directions',
      { timeout: 120_000 },
      checked(async () => {
        const [listener, dialer] = await Promise.all([goPeer({ listen: [WEBRTC] }), goPeer({ v2 })])
        const { transport } = await dialer.command('dial', listener.addresses[0])
        assert.equal(transport, 'webrtc-direct')
        await exchange(dialer, listener.id)
        await exchange(listener, dialer.id)
      }),
    )
  })
}

// The node serves no streams of this form; our test peer has the same WebRTC and serves them.
for (const version of [1, 2]) {
  describe(`a Go peer and ours over WebRTC Direct, version ${version}`, { skip: missing }, () => {
    const options = { timeout: 120_000 }
    test(
      'the Go peer dials: bytes and half-closed requests in both directions',
      options,
      checked(async () => {
        const ours = later(await EchoPeer.start({ listen: [WEBRTC] }))
        const go = await goPeer({ v2: version === 2 })
        const { transport } = await go.command('dial', ours.addresses[0])
        assert.equal(transport, 'webrtc-direct')
        await exchange(go, ours.id)
        await exchange(ours, go.id)
      }),
    )

    test(
      'ours dials: bytes and half-closed requests in both directions',
      options,
      checked(async () => {
        const go = await goPeer({ listen: [WEBRTC] })
        const ours = later(await EchoPeer.start({ version }))
        const { transport } = await ours.command('dial', go.addresses[0])
        assert.equal(transport, 'webrtc-direct')
        await exchange(ours, go.id)
        await exchange(go, ours.id)
      }),
    )
  })
}

describe('a Go peer and the node', { skip: missing }, () => {
  before(
    async () => {
      node = await Node.start()
      await node.api('POST', '/api/v1/rooms/join', { room: TOPIC })
    },
    { timeout: 60_000 },
  )
  after(async () => {
    await node?.dispose()
  })

  /** What must hold on every connection, whoever dialed and whatever carries it. */
  async function acquainted(go) {
    const identity = await go.command('identify', node.id)
    assert.match(identity.agent, /^peerloom\/\d+\.\d+\.\d+\S* \(native\)$/)
    assert.equal(identity.version, 'peerloom/1')
    for (const protocol of PROTOCOLS) assert.ok(identity.protocols.includes(protocol), `${protocol} is offered`)
    const { rtts } = await go.command('ping', node.id, 20)
    assert.equal(rtts.length, 20)
    const { rttMs } = await node.api('POST', '/api/v1/ping', { id: go.id })
    assert.ok(rttMs < 5_000)
    return identity
  }

  /** Sends a message from the node, waiting while it cannot yet: nobody is there, or its rate is used up. */
  async function nodeSays(text) {
    let refusal
    const fault = await until(
      async () => {
        try {
          await node.api('POST', '/api/v1/rooms/send', { room: TOPIC, text })
          return 'none'
        } catch (error) {
          refusal = error.message
          return error.problem?.retryable ? false : error
        }
      },
      15_000,
      `the node sending ${JSON.stringify(text)}`,
      { describe: () => refusal },
    )
    if (fault !== 'none') throw fault
  }

  /** 100 messages each way, none lost, none twice. */
  async function gossiped(go) {
    await go.join(TOPIC, node.id)
    const held = async () => {
      const answer = await node.api('GET', `/api/v1/rooms/messages?room=${TOPIC}&limit=500`)
      return (answer.messages ?? answer).filter(({ author }) => author === go.id).map(({ text }) => text)
    }
    await nodeSays(`the node greets ${go.id}`)
    const ours = range(100, (i) => `${go.id} says ${i}`)
    const theirs = range(100, (i) => `the node says ${i} to ${go.id}`)
    for (let i = 0; i < 100; i++) {
      await Promise.all([go.command('gossip send', TOPIC, ours[i]), nodeSays(theirs[i])])
    }
    const heard = () => go.heard(TOPIC).filter((text) => theirs.includes(text))
    await go.enough(heard, 100, 20_000, 'messages of the node')
    await until(async () => (await held()).length >= 100, 20_000, 'messages of the Go peer at the node', {
      describe: async () => `${(await held()).length} of 100`,
    })
    assert.deepEqual(heard().sort(), theirs.sort())
    assert.deepEqual((await held()).sort(), ours.sort())
  }

  for (const version of [1, 2]) {
    const v2 = version === 2
    const options = { timeout: 120_000 }
    describe(`the Go peer dials over WebRTC Direct, version ${version}`, () => {
      const connected = async () => {
        const go = await goPeer({ v2 })
        const { transport, peer } = await go.command('dial', node.address('webrtc'))
        assert.equal(transport, 'webrtc-direct')
        assert.equal(peer, node.id)
        return go
      }
      test(
        'identify, and 20 pings on one stream',
        options,
        checked(async () => acquainted(await connected())),
      )
      test(
        '100 messages each way',
        options,
        checked(async () => gossiped(await connected())),
      )
    })
  }

  describe('the node dials over WebRTC Direct', () => {
    const connected = async () => {
      const go = await goPeer({ listen: [WEBRTC] })
      const { code, stderr } = await node.cli(['peers', 'connect', go.addresses[0]])
      assert.equal(code, 0, stderr)
      const mine = (event) => event.event === 'peer-connected' && event.peer === node.id
      const { transport, direction } = await go.event(mine, 10_000, 'the connection of the node')
      assert.equal(transport, 'webrtc-direct')
      assert.equal(direction, 'Inbound')
      return go
    }
    const options = { timeout: 120_000 }
    test(
      'identify, and 20 pings on one stream',
      options,
      checked(async () => acquainted(await connected())),
    )
    test(
      '100 messages each way',
      options,
      checked(async () => gossiped(await connected())),
    )
  })

  for (const transport of ['tcp', 'quic', 'websocket']) {
    test(
      `the Go peer dials over ${transport}: identify, ping and gossip`,
      { timeout: 120_000 },
      checked(async () => {
        const go = await goPeer()
        await go.command('dial', node.address(transport))
        await acquainted(go)
        await gossiped(go)
      }),
    )
  }

  for (const transport of ['tcp', 'quic', 'websocket', 'webrtc']) {
    test(
      `another peer id behind an address of the node is refused, over ${transport}`,
      { timeout: 60_000 },
      checked(async () => {
        const [go, other] = await Promise.all([goPeer(), goPeer()])
        const wrong = node.address(transport).replace(node.id, go.id)
        await assert.rejects(other.command('dial', wrong), /mismatch/)
        assert.ok(await node.alive())
      }),
    )
  }
})
