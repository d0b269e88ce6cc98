// The example of our WebRTC crate in pages of its own: served from loopback, driven from here.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { until, within } from '../../interop/js/lib/wait.mjs'

/** PEERLOOM_WEBRTC_EXAMPLE, or where `cargo xtask test browser` puts the module. */
const DIR =
  process.env.PEERLOOM_WEBRTC_EXAMPLE ??
  fileURLToPath(new URL('../../../target/xtask/webrtc-example/', import.meta.url))
const MODULE = 'peerloom_webrtc_example'
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' }
/** Longer than the deadline that the peer itself keeps for a call, so that its own words are what a test shows. */
const CALL_MS = 125_000

const PAGE = `<!doctype html><meta charset="utf-8"><title>webrtc-echo</title><link rel="icon" href="data:,">
<script type="module">
  import init, { Peer } from './${MODULE}.js'
  window.start = async (listen) => {
    await init({ module_or_path: './${MODULE}_bg.wasm' })
    window.events = []
    await new Promise((ready) => {
      window.peer = new Peer(listen, (event) => {
        window.events.push(event)
        if (event.event === 'ready') ready()
      })
    })
    return window.peer.id
  }
  window.loaded = true
</script>`

/** Serves the page with the module; WebRTC's certificates need a secure context, which loopback is. */
export async function servePages() {
  if (!existsSync(path.join(DIR, `${MODULE}.js`))) throw new Error(`there is no built example in ${DIR}`)
  const server = http.createServer(async (request, response) => {
    const name = path.basename(request.url)
    const type = TYPES[path.extname(name)]
    if (request.url === '/') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE)
    else if (type && name.startsWith(MODULE)) {
      response.writeHead(200, { 'content-type': type }).end(await readFile(path.join(DIR, name)))
    } else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A window with a running peer in it; every method of the class `Peer` is one here. */
export class EchoPage {
  /** `listen`: `RELAY/p2p-circuit` addresses through which it can be called. */
  static async open(browser, server, listen = []) {
    const page = new EchoPage()
    page.window = await browser.open(server.address)
    try {
      await until(() => page.window.page.evaluate(() => window.loaded === true), 15_000, 'the module')
      const started = page.window.page.evaluate((all) => window.start(all), listen)
      page.id = await within(started, 20_000, 'the start of a peer in a page')
    } catch (error) {
      await page.stop()
      throw error
    }
    return page
  }

  /** What the page wrote to its console as errors, and its uncaught errors. */
  get faults() {
    return this.window.faults
  }

  /** Calls a method of the peer. */
  async command(name, ...values) {
    const asked = this.window.page.evaluate(
      async ([method, given]) => {
        try {
          return { value: await window.peer[method](...given) }
        } catch (error) {
          return { error: String(error?.message ?? error) }
        }
      },
      [name, values],
    )
    const { value, error } = await within(asked, CALL_MS, `${name} in a page`)
    if (error !== undefined) throw new Error(`${name}: ${error}`)
    return value
  }

  /** All events so far that answer no command. */
  events() {
    return this.window.page.evaluate(() => window.events)
  }

  /** Waits for an event, past ones included. */
  event(wanted, ms, what) {
    return until(async () => (await this.events()).find(wanted), ms, what, {
      describe: async () => JSON.stringify((await this.events()).slice(-5)),
    })
  }

  /** The address over which it is called by `/webrtc`. */
  async introduced() {
    const { addrs } = await this.command('addresses')
    const found = addrs.find((address) => address.includes('/p2p-circuit/webrtc/'))
    if (!found) throw new Error(`no /webrtc address among ${addrs.join(' ')}`)
    return found
  }

  stop() {
    return this.window.stop()
  }
}
