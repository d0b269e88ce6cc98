//! The ledger with its disk and its network: carries out what it works out, in this order.
//! Invariant: a change is on disk before it is in the ledger, and in the ledger before anybody is told.
//! Not here: what follows from what (`ledger`), who may ask (the policy, before).

use std::sync::Arc;

use libp2p::PeerId;
use peerloom_shared::auth::judging;
use peerloom_shared::grant::{Chain, GrantId, Invite, Key, NetworkId, SignedList};
use peerloom_shared::net::NetHandle;
use peerloom_shared::net::auth::Told;
use peerloom_shared::net::clock::unix_ms;
use peerloom_shared::net::work::IdentityWork;
use peerloom_shared::policy::{Access, PolicySet, Trust};
use tokio::sync::{Mutex, MutexGuard, watch};

use super::ledger::{Chance, Given, GrantsError, Ledger, Removal, Wish};
use crate::audit::{Audit, GrantChange, GrantNote};
use crate::store::{Change, Shelf, Store, StoreError};

/// See the module's text.
#[derive(Debug)]
pub struct Grants {
    ledger: Mutex<Ledger>,
    store: Arc<Store>,
    net: NetHandle,
    policy: watch::Receiver<Arc<PolicySet>>,
    audit: Audit,
}

/// A picture of the ledger.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The network that the rest is about.
    pub trust: Trust,
    /// What strangers get.
    pub access: Access,
    /// This node's key.
    pub own: Key,
    /// The chains that it holds, of all networks.
    pub held: Vec<Chain>,
    /// What it gave, with the number of uses.
    pub given: Vec<(GrantId, Given, usize)>,
}

impl Grants {
    /// Reads the ledger from disk, which takes as long as the disk takes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(
        mut ledger: Ledger,
        store: Arc<Store>,
        net: NetHandle,
        policy: watch::Receiver<Arc<PolicySet>>,
        audit: Audit,
    ) -> Result<Self, StoreError> {
        for shelf in [Shelf::Held, Shelf::Given, Shelf::Uses, Shelf::Lists, Shelf::RoomKeys] {
            let odd = ledger.restore(shelf, store.rows(shelf)?);
            if odd > 0 {
                tracing::warn!(?shelf, odd, "rows of grants make no sense and are left alone");
            }
        }
        Ok(Self { ledger: Mutex::new(ledger), store, net, policy, audit })
    }

    fn trust(&self) -> Trust {
        self.policy.borrow().trust().clone()
    }

    /// Tells the network what is known: at the start, and when the network is another one.
    pub async fn begin(&self) {
        let ledger = self.ledger.lock().await;
        self.tell(judging::Input::Issuers([ledger.key()].into())).await;
        self.tell(judging::Input::Counted(ledger.uses().collect())).await;
        self.show(&ledger).await;
    }

    /// Another rule set may be in force.
    pub async fn policy_changed(&self) {
        let ledger = self.ledger.lock().await;
        self.show(&ledger).await;
    }

    async fn show(&self, ledger: &Ledger) {
        let network = self.trust().network;
        for list in ledger.lists(&network) {
            self.tell(judging::Input::Revoked(Box::new(list.clone()))).await;
        }
        self.credentials(ledger, &network).await;
    }

    async fn tell_keys(&self, ledger: &Ledger, network: &NetworkId) {
        let keys = ledger.room_keys(network).iter().cloned().collect();
        self.told(Told::RoomKeys(keys)).await;
    }

    /// Sees to it that a members' room has a key, if this node is to make it.
    ///
    /// # Errors
    /// See [`GrantsError`].
    pub async fn ensure_key(&self, topic: &str) -> Result<(), GrantsError> {
        let mut ledger = self.ledger.lock().await;
        self.first_key(&mut ledger, topic).await
    }

    async fn first_key(
        &self,
        ledger: &mut MutexGuard<'_, Ledger>,
        topic: &str,
    ) -> Result<(), GrantsError> {
        let trust = self.trust();
        let changes = ledger.first_key(&trust, topic, (unix_ms(), chance()?.seed))?;
        self.new_keys(ledger, &trust, changes).await
    }

    /// Makes other keys for all rooms, since somebody lost a right.
    async fn next_keys(&self, ledger: &mut MutexGuard<'_, Ledger>) -> Result<(), GrantsError> {
        let trust = self.trust();
        let secret = || Ok(chance()?.seed);
        let changes = ledger.next_keys(unix_ms(), &trust, secret)?;
        self.new_keys(ledger, &trust, changes).await
    }

    async fn new_keys(
        &self,
        ledger: &mut MutexGuard<'_, Ledger>,
        trust: &Trust,
        changes: Vec<Change>,
    ) -> Result<(), GrantsError> {
        if !changes.is_empty() {
            self.commit(ledger, changes).await?;
            self.tell_keys(ledger, &trust.network).await;
        }
        Ok(())
    }

    async fn credentials(&self, ledger: &Ledger, network: &NetworkId) {
        // Whose keys count for a room depends on who invited this node into it.
        self.tell_keys(ledger, network).await;
        let chains = ledger.credentials(unix_ms(), network);
        self.told(Told::Credentials(chains)).await;
    }

    async fn tell(&self, input: judging::Input) {
        self.told(Told::Judging(Box::new(input))).await;
    }

    async fn told(&self, told: Told) {
        // The network ends before the actors do; then there is nobody left to tell.
        if let Err(error) = self.net.tell_auth(told).await {
            tracing::debug!(%error, "the network was not told of grants");
        }
    }

    /// Writes changes and takes them over.
    async fn commit(
        &self,
        ledger: &mut MutexGuard<'_, Ledger>,
        changes: Vec<Change>,
    ) -> Result<(), GrantsError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (store, rows) = (Arc::clone(&self.store), changes.clone());
        let written = tokio::task::spawn_blocking(move || store.change(&rows)).await;
        written.map_err(|_| GrantsError::Gone)??;
        for change in &changes {
            ledger.take(change);
        }
        Ok(())
    }

    /// Makes an invite.
    ///
    /// # Errors
    /// See [`GrantsError`].
    pub async fn mint(&self, wish: Wish) -> Result<Invite, GrantsError> {
        let mut ledger = self.ledger.lock().await;
        let topic = wish.prefix.as_str().strip_prefix("topic/").unwrap_or_default().to_owned();
        let (invite, changes) = ledger.mint(unix_ms(), &self.trust(), wish, chance()?)?;
        self.commit(&mut ledger, changes).await?;
        self.first_key(&mut ledger, &topic).await?;
        self.note(GrantChange::Minted, invite.chain());
        Ok(invite)
    }

    /// Accepts an invite and shows it from now on, once its network is this node's.
    ///
    /// # Errors
    /// See [`GrantsError`].
    pub async fn accept(&self, text: &str) -> Result<(Invite, Chain), GrantsError> {
        let mut ledger = self.ledger.lock().await;
        let (invite, chain, changes) = ledger.accept(unix_ms(), text, chance()?.nonce)?;
        self.commit(&mut ledger, changes).await?;
        let network = self.trust().network;
        self.credentials(&ledger, &network).await;
        Ok((invite, chain))
    }

    /// Forgets a chain that this node holds.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub async fn drop_held(&self, id: GrantId) -> Result<(), GrantsError> {
        let mut ledger = self.ledger.lock().await;
        let change = Change { shelf: Shelf::Held, key: id.as_bytes().to_vec(), value: None };
        self.commit(&mut ledger, vec![change]).await?;
        let network = self.trust().network;
        self.credentials(&ledger, &network).await;
        Ok(())
    }

    /// Takes something back: on disk, then here, then everywhere.
    ///
    /// # Errors
    /// See [`GrantsError`].
    pub async fn revoke(&self, removal: Removal) -> Result<SignedList, GrantsError> {
        let mut ledger = self.ledger.lock().await;
        let network = self.trust().network;
        let (list, changes) = ledger.revoke(unix_ms(), network, removal)?;
        let before: Vec<_> =
            ledger.given().filter(|(_, given, _)| given.revoked).map(|it| *it.0).collect();
        self.commit(&mut ledger, changes).await?;
        for (id, given, _) in ledger.given() {
            if given.revoked && !before.contains(id) {
                self.note(GrantChange::Revoked, &given.chain);
            }
        }
        self.tell(judging::Input::Revoked(Box::new(list.clone()))).await;
        // In this order: nobody is handed a new key who is about to lose the right to it.
        self.next_keys(&mut ledger).await?;
        Ok(list)
    }

    /// Carries out what the network has to be kept.
    pub async fn work(&self, work: IdentityWork) {
        if let Err(error) = self.kept(work).await {
            tracing::warn!(%error, "grants were not kept");
        }
    }

    async fn kept(&self, work: IdentityWork) -> Result<(), GrantsError> {
        let mut ledger = self.ledger.lock().await;
        match work {
            IdentityWork::Counted { id, holder } => {
                let changes = ledger.counted(id, holder);
                self.commit(&mut ledger, changes).await
            }
            IdentityWork::Arrived { peer, chain, .. } => {
                self.arrived(&mut ledger, peer, &chain).await
            }
            IdentityWork::Received(chain) => {
                let changes = ledger.received(unix_ms(), &chain);
                self.commit(&mut ledger, changes).await?;
                let network = self.trust().network;
                self.credentials(&ledger, &network).await;
                Ok(())
            }
            IdentityWork::RoomKey(key) => {
                let network = self.trust().network;
                let changes = ledger.kept_key(&key);
                if changes.is_empty() {
                    return Ok(());
                }
                self.commit(&mut ledger, changes).await?;
                self.tell_keys(&ledger, &network).await;
                Ok(())
            }
            IdentityWork::Listed(list) => {
                let changes = ledger.listed(unix_ms(), &list);
                let lost = changes.iter().filter(|change| change.shelf == Shelf::Held).count();
                self.commit(&mut ledger, changes).await?;
                let takes_back = list.list().entries().next().is_some();
                self.tell(judging::Input::Revoked(Box::new(list))).await;
                if takes_back {
                    self.next_keys(&mut ledger).await?;
                }
                if lost > 0 {
                    tracing::warn!(
                        lost,
                        "grants of this node were taken back; ask for an invitation"
                    );
                    let network = self.trust().network;
                    self.credentials(&ledger, &network).await;
                }
                Ok(())
            }
        }
    }

    async fn arrived(
        &self,
        ledger: &mut MutexGuard<'_, Ledger>,
        peer: PeerId,
        chain: &Chain,
    ) -> Result<(), GrantsError> {
        let issued = ledger.arrived(unix_ms(), &peer, chain, chance()?.nonce);
        let Some((chain, changes)) = issued else { return Ok(()) };
        let is_new = !changes.is_empty();
        self.commit(ledger, changes).await?;
        if is_new {
            self.note(GrantChange::Minted, &chain);
        }
        self.told(Told::Issue { peer, chain: Box::new(chain) }).await;
        Ok(())
    }

    /// Renews this node's list when it is time, and clears away what has ended.
    pub async fn tidy(&self) {
        let mut ledger = self.ledger.lock().await;
        if let Err(error) = self.tidied(&mut ledger).await {
            tracing::warn!(%error, "the list of revocations was not renewed");
        }
    }

    async fn tidied(&self, ledger: &mut MutexGuard<'_, Ledger>) -> Result<(), GrantsError> {
        let ended = ledger.ended(unix_ms());
        let has_ended = ended.iter().any(|change| change.shelf == Shelf::Given);
        self.commit(ledger, ended).await?;
        if has_ended {
            self.next_keys(ledger).await?;
        }
        let foreign = ledger.foreign_keys(&self.trust().network);
        self.commit(ledger, foreign).await?;
        if let Some((list, changes)) = ledger.renewed(unix_ms(), &self.trust())? {
            self.commit(ledger, changes).await?;
            self.tell(judging::Input::Revoked(Box::new(list))).await;
        }
        Ok(())
    }

    /// What there is.
    pub async fn picture(&self) -> Picture {
        let ledger = self.ledger.lock().await;
        let given = ledger.given().map(|(id, given, uses)| (*id, given.clone(), uses));
        Picture {
            trust: self.trust(),
            access: self.policy.borrow().access(),
            own: ledger.key(),
            held: ledger.held().map(|(_, chain)| chain.clone()).collect(),
            given: given.collect(),
        }
    }

    fn note(&self, change: GrantChange, chain: &Chain) {
        let link = chain.last();
        let terms = link.terms();
        self.audit.grant(&GrantNote {
            change,
            id: link.id(),
            issuer: link.body().issuer,
            audience: terms.audience.key(),
            actions: terms.actions,
            prefix: &terms.prefix,
            expires_ms: terms.expires_ms,
        });
    }
}

fn chance() -> Result<Chance, GrantsError> {
    let mut chance = Chance { seed: [0; 32], nonce: [0; 8] };
    getrandom::fill(&mut chance.seed)
        .and_then(|()| getrandom::fill(&mut chance.nonce))
        .map_err(|error| GrantsError::Chance(error.to_string()))?;
    Ok(chance)
}
