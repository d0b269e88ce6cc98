// A real Chromium with a fresh profile, and the page as a person uses it: all selectors of the tests are here.
import { mkdir } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { until } from '../../interop/js/lib/wait.mjs'

const EXECUTABLE = process.env.PEERLOOM_CHROMIUM ?? '/usr/bin/chromium'
const OUT = fileURLToPath(new URL('../out/', import.meta.url))
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // Two windows side by side: neither may be slowed down for being in the background.
  '--disable-renderer-backgrounding',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
]

/** The words of the page in a language, from the file the page is built from. */
export const words = (language) =>
  JSON.parse(readFileSync(new URL(`../../../www/src/i18n/${language}.json`, import.meta.url), 'utf8'))

/** What a page may write to its console while its node is down: that a connection failed, nothing else. */
const WHILE_DOWN = [
  /^Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/,
  /^WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/?' failed/,
]

/** Starts the browser, with further switches if given; it gets a new empty profile. */
export async function startBrowser({ args = [] } = {}) {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: [...ARGS, ...args], timeout: 60_000 })
  return {
    /** A new window with a storage of its own, at `address`. `init`: script that runs before the page's own. */
    async open(address, { init, ...context } = {}) {
      const profile = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: 'en-GB', ...context })
      const window = await newWindow(profile, address, init)
      window.stop = () => profile.close()
      return window
    },
    /** Another window with the same storage. */
    openBeside: (window, address) => newWindow(window.profile, address),
    stop: () => browser.close(),
    /** The ids of the processes that run pages. */
    async pageProcesses() {
      const session = await browser.newBrowserCDPSession()
      const { processInfo } = await session.send('SystemInfo.getProcessInfo')
      await session.detach()
      return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
    },
  }
}

async function newWindow(profile, address, init) {
  const page = await profile.newPage()
  if (init) await page.addInitScript(init)
  const window = new Window(page, profile)
  await page.goto(address, { waitUntil: 'load', timeout: 30_000 })
  return window
}

/** One browser window with the page in it. */
class Window {
  constructor(page, profile) {
    this.page = page
    this.profile = profile
    this.faults = []
    this.nodeIsDown = false
    page.on('pageerror', (error) => this.faults.push(`page error: ${error.stack ?? error}`))
    page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return
      const text = message.text()
      if (this.nodeIsDown && WHILE_DOWN.some((pattern) => pattern.test(text))) return
      this.faults.push(`console ${message.type()}: ${text} (${message.location().url})`)
    })
    page.on('crash', () => this.faults.push('the page crashed'))
  }

  by(id, more = '') {
    return this.page.locator(`[data-testid=${id}]${more}`)
  }

  stop() {
    return this.page.close()
  }

  /** `starting`, `offline`, `connecting`, `degraded`, `connected`, `crashed` or `unsupported`. */
  health() {
    return this.by('status').getAttribute('data-health', { timeout: 5_000 })
  }

  /** The status line as a person reads it. */
  async statusText() {
    return (await this.by('status').locator('[role=status]').innerText({ timeout: 5_000 })).trim()
  }

  /** Waits for one of the states; resolves with the ms it took. */
  async becomes(states, ms) {
    const start = performance.now()
    await until(async () => states.includes(await this.health()), ms, `the page ${states.join(' or ')}`, {
      describe: () => this.describe(),
    })
    return performance.now() - start
  }

  /** Waits until every link is connected, and that there is one over each of `transports` and no other. */
  async linked(transports, ms) {
    const start = performance.now()
    await until(
      async () => {
        const links = await this.links()
        const names = links.map(({ transport }) => transport).sort()
        return String(names) === String([...transports].sort()) && links.every(({ state }) => state === 'connected')
      },
      ms,
      `links over ${transports.join(' and ')}`,
      { describe: () => this.describe() },
    )
    return performance.now() - start
  }

  /** The links to the node: `{ transport, state, address }`. */
  links() {
    return this.by('link').evaluateAll((all) =>
      all.map(({ dataset: { transport, state, address } }) => ({ transport, state, address })),
    )
  }

  /** The connected peers: `{ id, path, kind, transports }`. */
  peers() {
    return this.by('peer').evaluateAll((all) =>
      all.map(({ dataset: { id, path, kind, transports } }) => ({ id, path, kind, transports })),
    )
  }

  /** The current room's members: `{ id, reach, text }`. */
  members() {
    return this.by('member').evaluateAll((all) =>
      all.map((one) => ({ id: one.dataset.id, reach: one.dataset.reach, text: one.textContent })),
    )
  }

  /** What is on the screen, for the message of a failed wait. */
  async describe() {
    const parts = {
      health: this.health(),
      text: this.statusText(),
      links: this.links(),
      peers: this.peers(),
      members: this.members(),
    }
    const values = await Promise.all(Object.values(parts).map((part) => part.catch(() => null)))
    return JSON.stringify(Object.fromEntries(Object.keys(parts).map((key, i) => [key, values[i]])))
  }

  /** The full peer id. */
  async id() {
    const element = this.by('peer-id')
    await element.waitFor({ timeout: 20_000 })
    return element.getAttribute('title')
  }

  /** Sets the display name as a person does, key by key: what is typed must survive the page's own repaints. */
  async rename(name) {
    const field = this.by('name')
    await field.click()
    await field.pressSequentially(name, { delay: 120 })
    const typed = await field.inputValue()
    if (typed !== name) throw new Error(`typed the name ${name}, the field holds ${JSON.stringify(typed)}`)
    await field.press('Enter')
  }

  /** Turns to a room, joining it when it is new. */
  async enter(room) {
    await this.by('room-input').fill(room)
    await this.by('room-join').click()
    await this.by('room', `[data-room="${room}"][aria-current=true]`).waitFor({ timeout: 5_000 })
  }

  /** Types a message and sends it with Enter. */
  async say(text) {
    await this.by('composer').fill(text)
    await this.by('composer').press('Enter')
  }

  /** The current room's log: `{ text, author, own, state }`, oldest first. */
  log() {
    return this.by('message').evaluateAll((all) =>
      all.map((one) => ({
        text: one.querySelector('[data-testid=text]').textContent.trim(),
        author: one.dataset.author,
        own: one.dataset.own === 'true',
        state: one.dataset.state,
      })),
    )
  }

  /** Waits until the log shows all of `texts`; own messages must have been sent. Resolves with the whole log. */
  async shows(texts, ms) {
    let log = []
    const missing = () =>
      texts.filter((text) => !log.some((one) => one.text === text && ['sent', 'received'].includes(one.state)))
    await until(
      async () => {
        log = await this.log()
        return missing().length === 0
      },
      ms,
      `${texts.length} messages on the page`,
      {
        every: 100,
        describe: async () =>
          `missing ${JSON.stringify(missing().slice(0, 3))} of ${missing().length}; ${await this.describe()}`,
      },
    )
    return log
  }

  /** Saves what the window shows as out/NAME.png. */
  async photograph(name) {
    await mkdir(OUT, { recursive: true })
    await this.page.screenshot({ path: `${OUT}${name}.png` })
  }
}
