// Development only: serves the page with a scripted peer, so that every state can be looked at.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("../.."),
  cacheDir: here("../../node_modules/.cache/harness"),
  define: { __WASM_BYTES__: "1912000" },
  resolve: { alias: { peerloom: here("./peer.ts") } },
  server: { host: "127.0.0.1", port: 5199, strictPort: true },
  plugins: [
    {
      name: "scripted-bootstrap",
      configureServer(server) {
        server.middlewares.use("/api/v1/bootstrap", (request, response) => {
          if ((request.headers.referer ?? "").includes("scene=unreachable")) {
            response.statusCode = 503;
            return response.end();
          }
          response.setHeader("content-type", "application/json");
          response.end(
            JSON.stringify({
              schema: "peerloom/bootstrap/1",
              id: "12D3KooWNodeAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
              agent: "peerloom/0.1.0 (native)",
              addresses: [
                "/ip4/127.0.0.1/tcp/7073/ws/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo",
                "/ip4/127.0.0.1/udp/7071/webrtc-direct/certhash/uEiD/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo",
              ],
              rooms: ["lobby"],
            }),
          );
        });
      },
    },
  ],
});
