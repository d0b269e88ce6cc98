// Our peer in a page; the module is built by `cargo xtask bench webrtc`.
import init, { connect } from './page/peerloom_bench_page.js'
import { block } from './pattern.mjs'

let peer

export async function start(address) {
  await init({ module_or_path: '/page/peerloom_bench_page_bg.wasm' })
  peer = await connect(address)
}

export async function carryOut({ up, down }) {
  const begin = performance.now()
  const hash = up ? await peer.up(block(), up) : await peer.down(down)
  const seconds = (performance.now() - begin) / 1000
  return { seconds, sha256: Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('') }
}
