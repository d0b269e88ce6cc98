// One process of clients for the hub tests. Orders come over IPC, one at a time:
// {start: {address, topic, first, count, total, each, stock}}, {go: {everyMs}}, {report: true}; each is answered.
// A message's text is "<client> <number> <time sent>": the clients of all processes share one clock.
import { startLeaf } from './leaf.mjs'
import { dial, startPeer, subscribe } from './peer.mjs'
import { decodePost, encodePost } from './post.mjs'
import { until } from './wait.mjs'

const clients = []
const latencies = []
let plan
let counter = Date.now()
const cpuAtStart = { at: 0, used: 0 }
const now = () => performance.timeOrigin + performance.now()
const idOf = (address) => address.split('/p2p/').pop()

/** Notes one arrived payload for a client: counted messages by number, probes apart. */
function note(client, data) {
  const words = decodePost(data).text.split(' ')
  if (words[0] === 'probe') {
    client.probes.add(Number(words[1]))
    return
  }
  client.times[Number(words[0]) * plan.each + Number(words[1])] += 1
  latencies.push(now() - Number(words[2]))
}

async function startClient(index) {
  const client = { index, times: new Uint8Array(plan.total * plan.each), probes: new Set() }
  const post = (body) => encodePost({ counter: counter++, body })
  if (plan.stock) {
    const peer = await startPeer()
    await dial(peer, plan.address)
    const { pubsub } = peer.services
    pubsub.addEventListener('message', ({ detail }) => detail.topic === plan.topic && note(client, detail.data))
    await subscribe(peer, plan.topic, idOf(plan.address))
    client.say = (body) => pubsub.publish(plan.topic, post(body))
  } else {
    const leaf = await startLeaf(plan.address, plan.topic, (data) => note(client, data))
    client.say = (body) => leaf.publish(post(body))
  }
  clients.push(client)
}

/** Starts the clients, five at a time. */
async function start(order) {
  plan = order
  const indexes = Array.from({ length: plan.count }, (_, i) => plan.first + i)
  while (indexes.length > 0) await Promise.all(indexes.splice(0, 5).map(startClient))
}

/** Every client sends a probe every half second until each has heard as many others as `wanted` clients. */
async function meet({ wanted, ms }) {
  const heard = () => Math.min(...clients.map((client) => client.probes.size))
  await until(
    async () => {
      for (const client of clients) await client.say(`probe ${client.index}`)
      return heard() >= wanted
    },
    ms,
    `every client heard ${wanted} others`,
    { every: 500, describe: () => `the least heard ${heard()}` },
  )
}

/** Sends `each` messages from every client, one per `everyMs`, the clients spread evenly over that time. */
async function go({ everyMs }) {
  cpuAtStart.at = now()
  const { user, system } = process.cpuUsage()
  cpuAtStart.used = user + system
  const sending = clients.map(async (client) => {
    const begin = now() + (client.index * everyMs) / plan.total
    for (let number = 0; number < plan.each; number++) {
      const wait = begin + number * everyMs - now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      await client.say(`${client.index} ${number} ${now().toFixed(2)}`)
    }
  })
  await Promise.all(sending)
}

/** What has arrived until now, and the processor time since `go` as a share of one core. */
function report() {
  let [once, more, none] = [0, 0, 0]
  let example = null
  for (const client of clients) {
    for (let at = 0; at < client.times.length; at++) {
      const author = Math.floor(at / plan.each)
      if (author === client.index) continue
      if (client.times[at] === 1) once++
      else if (client.times[at] === 0) {
        none++
        example ??= `client ${client.index} lacks message ${at % plan.each} of client ${author}`
      } else more++
    }
  }
  const { user, system } = process.cpuUsage()
  const cores = (user + system - cpuAtStart.used) / 1000 / (now() - cpuAtStart.at)
  return { once, more, none, example, cores, latencies: Array.from(latencies, (ms) => Math.round(ms * 10) / 10) }
}

process.on('message', async (order) => {
  try {
    if (order.start) await start(order.start)
    else if (order.meet) await meet(order.meet)
    else if (order.go) await go(order.go)
    process.send({ done: true, report: order.report ? report() : undefined })
  } catch (error) {
    process.send({ failed: error.stack })
  }
})
process.on('disconnect', () => process.exit(0))
