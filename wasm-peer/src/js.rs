//! The JavaScript side: class `Peer`.
//! Invariant: every call settles; what goes wrong reaches JavaScript as an `Error` with a code, also
//! after the end of the peer and after a panic.
//! Not here: decisions (machines), the task behind it (`peer_loop`).

mod crash;
mod failure;
mod options;
mod start;

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Function, Promise};
use peerloom_shared::PeerId;
use peerloom_shared::net::NetHandle;
use peerloom_shared::pubsub::Answer;
use peerloom_shared::wire::RoomName;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use self::failure::Failure;
use self::options::Options;
pub(crate) use self::options::can_dial;
use crate::dom::Listener;
use crate::peer_loop::{Machines, Request, RoomCall};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &'static str = r#"
import type { Grant, Message, PeerEvent, Status } from "../types.js";

/** What a peer starts with. */
export interface StartOptions {
  /** Name of the key in IndexedDB; null makes a key that is forgotten. */
  identity: string | null;
  /** Multiaddrs that end in /p2p/<id>: each is dialled and kept. */
  relays: string[];
  /** Display name in presence posts. */
  name: string | null;
}
"#;

/// A value as JavaScript sees it in JSON: plain objects, numbers, null for what is missing.
pub(crate) fn to_js(value: &impl Serialize) -> Result<JsValue, serde_wasm_bindgen::Error> {
    value.serialize(&Serializer::json_compatible())
}

/// A running peer. Rejections are `Error` objects with code, hint, docs and retryable.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Peer(Rc<Link>);

/// What the object and its calls under way hold. When the last of them is gone, the peer stops.
struct Link {
    id: PeerId,
    persisted: bool,
    machines: Rc<RefCell<Machines>>,
    net: NetHandle,
    requests: mpsc::Sender<Request>,
    slots: Arc<Semaphore>,
    /// Dropped to stop.
    stop: RefCell<Option<oneshot::Sender<Infallible>>>,
    over: watch::Receiver<bool>,
    /// Tells the machines that the browser is online again. Without it the links' own timers do.
    _online: Option<Listener>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Link {
    /// Whether calls make sense.
    fn check(&self) -> Result<(), Failure> {
        crash::check()?;
        if self.stop.borrow().is_none() || *self.over.borrow() {
            return Err(Failure::stopped());
        }
        Ok(())
    }

    /// A place among the calls under way, until it is dropped.
    fn slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Failure::busy())
    }

    fn request(&self, request: Request) -> Result<(), Failure> {
        self.requests.try_send(request).map_err(|refused| match refused {
            TrySendError::Full(_) => Failure::busy(),
            TrySendError::Closed(_) => Failure::stopped(),
        })
    }

    async fn room(&self, input: RoomCall) -> Result<Answer, Failure> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Room { input, reply })?;
        Ok(answer.await.map_err(|_| Failure::stopped())??)
    }
}

/// The room of that name.
fn room(name: &str) -> Result<RoomName, Failure> {
    Ok(name.parse::<RoomName>()?)
}

impl Peer {
    /// Runs a call in one of the slots.
    fn call<F>(&self, work: impl FnOnce(Rc<Link>) -> F + 'static) -> Promise
    where
        F: Future<Output = Result<JsValue, Failure>> + 'static,
    {
        let link = Rc::clone(&self.0);
        future_to_promise(async move {
            let done = async {
                link.check()?;
                let _slot = link.slot()?;
                work(Rc::clone(&link)).await
            };
            done.await.map_err(JsValue::from)
        })
    }
}

#[wasm_bindgen]
impl Peer {
    /// Starts a peer. Events go to `listener`, in batches, some perhaps before this resolves.
    ///
    /// # Errors
    /// When an option is wrong, the stored identity cannot be used, or the peer cannot be set up.
    pub async fn start(
        #[wasm_bindgen(unchecked_param_type = "StartOptions")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "(events: PeerEvent[]) => void")] listener: Function,
    ) -> Result<Peer, JsValue> {
        crash::watch();
        crash::check()?;
        let options = Options::read(&options)?;
        Ok(Self(Rc::new(start::start(options, listener).await?)))
    }

    /// Our PeerId.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// Whether the key rests in IndexedDB. False: it dies with the page.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn persisted(&self) -> bool {
        self.0.persisted
    }

    /// The picture at this moment.
    ///
    /// # Errors
    /// When the peer is stopped.
    #[wasm_bindgen(unchecked_return_type = "Status")]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        self.0.check()?;
        let status = self.0.machines.borrow().status();
        to_js(&status).map_err(JsValue::from)
    }

    /// Dials a multiaddr once; resolves with the PeerId that proved itself there.
    #[wasm_bindgen(unchecked_return_type = "Promise<string>")]
    pub fn dial(&self, address: String) -> Promise {
        self.call(async move |link| {
            let address = options::address(&address)?;
            let peer = link.net.dial(None, vec![address], false).await?;
            Ok(peer.to_string().into())
        })
    }

    /// Closes all connections to a peer.
    #[wasm_bindgen(js_name = hangUp, unchecked_return_type = "Promise<void>")]
    pub fn hang_up(&self, peer: String) -> Promise {
        self.call(async move |link| {
            link.net.hang_up(options::peer(&peer)?).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Round-trip time to a connected peer, in ms.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn ping(&self, peer: String) -> Promise {
        self.call(async move |link| {
            let took = link.net.ping(options::peer(&peer)?).await?;
            Ok((took.as_secs_f64() * 1_000.0).into())
        })
    }

    /// Joins a room.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn join(&self, room: String) -> Promise {
        self.call(async move |link| {
            link.room(RoomCall::Join(self::room(&room)?)).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Leaves a room.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn leave(&self, room: String) -> Promise {
        self.call(async move |link| {
            link.room(RoomCall::Leave(self::room(&room)?)).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Says something in a room; resolves with the message as it was sent.
    #[wasm_bindgen(unchecked_return_type = "Promise<Message>")]
    pub fn send(&self, room: String, text: String) -> Promise {
        self.call(async move |link| {
            match link.room(RoomCall::Say(self::room(&room)?, text)).await? {
                Answer::Said(message) => Ok(to_js(&message)?),
                Answer::Joined | Answer::Left => Err(Failure::stopped()),
            }
        })
    }

    /// Accepts an invitation: a link, or its part behind `#j=`.
    #[wasm_bindgen(unchecked_return_type = "Promise<Grant>")]
    pub fn accept(&self, link: String) -> Promise {
        let text = link;
        self.call(async move |link| {
            let (reply, answer) = oneshot::channel();
            link.request(Request::Accept { text, reply })?;
            Ok(to_js(&answer.await.map_err(|_| Failure::stopped())??)?)
        })
    }

    /// What this peer was granted, the newest last. `forget` drops it all.
    #[wasm_bindgen(unchecked_return_type = "Promise<Grant[]>")]
    pub fn grants(&self, forget: bool) -> Promise {
        self.call(async move |link| {
            let (reply, answer) = oneshot::channel();
            link.request(Request::Grants { forget, reply })?;
            Ok(to_js(&answer.await.map_err(|_| Failure::stopped())?)?)
        })
    }

    /// Changes the name that others see; `null` removes it.
    ///
    /// # Errors
    /// When the peer is stopped or busy.
    #[wasm_bindgen(js_name = setName)]
    pub fn set_name(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string | null")] name: Option<String>,
    ) -> Result<(), JsValue> {
        self.0.check()?;
        Ok(self.0.request(Request::SetName(name))?)
    }

    /// Leaves all rooms and closes all connections. Stopping twice is harmless.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn stop(&self) -> Promise {
        drop(self.0.stop.borrow_mut().take());
        let mut over = self.0.over.clone();
        future_to_promise(async move {
            crash::check()?;
            // An error says that the loop is gone, which is what was wanted.
            drop(over.wait_for(|over| *over).await);
            Ok(JsValue::UNDEFINED)
        })
    }
}
