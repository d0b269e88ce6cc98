// The released browser module is bound with steps that the daily one is not; here it connects and talks.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser } from './lib/browser.mjs'

const NAME = 'peerloom_wasm_peer'
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url))
const built = (file) => `${target}/xtask/release-size/${file}`
const FILES = {
  '/': { type: 'text/html', body: async () => '<!doctype html><title>released</title>' },
  [`/${NAME}.js`]: { type: 'text/javascript', body: () => readFile(built(`${NAME}.js`)) },
  [`/${NAME}_bg.wasm`]: { type: 'application/wasm', body: () => readFile(built(`${NAME}_bg.wasm`)) },
}

let browser
let node
let server
let page
const { checked } = fixture(() => `${node?.log}\n${JSON.stringify(page?.faults)}`)

before(async () => {
  server = createServer(async (request, response) => {
    const file = FILES[request.url]
    if (!file) return response.writeHead(request.url === '/favicon.ico' ? 204 : 404).end()
    response.writeHead(200, { 'content-type': file.type }).end(await file.body())
  }).listen(0, '127.0.0.1')
  ;[browser, node] = await Promise.all([startBrowser(), Node.start({ transports: ['tcp', 'websocket', 'webrtc'] })])
  await Promise.all([node.ready(), server.listening || once(server, 'listening')])
})

after(async () => {
  await page?.stop()
  await browser?.stop()
  await node?.dispose()
  server?.close()
})

test(
  'the released module keeps a key, connects over both transports and talks',
  // Built only where the size of a release is checked.
  { timeout: 120_000, skip: existsSync(built(`${NAME}_bg.wasm`)) ? false : 'no released module was built' },
  checked(async () => {
    page = await browser.open(`http://127.0.0.1:${server.address().port}/`)
    const relays = ['websocket', 'webrtc'].map((transport) => node.address(transport))
    await page.page.evaluate(
      async ({ name, relays }) => {
        const module = await import(`/${name}.js`)
        await module.default({ module_or_path: `/${name}_bg.wasm` })
        window.heard = []
        const listener = (events) =>
          window.heard.push(...events.filter(({ message }) => message).map(({ message }) => message.text))
        window.peer = await module.Peer.start({ identity: 'released', relays, name: null }, listener)
        await window.peer.join('lobby')
      },
      { name: NAME, relays },
    )
    const links = () => page.page.evaluate(() => window.peer.status().links.map(({ state }) => state))
    const describe = async () => JSON.stringify(await page.page.evaluate(() => window.peer.status()))
    await until(async () => (await links()).every((state) => state === 'connected'), 30_000, 'both links', { describe })
    assert.equal(await page.page.evaluate(() => window.peer.persisted), true)
    const rtt = await page.page.evaluate((id) => window.peer.ping(id), node.id)
    assert.ok(rtt > 0 && rtt < 10_000, `${rtt} ms`)
    await node.api('POST', '/api/v1/rooms/join', { room: 'lobby' })
    const says = (text) => page.page.evaluate((text) => window.peer.send('lobby', text).catch(() => {}), text)
    const recent = async () => (await node.api('GET', '/api/v1/rooms/messages?room=lobby&limit=100')).messages
    await until(
      async () => {
        await says('from the released module')
        return (await recent()).some(({ text }) => text === 'from the released module')
      },
      30_000,
      'a message of the page at the node',
      { every: 500, describe },
    )
    await until(
      async () => {
        await node.api('POST', '/api/v1/rooms/send', { room: 'lobby', text: 'from the node' }).catch(() => {})
        return page.page.evaluate(() => window.heard.includes('from the node'))
      },
      30_000,
      'a message of the node in the page',
      { every: 500, describe },
    )
    await page.page.evaluate(() => window.peer.stop())
    assert.deepEqual(page.faults, [])
  }),
)
