// Starts the real `peerloom` program for a test: free ports, a data folder of its own, nothing of the user's settings.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePort } from './ports.mjs'
import { until, within } from './wait.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const STARTED = 'peerloom/started/1'

/** The program under test: PEERLOOM_BIN, or the debug build of this checkout. */
export const BIN = path.resolve(process.env.PEERLOOM_BIN ?? path.join(here, '../../../../target/debug/peerloom'))

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs the program; the child is killed with this process at the latest. */
function run(args, home, stdio) {
  if (!existsSync(BIN)) throw new Error(`${BIN} does not exist: build the program first or set PEERLOOM_BIN`)
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PEERLOOM|XDG)_/.test(name)))
  const child = spawn(BIN, args, { env: { ...env, HOME: home }, stdio })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** The end of what the program logged, for messages of failed tests. */
class Tail {
  constructor(stream) {
    this.lines = []
    createInterface({ input: stream }).on('line', (line) => {
      this.lines.push(line)
      if (this.lines.length > 4_000) this.lines.splice(0, 2_000)
    })
  }

  toString() {
    return this.lines.slice(-25).join('\n')
  }
}

/**
 * One node, which can be stopped or killed and started again on the same ports and data folder.
 * Made with `Node.start`.
 */
export class Node {
  /** `args`: further arguments of `peerloom run`. `transports`: what it listens on. */
  static async start({ args = [], transports = ['tcp', 'quic', 'websocket', 'webrtc'] } = {}) {
    const node = new Node()
    node.transports = transports
    node.dir = await mkdtemp(path.join(os.tmpdir(), 'peerloom-test-'))
    node.dataDir = path.join(node.dir, 'data')
    await mkdir(node.dataDir, { mode: 0o700 })
    const [httpPort, tcp, quic, websocket, webrtc] = await Promise.all(Array.from({ length: 5 }, freePort))
    node.ports = { http: httpPort, tcp, quic, websocket, webrtc }
    node.extra = args
    try {
      await node.launch()
    } catch (error) {
      await node.dispose()
      throw error
    }
    return node
  }

  /** Starts the process and waits until it says that it listens. */
  async launch() {
    const { http: httpPort, tcp, quic, websocket, webrtc } = this.ports
    const listen = {
      tcp: `/ip4/127.0.0.1/tcp/${tcp}`,
      quic: `/ip4/127.0.0.1/udp/${quic}/quic-v1`,
      websocket: `/ip4/127.0.0.1/tcp/${websocket}/ws`,
      webrtc: `/ip4/127.0.0.1/udp/${webrtc}/webrtc-direct`,
    }
    // Without mDNS: nodes of other tests on this machine must not join in.
    const args = ['run', '--json', '--mdns', 'false', '--data-dir', this.dataDir, '--http', `127.0.0.1:${httpPort}`]
    for (const transport of this.transports) args.push('--listen', listen[transport])
    this.process = run([...args, ...this.extra], this.dir, ['ignore', 'pipe', 'pipe'])
    this.log = new Tail(this.process.stderr)
    const child = this.process
    this.stdout = []
    const line = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (text) => {
        this.stdout.push(text)
        if (this.stdout.length === 1) resolve(text)
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)))
    })
    try {
      const started = JSON.parse(await within(line, 30_000, 'the started line'))
      if (started.schema !== STARTED) throw new Error(`unexpected first line: ${JSON.stringify(started)}`)
      this.started = started
      this.id = started.id
      this.page = started.page
      this.token = (await readFile(started.tokenFile, 'utf8')).trim()
    } catch (error) {
      throw new Error(`peerloom run did not start: ${error.message}\n${this.log}`)
    }
  }

  /** The listen address of a transport (`tcp`, `quic`, `websocket`, `webrtc`), with the node's id behind it. */
  address(transport) {
    const part = {
      tcp: new RegExp(`/tcp/${this.ports.tcp}/p2p/`),
      quic: /\/quic-v1\/p2p\//,
      websocket: /\/ws\/p2p\//,
      webrtc: /\/webrtc-direct\/certhash\//,
    }[transport]
    const found = this.started.listen.find((address) => part.test(address))
    if (!found) throw new Error(`no ${transport} address among ${this.started.listen.join(' ')}`)
    return found
  }

  /** One request with the admin token; resolves with the parsed body, rejects on a status of 400 and above. */
  async api(method, where, body) {
    const headers = { authorization: `Bearer ${this.token}` }
    if (body !== undefined) headers['content-type'] = 'application/json'
    const text = body === undefined ? undefined : JSON.stringify(body)
    const answer = await this.request({ method, path: where, headers, body: text })
    const value = answer.body === '' ? null : JSON.parse(answer.body)
    if (answer.status >= 400) {
      const error = new Error(`${method} ${where}: ${answer.status} ${answer.body}`)
      throw Object.assign(error, { status: answer.status, problem: value })
    }
    return value
  }

  /** One plain HTTP request, nothing added: for hostile ones too. Resolves with status, headers and body. */
  request({ method = 'GET', path: where, headers = {}, body, timeout = 10_000 }) {
    const answer = new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.ports.http, method, path: where, headers, agent: false }
      const request = http.request(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }))
        response.on('error', reject)
      })
      request.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve({ status: response.statusCode, headers: response.headers, body: '' })
      })
      request.on('error', reject)
      request.end(body)
    })
    return within(answer, timeout, `${method} ${where}`)
  }

  /** True once `/livez` answers 200. */
  async alive() {
    return (await this.request({ path: '/livez' })).status === 200
  }

  /** Waits until `/readyz` answers 200. */
  ready(ms = 20_000) {
    return until(async () => (await this.request({ path: '/readyz' })).status === 200, ms, '/readyz of the node', {
      describe: async () => (await this.request({ path: '/readyz' })).body,
    })
  }

  /** Asks for a clean stop (SIGTERM) and resolves with the exit code. */
  async stop(ms = 15_000) {
    const child = this.process
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const [code, signal] = await within(ended, ms, 'the clean stop of the node')
    return code ?? signal
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill() {
    const child = this.process
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await within(ended, 10_000, 'the end of the killed node')
  }

  /** Ends the node whatever its state and removes its data folder. */
  async dispose() {
    if (this.process) {
      await this.kill()
    }
    await rm(this.dir, { recursive: true, force: true })
  }

  /**
   * Another command of the program against this node (same data folder, same API address).
   * Resolves with `{ code, stdout, stderr }`.
   */
  async cli(args, { timeout = 20_000 } = {}) {
    const child = run([...args, ...this.clientArgs()], this.dir, ['ignore', 'pipe', 'pipe'])
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    const ended = once(child, 'close')
    try {
      const [code] = await within(ended, timeout, `peerloom ${args.join(' ')}`)
      return { code, stdout, stderr }
    } finally {
      child.kill('SIGKILL')
    }
  }

  clientArgs() {
    return ['--data-dir', this.dataDir, '--api', `http://127.0.0.1:${this.ports.http}`]
  }

  /** A terminal chat in a room: `peerloom chat ROOM --json`. */
  chat(room, args = []) {
    const all = ['chat', room, '--json', ...args, ...this.clientArgs()]
    return new Chat(run(all, this.dir, ['pipe', 'pipe', 'pipe']))
  }
}

/** A running `peerloom chat --json`: lines go in, `messages` (of the Message form) come out. */
export class Chat {
  constructor(child) {
    this.process = child
    this.messages = []
    this.odd = []
    this.log = new Tail(child.stderr)
    createInterface({ input: child.stdout }).on('line', (line) => {
      try {
        this.messages.push(JSON.parse(line))
      } catch {
        this.odd.push(line)
      }
    })
  }

  say(text) {
    this.process.stdin.write(`${text}\n`)
  }

  /** How often a text was printed. */
  count(text) {
    return this.messages.filter((message) => message.text === text).length
  }

  /** Closes standard input and resolves with the exit code. */
  async end(ms = 10_000) {
    const child = this.process
    const ended = once(child, 'exit')
    child.stdin.end()
    if (child.exitCode !== null) return child.exitCode
    const [code, signal] = await within(ended, ms, 'the end of peerloom chat')
    return code ?? signal
  }

  kill() {
    this.process.kill('SIGKILL')
  }
}
