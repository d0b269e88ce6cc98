// A closed mesh and real browsers: a stranger gets nothing, whoever opens an invitation takes part, and is told
// when it is taken back.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fixture } from '../interop/js/lib/checked.mjs'
import { Node } from '../interop/js/lib/node.mjs'
import { until } from '../interop/js/lib/wait.mjs'
import { startBrowser } from './lib/browser.mjs'

const JOINS_MS = 30_000
const HEARS_MS = 15_000
// The bars of the product: known everywhere, and dropped.
const KNOWN_MS = 5_000
const DROPPED_MS = 10_000

let browser
before(async () => {
  browser = await startBrowser()
})
after(async () => {
  await browser?.stop()
})

describe('a closed mesh', () => {
  let node
  let windows = []
  const { checked } = fixture(() => `${node?.log}\n${JSON.stringify(windows.map(({ faults }) => faults))}`)

  before(async () => {
    node = await Node.start({ args: ['--policy', 'closed', '--room', 'lobby'] })
    await node.ready()
  })
  after(async () => {
    await Promise.allSettled(windows.map((window) => window.stop()))
    await node?.dispose()
  })

  async function open(address, options) {
    const window = await browser.open(address, options)
    // A refused stranger's connections are closed while it still tries: that is the point.
    window.nodeIsDown = true
    windows.push(window)
    return window
  }

  async function invite(body = {}) {
    return node.api('POST', '/api/v1/invites/create', { page: node.page, ...body })
  }

  /** What the node allows this window, as the page shows it. */
  const allowed = (window) =>
    window
      .by('allows', `[data-id="${node.id}"]`)
      .evaluateAll((all) => all.map(({ dataset: { refuses, access, actions } }) => ({ refuses, access, actions }))[0])

  const letIn = (window) =>
    until(
      async () => {
        const now = await allowed(window)
        return now?.refuses === 'false' && now.actions.split(' ').includes('topic.publish')
      },
      JOINS_MS,
      'the node lets the window in',
      { describe: () => window.describe() },
    )

  /** What the node says about a window's peer. */
  const standing = async (id) => {
    const status = await node.api('GET', '/api/v1/status')
    const peer = status.peers.find((one) => one.id === id)
    return peer ? (peer.standing ?? 'full') : 'gone'
  }

  async function talk(from, to, text) {
    let tries = 0
    await until(
      async () => {
        await from.say(`${text} ${tries++}`)
        return (await to.log()).some((one) => one.text.startsWith(text) && !one.own)
      },
      HEARS_MS,
      `“${text}” in the other window`,
      { every: 500, describe: () => to.describe() },
    )
  }

  test(
    'a stranger reads why it is out and whom to ask',
    { timeout: 90_000 },
    checked(async () => {
      const stranger = await open(node.page)
      await until(async () => (await allowed(stranger))?.refuses === 'true', JOINS_MS, 'the page says that it is out', {
        describe: () => stranger.describe(),
      })
      const text = await stranger.by('allows').first().innerText()
      assert.match(text, /Closed/)
      assert.match(text, /does not let you take part/)
      assert.match(text, /Ask whoever runs it/)
      await stranger.photograph('invites-stranger')
      assert.deepEqual(await stranger.members().then((all) => all.length), 0)
      const members = (await node.api('GET', '/api/v1/rooms')).rooms[0].members
      assert.deepEqual(members, [], 'nobody is in the room')
      await stranger.stop()
    }),
  )

  test(
    'an invitation that is opened makes a member, and a reload keeps it',
    { timeout: 150_000 },
    checked(async () => {
      const [one, two] = [await invite(), await invite()]
      const anna = await open(one.link)
      assert.equal(new URL(anna.page.url()).hash, '', 'the secret is out of the address bar')
      await letIn(anna)
      assert.equal(await anna.by('invite-outcome').getAttribute('data-outcome'), 'accepted')
      await anna.photograph('invites-member')
      const bo = await open(node.page)
      await bo.by('invite-field').fill(two.link)
      await bo.by('invite-accept').click()
      await letIn(bo)
      await talk(anna, bo, 'hello from a member')
      const id = await anna.id()
      await anna.page.reload()
      await letIn(anna)
      assert.equal(await anna.id(), id)
      await talk(bo, anna, 'welcome back')
      // What lasts longer than the invitation is there by now, or comes within seconds.
      await until(
        async () => {
          const text = await anna.by('grant').allInnerTexts()
          const all = await node.api('GET', '/api/v1/grants')
          return text.length === 1 && all.given.some((given) => given.peer === id && !given.invite)
        },
        30_000,
        'one lasting grant',
        { describe: () => anna.describe() },
      )
      for (const window of [anna, bo]) assert.deepEqual(window.faults, [])
    }),
  )

  test(
    'what is taken back ends in seconds, and the page says so',
    { timeout: 120_000 },
    checked(async () => {
      const { link } = await invite()
      const window = await open(link)
      await letIn(window)
      const id = await window.id()
      await until(async () => (await standing(id)) === 'full', JOINS_MS, 'the node knows the member')
      const began = performance.now()
      await node.api('POST', '/api/v1/grants/revoke', { peer: id })
      await until(async () => (await standing(id)) !== 'full', DROPPED_MS, 'the node shuts it out')
      const took = performance.now() - began
      assert.ok(took < KNOWN_MS, `${took} ms`)
      await until(async () => (await allowed(window))?.refuses === 'true', JOINS_MS, 'the page is told', {
        describe: () => window.describe(),
      })
      assert.match(await window.by('reason').first().innerText(), /took it back/)
      await window.photograph('invites-revoked')
      // A new invitation heals it.
      const again = await invite()
      await window.by('invite-field').fill(again.link)
      await window.by('invite-accept').click()
      await letIn(window)
      await window.stop()
    }),
  )

  test(
    'what a person forgets is gone at the node and after a reload',
    { timeout: 120_000 },
    checked(async () => {
      const { link } = await invite()
      const window = await open(link)
      await letIn(window)
      await until(async () => (await window.by('grant').count()) > 0, HEARS_MS, 'the grant on the page')
      await window.by('allows-actions').locator('summary').press('Enter')
      assert.match(await window.by('allows-actions').innerText(), /write in rooms/)
      const id = await window.id()
      await window.by('grants-forget').press('Enter')
      await until(async () => (await standing(id)) !== 'full', DROPPED_MS, 'the node sees a stranger again')
      assert.equal(await window.by('grant').count(), 0)
      await window.page.reload()
      await until(async () => (await allowed(window))?.refuses === 'true', JOINS_MS, 'the page says that it is out', {
        describe: () => window.describe(),
      })
      assert.equal(await window.id(), id)
      assert.equal(await window.by('grant').count(), 0)
      await window.stop()
    }),
  )

  test(
    'an invitation to a room opens that room and no other',
    { timeout: 120_000 },
    checked(async () => {
      await node.api('POST', '/api/v1/rooms/join', { room: 'garden' })
      const { link } = await invite({ room: 'garden', role: 'visitor' })
      const window = await open(link)
      await letIn(window)
      await window.by('room', '[data-room="garden"][aria-current=true]').waitFor({ timeout: 10_000 })
      await until(
        async () => {
          await window.say('roses')
          const { messages } = await node.api('GET', '/api/v1/rooms/messages?room=garden')
          return messages.some(({ text }) => text === 'roses')
        },
        HEARS_MS,
        'the message at the node',
        { every: 500, describe: () => window.describe() },
      )
      await window.enter('lobby')
      await window.say('psst')
      await window.enter('garden')
      await window.say('tulips')
      await until(
        async () => {
          const { messages } = await node.api('GET', '/api/v1/rooms/messages?room=garden')
          return messages.some(({ text }) => text === 'tulips')
        },
        HEARS_MS,
        'the next message at the node',
      )
      const { messages } = await node.api('GET', '/api/v1/rooms/messages?room=lobby')
      assert.ok(!messages.some(({ text }) => text === 'psst'))
      await window.stop()
    }),
  )

  test(
    'a room for members is read by those who were invited into it',
    { timeout: 150_000 },
    checked(async () => {
      const room = 'members/garden'
      const [anna, bo] = [
        await open((await invite({ room, role: 'member' })).link),
        await open((await invite({ room, role: 'member' })).link),
      ]
      // A member of everything else: it may be in the mesh, and holds nothing for this room.
      const other = await open((await invite({ room: 'lobby', role: 'member' })).link)
      for (const window of [anna, bo, other]) await letIn(window)
      for (const window of [anna, bo])
        await window.by('room', `[data-room="${room}"][aria-current=true]`).waitFor({ timeout: 10_000 })
      assert.match(await anna.by('sealed').innerText(), /only its members/)
      await other.enter(room)
      await talk(anna, bo, 'the roses')
      await talk(bo, anna, 'the tulips')
      await anna.photograph('invites-members-room')
      assert.deepEqual((await other.log()).filter(({ own }) => !own), [])
      // The node passes on what it cannot know it is about: it is not in the room.
      assert.ok(!(await node.api('GET', '/api/v1/rooms')).rooms.some(({ name }) => name === room))
      // Bo is taken out. Anna and the node, which is in the room from now on, have another key.
      await node.api('POST', '/api/v1/rooms/join', { room })
      await node.api('POST', '/api/v1/grants/revoke', { peer: await bo.id() })
      await until(async () => (await allowed(bo))?.refuses === 'true', JOINS_MS, 'the page is told', {
        describe: () => bo.describe(),
      })
      const before = (await bo.log()).length
      await until(
        async () => {
          await node.api('POST', '/api/v1/rooms/send', { room, text: 'only us now' }).catch(() => {})
          return (await anna.log()).some(({ text }) => text === 'only us now')
        },
        JOINS_MS,
        'the message under the new key',
        { every: 500, describe: () => anna.describe() },
      )
      assert.equal((await bo.log()).length, before)
      for (const window of [anna, bo, other]) await window.stop()
    }),
  )

  test(
    'bad links are named and change nothing',
    { timeout: 90_000 },
    checked(async () => {
      const { link } = await invite()
      const cut = link.slice(0, -20)
      const last = link.at(-1)
      const edited = link.slice(0, -1) + (last === 'A' ? 'E' : 'A')
      const window = await open(cut)
      for (const [text, says] of [
        [null, /cut off/],
        [edited, /changed on its way|does not count|cut off/],
        ['hello', /no invitation/],
        [`${link}!`, /does not belong/],
      ]) {
        if (text !== null) {
          await window.by('invite-field').fill(text)
          await window.by('invite-accept').click()
        }
        await until(
          async () => says.test(await window.by('invite-outcome', '[data-outcome=refused]').innerText({ timeout: 500 }).catch(() => '')),
          15_000,
          `the page says ${says}`,
          { describe: () => window.by('invite-outcome').innerText().catch(() => 'nothing') },
        )
        assert.equal(await window.by('grant').count(), 0)
      }
      await window.photograph('invites-bad')
      // Used up: the node says so.
      const used = await invite()
      const first = await open(used.link)
      await letIn(first)
      await window.by('invite-field').fill(used.link)
      await window.by('invite-accept').click()
      await until(
        async () => /used up/.test((await window.by('reason').allInnerTexts()).join(' ')),
        15_000,
        'the page says that it is used up',
        { describe: () => window.describe() },
      )
    }),
  )
})
