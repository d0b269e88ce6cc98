import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const wasm = fileURLToPath(new URL("../wasm-peer/npm/dist/wasm/peerloom_wasm_peer_bg.wasm", import.meta.url));
if (!existsSync(wasm)) {
  throw new Error(
    "The WebAssembly peer is not built yet. Run `cargo xtask web`, which builds it and the page.",
  );
}

export default defineConfig({
  define: { __WASM_BYTES__: String(statSync(wasm).size) },
  build: {
    target: ["chrome123", "firefox128", "safari17.5"],
    // The content security policy allows no data: scripts or styles, and the wasm is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
