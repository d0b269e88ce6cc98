// Entry of the page: puts up the frame, then starts the peer.
// Invariant: the frame is there before the first byte of WASM.
// Not here: anything that can be tested without a document.
import { app } from "./app.ts";
import { controller } from "./controller.ts";
import { invitation } from "./invitation.ts";
import { recordErrors } from "./report.ts";
import { roomOfHash } from "./text.ts";
import "./ui/app-view.ts";
import "./ui/composer.ts";
import "./ui/help.ts";
import "./ui/log.ts";
import "./ui/notices.ts";
import "./ui/panel.ts";
import "./ui/rights.ts";
import "./ui/sidebar.ts";
import "./ui/status.ts";

const { state } = app;

function retitle(): void {
  const { unread } = state;
  const room = `#${state.current}`;
  document.title =
    unread > 0
      ? app.speech.say("app.titleUnread", { n: unread, room })
      : app.speech.say("app.title", { room });
}

// Before anything else: the address bar must not keep the secret of an invitation.
invitation.capture();
invitation.onRoom = (name) => controller.open(name);
recordErrors();
app.dress();
app.subscribe(retitle);
document.addEventListener("visibilitychange", () => {
  state.watch(document.visibilityState === "visible");
  app.changed();
});
addEventListener("hashchange", () => {
  if (invitation.capture()) return;
  const name = roomOfHash(location.hash);
  if (name !== null && name !== state.current) controller.open(name);
});
addEventListener("pagehide", () => void controller.stop());
addEventListener("pageshow", (event) => {
  // Brought back from the browser's cache: the peer was stopped when the page went away.
  if (event.persisted) location.reload();
});
// Countdowns move once a second, while there is one.
setInterval(() => {
  if (state.nextTryAt() !== null) app.changed();
}, 1_000);
// After the first paint; not by animation frame, which a hidden tab never gets.
setTimeout(() => void controller.run());
