// The journey of a newcomer: one node, two browser windows, one terminal, all in one room; the node dies and returns.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser, words } from './lib/browser.mjs'

const JOINS_MS = 30_000
const HEARS_MS = 15_000
// A dead WebRTC connection is only noticed when pings or ICE checks stay without answer.
const NOTICES_MS = 60_000
const REJOINS_MS = 15_000

const MODES = {
  websocket: { listen: ['tcp', 'websocket'], links: ['websocket'] },
  'webrtc-direct': { listen: ['tcp', 'webrtc'], links: ['webrtc-direct'] },
  both: { listen: ['tcp', 'quic', 'websocket', 'webrtc'], links: ['websocket', 'webrtc-direct'] },
}

let browser
before(async () => {
  browser = await startBrowser()
})
after(async () => {
  await browser?.stop()
})

for (const [mode, { listen, links }] of Object.entries(MODES)) {
  describe(`over ${mode === 'both' ? 'WebSocket and WebRTC-direct' : mode}`, () => {
    let node
    let anna
    let bo
    let chat
    const { checked } = fixture(() => `${node?.log}\n${JSON.stringify({ anna: anna?.faults, bo: bo?.faults })}`)
    const windows = () => [anna, bo]
    const noFaults = () => {
      for (const window of windows()) assert.deepEqual(window.faults, [])
    }

    before(async () => {
      node = await Node.start({ transports: listen })
      await node.ready()
    })

    after(async () => {
      chat?.kill()
      await Promise.allSettled([anna?.stop(), bo?.stop()])
      await node?.dispose()
    })

    /** Each of the three says `count` things, everybody must have heard everything exactly once. */
    let marks = 0
    /** Rejoined means: what is said in one window is heard in the other. */
    async function heard(from, to) {
      const mark = `${mode} back ${marks++}`
      let tries = 0
      await until(
        async () => {
          await from.say(`${mark} ${tries++}`)
          return (await to.log()).some(({ text }) => text.startsWith(mark))
        },
        REJOINS_MS,
        'messages between the windows',
        { every: 500, describe: () => to.describe() },
      )
    }

    /** A terminal that has just joined hears a window only once both know of the other. */
    async function heardInTerminal(from) {
      const mark = `${mode} terminal ${marks++}`
      let tries = 0
      await until(
        async () => {
          await from.say(`${mark} ${tries++}`)
          return chat.messages.some(({ text }) => text.startsWith(mark))
        },
        REJOINS_MS,
        'messages of a window in the terminal',
        { every: 500, describe: () => from.describe() },
      )
    }

    /** Waits until a window has a direct path to a peer. */
    const direct = (window, id, name) =>
      until(
        async () =>
          (await window.peers()).some(
            (peer) => peer.id === id && peer.path === 'direct' && peer.transports.split(' ').includes('webrtc'),
          ),
        40_000,
        `a direct path to ${name}`,
        { describe: () => window.describe() },
      )

    async function everybodyTalks(round, count) {
      const speakers = {
        anna: (text) => anna.say(text),
        bo: (text) => bo.say(text),
        terminal: (text) => chat.say(text),
      }
      const said = []
      for (let i = 0; i < count; i++) {
        for (const [who, say] of Object.entries(speakers)) {
          const text = `${round}: ${who} says ${i}, 你好`
          await say(text)
          said.push({ who, text })
        }
      }
      const texts = said.map(({ text }) => text)
      const logs = await Promise.all(windows().map((window) => window.shows(texts, HEARS_MS)))
      const others = said.filter(({ who }) => who !== 'terminal').map(({ text }) => text)
      await until(() => others.every((text) => chat.count(text) > 0), HEARS_MS, 'the messages in the terminal', {
        describe: () => JSON.stringify(chat.messages.map(({ text }) => text)),
      })
      const ids = { anna: await anna.id(), bo: await bo.id(), terminal: node.id }
      // A second copy would come with the next heartbeats of the mesh: look again after another message.
      await anna.say(`${round}: last`)
      await bo.shows([`${round}: last`], HEARS_MS)
      for (const log of logs) {
        for (const { who, text } of said) {
          const found = log.filter((one) => one.text === text)
          assert.equal(found.length, 1, `${text}: shown ${found.length} times`)
          assert.equal(found[0].author, ids[who])
        }
      }
      for (const window of windows()) {
        const texts = (await window.log()).map(({ text }) => text).filter((text) => text.startsWith(`${round}: `))
        assert.equal(new Set(texts).size, texts.length, 'a message is shown twice')
      }
      for (const text of others) assert.equal(chat.count(text), 1, `${text} in the terminal`)
      const found = chat.messages.find(({ text }) => text === others[0])
      assert.equal(found.author, ids.anna)
      assert.equal(found.room, 'lobby')
    }

    test(
      'two windows and a terminal talk in one room',
      { timeout: 180_000 },
      checked(async () => {
        ;[anna, bo] = await Promise.all([browser.open(node.page), browser.open(node.page)])
        for (const window of windows()) {
          await window.becomes(['connected'], JOINS_MS)
          await window.linked(links, JOINS_MS)
          assert.match(await window.statusText(), /^Connected to \d+ peers?$/)
        }
        await anna.rename('Anna Lindqvist')
        await bo.rename('Bo Kowalski')
        chat = node.chat('lobby', ['--name', 'Terminal'])
        const [annaId, boId] = [await anna.id(), await bo.id()]
        assert.notEqual(annaId, boId)
        const sees = (window, id) => async () => (await window.members()).some((member) => member.id === id)
        await until(sees(anna, boId), 25_000, 'Bo among the members', { describe: () => anna.describe() })
        await until(sees(bo, annaId), 25_000, 'Anna among the members', { describe: () => bo.describe() })
        await everybodyTalks('first', 3)
        await Promise.all([anna.photograph(`journey-${mode}-anna`), bo.photograph(`journey-${mode}-bo`)])
        noFaults()
      }),
    )

    test(
      'the windows show each other by name',
      { timeout: 60_000 },
      checked(async () => {
        const named = (window, name) => async () => (await window.members()).some(({ text }) => text.includes(name))
        await until(named(anna, 'Bo Kowalski'), 25_000, 'the name of Bo', { describe: () => anna.describe() })
        await until(named(bo, 'Anna Lindqvist'), 25_000, 'the name of Anna', { describe: () => bo.describe() })
      }),
    )

    test(
      'a direct connection joins the two windows',
      { timeout: 90_000 },
      checked(async () => {
        const [annaId, boId] = [await anna.id(), await bo.id()]
        const start = performance.now()
        await Promise.all([direct(anna, boId, 'Bo'), direct(bo, annaId, 'Anna')])
        console.log(`# ${mode}: direct ${Math.round(performance.now() - start)} ms after the windows had talked`)
        await anna.photograph(`journey-${mode}-direct`)
        noFaults()
      }),
    )

    test(
      'a room that the node was never told of',
      { timeout: 60_000 },
      checked(async () => {
        for (const window of windows()) await window.enter('garden')
        const heard = (window, start) => async () => (await window.log()).some(({ text }) => text.startsWith(start))
        let tries = 0
        await until(
          async () => {
            await anna.say(`is anybody here? ${tries++}`)
            return heard(bo, 'is anybody here?')()
          },
          20_000,
          'Bo hearing Anna in the garden',
          { every: 1_000, describe: () => bo.describe() },
        )
        await bo.say('yes, in the garden')
        await anna.shows(['yes, in the garden'], HEARS_MS)
        for (const window of windows()) await window.enter('lobby')
        noFaults()
      }),
    )

    test(
      'the node is killed: the windows go on without it, and rejoin when it comes back',
      { timeout: 240_000 },
      checked(async () => {
        for (const window of windows()) window.nodeIsDown = true
        await node.kill()
        await Promise.all(windows().map((window) => window.becomes(['degraded'], NOTICES_MS)))
        await Promise.all([heard(anna, bo), heard(bo, anna)])
        await anna.say('written without a node')
        await bo.shows(['written without a node'], HEARS_MS)
        await anna.photograph(`journey-${mode}-without`)
        chat?.kill()
        await node.launch()
        await node.ready()
        const times = await Promise.all(
          windows().map(async (window) => {
            const one = await window.becomes(['connected', 'degraded'], REJOINS_MS)
            const two = await window.linked(links, Math.max(1, REJOINS_MS - one))
            return Math.round(one + two)
          }),
        )
        console.log(`# ${mode}: rejoined ${times.join(' and ')} ms after the node was ready`)
        for (const window of windows()) window.nodeIsDown = false
        chat = node.chat('lobby', ['--name', 'Terminal'])
        await Promise.all(windows().map(heardInTerminal))
        await Promise.all([heard(anna, bo), heard(bo, anna)])
        noFaults()
      }),
    )

    test(
      'right after the rejoin nothing is lost',
      { timeout: 120_000 },
      checked(async () => {
        await everybodyTalks('second', 2)
      }),
    )

    test(
      'the node is killed and is back at once',
      { timeout: 240_000 },
      checked(async () => {
        for (const window of windows()) window.nodeIsDown = true
        const oldChat = chat
        await node.kill()
        oldChat?.kill()
        await node.launch()
        await node.ready()
        const start = performance.now()
        await Promise.all([heard(anna, bo), heard(bo, anna)])
        console.log(`# ${mode}: talking again ${Math.round(performance.now() - start)} ms after the node was ready`)
        for (const window of windows()) window.nodeIsDown = false
        for (const window of windows()) await window.linked(links, JOINS_MS)
        noFaults()
      }),
    )

    test(
      'a reload keeps the peer id',
      { timeout: 120_000 },
      checked(async () => {
        const id = await anna.id()
        await anna.page.reload({ waitUntil: 'load', timeout: 30_000 })
        await anna.linked(links, JOINS_MS)
        assert.equal(await anna.id(), id)
        // The node may still hold the connection of the page's former life; when it lets go of that,
        // the page starts over.
        await Promise.all([heard(anna, bo), heard(bo, anna)])
        chat?.kill()
        chat = node.chat('lobby', ['--name', 'Terminal'])
        await Promise.all(windows().map(heardInTerminal))
        await everybodyTalks('third', 2)
        noFaults()
      }),
    )

    if (mode !== 'both') return

    test(
      'a second window of the same browser is another peer',
      { timeout: 120_000 },
      checked(async () => {
        const second = await browser.openBeside(anna, node.page)
        try {
          await second.linked(links, JOINS_MS)
          assert.notEqual(await second.id(), await anna.id())
          await second.say('from the second window')
          await anna.shows(['from the second window'], HEARS_MS)
          assert.deepEqual(second.faults, [])
        } finally {
          await second.page.close()
        }
      }),
    )

    test(
      'three languages',
      { timeout: 60_000 },
      checked(async () => {
        for (const language of ['zh-Hant', 'zh-Hans', 'en']) {
          await anna.by('lang').selectOption(language)
          const placeholder = words(language)['composer.placeholder']
          await anna.by('composer', `[placeholder="${placeholder}"]`).waitFor({ timeout: 5_000 })
          assert.equal(await anna.page.locator('html').getAttribute('lang'), language)
          const connected = words(language)['status.connected']
          const forms = (typeof connected === 'string' ? [connected] : Object.values(connected)).map((form) =>
            form.replace('{n}', '\\d+'),
          )
          assert.match(await anna.statusText(), new RegExp(`^(${forms.join('|')})$`))
          await anna.photograph(`journey-${language}`)
        }
        noFaults()
      }),
    )

    test(
      'a window with another locale starts in its language',
      { timeout: 60_000 },
      checked(async () => {
        const window = await browser.open(node.page, { locale: 'zh-TW' })
        try {
          await window.linked(links, JOINS_MS)
          assert.equal(await window.page.locator('html').getAttribute('lang'), 'zh-Hant')
          assert.deepEqual(window.faults, [])
        } finally {
          await window.stop()
        }
      }),
    )

    test(
      'an empty room says so',
      { timeout: 60_000 },
      checked(async () => {
        await anna.enter('nobody-else')
        await anna.by('alone').waitFor({ timeout: 10_000 })
        assert.match(await anna.by('alone').innerText(), /Nobody else is here yet\./)
        await anna.photograph('journey-alone')
        noFaults()
      }),
    )

    test(
      'a clean stop of the node is told at once, the last peer leaves a window offline, and what was written goes out later',
      { timeout: 150_000 },
      checked(async () => {
        for (const window of windows()) window.nodeIsDown = true
        chat?.kill()
        assert.equal(await node.stop(), 0)
        await Promise.all(windows().map((window) => window.becomes(['degraded', 'offline', 'connecting'], 10_000)))
        await bo.stop()
        await anna.becomes(['offline', 'connecting'], NOTICES_MS)
        assert.match(await anna.statusText(), /^(Offline: no peer can be reached\.|Connecting .*)$/)
        await anna.say('written while offline')
        assert.equal((await anna.log()).find(({ text }) => text === 'written while offline').state, 'queued')
        await anna.photograph(`journey-${mode}-offline`)
        await node.launch()
        await node.ready()
        await anna.shows(['written while offline'], REJOINS_MS + HEARS_MS)
        assert.deepEqual(anna.faults, [])
      }),
    )
  })
}
