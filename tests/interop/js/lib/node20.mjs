// js-libp2p 3.3 uses Promise.withResolvers and the global WebSocket, which Node.js has only from release 22 on;
// the tests run on 20 too. Must be imported before any js-libp2p module.
import { WebSocket } from 'ws'

globalThis.WebSocket ??= WebSocket

Promise.withResolvers ??= function () {
  let resolve
  let reject
  const promise = new this((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
