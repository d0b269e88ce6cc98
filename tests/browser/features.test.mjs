// A browser that lacks something: the page says what, and does what it still can.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser, words } from './lib/browser.mjs'

const JOINS_MS = 30_000
let browser
let node
const { later, checked } = fixture(() => node?.log)

before(async () => {
  ;[browser, node] = await Promise.all([startBrowser(), Node.start()])
  await node.ready()
})

after(async () => {
  await Promise.allSettled([browser?.stop(), node?.dispose()])
})

const without = async (name) => later(await browser.open(node.page, { init: `delete globalThis.${name}` }))

/** The window and a terminal hear each other. */
async function talksWithTerminal(window, mark) {
  const chat = later({
    chat: node.chat('lobby'),
    stop() {
      this.chat.kill()
    },
  }).chat
  await window.say(`${mark} from the page`)
  await until(() => chat.count(`${mark} from the page`) === 1, 15_000, 'the message in the terminal')
  chat.say(`${mark} from the terminal`)
  await window.shows([`${mark} from the terminal`], 15_000)
}

test(
  'no WebAssembly: the page says what is missing and what to do',
  { timeout: 60_000 },
  checked(async () => {
    const window = await without('WebAssembly')
    await window.by('unsupported').waitFor({ timeout: 10_000 })
    const text = await window.by('unsupported').innerText()
    assert.ok(text.includes(words('en')['notice.noWasm.title']), text)
    assert.ok(text.includes(words('en')['notice.noWasm.text']), text)
    assert.equal(await window.health(), 'unsupported')
    await window.photograph('no-webassembly')
    assert.deepEqual(window.faults, [])
  }),
)

test(
  'no WebRTC: a note, and everything works over WebSocket',
  { timeout: 90_000 },
  checked(async () => {
    const window = await without('RTCPeerConnection')
    await window.linked(['websocket'], JOINS_MS)
    await window.becomes(['connected'], JOINS_MS)
    const note = window.by('note', '[data-note="notice.noWebrtc"]')
    await note.waitFor({ timeout: 5_000 })
    assert.ok((await note.innerText()).includes(words('en')['notice.noWebrtc']))
    await talksWithTerminal(window, 'no WebRTC')
    await window.photograph('no-webrtc')
    assert.deepEqual(window.faults, [])
  }),
)

test(
  'no IndexedDB: a note, and everything but the kept identity works',
  { timeout: 90_000 },
  checked(async () => {
    const window = await without('indexedDB')
    await window.linked(['websocket', 'webrtc-direct'], JOINS_MS)
    await window.by('note', '[data-note="notice.noDatabase"]').waitFor({ timeout: 5_000 })
    await talksWithTerminal(window, 'no IndexedDB')
    assert.deepEqual(window.faults, [])
  }),
)

test(
  'a node that listens on nothing a browser can dial: the page says so',
  { timeout: 90_000 },
  checked(async () => {
    const tcpOnly = later({
      node: await Node.start({ transports: ['tcp'] }),
      stop() {
        return this.node.dispose()
      },
    }).node
    const window = later(await browser.open(tcpOnly.page))
    const note = window.by('note', '[data-note="notice.noAddress"]')
    await note.waitFor({ timeout: 20_000 })
    await window.photograph('no-address')
    assert.deepEqual(window.faults, [])
  }),
)
