/** Size of the WASM module, for a progress line when the server does not say it; set by the build. */
declare const __WASM_BYTES__: number;
