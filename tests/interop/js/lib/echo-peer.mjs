// Our own test peer: the native program of webrtc/example, which takes the same commands as the foreign ones.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { LinePeer } from './line-peer.mjs'
import { BIN } from './node.mjs'

const NAME = process.platform === 'win32' ? 'webrtc-echo.exe' : 'webrtc-echo'
/** PEERLOOM_ECHO, or the program beside the node's. */
const ECHO = process.env.PEERLOOM_ECHO ?? path.join(path.dirname(BIN), NAME)
// Its own deadline is 120 s.
const COMMAND_MS = 125_000

/** One running peer. Made with `EchoPeer.start`. */
export class EchoPeer extends LinePeer {
  /**
   * `listen`: multiaddrs, also `RELAY/p2p-circuit`. `relay`: introduces others to each other. `version`: dials
   * WebRTC-direct with this version alone.
   */
  static start({ listen = [], relay = false, version } = {}) {
    if (!existsSync(ECHO)) throw new Error(`${ECHO} does not exist: build peerloom-webrtc-example or set PEERLOOM_ECHO`)
    const args = listen.flatMap((address) => ['--listen', address])
    if (relay) args.push('--relay-server')
    if (version) args.push(`--webrtc-v${version}`)
    return new EchoPeer('webrtc-echo', ECHO, args, COMMAND_MS).ready()
  }

  /** The address over which it is called by `/webrtc`. */
  get introduced() {
    const found = this.addresses.find((address) => address.includes('/p2p-circuit/webrtc/'))
    if (!found) throw new Error(`no /webrtc address among ${this.addresses.join(' ')}`)
    return found
  }
}
