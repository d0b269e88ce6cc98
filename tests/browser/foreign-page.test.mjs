// A stock js-libp2p process and a browser page in one room, joined only by the node.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { Inbox, UC_TOPIC, dial, startPeer, subscribe } from '../interop/js/lib/peer.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser } from './lib/browser.mjs'

const COUNT = 100
let browser
let node
const { later, checked } = fixture(() => node?.log)

before(async () => {
  ;[browser, node] = await Promise.all([startBrowser(), Node.start()])
  await node.ready()
  await node.api('POST', '/api/v1/rooms/join', { room: UC_TOPIC })
})

after(async () => {
  await Promise.allSettled([browser?.stop(), node?.dispose()])
})

/** Both directions are open once a probe of each has arrived at the other. */
async function meet(window, peer, inbox) {
  const mark = `probe ${crypto.randomUUID()}`
  let sent = 0
  await until(
    async () => {
      const bytes = new TextEncoder().encode(`${mark} js ${sent++}`)
      await peer.services.pubsub.publish(UC_TOPIC, bytes).catch(() => {})
      await window.say(`${mark} page ${sent}`)
      const shown = (await window.log()).some(({ text }) => text.startsWith(`${mark} js`))
      return shown && [...inbox.times.keys()].some((text) => text.startsWith(`${mark} page`))
    },
    30_000,
    'a message between the js peer and the page',
    { every: 500, describe: () => window.describe() },
  )
}

for (const transport of ['tcp', 'websocket']) {
  test(
    `100 messages each way with a js peer over ${transport}`,
    { timeout: 180_000 },
    checked(async () => {
      const window = later(await browser.open(`${node.page}#room=${UC_TOPIC}`))
      await window.becomes(['connected'], 30_000)
      const peer = later(await startPeer())
      await dial(peer, node.address(transport))
      const inbox = new Inbox(peer, UC_TOPIC)
      await subscribe(peer, UC_TOPIC, node.id)
      await meet(window, peer, inbox)
      const fromJs = Array.from({ length: COUNT }, (_, i) => `${transport} js ${i}`)
      const fromPage = Array.from({ length: COUNT }, (_, i) => `${transport} page ${i}`)
      for (let i = 0; i < COUNT; i++) {
        await peer.services.pubsub.publish(UC_TOPIC, new TextEncoder().encode(fromJs[i]))
        await window.say(fromPage[i])
      }
      await inbox.expect(fromPage, 30_000)
      await window.shows([...fromJs, ...fromPage], 30_000)
      // A second copy would come with the next heartbeats: three more messages each way close that window.
      for (let i = 0; i < 3; i++) await meet(window, peer, inbox)
      assert.deepEqual(inbox.twice(), [])
      const log = await window.log()
      for (const text of [...fromJs, ...fromPage]) assert.equal(log.filter((one) => one.text === text).length, 1, text)
      const [jsId, pageId] = [peer.peerId.toString(), await window.id()]
      for (const text of fromJs) assert.equal(log.find((one) => one.text === text).author, jsId)
      for (const text of fromPage) assert.equal(inbox.authors.get(text), pageId)
      await window.photograph(`foreign-${transport}`)
      assert.deepEqual(window.faults, [])
    }),
  )
}
