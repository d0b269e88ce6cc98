// Free ports of the loopback address, kept apart for this process: no number is handed out twice.
import dgram from 'node:dgram'
import net from 'node:net'
import { once } from 'node:events'

const given = new Set()

async function tryTcp(port) {
  const server = net.createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const found = server.address().port
  server.close()
  await once(server, 'close')
  return found
}

async function tryUdp(port) {
  const socket = dgram.createSocket('udp4')
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  socket.close()
  await once(socket, 'close')
}

/** A port that is free for TCP and for UDP on 127.0.0.1. */
export async function freePort() {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await tryTcp(0)
    if (given.has(port)) continue
    try {
      await tryUdp(port)
    } catch {
      continue
    }
    given.add(port)
    return port
  }
  throw new Error('no free port found in 50 tries')
}
