//! Calls and errors of JavaScript that web-sys has no or no catching form for.
//! Invariant: an exception becomes an error; none passes through frames of Rust.
//! Not here: anything that knows what a connection is.

use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{RtcDataChannel, RtcDataChannelInit, RtcPeerConnection};

use crate::backend::{Failure, Kind};
use crate::limits::BROWSER_WORDS;

/// A property, or `undefined` where there is none.
pub(super) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// Sets a property. What cannot be set is left: only handlers are set this way, and a browser that
/// lacks one has no event for it either.
pub(super) fn set(object: &JsValue, name: &str, value: &JsValue) {
    Reflect::set(object, &JsValue::from_str(name), value).unwrap_or_default();
}

/// The name of an exception, such as `InvalidModificationError`; empty where it has none.
pub(super) fn error_name(error: &JsValue) -> String {
    get(error, "name").as_string().unwrap_or_default()
}

/// An exception in the browser's own words.
pub(super) fn failure(error: &JsValue) -> Failure {
    let message = get(error, "message").as_string().or_else(|| error.as_string());
    let words = format!("{}: {}", error_name(error), message.unwrap_or_default());
    Failure::Platform(words.chars().take(BROWSER_WORDS).collect())
}

/// `createDataChannel`. web-sys has it without the exceptions that a closed connection and a lack of
/// stream ids cause.
pub(super) fn create_channel(
    pc: &RtcPeerConnection,
    label: &str,
    kind: Kind,
) -> Result<RtcDataChannel, Failure> {
    let init = RtcDataChannelInit::new();
    match kind {
        Kind::Announced => {}
        Kind::Negotiated(id) => {
            init.set_negotiated(true);
            init.set_id(id);
        }
    }
    let create: Function = get(pc, "createDataChannel")
        .dyn_into()
        .map_err(|_| Failure::Platform("no createDataChannel".to_owned()))?;
    let made = create.call2(pc, &JsValue::from_str(label), &init);
    Ok(made.map_err(|error| failure(&error))?.unchecked_into())
}
