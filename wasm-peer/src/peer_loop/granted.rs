//! What was granted, on its way to the rules, the network and the disk.
//! Invariant: the rules name the network before a chain of it is shown.
//! Not here: what is granted (`grants`), what it allows (nodes).

use std::sync::Arc;

use futures::FutureExt as _;
use peerloom_shared::discovery;
use peerloom_shared::grant::InviteError;
use peerloom_shared::net::auth::Told;

use super::{Fed, PeerLoop};
use crate::grants::GrantView;

impl PeerLoop {
    /// Accepts an invitation: shown to everybody from now on, and whom it names is kept connected.
    pub(super) fn accept(&mut self, text: &str) -> Result<GrantView, InviteError> {
        // Only so that no two grants are the same; a repetition costs nothing.
        let nonce = getrandom::u64().unwrap_or_default().to_be_bytes();
        let now_ms = self.clock.now().unix_ms;
        let local = self.seen.local;
        let view = self.grants.accept(text, &local, (now_ms, nonce))?;
        self.keep_addresses();
        self.grants_changed();
        Ok(view)
    }

    /// Keeps the peers of invitations connected, where a browser can reach them.
    pub(super) fn keep_addresses(&mut self) {
        let addresses = self.grants.addresses().to_vec();
        let keep = addresses.into_iter().filter(crate::js::can_dial);
        self.inbox.extend(keep.map(discovery::Input::Keep).map(Fed::Discovery));
    }

    pub(super) fn grants_changed(&mut self) {
        self.tell_grants();
        let save = self.grants.save();
        self.follows.push(save.map(|()| Fed::GrantsTold).boxed_local());
    }

    /// Puts the network in force and shows the chains.
    pub(super) fn tell_grants(&mut self) {
        let epoch = self.rules.borrow().epoch().saturating_add(1);
        self.rules.send_replace(Arc::new(self.grants.policy(epoch)));
        let (net, chains) = (self.net.clone(), self.grants.credentials());
        // The Driver has ended when it cannot be told, and everything with it.
        let tell = async move { drop(net.tell_auth(Told::Credentials(chains)).await) };
        self.follows.push(tell.map(|()| Fed::GrantsTold).boxed_local());
    }
}
