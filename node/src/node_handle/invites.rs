//! Inviting, joining, granting and taking back, as the handle offers them.
//! Invariant: joining leaves nothing behind when everybody who was reached refuses.
//! Not here: HTTP and the forms of answers (`admin`), what becomes of grants (`identity`).

use std::time::Duration;

use libp2p::PeerId;
use peerloom_shared::grant::{Chain, Invite, Prefix, Role};
use peerloom_shared::limits::{AUTH_EXCHANGE_MS, INVITE_ADDRESSES_MAX};
use peerloom_shared::policy::{Access, Action, Held, Question, Resource, Subject, Trust};
use peerloom_shared::view::Transport;
use peerloom_shared::wire::{AuthStatus, room_topic};
use peerloom_shared::{Multiaddr, defence};

use super::{NodeHandle, of_ask, room_name};
use crate::error::{Failure, codes};
use crate::identity::grants::Picture;
use crate::identity::ledger::{Removal, Wish};
use crate::identity::messages::{AcceptInvite, DropHeld, MintInvite, Revoke, ShowGrants};
use crate::policy::network_file;

/// What an invitation should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The bundle of rights.
    pub role: Role,
    /// The room that they are about; everything without one.
    pub room: Option<String>,
    /// How long it can be accepted.
    pub life: Duration,
    /// How many may accept it; 0 is without limit.
    pub max_uses: u16,
}

/// How joining went.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The grant to this node.
    pub chain: Chain,
    /// What strangers get here from now on.
    pub access: Access,
    /// Who was reached and took it, if anybody was.
    pub through: Option<PeerId>,
    /// Why nobody was, as the last one tried.
    pub trouble: Option<String>,
}

impl NodeHandle {
    fn allowed(&self, action: Action) -> Result<(), Failure> {
        use peerloom_shared::net::Auditor as _;
        let question = Question {
            subject: &Subject::Local,
            action,
            resource: &Resource::Admin,
            held: &Held::default(),
            now_ms: self.clock.now().unix_ms,
        };
        let answer = self.policy.borrow().authorize(&question).permit();
        self.audit.decided(&question, answer.as_ref());
        answer.map(drop).map_err(|denial| Failure::new(&codes::POL_101, denial.to_string()))
    }

    /// Makes an invitation.
    ///
    /// # Errors
    /// When the room's name is none, or this node may not invite to that.
    pub async fn invite(&self, wanted: Invitation) -> Result<Invite, Failure> {
        self.allowed(Action::InviteMint)?;
        let prefix = match wanted.room {
            Some(room) => Prefix::new(&format!("topic/{}", room_topic(&room_name(&room)?)))
                .map_err(|error| Failure::new(&codes::ROOM_001, error.to_string()))?,
            None => Prefix::all(),
        };
        let wish = Wish {
            role: wanted.role,
            prefix,
            life_ms: u64::try_from(wanted.life.as_millis()).unwrap_or(u64::MAX),
            max_uses: wanted.max_uses,
            addresses: self.addresses_to_tell()?,
        };
        Ok(self.group()?.identity.ask(MintInvite(wish)).await.map_err(of_ask)??)
    }

    /// Three addresses at which somebody else finds this node: one for pages and two for nodes, those
    /// that reach the farthest first.
    fn addresses_to_tell(&self) -> Result<Vec<Multiaddr>, Failure> {
        let state = self.group()?.net.state();
        let mut all: Vec<_> = state.external.iter().chain(&state.listen).cloned().collect();
        all.sort_by_key(|address| std::cmp::Reverse(defence::scope::Scope::of(address)));
        let mut told: Vec<Multiaddr> = Vec::new();
        for kinds in [
            &[Transport::WebrtcDirect, Transport::WebSocket][..],
            &[Transport::Quic],
            &[Transport::Tcp],
        ] {
            let first = all.iter().find(|address| kinds.contains(&Transport::of(address)));
            told.extend(first.map(|one| defence::address::with_peer(one.clone(), self.id)));
        }
        told.truncate(INVITE_ADDRESSES_MAX);
        Ok(told)
    }

    /// What this node holds and gave.
    ///
    /// # Errors
    /// Between two lives.
    pub async fn grants(&self) -> Result<Picture, Failure> {
        self.group()?.identity.ask(ShowGrants).await.map_err(of_ask)
    }

    /// Takes something back, here and everywhere.
    ///
    /// # Errors
    /// When this node gave nothing of the kind.
    pub async fn revoke(&self, removal: Removal) -> Result<(), Failure> {
        self.allowed(Action::GrantRevoke)?;
        self.group()?.identity.ask(Revoke(removal)).await.map_err(of_ask)??;
        Ok(())
    }

    /// Accepts an invitation: this node is of its network from now on, and shows the grant to whoever
    /// it meets.
    ///
    /// # Errors
    /// When the text is no invitation that counts now, this node is of another network, or all who
    /// were reached refuse; then everything is as before.
    pub async fn accept(&self, text: &str) -> Result<Joined, Failure> {
        self.allowed(Action::PolicyReload)?;
        let invite = Invite::parse(text, self.clock.now().unix_ms)
            .map_err(crate::identity::ledger::GrantsError::from)?;
        let before = self.enter(&invite).await?;
        let accepted = self.group()?.identity.ask(AcceptInvite(text.to_owned())).await;
        let outcome = match accepted.map_err(of_ask).and_then(|accepted| Ok(accepted?)) {
            Ok((_, chain)) => self.introduce(&invite, chain).await,
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            self.leave_again(before).await;
        }
        outcome
    }

    /// Writes the network into the policy folder and puts it in force.
    async fn enter(&self, invite: &Invite) -> Result<Option<network_file::Before>, Failure> {
        let body = invite.chain().root().body();
        let (network, root) = (body.network, body.issuer);
        let trust = self.policy.borrow().trust().clone();
        if trust.network == network && trust.roots.contains(&root) {
            return Ok(None);
        }
        if trust.network != network {
            self.may_leave(&trust).await?;
        }
        let folder = self.config.files().policy();
        let before = tokio::task::spawn_blocking({
            let trust = trust.clone();
            move || network_file::join(&folder, &trust, network, root)
        });
        let before = before.await.map_err(|error| {
            Failure::new(&codes::NODE_004, format!("a part of the node broke: {error}"))
        })??;
        let reloaded = self.reload_rules().await;
        let now = self.policy.borrow().trust().clone();
        if reloaded.is_ok() && now.network == network && now.roots.contains(&root) {
            return Ok(Some(before));
        }
        self.leave_again(Some(before)).await;
        reloaded?;
        let text = "entities.toml in the policy folder names another network, or other roots";
        Err(Failure::new(&codes::INV_007, text))
    }

    /// Whether this node may be taken out of its network: it joined none, and founded none that
    /// anybody belongs to.
    async fn may_leave(&self, trust: &Trust) -> Result<(), Failure> {
        let picture = self.grants().await?;
        let folder = self.config.files().policy();
        let joined = folder.join(network_file::NAME).exists();
        let founded = *trust != Trust::open()
            && picture
                .given
                .iter()
                .any(|(_, given, _)| given.chain.root().body().network == trust.network);
        if !joined && !founded {
            return Ok(());
        }
        let text =
            if joined { "it joined another network before" } else { "it has members of its own" };
        Err(Failure::new(&codes::INV_007, text))
    }

    async fn leave_again(&self, before: Option<network_file::Before>) {
        let Some(before) = before else { return };
        let restored = tokio::task::spawn_blocking(move || before.restore()).await;
        if let Ok(Err(error)) = restored {
            tracing::warn!(%error, "network.toml was not put back");
        }
        if let Err(failure) = self.reload_rules().await {
            tracing::warn!("{}", failure.message());
        }
    }

    /// Dials whom the invitation names, until one takes the grant. Nobody there is no failure: the grant
    /// is good, and the mesh may be found another way.
    async fn introduce(&self, invite: &Invite, chain: Chain) -> Result<Joined, Failure> {
        let access = self.policy.borrow().access();
        let mut trouble = None;
        let mut refused = None;
        for address in invite.addresses() {
            let reached = match self.dial(address.clone()).await {
                Ok(reached) => reached.peer,
                Err(failure) => {
                    trouble = Some(failure.message().to_owned());
                    continue;
                }
            };
            match self.taken(reached).await? {
                Ok(()) => {
                    return Ok(Joined { chain, access, through: Some(reached), trouble: None });
                }
                Err(reason) => refused = Some(reason),
            }
        }
        match refused {
            None => Ok(Joined { chain, access, through: None, trouble }),
            Some(reason) => {
                let id = chain.last().id();
                self.group()?.identity.ask(DropHeld(id)).await.map_err(of_ask)??;
                Err(Failure::new(&codes::INV_009, reason))
            }
        }
    }

    /// Waits until a peer has said how it takes what this node shows.
    async fn taken(&self, peer: PeerId) -> Result<Result<(), String>, Failure> {
        let mut seen = self.group()?.net.watch();
        let settled = seen.wait_for(|state| {
            let identity = state.identities.get(&peer);
            let allowance = identity.and_then(|identity| identity.allowance.as_ref());
            allowance.is_some_and(|allowance| {
                allowance.expires_ms.is_some() || allowance.status != AuthStatus::Ok
            })
        });
        let state = match tokio::time::timeout(Duration::from_millis(AUTH_EXCHANGE_MS), settled)
            .await
        {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) => return Err(Failure::new(&codes::NODE_003, "the network has stopped")),
            Err(_) => return Ok(Err(format!("{peer} did not say whether it counts"))),
        };
        let identity = state.identities.get(&peer);
        let allowance = identity.and_then(|identity| identity.allowance.as_ref());
        Ok(match allowance {
            Some(allowance) if allowance.expires_ms.is_some() => Ok(()),
            Some(allowance) => {
                let reason = allowance.reason.clone();
                Err(reason.unwrap_or_else(|| format!("{peer} does not take it")))
            }
            None => Err(format!("{peer} left")),
        })
    }
}
