//! Listening to events of browser objects, and wording what they throw.
//! Invariant: once a `Listener` is dropped, the browser can no longer call into it.
//! Not here: what the events mean.

use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DomException, Event, EventTarget};

/// Keeps one callback registered for some event types of `target` for as long as it lives.
pub(crate) struct Listener {
    target: EventTarget,
    types: &'static [&'static str],
    callback: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Calls `on_event` for every event of `types`; fails only if the browser refuses.
    pub(crate) fn new(
        target: &EventTarget,
        types: &'static [&'static str],
        on_event: impl FnMut(Event) + 'static,
    ) -> Result<Self, JsValue> {
        // Built before registering: if one registration fails, Drop takes the others back.
        let listener = Self { target: target.clone(), types, callback: Closure::new(on_event) };
        for name in types {
            listener.target.add_event_listener_with_callback(name, listener.function())?;
        }
        Ok(listener)
    }

    fn function(&self) -> &Function {
        self.callback.as_ref().unchecked_ref()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for name in self.types {
            // It fails only for a malformed callback, and then nothing was registered.
            drop(self.target.remove_event_listener_with_callback(name, self.function()));
        }
    }
}

/// What JavaScript threw, in words: name and message of an exception, or the thrown text.
pub(crate) fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<DomException>() {
        Some(error) => format!("{}: {}", error.name(), error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
