// The foreign peer's page: bundled once, served from loopback, opened in a real Chromium.
import http from 'node:http'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { until, within } from '../../js/lib/wait.mjs'

const EXECUTABLE = process.env.PEERLOOM_CHROMIUM ?? '/usr/bin/chromium'
const ENTRY = fileURLToPath(new URL('../peer.mjs', import.meta.url))
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Host candidates are plain addresses: names of mDNS need a multicast that test machines lack.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // Many windows: none may be slowed down for being in the background.
  '--disable-renderer-backgrounding',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
]
/** Any call into a page; the page's own deadlines are shorter and tell more. */
const CALL_MS = 90_000

/** The page script: `peer.mjs` and all of js-libp2p in one file. */
async function bundle() {
  const options = { entryPoints: [ENTRY], bundle: true, write: false, format: 'iife', platform: 'browser' }
  const { outputFiles } = await build({ ...options, target: 'chrome120', logLevel: 'warning' })
  return outputFiles[0].text
}

/** Serves a page with the script from a loopback port: WebRTC's certificates need a secure context. */
async function servePage(script) {
  const page = '<!doctype html><meta charset="utf-8"><title>js-libp2p</title><script src="/peer.js"></script>'
  const server = http.createServer((request, response) => {
    const found = { '/': ['text/html', page], '/peer.js': ['text/javascript', script] }[request.url]
    response.writeHead(found ? 200 : 404, { 'content-type': `${found?.[0] ?? 'text/plain'}; charset=utf-8` })
    response.end(found?.[1])
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Starts Chromium and the page's server. `args`: further switches of Chromium. */
export async function startForeign({ args = [] } = {}) {
  const server = await servePage(await bundle())
  const address = `http://127.0.0.1:${server.address().port}/`
  const stopServer = () => {
    server.closeAllConnections()
    server.close()
  }
  try {
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: [...ARGS, ...args], timeout: 60_000 })
    return {
      version: browser.version(),
      /** A new window with a started peer in it; `options` are those of `foreign.create`. */
      open: (options) => openPeer(browser, address, options),
      async stop() {
        stopServer()
        await browser.close()
      },
    }
  } catch (error) {
    stopServer()
    throw error
  }
}

async function openPeer(browser, address, options = {}) {
  const profile = await browser.newContext()
  try {
    const page = await profile.newPage()
    const peer = new ForeignPeer(page, profile)
    await page.goto(address, { waitUntil: 'load', timeout: 30_000 })
    peer.id = await peer.ask('create', options)
    return peer
  } catch (error) {
    await profile.close()
    throw error
  }
}

/** One page with a js-libp2p peer; every method asks `window.foreign` of the page. */
class ForeignPeer {
  constructor(page, profile) {
    this.page = page
    this.profile = profile
    this.pageErrors = []
    page.on('pageerror', (error) => this.pageErrors.push(`page error: ${error.stack ?? error}`))
    page.on('crash', () => this.pageErrors.push('the page crashed'))
  }

  stop() {
    return this.profile.close()
  }

  /** Calls a function of `window.foreign`, named by its path there. An error comes with the errors it was made of. */
  async ask(name, ...values) {
    const asked = this.page.evaluate(
      async ([path, given]) => {
        const [last, ...parents] = path.split('.').reverse()
        const holder = parents.reverse().reduce((object, key) => object[key], window.foreign)
        const tell = (error) => {
          // js-libp2p rejects some promises with the event that ended the wait.
          if (error instanceof Event) return `the event ${error.type}${error.error ? `, ${tell(error.error)}` : ''}`
          const parts = (error?.errors ?? []).map(tell).join('; ')
          return `${error?.name}: ${error?.message}${parts && ` [${parts}]`}`
        }
        try {
          return { value: await holder[last](...given) }
        } catch (error) {
          return { error: tell(error) }
        }
      },
      [name, values],
    )
    const { value, error } = await within(asked, CALL_MS, `${name} in the page`)
    if (error !== undefined) throw new Error(`${name}: ${error}`)
    return value
  }

  dial(address) {
    return this.ask('dial', address)
  }

  /** The round-trip times in ms, all pings on one stream. */
  ping(peer, count) {
    return this.ask('ping', peer, count)
  }

  /** The round-trip times in ms, each ping on a stream of its own. */
  stockPing(peer, count) {
    return this.ask('stockPing', peer, count)
  }

  /** The ms it took. */
  echo(peer, size) {
    return this.ask('echo', peer, size)
  }

  /** `{ ms, slowest }`. */
  rr(peer, count) {
    return this.ask('rr', peer, count)
  }

  listenAddrs() {
    return this.ask('listenAddrs')
  }

  /** All connections, or those to one peer. */
  async connections(peer) {
    const all = await this.ask('connections')
    return peer ? all.filter((one) => one.peer === peer) : all
  }

  /** What went wrong in the page, also while serving others. */
  async faults() {
    return [...this.pageErrors, ...(await this.ask('faults'))]
  }

  /** What `peer` said of itself. */
  identified(peer) {
    return until(() => this.ask('identified', peer), 10_000, `identify of ${peer}`)
  }

  /** Waits for an address under which this peer takes calls over `/webrtc`. */
  async webrtcAddress() {
    const suffix = `/p2p-circuit/webrtc/p2p/${this.id}`
    const found = async () => (await this.listenAddrs()).find((address) => address.endsWith(suffix))
    return until(found, 15_000, 'a /webrtc address', { describe: async () => String(await this.listenAddrs()) })
  }

  /** Joins a topic and waits until `member` is known to be in it. */
  async join(topic, member) {
    await this.ask('gossip.join', topic)
    const there = async () => (await this.ask('gossip.members', topic)).includes(member)
    await until(there, 15_000, `${member} in ${topic}`)
  }

  /** The messages of a topic: `{ from, text }`. */
  received(topic) {
    return this.ask('gossip.received', topic)
  }

  /** Sends a text; rejects when nobody is there to take it. */
  say(topic, text) {
    return this.ask('gossip.send', topic, text)
  }
}
