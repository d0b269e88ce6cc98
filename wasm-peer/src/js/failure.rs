//! What JavaScript gets when a call fails: an `Error` with code, hint, docs and retryable.
//! Invariant: codes mean the same here, in the API and on the command line.
//! Not here: the words of errors that have their own.

use js_sys::Reflect;
use peerloom_shared::discovery::LinkError;
use peerloom_shared::grant::InviteError;
use peerloom_shared::net::NetError;
use peerloom_shared::pubsub::{Kind, PubsubError};
use peerloom_shared::wire::RoomNameError;
use wasm_bindgen::JsValue;

use crate::keystore::KeystoreError;
use crate::swarm::SwarmError;

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Failure {
    code: &'static str,
    message: String,
    hint: &'static str,
    retryable: bool,
    /// The stable name of the reason, where one code has several.
    reason: Option<&'static str>,
}

impl Failure {
    fn lasting(code: &'static str, message: impl ToString, hint: &'static str) -> Self {
        Self { code, message: message.to_string(), hint, retryable: false, reason: None }
    }

    fn passing(code: &'static str, message: impl ToString, hint: &'static str) -> Self {
        Self { retryable: true, ..Self::lasting(code, message, hint) }
    }

    pub(super) fn stopped() -> Self {
        Self::lasting("WEB-003", "the peer is stopped", "Make a new one.")
    }

    pub(super) fn crashed() -> Self {
        let hint = "Reload the page, and report the console's last lines.";
        Self::lasting("WEB-004", "the peer crashed", hint)
    }

    pub(super) fn busy() -> Self {
        let hint = "Wait for earlier calls before making more.";
        Self::passing("WEB-007", "too many calls are under way", hint)
    }

    /// The text is no multiaddr, or its parts do not fit together.
    pub(super) fn no_address(message: impl ToString) -> Self {
        let hint =
            "Write it like /ip4/192.0.2.7/tcp/7073/ws/p2p/12D3KooW..., as the other node shows it.";
        Self::lasting("NET-101", message, hint)
    }

    /// No browser can dial it.
    pub(super) fn no_transport(message: impl ToString) -> Self {
        let hint = "Use an address with ws, wss or webrtc-direct, or one through a relay.";
        Self::lasting("NET-105", message, hint)
    }

    pub(super) fn no_peer_id(message: impl ToString) -> Self {
        let hint = "Copy the whole id; those of Peerloom begin with 12D3KooW.";
        Self::lasting("NET-107", message, hint)
    }

    pub(super) fn bad_option(message: impl ToString) -> Self {
        Self::lasting("WEB-009", message, "Correct the option and start again.")
    }

    pub(super) fn unusable_link(address: &str, error: &LinkError) -> Self {
        let message = format!("{address}: {error}");
        if *error == LinkError::TooMany {
            return Self::lasting("NET-109", message, "Start with fewer relays.");
        }
        Self::no_address(message)
    }

    /// The peer could not be set up.
    pub(super) fn setup(message: impl ToString) -> Self {
        let hint = "Reload the page; if it stays so, report it together with this message.";
        Self::lasting("WEB-002", message, hint)
    }
}

impl From<PubsubError> for Failure {
    fn from(error: PubsubError) -> Self {
        let retryable = error.kind() == Kind::Retry;
        Self { retryable, ..Self::lasting(error.code(), &error, error.hint()) }
    }
}

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        let untimely = matches!(error, InviteError::Expired { .. } | InviteError::NotYet { .. });
        let (code, hint) = if untimely {
            ("INV-002", "Ask for a new one; if it is new, check this device's date and time.")
        } else {
            ("INV-001", "Copy all of the link again, or ask for a new one.")
        };
        let reason = Some(error.name());
        Self { reason, ..Self::lasting(code, error, hint) }
    }
}

impl From<RoomNameError> for Failure {
    fn from(error: RoomNameError) -> Self {
        Self::lasting(error.code(), error, error.hint())
    }
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Gone => Self::stopped(),
            NetError::Denied(_) => {
                Self::lasting("POL-101", error, "Ask whoever made the rules of this peer.")
            }
            NetError::Busy => Self::passing("NET-109", error, "Try again later."),
            NetError::NotConnected => Self::lasting("NET-106", error, "Dial the peer first."),
            NetError::Dial(_) => {
                let hint = "Check that the other node runs and that the address is current.";
                Self::passing("NET-110", error, hint)
            }
            NetError::WrongPeer(_) => {
                let hint = "Ask the other side for its current address; do not trust this one.";
                Self::lasting("NET-104", error, hint)
            }
            NetError::Unsupported(_) => Self::no_transport(error),
            NetError::Ping(_) => {
                let hint = "Try again; the peer may be gone, busy, or behind a broken path.";
                Self::passing("NET-108", error, hint)
            }
            NetError::Permit(_)
            | NetError::NobodyListens
            | NetError::NotFound
            | NetError::Listen(_)
            | NetError::Gossip(_)
            | NetError::Routing(_) => {
                Self::lasting("WEB-005", error, "Please report it together with the message.")
            }
        }
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        match error {
            KeystoreError::Name => Self::bad_option(error),
            KeystoreError::Newer { .. } => {
                Self::lasting("WEB-008", error, "Reload the page to get its newest version.")
            }
            KeystoreError::Damaged { .. } | KeystoreError::Unreadable { .. } => {
                let hint =
                    "Start with another identity, or clear this site's data to lose this one.";
                Self::lasting("WEB-008", error, hint)
            }
        }
    }
}

impl From<SwarmError> for Failure {
    fn from(error: SwarmError) -> Self {
        Self::setup(error)
    }
}

impl From<serde_wasm_bindgen::Error> for Failure {
    fn from(error: serde_wasm_bindgen::Error) -> Self {
        Self::lasting("WEB-005", error, "Please report it together with the message.")
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let Failure { code, message, hint, retryable, reason } = failure;
        let error = js_sys::Error::new(&message);
        let docs = format!("docs/errors.md#{}", code.to_ascii_lowercase());
        for (name, value) in [
            ("code", Self::from(code)),
            ("hint", Self::from(hint)),
            ("docs", Self::from(docs)),
            ("retryable", Self::from(retryable)),
            ("reason", Self::from(reason)),
        ] {
            // A new error is an ordinary object: every property can be set.
            drop(Reflect::set(&error, &name.into(), &value));
        }
        error.into()
    }
}
