//! The identity actor: holds the key, signs with it.
//! Invariant: the key leaves only towards the swarm, once, at birth.
//! Not here: key files (`keystore`).

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    MessageResult, WrapFuture as _,
};
use libp2p::identity::Keypair;
use tokio_util::sync::CancellationToken;

use super::messages::{ShowIdentity, Shown, Sign, SignError};
use crate::actor::{Ask, DeathWatch};

/// See the module's text.
#[derive(Debug)]
pub struct Identity {
    keypair: Keypair,
    stop: CancellationToken,
    _death: DeathWatch,
}

impl Identity {
    /// An actor for this key.
    #[must_use]
    pub fn new(keypair: Keypair, death: DeathWatch, stop: CancellationToken) -> Self {
        Self { keypair, stop, _death: death }
    }
}

impl Actor for Identity {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let stop = self.stop.clone();
        ctx.spawn(
            async move { stop.cancelled().await }.into_actor(self).map(|(), _, ctx| ctx.stop()),
        );
    }
}

impl Handler<Ask<Sign>> for Identity {
    type Result = Result<Vec<u8>, SignError>;

    fn handle(&mut self, ask: Ask<Sign>, _: &mut Context<Self>) -> Self::Result {
        let mut bytes = ask.message.tag.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(&ask.message.payload);
        self.keypair.sign(&bytes).map_err(|e| SignError(e.to_string()))
    }
}

impl Handler<Ask<ShowIdentity>> for Identity {
    type Result = MessageResult<Ask<ShowIdentity>>;

    fn handle(&mut self, _: Ask<ShowIdentity>, _: &mut Context<Self>) -> Self::Result {
        let public = self.keypair.public();
        MessageResult(Shown { id: public.to_peer_id(), public_key: public.encode_protobuf() })
    }
}
