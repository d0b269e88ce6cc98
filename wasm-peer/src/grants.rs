//! What this browser was granted: kept in IndexedDB beside the identity, shown to every peer.
//! Invariant: a chain that is kept names this browser's key; what cannot be kept is used until the page
//! closes.
//! Not here: whether a chain counts (nodes judge that), the text of invitations (`grant::Invite`).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures_timer::Delay;
use js_sys::{Array, Uint8Array};
use peerloom_shared::Multiaddr;
use peerloom_shared::PeerId;
use peerloom_shared::grant::{Chain, Invite, InviteError};
use peerloom_shared::limits::{AUTH_CHAINS_MAX, STORAGE_MS};
use peerloom_shared::policy::{PolicySet, Trust};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::IdbTransactionMode;

use crate::idb::{OpenError, Place, Store};

// A database of its own: the identity's has one store.
const PLACE: Place = Place { database: "peerloom-grants", version: 1, store: "grants" };

/// A grant, as the page shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantView {
    /// PeerId of whom its word comes from.
    root: String,
    /// What it allows.
    actions: Vec<&'static str>,
    /// On what; empty for everything.
    about: String,
    /// When it ends, Unix time in ms.
    expires_ms: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The identity that they belong to; `None` where nothing is kept.
    name: Option<String>,
    chains: Vec<Chain>,
    /// Whom the invitations named.
    addresses: Vec<Multiaddr>,
}

impl Grants {
    /// What is kept for an identity; nothing when the browser's storage does not answer.
    pub(crate) async fn load(name: Option<String>) -> Self {
        let Some(key) = name.clone() else { return Self::default() };
        let deadline = Delay::new(Duration::from_millis(STORAGE_MS));
        let loaded = match select(pin!(read(&key)), deadline).await {
            Either::Left((loaded, _)) => loaded,
            Either::Right(_) => None,
        };
        let (chains, addresses) = loaded.unwrap_or_default();
        Self { name, chains, addresses }
    }

    /// Whom to keep connected.
    pub(crate) fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// The rules of a page: it judges nobody, and is in the network of its newest grant.
    pub(crate) fn policy(&self, epoch: u64) -> PolicySet {
        let set = PolicySet::from_rules(peerloom_shared::policy::Rules::default(), epoch);
        match self.chains.last() {
            Some(chain) => {
                let body = chain.root().body();
                set.trusting(Trust { network: body.network, roots: vec![body.issuer] })
            }
            None => set,
        }
    }

    /// The chains to show: those of one network.
    pub(crate) fn credentials(&self) -> Vec<Chain> {
        let network = self.chains.last().map(|chain| chain.root().body().network);
        let of_it = |chain: &&Chain| Some(chain.root().body().network) == network;
        self.chains.iter().filter(of_it).cloned().collect()
    }

    /// Accepts an invitation for this peer.
    pub(crate) fn accept(
        &mut self,
        text: &str,
        local: &PeerId,
        (now_ms, nonce): (u64, [u8; 8]),
    ) -> Result<GrantView, InviteError> {
        let invite = Invite::parse(text, now_ms)?;
        let through = invite.chain().last().id();
        let passes = |chain: &Chain| chain.links().any(|link| link.id() == through);
        // Accepted before: the same chain again, not another use.
        let chain = match self.chains.iter().position(passes) {
            Some(at) => self.chains.remove(at),
            None => invite.accept(local, nonce)?,
        };
        for address in invite.addresses() {
            if !self.addresses.contains(address) {
                self.addresses.push(address.clone());
            }
        }
        let excess = self.addresses.len().saturating_sub(AUTH_CHAINS_MAX);
        self.addresses.drain(..excess);
        Ok(self.keep(now_ms, chain))
    }

    /// Keeps a chain, which becomes the newest, in place of those that it makes useless.
    pub(crate) fn keep(&mut self, now_ms: u64, chain: Chain) -> GrantView {
        let new = chain.last().terms().clone();
        self.chains.retain(|old| {
            let terms = old.last().terms();
            let covered = terms.prefix.is_within(&new.prefix)
                && terms.actions.is_within(new.actions)
                && terms.expires_ms <= new.expires_ms;
            !covered && terms.expires_ms > now_ms
        });
        let excess = self.chains.len().saturating_add(1).saturating_sub(AUTH_CHAINS_MAX);
        self.chains.drain(..excess);
        let view = view(&chain);
        self.chains.push(chain);
        view
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.chains.clear();
        self.addresses.clear();
    }

    /// What there is, the newest last.
    pub(crate) fn views(&self) -> Vec<GrantView> {
        self.chains.iter().map(view).collect()
    }

    /// Writes everything down. A browser that refuses costs a new invitation after a reload, no more.
    pub(crate) fn save(&self) -> impl Future<Output = ()> + 'static {
        let name = self.name.clone();
        let chains: Vec<_> = self.chains.iter().map(Chain::encode).collect();
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        async move {
            let Some(name) = name else { return };
            let deadline = Delay::new(Duration::from_millis(STORAGE_MS));
            drop(select(pin!(write(&name, chains, addresses)), deadline).await);
        }
    }
}

fn view(chain: &Chain) -> GrantView {
    let terms = chain.last().terms();
    let root = chain.root().body().issuer.peer();
    GrantView {
        root: root.map(|root| root.to_string()).unwrap_or_default(),
        actions: terms.actions.iter().map(|action| action.name()).collect(),
        about: terms.prefix.as_str().to_owned(),
        expires_ms: terms.expires_ms,
    }
}

/// The record: an array of two, the chains' bytes and the addresses' texts.
async fn read(name: &str) -> Option<(Vec<Chain>, Vec<Multiaddr>)> {
    let store = Store::open(PLACE).await.ok()?;
    let found = store.run(IdbTransactionMode::Readonly, |store| store.get(&name.into())).await;
    let record: Array = found.ok()?.1.ok()?.dyn_into().ok()?;
    let list = |at: u32| record.get(at).dyn_into::<Array>().unwrap_or_default();
    let (chains, texts) = (list(0), list(1));
    let bytes = chains.iter().filter_map(|value| value.dyn_into::<Uint8Array>().ok());
    let chains = bytes.filter_map(|bytes| Chain::decode(&bytes.to_vec()).ok());
    let texts = texts.iter().filter_map(|value| value.as_string());
    Some((chains.collect(), texts.filter_map(|text| text.parse().ok()).collect()))
}

async fn write(name: &str, chains: Vec<Vec<u8>>, addresses: Vec<String>) {
    let store = match Store::open(PLACE).await {
        Ok(store) => store,
        Err(OpenError::Refused(_) | OpenError::Newer) => return,
    };
    let chains: Array = chains.iter().map(|bytes| Uint8Array::from(bytes.as_slice())).collect();
    let addresses: Array = addresses.iter().map(|text| JsValue::from_str(text)).collect();
    let record = Array::of2(&chains, &addresses);
    let written =
        store.run(IdbTransactionMode::Readwrite, |store| store.put_with_key(&record, &name.into()));
    drop(written.await);
}

/// A rule set that may be replaced.
pub(crate) type Rules = tokio::sync::watch::Sender<Arc<PolicySet>>;
