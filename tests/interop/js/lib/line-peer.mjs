// Drives a test peer of any language that takes commands as lines and tells events as JSON, one a line.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { within } from './wait.mjs'

const EVENTS_MAX = 20_000

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** One running peer. Kinds of peers are subclasses, which say what program it is. */
export class LinePeer {
  /** Starts `program`; `commandMs` is longer than any deadline of its own, so that its words are what a test shows. */
  constructor(name, program, args, commandMs) {
    this.name = name
    this.commandMs = commandMs
    this.events = []
    this.waiting = new Set()
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    running.add(child)
    this.process = child
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(`ended with ${code ?? signal}`))
    })
    this.ended.then(() => running.delete(child))
    child.stdin.on('error', () => {}) // It has ended; whoever waits for an answer is told so.
    createInterface({ input: child.stdout }).on('line', (line) => this.take(JSON.parse(line)))
  }

  /** Waits until it runs; then it has an id and addresses. */
  async ready() {
    try {
      const ready = await this.event(({ event }) => event === 'ready' || event === 'error', 15_000, 'ready')
      if (ready.event === 'error') throw new Error(`${this.name}: ${ready.error}`)
      this.id = ready.id
      this.addresses = ready.addrs
    } catch (error) {
      await this.stop()
      throw error
    }
    return this
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
      throw new Error(`${what}: ${this.name} ${how}`)
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

  /** Gives a command and resolves with the event of its success; rejects with what it says otherwise. */
  async command(...words) {
    const command = words.join(' ')
    const before = this.answers(command).length
    this.process.stdin.write(`${command}\n`)
    const all = await this.enough(() => this.answers(command), before + 1, this.commandMs, command)
    const answer = all[before]
    if (answer.event === 'error') throw new Error(`${this.name}: ${command}: ${answer.error}`)
    return answer
  }

  answers(command) {
    return this.events.filter((event) => event.command === command)
  }

  /** Ends it whatever its state. */
  async stop() {
    this.process.stdin.end('quit\n')
    try {
      await within(this.ended, 5_000, `the end of ${this.name}`)
    } catch {
      this.process.kill('SIGKILL')
      await this.ended
    }
  }

  /** The newest events, for messages of failed tests. */
  toString() {
    return `${this.name}'s last events:\n${this.events
      .slice(-8)
      .map((event) => JSON.stringify(event))
      .join('\n')}`
  }
}
