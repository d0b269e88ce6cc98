// Builds and drives `gopeer`, the go-libp2p peer of this folder: commands go in as lines, events come out as JSON.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { LinePeer } from '../../js/lib/line-peer.mjs'
import { within } from '../../js/lib/wait.mjs'

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const BIN = path.join(folder, 'bin', process.platform === 'win32' ? 'gopeer.exe' : 'gopeer')
const GO = process.env.PEERLOOM_GO ?? 'go'
// The first build fetches and compiles some 300 packages; on two busy cores that takes minutes.
const BUILD_MS = 600_000
// Longer than the deadline that gopeer itself keeps for a command, so that its own words are what a test shows.
const COMMAND_MS = 35_000

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
export class GoPeer extends LinePeer {
  /** `listen`: multiaddrs. `v2`: dial WebRTC Direct with version 2 of the handshake. */
  static start({ listen = [], v2 = false } = {}) {
    const args = listen.flatMap((address) => ['--listen', address])
    if (v2) args.push('--webrtc-v2')
    return new GoPeer('gopeer', BIN, args, COMMAND_MS).ready()
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
}
