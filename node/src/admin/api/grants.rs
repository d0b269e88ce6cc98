//! Grants and invitations as the API shows them.
//! Invariant: the text of an invitation, which is a secret, is part of the one answer that made it.
//! Not here: what becomes of them (`identity`).

use peerloom_shared::grant::{ActionSet, Chain, Prefix};
use serde::{Deserialize, Serialize};

use crate::identity::grants::Picture;
use crate::identity::ledger::Given;
use crate::node_handle::invites::Joined;

/// An invitation that was just made: `peerloom/invite/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteMade {
    /// `peerloom/invite/1`.
    pub schema: String,
    /// Its id.
    pub id: String,
    /// The link to hand over. Whoever sees it can use it.
    pub link: String,
    /// When it ends, Unix time in ms.
    pub expires_ms: u64,
    /// How many may accept it; 0 is without limit.
    pub max_uses: u16,
    /// The bundle of rights.
    pub role: String,
    /// What they are about; empty for everything.
    pub about: String,
    /// Where it leads.
    pub addresses: Vec<String>,
}

/// A chain that this node holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldInfo {
    /// The id of its last link.
    pub id: String,
    /// The network, in hexadecimal digits.
    pub network: String,
    /// The PeerId of whom its word comes from.
    pub root: String,
    /// What it allows.
    pub actions: Vec<String>,
    /// On what; empty for everything.
    pub about: String,
    /// When it ends, Unix time in ms.
    pub expires_ms: u64,
    /// How many links its holder may add.
    pub depth: u8,
    /// Whether it is of the network in force.
    pub in_force: bool,
}

/// A grant or an invitation that this node made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenInfo {
    /// Its id.
    pub id: String,
    /// Whether it waits for somebody to accept it.
    pub invite: bool,
    /// The PeerId that it was granted to, where it is no invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The bundle of rights.
    pub role: String,
    /// On what; empty for everything.
    pub about: String,
    /// When it was made, Unix time in ms.
    pub made_ms: u64,
    /// When it ends, Unix time in ms.
    pub expires_ms: u64,
    /// How many have accepted it.
    pub uses: usize,
    /// How many may; 0 is without limit.
    pub max_uses: u16,
    /// The invitation by which its holder came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `live`, `used up`, `revoked`.
    pub state: String,
}

/// All of them: `peerloom/grants/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantsInfo {
    /// `peerloom/grants/1`.
    pub schema: String,
    /// The network in force, in hexadecimal digits.
    pub network: String,
    /// What strangers get.
    pub policy: String,
    /// The PeerIds whose word counts in it.
    pub roots: Vec<String>,
    /// What this node holds.
    pub held: Vec<HeldInfo>,
    /// What this node gave, the newest first.
    pub given: Vec<GivenInfo>,
}

/// How joining went: `peerloom/joined/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedInfo {
    /// `peerloom/joined/1`.
    pub schema: String,
    /// The grant.
    pub grant: HeldInfo,
    /// What strangers get at this node from now on.
    pub policy: String,
    /// Who was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Why nobody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

fn names(actions: ActionSet) -> Vec<String> {
    actions.iter().map(|action| action.name().to_owned()).collect()
}

/// What a grant is about, as people write it.
fn about(prefix: &Prefix) -> String {
    prefix.as_str().to_owned()
}

impl HeldInfo {
    /// A chain, in the form of the API.
    #[must_use]
    pub fn of(chain: &Chain, in_force: bool) -> Self {
        let (root, last) = (chain.root().body(), chain.last());
        Self {
            id: last.id().to_string(),
            network: data_encoding::HEXLOWER.encode(&root.network),
            root: root.issuer.peer().map(|peer| peer.to_string()).unwrap_or_default(),
            actions: names(last.terms().actions),
            about: about(&last.terms().prefix),
            expires_ms: last.terms().expires_ms,
            depth: last.terms().depth,
            in_force,
        }
    }
}

impl GivenInfo {
    fn of(id: String, given: &Given, uses: usize) -> Self {
        let terms = given.chain.last().terms();
        let used_up =
            given.is_invite() && terms.max_uses > 0 && uses >= usize::from(terms.max_uses);
        let state = match (given.revoked, used_up) {
            (true, _) => "revoked",
            (false, true) => "used up",
            (false, false) => "live",
        };
        let peer = (!given.is_invite()).then(|| terms.audience.key().peer()).flatten();
        Self {
            id,
            invite: given.is_invite(),
            peer: peer.map(|peer| peer.to_string()),
            role: given.role.name().to_owned(),
            about: about(&terms.prefix),
            made_ms: given.made_ms,
            expires_ms: terms.expires_ms,
            uses,
            max_uses: terms.max_uses,
            by: given.by.map(|by| by.to_string()),
            state: state.to_owned(),
        }
    }
}

impl From<Picture> for GrantsInfo {
    fn from(picture: Picture) -> Self {
        let network = picture.trust.network;
        let mut given: Vec<_> = picture
            .given
            .iter()
            .map(|(id, given, uses)| GivenInfo::of(id.to_string(), given, *uses))
            .collect();
        given.sort_by_key(|given| std::cmp::Reverse(given.made_ms));
        let held = picture.held.iter();
        Self {
            schema: "peerloom/grants/1".to_owned(),
            network: data_encoding::HEXLOWER.encode(&network),
            policy: picture.access.name().to_owned(),
            roots: picture
                .trust
                .roots
                .iter()
                .filter_map(|root| root.peer())
                .map(|peer| peer.to_string())
                .collect(),
            held: held
                .map(|chain| HeldInfo::of(chain, chain.root().body().network == network))
                .collect(),
            given,
        }
    }
}

impl From<Joined> for JoinedInfo {
    fn from(joined: Joined) -> Self {
        Self {
            schema: "peerloom/joined/1".to_owned(),
            grant: HeldInfo::of(&joined.chain, true),
            policy: joined.access.name().to_owned(),
            through: joined.through.map(|peer| peer.to_string()),
            trouble: joined.trouble,
        }
    }
}
