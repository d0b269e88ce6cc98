//! The peer as a class for JavaScript: each method gives a promise of the command's answer.
//! Invariant: nothing here knows a command; a method only puts words together.
//! Not here: the peer (`node`).

use std::rc::Rc;

use futures::SinkExt as _;
use futures::channel::{mpsc, oneshot};
use js_sys::{Function, JSON, Promise};
use libp2p::Multiaddr;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use crate::command::Command;
use crate::limits::COMMANDS;
use crate::node::{Node, Order, Setup};

/// A running peer. It ends with its page, or by `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Peer {
    id: String,
    orders: mpsc::Sender<Order>,
}

#[wasm_bindgen]
impl Peer {
    /// Starts a peer that can be called through these relays (`RELAY/p2p-circuit`); it may have none.
    /// `report` is called with each event; the one named `ready` tells that all relays took us.
    ///
    /// # Errors
    /// An address is none, or cannot be listened on.
    #[wasm_bindgen(constructor)]
    pub fn new(listen: Vec<String>, report: Function) -> Result<Peer, JsError> {
        console_error_panic_hook::set_once();
        let listen: Result<Vec<Multiaddr>, _> = listen.iter().map(|text| text.parse()).collect();
        let report = Rc::new(move |event: serde_json::Value| {
            if let Ok(event) = JSON::parse(&event.to_string()) {
                // A reader that throws gets its error into the console; nothing here depends on it.
                report.call1(&JsValue::UNDEFINED, &event).unwrap_or_default();
            }
        });
        let node = Node::new(Setup { listen: listen?, ..Setup::default() }, report)?;
        let (orders, all) = mpsc::channel(COMMANDS);
        let id = node.id().to_string();
        spawn_local(node.run(all));
        Ok(Self { id, orders })
    }

    /// The peer id.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// Connects to exactly this address.
    pub fn dial(&self, address: &str) -> Promise {
        self.ask(format!("dial {address}"))
    }

    /// What a peer said of itself.
    pub fn identify(&self, peer: &str) -> Promise {
        self.ask(format!("identify {peer}"))
    }

    /// All connections.
    pub fn connections(&self) -> Promise {
        self.ask("connections".to_owned())
    }

    /// The addresses under which others reach this peer.
    pub fn addresses(&self) -> Promise {
        self.ask("addresses".to_owned())
    }

    /// So many pings on one stream.
    pub fn ping(&self, peer: &str, count: u32) -> Promise {
        self.ask(format!("ping {peer} {count}"))
    }

    /// Sends bytes and compares what comes back.
    pub fn echo(&self, peer: &str, bytes: u32) -> Promise {
        self.ask(format!("echo {peer} {bytes}"))
    }

    /// Sends bytes one way; the other side tells their count and hash.
    pub fn sink(&self, peer: &str, bytes: u32) -> Promise {
        self.ask(format!("sink {peer} {bytes}"))
    }

    /// So many half-closing requests at once, for answers of `bytes`, or of many sizes without it.
    pub fn rr(&self, peer: &str, count: u32, bytes: Option<u32>) -> Promise {
        let bytes = bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        self.ask(format!("rr {peer} {count} {bytes}"))
    }

    /// Closes all connections with a peer.
    pub fn close(&self, peer: &str) -> Promise {
        self.ask(format!("close {peer}"))
    }

    fn ask(&self, line: String) -> Promise {
        let mut orders = self.orders.clone();
        future_to_promise(async move {
            let fault = |why: &str| JsValue::from(JsError::new(why));
            let command: Command = line.parse().map_err(|why| JsValue::from(JsError::from(why)))?;
            let (answer, answered) = oneshot::channel();
            let gone = |_| fault("the peer has ended");
            orders.send(Order { command, answer }).await.map_err(gone)?;
            let answer = answered.await.map_err(|_| fault("the connection is gone"))?;
            JSON::parse(&answer.map_err(|why| fault(&why))?.to_string())
        })
    }
}
