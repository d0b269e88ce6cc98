// A star: many clients that know only one node. With ordinary mesh sizes a hub starves all clients beyond its mesh;
// every message must reach every client exactly once.
//
// The 50 clients are light ones (lib/leaf.mjs). Stock js-libp2p clients cannot do it on a small machine whatever the
// hub: they spend about 0.28 ms of processor time on each message they receive, so 12,250 messages a second would
// take 3.5 cores. A light client takes about 0.05 ms. The stock ones are tested with 15, more than a default mesh holds.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fixture } from './lib/checked.mjs'
import { Node } from './lib/node.mjs'
import { roomTopic } from './lib/peer.mjs'
import { until, within } from './lib/wait.mjs'

const WORKER = fileURLToPath(new URL('./lib/hub-worker.mjs', import.meta.url))
let node
const { later, checked } = fixture(() => node?.log)
const workers = new Set()
process.on('exit', () => {
  for (const worker of workers) worker.kill('SIGKILL')
})

before(async () => {
  node = await Node.start({ args: ['--profile', 'relay'] })
  await node.api('POST', '/api/v1/rooms/join', { room: 'lobby' })
})

after(async () => {
  await node?.dispose()
})

function startWorker() {
  const worker = fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
  later({ stop: () => worker.kill('SIGKILL') })
  return worker
}

/** Gives a worker an order and waits for its answer. */
function ask(worker, order, ms) {
  const answer = new Promise((resolve, reject) => {
    const finish = (act, value) => {
      worker.off('message', onMessage)
      worker.off('exit', onExit)
      act(value)
    }
    const onMessage = ({ failed, report }) =>
      failed ? finish(reject, new Error(`a worker failed: ${failed}`)) : finish(resolve, report)
    const onExit = (code) => finish(reject, new Error(`a worker ended with ${code}`))
    worker.on('message', onMessage)
    worker.on('exit', onExit)
    worker.send(order)
  })
  return within(answer, ms, `worker order ${Object.keys(order)[0]}`)
}

/** The star's result: counts of (message, receiver) pairs, latencies in ms, cores used by the clients. */
async function star({ total, processes, each, everyMs, stock, settleMs }) {
  const topic = roomTopic('lobby')
  const group = Array.from({ length: processes }, startWorker)
  const share = Math.ceil(total / processes)
  const ask1 = (order, ms) => Promise.all(group.map((worker) => ask(worker, order, ms)))
  await Promise.all(
    group.map((worker, i) => {
      const count = Math.min(share, total - i * share)
      const start = { address: node.address('tcp'), topic, first: i * share, count, total, each, stock }
      return ask(worker, { start }, 90_000)
    }),
  )
  await ask1({ meet: { wanted: total - 1, ms: 60_000 } }, 65_000)
  await ask1({ go: { everyMs } }, each * everyMs * 2 + 20_000)
  const expected = total * (total - 1) * each
  let reports
  const sum = (key) => reports.reduce((all, report) => all + report[key], 0)
  await until(
    async () => {
      reports = await ask1({ report: true }, 20_000)
      return sum('none') === 0
    },
    settleMs,
    'all messages',
    { every: 1_000 },
  ).catch(() => {})
  const latencies = reports.flatMap((report) => report.latencies).sort((a, b) => a - b)
  const percentile = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]
  const example = reports.map((report) => report.example).find(Boolean) ?? null
  const result = {
    expected,
    once: sum('once'),
    twice: sum('more'),
    lost: sum('none'),
    example,
    ratio: (sum('once') + sum('more')) / expected,
    p50: percentile(0.5),
    p99: percentile(0.99),
    max: latencies.at(-1),
    clientCores: Number(sum('cores').toFixed(2)),
  }
  console.log(`# hub: ${total} ${stock ? 'stock js' : 'light'} clients: ${JSON.stringify(result)}`)
  return result
}

function check(result) {
  assert.equal(result.lost, 0, `lost: ${result.example}`)
  assert.equal(result.twice, 0, 'messages that came twice')
  assert.equal(result.once, result.expected)
}

test(
  '15 stock js clients around one node',
  { timeout: 180_000 },
  checked(async () => {
    check(await star({ total: 15, processes: 1, each: 20, everyMs: 500, stock: true, settleMs: 15_000 }))
  }),
)

test(
  '50 light clients, 5 messages a second each for 20 s',
  { timeout: 300_000 },
  checked(async () => {
    const result = await star({ total: 50, processes: 2, each: 100, everyMs: 200, stock: false, settleMs: 20_000 })
    check(result)
    assert.ok(await node.alive())
  }),
)
