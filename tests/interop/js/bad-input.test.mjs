// Hostile bytes and requests against a live node, over real sockets. After each the node must be alive and serve.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import net from 'node:net'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { fixture } from './lib/checked.mjs'
import { Node } from './lib/node.mjs'
import { dial, startPeer } from './lib/peer.mjs'
import { within } from './lib/wait.mjs'

// Handshakes end after 10 s; the rest is for a busy machine.
const HANDSHAKE_ENDS_MS = 25_000
let node
const { later, checked } = fixture(() => node?.log)

before(async () => {
  node = await Node.start()
})

after(async () => {
  await node?.dispose()
})

/** The node lives, is the same process, and a new peer can connect and ping. */
async function stillServing(transport = 'tcp') {
  assert.equal(node.process.exitCode, null, 'the process has ended')
  assert.ok(await node.alive())
  const peer = later(await startPeer({ pubsub: false }))
  const connection = await dial(peer, node.address(transport))
  await within(peer.services.ping.ping(connection.remotePeer), 5_000, 'a ping')
}

/** Opens a TCP connection to a port of the node; errors on it are expected and kept quiet. */
async function connectTo(port) {
  const socket = net.connect(port, '127.0.0.1')
  await within(once(socket, 'connect'), 5_000, 'a TCP connection')
  socket.on('error', () => {})
  socket.resume()
  later({ stop: () => socket.destroy() })
  return socket
}

// Not `once`, which rejects on the reset that some of these connections rightly get.
const closed = (socket) => (socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', resolve)))

/** A WebSocket that has been upgraded by hand, so that anything can be written to it. */
async function rawWebSocket() {
  const socket = await connectTo(node.ports.websocket)
  const answered = once(socket, 'data')
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${node.ports.websocket}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  const [head] = await within(answered, 5_000, 'the upgrade to WebSocket')
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101/)
  return socket
}

describe('raw bytes', () => {
  test(
    'garbage on the TCP port',
    { timeout: 60_000 },
    checked(async () => {
      const garbage = [
        randomBytes(64),
        randomBytes(300_000),
        Buffer.alloc(100_000),
        Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
        Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n' + '\xff'.repeat(70_000), 'latin1'),
        Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f]), randomBytes(1_000)]),
      ]
      await Promise.all(
        garbage.map(async (bytes, index) => {
          const socket = await connectTo(node.ports.tcp)
          socket.write(bytes)
          await within(closed(socket), HANDSHAKE_ENDS_MS, `the end of garbage connection ${index}`)
        }),
      )
      await stillServing()
    }),
  )

  test(
    'a WebSocket message of 200 KiB',
    { timeout: 60_000 },
    checked(async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${node.ports.websocket}/`)
      socket.on('error', () => {})
      later({ stop: () => socket.terminate() })
      await within(once(socket, 'open'), 5_000, 'the WebSocket')
      socket.send(randomBytes(200 * 1024))
      await within(once(socket, 'close'), HANDSHAKE_ENDS_MS, 'the end of the WebSocket')
      await stillServing('websocket')
    }),
  )

  test(
    'a WebSocket frame that claims 2^62 bytes',
    { timeout: 60_000 },
    checked(async () => {
      const socket = await rawWebSocket()
      socket.write(Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]))
      await within(closed(socket), HANDSHAKE_ENDS_MS, 'the end of the WebSocket')
      await stillServing('websocket')
    }),
  )

  test(
    'garbage, text, unmasked and endless fragments on WebSocket',
    { timeout: 120_000 },
    checked(async () => {
      const masked = (head, length) =>
        Buffer.concat([Buffer.from([head, 0x80 | length, 0, 0, 0, 0]), Buffer.alloc(length, 0x61)])
      const streams = [
        [randomBytes(2_000)],
        [masked(0x81, 100)],
        [Buffer.from([0x82, 0x05, 1, 2, 3, 4, 5])],
        [masked(0xf2, 10)],
        [masked(0x02, 100), ...Array.from({ length: 3_000 }, () => masked(0x00, 100))],
        [masked(0x89, 125), masked(0x89, 125), masked(0x88, 2)],
      ]
      await Promise.all(
        streams.map(async (parts, index) => {
          const socket = await rawWebSocket()
          for (const part of parts) socket.write(part)
          await within(closed(socket), HANDSHAKE_ENDS_MS, `the end of WebSocket ${index}`)
        }),
      )
      await stillServing('websocket')
    }),
  )

  test(
    'requests that are no upgrade on the WebSocket port',
    { timeout: 60_000 },
    checked(async () => {
      const texts = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', `GET /${'a'.repeat(200_000)} HTTP/1.1\r\n`, '\r\n\r\n\0\0']
      await Promise.all(
        texts.map(async (text, index) => {
          const socket = await connectTo(node.ports.websocket)
          socket.write(text)
          await within(closed(socket), HANDSHAKE_ENDS_MS, `the end of connection ${index}`)
        }),
      )
      await stillServing('websocket')
    }),
  )

  test(
    'garbage on the WebRTC and QUIC ports',
    { timeout: 60_000 },
    checked(async () => {
      const socket = dgram.createSocket('udp4')
      later({ stop: () => socket.close() })
      const send = (bytes, port) => new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve))
      const packets = [Buffer.alloc(0), Buffer.alloc(1), ...stunPackets(), ...dtlsPackets(), ...quicPackets()]
      for (let i = 0; i < 300; i++) packets.push(randomBytes(1 + ((i * 7) % 1_400)))
      for (const port of [node.ports.webrtc, node.ports.quic]) for (const packet of packets) await send(packet, port)
      await stillServing()
    }),
  )

  test(
    'half-open connections end, and others connect meanwhile',
    { timeout: 90_000 },
    checked(async () => {
      const silent = await Promise.all(Array.from({ length: 20 }, () => connectTo(node.ports.tcp)))
      const halves = await Promise.all(Array.from({ length: 10 }, () => rawWebSocket()))
      for (const socket of silent.slice(0, 10)) socket.write(Buffer.from('\x13/multistream/1.0.0\n', 'latin1'))
      await stillServing('tcp')
      await stillServing('websocket')
      const all = [...silent, ...halves].map(closed)
      await within(Promise.all(all), HANDSHAKE_ENDS_MS, 'the end of half-open connections')
      await stillServing()
    }),
  )

  test(
    'connections cut in the middle of a handshake',
    { timeout: 60_000 },
    checked(async () => {
      for (let i = 0; i < 100; i++) {
        const socket = await connectTo(i % 2 ? node.ports.tcp : node.ports.websocket)
        socket.write(randomBytes(i))
        if (i % 3) socket.resetAndDestroy()
        else socket.end()
      }
      await stillServing()
    }),
  )
})

/** STUN binding requests with odd user names, lengths and attributes. */
function stunPackets() {
  const attribute = (type, value, length = value.length) => {
    const head = Buffer.alloc(4)
    head.writeUInt16BE(type, 0)
    head.writeUInt16BE(length & 0xffff, 2)
    return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)])
  }
  const request = (body, length = body.length) => {
    const head = Buffer.alloc(20)
    head.writeUInt16BE(1, 0)
    head.writeUInt16BE(length & 0xffff, 2)
    head.writeUInt32BE(0x2112a442, 4)
    randomBytes(12).copy(head, 8)
    return Buffer.concat([head, body])
  }
  const names = [
    '',
    ':',
    'a',
    'a:b',
    'libp2p+webrtc+v1/',
    ':libp2p+webrtc+v1/',
    'x'.repeat(600),
    `${'y'.repeat(300)}:${'z'.repeat(300)}`,
    'libp2p+webrtc+v1/\u0000\u0001:libp2p+webrtc+v1/\u0000',
    'libp2p+webrtc+v1/é:libp2p+webrtc+v1/é',
    '../../etc:x y',
    'libp2p+webrtc+v1/abcd\r\na=candidate:1:libp2p+webrtc+v1/abcd\r\na=x',
  ]
  const packets = names.map((name) => request(attribute(6, Buffer.from(name))))
  packets.push(request(attribute(6, Buffer.from([0xff, 0xfe, 0x80, 0x3a, 0xff]))))
  packets.push(request(attribute(6, Buffer.from('a:b'), 0xffff)))
  packets.push(request(Buffer.alloc(0), 0xffff))
  packets.push(request(attribute(6, Buffer.from('a:b'))).subarray(0, 22))
  return packets
}

const dtlsPackets = () => [
  Buffer.concat([Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), randomBytes(200)]),
  Buffer.from([22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
]

const quicPackets = () => [
  Buffer.concat([Buffer.from([0xc3, 0, 0, 0, 1, 8]), randomBytes(1_194)]),
  Buffer.concat([Buffer.from([0xc0, 0xba, 0xba, 0xba, 0xba, 255]), randomBytes(1_194)]),
]

describe('hostile HTTP requests', () => {
  const STATUS = '/api/v1/status'
  const bearer = () => ({ authorization: `Bearer ${node.token}` })

  /** The status code of a request, or 0 where the node cut the connection. Never 2xx, 3xx or an upgrade. */
  async function refused(request, codes, what) {
    const answer = await node.request(request).catch((error) => {
      if (/ECONNRESET|EPIPE|socket hang up|Parse Error/.test(`${error.code} ${error.message}`))
        return { status: 0, body: '' }
      throw error
    })
    assert.ok(codes.includes(answer.status), `${what}: ${answer.status} ${answer.body.slice(0, 200)}`)
    return answer
  }

  test(
    'the good request works',
    { timeout: 20_000 },
    checked(async () => {
      const status = await node.api('GET', STATUS)
      assert.equal(status.schema, 'peerloom/status/1')
      assert.equal(status.id, node.id)
    }),
  )

  test(
    'rebound Host',
    { timeout: 30_000 },
    checked(async () => {
      const hosts = [
        'evil.example',
        `evil.example:${node.ports.http}`,
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        '0.0.0.0',
      ]
      for (const host of hosts) {
        await refused({ path: STATUS, headers: { ...bearer(), host } }, [400, 403, 421], `Host ${host}`)
      }
      for (const host of ['localhost', '127.0.0.1']) {
        const answer = await node.request({
          path: STATUS,
          headers: { ...bearer(), host: `${host}:${node.ports.http}` },
        })
        assert.equal(answer.status, 200, `Host ${host}`)
      }
    }),
  )

  test(
    'foreign and null Origin',
    { timeout: 30_000 },
    checked(async () => {
      const port = node.ports.http
      const origins = [
        'https://evil.example',
        'null',
        `http://127.0.0.1.evil.example:${port}`,
        `http://evil.example:${port}`,
        `http://127.0.0.1:${port + 1}`,
        'file://',
      ]
      for (const origin of origins) {
        const answer = await refused({ path: STATUS, headers: { ...bearer(), origin } }, [403], `Origin ${origin}`)
        assert.equal(answer.headers['access-control-allow-origin'], undefined)
      }
      const own = await node.request({ path: STATUS, headers: { ...bearer(), origin: `http://127.0.0.1:${port}` } })
      assert.equal(own.status, 200)
    }),
  )

  test(
    'no wildcard for other origins, preflight refused',
    { timeout: 30_000 },
    checked(async () => {
      const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
      for (const path of [STATUS, '/api/v1/bootstrap', '/']) {
        const answer = await node.request({ method: 'OPTIONS', path, headers })
        assert.equal(answer.headers['access-control-allow-origin'], undefined, path)
      }
    }),
  )

  test(
    'missing, short and wrong token',
    { timeout: 30_000 },
    checked(async () => {
      const { token } = node
      const flip = (token.startsWith('0') ? '1' : '0') + token.slice(1)
      const values = [
        undefined,
        'Bearer',
        'Bearer ',
        `Bearer ${token.slice(0, 8)}`,
        `Bearer ${flip}`,
        `Bearer ${token}x`,
        `Basic ${token}`,
        token,
      ]
      for (const value of values) {
        const headers = value === undefined ? {} : { authorization: value }
        const answer = await refused({ path: STATUS, headers }, [401], `Authorization ${value?.slice(0, 12)}`)
        assert.ok(!answer.body.includes(token))
      }
      await refused({ path: `${STATUS}?token=${token}`, headers: {} }, [401], 'token in the address')
      await refused({ path: STATUS, headers: { cookie: `token=${token}` } }, [401], 'token in a cookie')
      for (const [method, path] of [
        ['POST', '/api/v1/shutdown'],
        ['POST', '/api/v1/rooms/send'],
        ['GET', '/api/v1/events'],
        ['GET', '/api/v1/key'],
        ['GET', '/api/v1/config'],
      ]) {
        const body = method === 'POST' ? '{}' : undefined
        await refused({ method, path, headers: { 'content-type': 'application/json' }, body }, [401], path)
      }
    }),
  )

  test(
    'path traversal',
    { timeout: 30_000 },
    checked(async () => {
      const secret = (await readFile(node.started.tokenFile, 'utf8')).trim()
      const paths = [
        '/../../../../etc/passwd',
        '/..%2f..%2f..%2fetc%2fpasswd',
        '/assets/../../admin.token',
        '/%2e%2e/%2e%2e/etc/passwd',
        '/..\\..\\etc\\passwd',
        '/assets/%00',
        '//etc/passwd',
        '/admin.token',
        `/${node.dataDir}/admin.token`,
        '/.%2e/identity.key',
      ]
      for (const path of paths) {
        const answer = await node.request({ path })
        assert.ok(!answer.body.includes('root:') && !answer.body.includes(secret), path)
        const page = answer.status === 200 && /<!doctype html/i.test(answer.body)
        assert.ok(page || [400, 404].includes(answer.status), `${path}: ${answer.status}`)
      }
    }),
  )

  test(
    'oversized body, bad JSON, wrong type',
    { timeout: 30_000 },
    checked(async () => {
      const send = { method: 'POST', path: '/api/v1/rooms/send' }
      const json = { ...bearer(), 'content-type': 'application/json' }
      const huge = JSON.stringify({ room: 'lobby', text: 'x'.repeat(3 * 1024 * 1024) })
      await refused({ ...send, headers: json, body: huge }, [413, 0], 'a body of 3 MiB')
      for (const body of ['', '{', '[]', '"text"', '{"room":1}', '{"room":"lobby"}', '[['.repeat(20_000)]) {
        await refused({ ...send, headers: json, body }, [400, 422], `body ${body.slice(0, 20)}`)
      }
      const good = JSON.stringify({ room: 'lobby' })
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined]) {
        const headers = { ...bearer(), ...(type && { 'content-type': type }) }
        await refused({ method: 'POST', path: '/api/v1/rooms/join', headers, body: good }, [415], `type ${type}`)
      }
    }),
  )

  test(
    'errors follow problem+json',
    { timeout: 30_000 },
    checked(async () => {
      const json = { ...bearer(), 'content-type': 'application/json' }
      const requests = [
        { path: STATUS },
        { path: '/api/v1/no-such-thing', headers: bearer() },
        { method: 'POST', path: '/api/v1/peers/connect', headers: json, body: '{"address":"not an address"}' },
        { method: 'POST', path: '/api/v1/rooms/join', headers: json, body: '{"room":"NOT A ROOM"}' },
        { method: 'POST', path: '/api/v1/rooms/send', headers: json, body: '{"room":"never-joined","text":"x"}' },
        { method: 'POST', path: '/api/v1/ping', headers: json, body: `{"id":"${await startPeerId()}"}` },
      ]
      for (const request of requests) {
        const answer = await node.request({ ...request, timeout: 20_000 })
        assert.ok(answer.status >= 400 && answer.status < 500, `${request.path}: ${answer.status}`)
        assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, request.path)
        const problem = JSON.parse(answer.body)
        for (const key of ['code', 'title', 'detail', 'hint'])
          assert.ok(problem[key], `${request.path}: ${key} in ${answer.body}`)
      }
    }),
  )

  test(
    'method override and reads with side effects',
    { timeout: 30_000 },
    checked(async () => {
      for (const name of ['x-http-method-override', 'x-method-override', 'x-http-method']) {
        const answer = await node.request({ path: '/api/v1/shutdown', headers: { ...bearer(), [name]: 'POST' } })
        assert.ok([400, 404, 405].includes(answer.status), `${name}: ${answer.status}`)
      }
      for (const path of ['/api/v1/shutdown', '/api/v1/reload', '/api/v1/rooms/join', '/api/v1/peers/connect']) {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
          const answer = await node.request({ method, path, headers: bearer() })
          assert.ok([404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`)
        }
      }
    }),
  )

  test(
    'WebSocket upgrade on an API path',
    { timeout: 30_000 },
    checked(async () => {
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      }
      for (const path of [STATUS, '/api/v1/events', '/api/v1/']) {
        const answer = await node.request({ path, headers })
        assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`)
        const own = await node
          .request({ path: STATUS, headers: { ...headers, ...bearer() } })
          .catch(() => ({ status: 0 }))
        assert.notEqual(own.status, 101)
      }
    }),
  )

  test(
    'header flood, HTTP/2 preface, half a request',
    { timeout: 60_000 },
    checked(async () => {
      const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`x-flood-${i}`, 'y'.repeat(100)]))
      await refused({ path: STATUS, headers: many }, [400, 401, 431, 0], 'header flood')
      const raw = [
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        `GET ${STATUS} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzzzz\r\n`,
        `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
        '\0\x01\x02\x03',
      ]
      for (const text of raw) {
        const socket = await connectTo(node.ports.http)
        let answer = ''
        socket.on('data', (data) => (answer += data.toString('latin1')))
        socket.write(text)
        socket.end()
        await within(closed(socket), HANDSHAKE_ENDS_MS, 'the end of a bad HTTP connection')
        assert.ok(!/^HTTP\/1\.[01] [123]/.test(answer), answer.slice(0, 100))
      }
      await stillServing()
    }),
  )

  test(
    'the public part tells no secrets',
    { timeout: 30_000 },
    checked(async () => {
      for (const path of ['/', '/livez', '/readyz', '/metrics', '/api/v1/bootstrap']) {
        const answer = await node.request({ path })
        assert.equal(answer.status, 200, path)
        assert.ok(!answer.body.includes(node.token), path)
      }
      const bootstrap = JSON.parse((await node.request({ path: '/api/v1/bootstrap' })).body)
      assert.equal(bootstrap.schema, 'peerloom/bootstrap/1')
      assert.equal(bootstrap.id, node.id)
      for (const part of ['/ws/p2p/', '/webrtc-direct/certhash/']) {
        assert.ok(
          bootstrap.addresses.some((address) => address.includes(part)),
          `${part} in ${bootstrap.addresses}`,
        )
      }
      const page = await node.request({ path: '/' })
      assert.match(page.headers['content-security-policy'] ?? '', /default-src 'none'/)
      assert.equal(page.headers['x-content-type-options'], 'nosniff')
    }),
  )
})

/** The id of a peer that exists nowhere. */
async function startPeerId() {
  const peer = later(await startPeer({ pubsub: false }))
  return peer.peerId.toString()
}
