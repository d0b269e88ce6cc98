// Streams of every form between stock js-libp2p, in a page and in Node.js, and our own WebRTC: bytes there and back,
// half-closed requests, many at once, in both directions. Ours is the native peer of webrtc/example.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fixture } from '../js/lib/checked.mjs'
import { EchoPeer } from '../js/lib/echo-peer.mjs'
import { until } from '../js/lib/wait.mjs'
import { startForeign } from './lib/foreign.mjs'
import { NodePeer } from './lib/node-peer.mjs'

const MIB = 1024 * 1024
const DIRECT = '/ip4/127.0.0.1/udp/0/webrtc-direct'
/** Of js-libp2p's dials over /webrtc some hang; see webrtc.test.mjs. */
const CALLS_MAX = 4

let foreign
const ours = []
const { later, checked } = fixture(() => ours.slice(-2).map(String).join('\n'))

before(async () => {
  foreign = await startForeign()
})

after(async () => {
  await foreign?.stop()
})

async function startOurs(options) {
  const peer = later(await EchoPeer.start(options))
  ours.push(peer)
  return peer
}

/** `js` and `our` are connected: what each asks of the other. */
async function exchange(js, our) {
  for (const size of [0, 1, MIB]) {
    await js.echo(our.id, size)
    assert.equal((await our.command('echo', js.id, size)).bytes, size)
  }
  const start = performance.now()
  for (let round = 0; round < 3; round++) {
    await js.rr(our.id, 64)
    assert.equal((await our.command('rr', js.id, 32)).count, 32)
  }
  const rrMs = Math.round(performance.now() - start)
  await Promise.all([js.echo(our.id, MIB), our.command('echo', js.id, MIB), our.command('rr', js.id, 16, 1_000)])
  const pings = (await js.ping(our.id, 5)).map((ms) => Math.round(ms * 10) / 10)
  console.log(`# 288 requests ${rrMs} ms, pings ${pings}`)
  assert.deepEqual(await js.faults(), [])
  assert.deepEqual(
    our.events.filter(({ event }) => event === 'error'),
    [],
  )
}

test(
  'a js page dials ours over WebRTC-direct',
  { timeout: 90_000 },
  checked(async () => {
    const our = await startOurs({ listen: [DIRECT] })
    const js = later(await foreign.open())
    assert.equal((await js.dial(our.addresses[0])).transport, 'webrtc-direct')
    await exchange(js, our)
  }),
)

test(
  'js-libp2p in Node.js dials ours over WebRTC-direct',
  { timeout: 90_000 },
  checked(async () => {
    const our = await startOurs({ listen: [DIRECT] })
    const js = later(await NodePeer.start())
    await js.dial(our.addresses[0])
    await exchange(js, our)
  }),
)

describe('a js page and ours over /webrtc', () => {
  /** Both behind a relay, which is our test peer too. */
  async function meet() {
    const relay = await startOurs({ listen: ['/ip4/127.0.0.1/tcp/0/ws'], relay: true })
    const [our, js] = await Promise.all([
      startOurs({ listen: [`${relay.addresses[0]}/p2p-circuit`] }),
      foreign.open({ relays: [relay.addresses[0]] }),
    ])
    return { our, js: later(js) }
  }

  async function repeated(dial) {
    for (let tries = 1; ; tries++) {
      try {
        return await dial()
      } catch (error) {
        if (tries === CALLS_MAX || !/TimeoutError/.test(error.message)) throw error
      }
    }
  }

  test(
    'the js page calls',
    { timeout: 120_000 },
    checked(async () => {
      const { our, js } = await meet()
      assert.equal((await repeated(() => js.dial(our.introduced))).transport, 'webrtc')
      await exchange(js, our)
    }),
  )

  test(
    'ours calls',
    { timeout: 120_000 },
    checked(async () => {
      const { our, js } = await meet()
      const { transport } = await our.command('dial', await js.webrtcAddress())
      assert.equal(transport, 'webrtc')
      const open = async () => (await js.connections(our.id)).some(({ limited, status }) => !limited && status === 'open')
      await until(open, 10_000, 'the call at the js page')
      await exchange(js, our)
    }),
  )
})
