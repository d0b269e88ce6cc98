// One Chromium with one page: `channel` has both ends of a raw data channel in it, `page ADDRESS` is our peer and
// dials. The orders are those of src/peer.rs.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const here = (name) => new URL(name, import.meta.url)
const KINDS = { html: 'text/html', mjs: 'text/javascript', js: 'text/javascript', wasm: 'application/wasm' }

/** Serves the files beside this one, and the empty page. */
async function serve() {
  const server = createServer(async (request, response) => {
    const name = request.url.slice(1)
    const body = name === '' ? '<!doctype html><title>bench</title>' : await readFile(here(name)).catch(() => null)
    response.writeHead(body === null ? 404 : 200, { 'content-type': KINDS[name.split('.').pop() || 'html'] ?? 'text/plain' })
    response.end(body ?? '')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${server.address().port}`
}

const browser = await chromium.launch({
  executablePath: process.env.PEERLOOM_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    '--disable-renderer-backgrounding',
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
  ],
})
process.stdin.on('end', () => browser.close().finally(() => process.exit()))
const [role, address] = process.argv.slice(2)
const base = await serve()
const page = await browser.newPage()
page.on('console', (message) => console.error(message.text()))
page.on('pageerror', (error) => console.error(error))
await page.goto(`${base}/`)
await page.evaluate(async ([module, address]) => {
  globalThis.bench = await import(module)
  await globalThis.bench.start(address)
}, [role === 'channel' ? '/channel.mjs' : '/page.mjs', address])
say({ connected: true })
for await (const line of createInterface({ input: process.stdin })) {
  say(await page.evaluate((order) => globalThis.bench.carryOut(order), JSON.parse(line)))
}
