//! What a panic leaves behind.
//! Invariant: after a panic no call of this module touches anything but the flag here.
//! Not here: telling a person; the page listens to [`EVENT`], or to the trap that follows.

use std::panic::PanicHookInfo;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use wasm_bindgen::JsCast as _;
use web_sys::{CustomEvent, CustomEventInit, EventTarget};

use super::Failure;

/// The event on `globalThis` that tells of a panic; its `detail` is the panic's text. A listener must
/// not call this module.
const EVENT: &str = "peerloom-panic";

static CRASHED: AtomicBool = AtomicBool::new(false);
static WATCH: Once = Once::new();

/// From now on a panic is written to the console, told to the page, and remembered.
pub(super) fn watch() {
    WATCH.call_once(|| std::panic::set_hook(Box::new(on_panic)));
}

fn on_panic(info: &PanicHookInfo<'_>) {
    // A panic inside this hook would begin it again.
    if CRASHED.swap(true, Ordering::Relaxed) {
        return;
    }
    console_error_panic_hook::hook(info);
    let init = CustomEventInit::new();
    init.set_detail(&info.to_string().into());
    if let Ok(event) = CustomEvent::new_with_event_init_dict(EVENT, &init)
        && let Ok(target) = js_sys::global().dyn_into::<EventTarget>()
    {
        drop(target.dispatch_event(&event));
    }
}

/// Whether calls may go on.
pub(super) fn check() -> Result<(), Failure> {
    if CRASHED.load(Ordering::Relaxed) { Err(Failure::crashed()) } else { Ok(()) }
}
