// Streams over WebRTC between real browsers' pages, and between a page and a native peer, used in every way: small and
// large, many at once, both ways at once, half-closed, broken off. The peers are those of webrtc/example.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { EchoPeer } from '../interop/js/lib/echo-peer.mjs'
import { startBrowser } from './lib/browser.mjs'
import { EchoPage, servePages } from './lib/echo-page.mjs'

const MIB = 1 << 20
const LARGE = 256 * MIB
/** How much larger the process of a page may become while 256 MiB pass through it. */
const GROWTH_MIB_MAX = 160
/** From the end of a page to the error of every stream with it. A browser sends no goodbye; it is missed. */
const NOTICED_MS = 45_000

let browser
let server
let relay
const { later, checked } = fixture(() => String(relay))
const startRelay = () => EchoPeer.start({ listen: ['/ip4/127.0.0.1/tcp/0/ws'], relay: true })

before(async () => {
  ;[browser, server, relay] = await Promise.all([startBrowser(), servePages(), startRelay()])
})

after(async () => {
  await Promise.allSettled([browser?.stop(), server?.stop(), relay?.stop()])
})

const circuit = (at = relay) => [`${at.addresses[0]}/p2p-circuit`]
const openPage = async (listen = circuit()) => later(await EchoPage.open(browser, server, listen))

/** Two new pages, the first of which has called the second over `/webrtc`. */
async function pair(at = relay) {
  const [caller, called] = await Promise.all([openPage(circuit(at)), openPage(circuit(at))])
  const { transport, relayed } = await caller.command('dial', await called.introduced())
  assert.deepEqual([transport, relayed], ['webrtc', false])
  await taken(called, caller)
  return [caller, called]
}

/** Waits until a page has taken a call over `/webrtc`; the caller knows of it a little earlier. */
function taken(page, caller) {
  const mine = ({ event, peer, transport }) =>
    event === 'peer-connected' && peer === caller.id && transport === 'webrtc'
  return page.event(mine, 10_000, 'the call at the called page')
}

const clean = (...pages) => {
  for (const page of pages) assert.deepEqual(page.faults, [])
}

/** No stream that was served failed. */
async function served(...peers) {
  for (const peer of peers) {
    const events = await (peer instanceof EchoPage ? peer.events() : peer.events)
    assert.deepEqual(
      events.filter(({ event }) => event === 'error'),
      [],
    )
  }
}

/** The largest process of a page while `work` runs, in MiB; 0 where there is no /proc. */
async function largest(work) {
  const sizes = [0]
  const measure = async () => {
    for (const id of await browser.pageProcesses()) {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
      sizes.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    }
  }
  let measuring = measure()
  const timer = setInterval(() => (measuring = measuring.then(measure)), 500)
  try {
    await work()
  } finally {
    clearInterval(timer)
    await measuring
  }
  return Math.round(Math.max(...sizes))
}

const speed = ({ bytes, sha256, mibPerSecond }) => {
  assert.match(sha256, /^[0-9a-f]{64}$/)
  return { mib: bytes / MIB, mibPerSecond: Math.round(mibPerSecond * 10) / 10 }
}

test(
  'two pages: echo, requests that end their half, 64 streams at once',
  { timeout: 60_000 },
  checked(async () => {
    const [caller, called] = await pair()
    const { protocols } = await caller.command('identify', called.id)
    assert.ok(protocols.includes('/peerloom-test/rr/1'))
    for (const [from, to] of [
      [caller, called],
      [called, caller],
    ]) {
      for (const size of [0, 1, 16_377, 16_378, MIB]) {
        assert.equal((await from.command('echo', to.id, size)).bytes, size)
      }
      const { count, bytes } = await from.command('rr', to.id, 16)
      assert.deepEqual([count, bytes], [16, range(16, (i) => (i * 4_099) % 65_537).reduce((sum, one) => sum + one)])
    }
    const start = performance.now()
    const sizes = range(64, (i) => 50_000 + 997 * i)
    const all = await Promise.all(sizes.map((size) => caller.command('echo', called.id, size)))
    assert.deepEqual(
      all.map(({ bytes }) => bytes),
      sizes,
    )
    // Each echo has bytes of its own: 64 hashes, all different.
    assert.equal(new Set(all.map(({ sha256 }) => sha256)).size, 64)
    assert.equal((await called.command('rr', caller.id, 64)).count, 64)
    const { rtts } = await caller.command('ping', called.id, 20)
    console.log(`# 64 echoes and 64 requests: ${Math.round(performance.now() - start)} ms, pings ${rtts.slice(-3)}`)
    await served(caller, called)
    clean(caller, called)
  }),
)

test(
  'two pages: small requests in both directions end while bulk data flows in one',
  { timeout: 120_000 },
  checked(async () => {
    const [caller, called] = await pair()
    for (const [from, to] of [
      [caller, called],
      [called, caller],
    ]) {
      let flows = true
      const bulk = from.command('sink', to.id, 96 * MIB).finally(() => (flows = false))
      const times = []
      const ask = async (one, other) => {
        while (flows) {
          const start = performance.now()
          await one.command('rr', other.id, 1)
          times.push(performance.now() - start)
        }
      }
      await Promise.all([ask(from, to), ask(to, from), ask(from, to), ask(to, from)])
      assert.equal((await bulk).bytes, 96 * MIB)
      const longest = Math.round(Math.max(...times))
      console.log(`# ${times.length} requests beside ${(await bulk).mibPerSecond.toFixed(1)} MiB/s; longest ${longest} ms`)
      assert.ok(times.length >= 8, `only ${times.length} requests ended`)
      assert.ok(longest < 10_000, `a request took ${longest} ms`)
    }
    await served(caller, called)
    clean(caller, called)
  }),
)

test(
  'two pages: 256 MiB one way, then both ways at once',
  { timeout: 240_000 },
  checked(async () => {
    const [caller, called] = await pair()
    const idle = await largest(() => caller.command('sink', called.id, MIB))
    let oneWay
    const during = await largest(async () => (oneWay = await caller.command('sink', called.id, LARGE)))
    let both
    const calls = () => [caller.command('sink', called.id, LARGE), called.command('sink', caller.id, LARGE)]
    const duringBoth = await largest(async () => (both = await Promise.all(calls())))
    const figures = { oneWay: speed(oneWay), both: both.map(speed), rssMiB: { idle, during, duringBoth } }
    console.log(`# ${JSON.stringify(figures)}`)
    assert.equal(oneWay.bytes, LARGE)
    for (const { bytes } of both) assert.equal(bytes, LARGE)
    assert.ok(Math.max(during, duringBoth) - idle < GROWTH_MIB_MAX, `a page grew: ${JSON.stringify(figures)}`)
    await served(caller, called)
    clean(caller, called)
  }),
)

// One direction at a time: in two at once Chromium may let one wait for as long as the other lasts, and then nothing is
// under way in it when the page closes (webrtc/README.md, "Honest limits").
test(
  'a page is closed while it receives: every stream to it ends with an error, and a new call works',
  { timeout: 120_000 },
  checked(async () => {
    const [stays, goes] = await pair()
    // Not an echo: what a page sends back slower than it comes would overrun, for a browser cannot hold a sender up.
    const sending = [LARGE, LARGE - MIB].map((size) => outcome(stays.command('sink', goes.id, size)))
    await stays.command('rr', goes.id, 8)
    const start = performance.now()
    await goes.stop()
    const ends = await Promise.all(sending)
    const took = ends.map(({ ms }) => Math.round(ms - start))
    console.log(`# after ${took} ms: ${JSON.stringify(ends.map(({ error }) => error))}`)
    const broke = ({ error }) => /the stream broke after \d+ bytes: /.test(error)
    assert.ok(ends.some(broke), 'no stream was under way')
    for (const end of ends) {
      // A stream that waited behind the other's data for the two to agree on it ends as well, before its first byte.
      assert.ok(broke(end) || end.error === 'sink: no stream: timed out', end.error ?? JSON.stringify(end.value))
      assert.ok(end.ms - start < NOTICED_MS, `noticed after ${took} ms`)
    }
    await callsAgain(stays, goes)
  }),
)

test(
  'a page is closed while it sends: the stream from it ends with an error, and a new call works',
  { timeout: 120_000 },
  checked(async () => {
    const [stays, goes] = await pair()
    // It ends with its page: nobody hears how.
    goes.command('sink', stays.id, LARGE).catch(() => {})
    await goes.command('rr', stays.id, 8)
    const start = performance.now()
    await goes.stop()
    const failed = ({ event, command }) => event === 'error' && command === `serve /peerloom-test/sink/1 ${goes.id}`
    const { error } = await stays.event(failed, NOTICED_MS, 'the error of the served stream')
    console.log(`# after ${Math.round(performance.now() - start)} ms: ${error}`)
    assert.match(error, /the stream broke after \d+ bytes: /)
    await callsAgain(stays, goes)
  }),
)

/** How a call ended, and when. */
const outcome = (call) =>
  call.then(
    (value) => ({ value, ms: performance.now() }),
    (error) => ({ error: error.message, ms: performance.now() }),
  )

/** A page whose other side is gone knows it, and takes the call of a new page. */
async function callsAgain(stays, goes) {
  const gone = ({ event, peer, transport }) =>
    event === 'peer-disconnected' && peer === goes.id && transport === 'webrtc'
  await stays.event(gone, 5_000, 'the end of the connection')
  const next = await openPage()
  await next.command('dial', await stays.introduced())
  assert.equal((await next.command('echo', stays.id, MIB)).bytes, MIB)
  assert.equal((await stays.command('rr', next.id, 16)).count, 16)
  clean(stays, next)
}

test(
  'the relay is killed while bytes flow between two pages: they all arrive',
  { timeout: 120_000 },
  checked(async () => {
    const own = later(await startRelay())
    const [caller, called] = await pair(own)
    const transfer = caller.command('sink', called.id, 64 * MIB)
    await caller.command('rr', called.id, 1)
    for (const page of [caller, called]) page.window.nodeIsDown = true
    own.process.kill('SIGKILL')
    const lost = ({ event, peer }) => event === 'peer-disconnected' && peer === own.id
    await Promise.all([caller, called].map((page) => page.event(lost, 20_000, 'the end of the relay')))
    assert.equal((await transfer).bytes, 64 * MIB)
    assert.equal((await called.command('echo', caller.id, MIB)).bytes, MIB)
    assert.equal((await called.command('rr', caller.id, 16)).count, 16)
    await served(caller, called)
    clean(caller, called)
  }),
)

/** Everything that a connection between a page and a native peer must carry, both ways. */
async function exchange(page, peer) {
  for (const size of [0, 1, MIB]) {
    assert.equal((await page.command('echo', peer.id, size)).bytes, size)
    assert.equal((await peer.command('echo', page.id, size)).bytes, size)
  }
  // Again and again: a browser gives a new channel the number of one that has only just been closed.
  for (let round = 0; round < 5; round++) assert.equal((await page.command('rr', peer.id, 64)).count, 64)
  for (let round = 0; round < 5; round++) assert.equal((await peer.command('rr', page.id, 64)).count, 64)
  const [there, back] = await Promise.all([
    page.command('sink', peer.id, 32 * MIB),
    peer.command('sink', page.id, 32 * MIB),
  ])
  console.log(`# page to peer ${JSON.stringify(speed(there))}, peer to page ${JSON.stringify(speed(back))}`)
  await served(page, peer)
  clean(page)
}

test(
  'a page calls a native peer behind the relay',
  { timeout: 90_000 },
  checked(async () => {
    const peer = later(await EchoPeer.start({ listen: circuit() }))
    const page = await openPage([])
    const { transport } = await page.command('dial', peer.introduced)
    assert.equal(transport, 'webrtc')
    await exchange(page, peer)
  }),
)

test(
  'a native peer behind the relay calls a page',
  { timeout: 90_000 },
  checked(async () => {
    const peer = later(await EchoPeer.start({ listen: circuit() }))
    const page = await openPage()
    const { transport } = await peer.command('dial', await page.introduced())
    assert.equal(transport, 'webrtc')
    await taken(page, peer)
    await exchange(page, peer)
  }),
)

test(
  'a page calls a native peer over WebRTC-direct',
  { timeout: 90_000 },
  checked(async () => {
    const peer = later(await EchoPeer.start({ listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] }))
    const page = await openPage([])
    const { transport } = await page.command('dial', peer.addresses[0])
    assert.equal(transport, 'webrtc-direct')
    await exchange(page, peer)
  }),
)

function range(count, make) {
  return Array.from({ length: count }, (_, i) => make(i))
}
