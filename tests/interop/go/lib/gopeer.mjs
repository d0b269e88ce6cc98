// Builds and drives `gopeer`, the go-libp2p peer of this folder: commands go in as lines, events come out as JSON.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { within } from '../../js/lib/wait.mjs'

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const BIN = path.join(folder, 'bin', process.platform === 'win32' ? 'gopeer.exe' : 'gopeer')
const GO = process.env.PEERLOOM_GO ?? 'go'
// The first build fetches and compiles some 300 packages; on two busy cores that takes minutes.
const BUILD_MS = 600_000
// Longer than the deadline that gopeer itself keeps for a command, so that its own words are what a test shows.
const COMMAND_MS = 35_000
const EVENTS_MAX = 20_000

/** Why the tests cannot run here, or false: the value of node:test's `skip`. */
export const missing =
  spawnSync(GO, ['version']).status === 0
    ? false
    : `there is no \`${GO}\`: install Go from https://go.dev/dl/, or set PEERLOOM_GO to its program`

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Builds the program from what go.mod and go.sum pin; a no-op when it is up to date. */
export async function build() {
  const env = { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', CGO_ENABLED: '0' }
  const child = spawn(GO, ['build', '-o', BIN, '.'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
  running.add(child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4_000)))
  try {
    const [code] = await within(once(child, 'close'), BUILD_MS, 'go build')
    if (code !== 0) throw new Error(`go build ended with ${code}:\n${said}`)
  } finally {
    running.delete(child)
    child.kill('SIGKILL')
  }
}

/** One running peer. Made with `GoPeer.start`. */
export class GoPeer {
  /** `listen`: multiaddrs. `v2`: dial WebRTC Direct with version 2 of the handshake. */
  static async start({ listen = [], v2 = false } = {}) {
    const peer = new GoPeer()
    const args = listen.flatMap((address) => ['--listen', address])
    if (v2) args.push('--webrtc-v2')
    const child = spawn(BIN, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    running.add(child)
    peer.process = child
    peer.events = []
    peer.waiting = new Set()
    peer.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(`ended with ${code ?? signal}`))
    })
    peer.ended.then(() => running.delete(child))
    child.stdin.on('error', () => {}) // It has ended; whoever waits for an answer is told so.
    createInterface({ input: child.stdout }).on('line', (line) => peer.take(JSON.parse(line)))
    try {
      const ready = await peer.event(({ event }) => event === 'ready' || event === 'error', 15_000, 'ready')
      if (ready.event === 'error') throw new Error(`gopeer: ${ready.error}`)
      peer.id = ready.id
      peer.addresses = ready.addrs
    } catch (error) {
      await peer.stop()
      throw error
    }
    return peer
  }

  /** Notes an event and wakes who waits for it. */
  take(event) {
    this.events.push(event)
    if (this.events.length > EVENTS_MAX) this.events.splice(0, EVENTS_MAX / 2)
    for (const wake of this.waiting) wake()
  }

  /** The first event, past ones included, for which `wanted` holds. Rejects after `ms`, or when the process ends. */
  async event(wanted, ms, what) {
    const [found] = await this.enough(
      () => {
        const one = this.events.find(wanted)
        return one === undefined ? [] : [one]
      },
      1,
      ms,
      what,
    )
    return found
  }

  /** Waits until `choose()` returns at least `count` items, and resolves with them. */
  async enough(choose, count, ms, what) {
    let wake
    const found = new Promise((resolve) => {
      wake = () => {
        const items = choose()
        if (items.length >= count) resolve(items)
      }
      this.waiting.add(wake)
      wake()
    })
    const gone = this.ended.then((how) => {
      throw new Error(`${what}: gopeer ${how}`)
    })
    try {
      return await within(Promise.race([found, gone]), ms, what)
    } catch (error) {
      error.message += ` (${choose().length} of ${count}); ${this}`
      throw error
    } finally {
      this.waiting.delete(wake)
    }
  }

  /** Gives a command and resolves with the event of its success; rejects with what gopeer says otherwise. */
  async command(...words) {
    const command = words.join(' ')
    const before = this.answers(command).length
    this.process.stdin.write(`${command}\n`)
    const all = await this.enough(() => this.answers(command), before + 1, COMMAND_MS, command)
    const answer = all[before]
    if (answer.event === 'error') throw new Error(`gopeer: ${command}: ${answer.error}`)
    return answer
  }

  answers(command) {
    return this.events.filter((event) => event.command === command)
  }

  /** The texts of other peers that came on a topic, in the order of their coming. */
  heard(topic) {
    return this.events.filter((event) => event.event === 'gossip' && event.topic === topic).map(({ data }) => data)
  }

  /** Joins a topic and waits until `neighbour` is known to be subscribed too. */
  async join(topic, neighbour) {
    await this.command('gossip join', topic)
    const told = (event) => event.event === 'gossip-peer' && event.topic === topic && event.peer === neighbour
    await this.event((event) => told(event) && event.joined, 15_000, `subscription of ${neighbour} to ${topic}`)
  }

  /** Ends it whatever its state. */
  async stop() {
    this.process.stdin.end('quit\n')
    try {
      await within(this.ended, 5_000, 'the end of gopeer')
    } catch {
      this.process.kill('SIGKILL')
      await this.ended
    }
  }

  /** The newest events, for messages of failed tests. */
  toString() {
    return `gopeer's last events:\n${this.events
      .slice(-8)
      .map((event) => JSON.stringify(event))
      .join('\n')}`
  }
}
