// Chromium as it will be: a page may not rewrite its ICE credentials. Then only version 2 of WebRTC-direct works.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser } from './lib/browser.mjs'

let browser
let node
let anna
let bo
const { checked } = fixture(() => `${node?.log}\n${JSON.stringify({ anna: anna?.faults, bo: bo?.faults })}`)

before(async () => {
  browser = await startBrowser({ args: ['--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/'] })
  node = await Node.start({ transports: ['tcp', 'webrtc'] })
  await node.ready()
})

after(async () => {
  await Promise.allSettled([anna?.stop(), bo?.stop()])
  await node?.dispose()
  await browser?.stop()
})

test(
  'pages that may not rewrite credentials connect to the node, and to each other',
  { timeout: 120_000 },
  checked(async () => {
    ;[anna, bo] = await Promise.all([browser.open(node.page), browser.open(node.page)])
    // The switch is in force: this is what version 1 would have to do.
    const refused = await anna.page.evaluate(async () => {
      const connection = new RTCPeerConnection()
      connection.createDataChannel('')
      const offer = await connection.createOffer()
      const sdp = offer.sdp.replace(/a=ice-ufrag:.*/, 'a=ice-ufrag:rewritten')
      const why = await connection.setLocalDescription({ type: 'offer', sdp }).then(
        () => 'nothing',
        (error) => error.name,
      )
      connection.close()
      return why
    })
    assert.equal(refused, 'InvalidModificationError')
    for (const window of [anna, bo]) await window.linked(['webrtc-direct'], 30_000)
    const id = await bo.id()
    await until(
      async () => (await anna.peers()).some((peer) => peer.id === id && peer.transports.split(' ').includes('webrtc')),
      40_000,
      'a direct path between the windows',
      { describe: () => anna.describe() },
    )
    await anna.say('without rewriting')
    await bo.shows(['without rewriting'], 15_000)
    for (const window of [anna, bo]) assert.deepEqual(window.faults, [])
  }),
)
