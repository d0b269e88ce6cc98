//! Gossip: one instance for rooms that are open, one for members' rooms.
//! Invariant: a topic belongs to one instance, and neither follows a topic of the other.
//! Not here: commands and events (`pubsub`), the other protocols (`behaviour`).

use std::time::Duration;

use libp2p::gossipsub::{self, MessageAuthenticity, MessageId, ValidationMode};

use super::behaviour::{Profile, Settings, SetupError};
#[cfg(not(target_arch = "wasm32"))]
use super::followers::Followers;
use super::gated::Gated;
use super::judge::Judge;
use super::{GOSSIP_PROTOCOL, MEMBERS_PROTOCOL};
use crate::limits;
#[cfg(target_arch = "wasm32")]
use crate::wire::is_members_topic;

pub(super) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, TopicFilter>;
pub(super) type TopicFilter = gossipsub::MaxCountSubscriptionFilter<Fits>;
#[cfg(not(target_arch = "wasm32"))]
type Fits = Followers;
/// A page's policy is open to everybody.
#[cfg(target_arch = "wasm32")]
type Fits = gossipsub::CallbackSubscriptionFilter<fn(&gossipsub::TopicHash) -> bool>;

/// Which rooms an instance of gossip is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rooms {
    Open,
    Members,
}

impl Rooms {
    /// The topics of the instance.
    #[cfg(not(target_arch = "wasm32"))]
    fn fitting(self, judge: &Judge) -> Fits {
        Followers::new(judge.clone(), self == Self::Members)
    }

    /// The topics of the instance.
    #[cfg(target_arch = "wasm32")]
    fn fitting(self, _: &Judge) -> Fits {
        let fits: fn(&gossipsub::TopicHash) -> bool = match self {
            Self::Open => |topic| fits(topic) && !is_members_topic(topic.as_str()),
            Self::Members => |topic| fits(topic) && is_members_topic(topic.as_str()),
        };
        gossipsub::CallbackSubscriptionFilter(fits)
    }
}

#[cfg(target_arch = "wasm32")]
fn fits(topic: &gossipsub::TopicHash) -> bool {
    topic.as_str().len() <= limits::TOPIC_BYTES_MAX
}

/// One instance of gossip, where the policy lets a peer speak it.
pub(super) fn gossip(
    settings: &Settings,
    judge: &Judge,
    rooms: Rooms,
) -> Result<Gated<Gossip>, SetupError> {
    let fits = rooms.fitting(judge);
    #[cfg(not(target_arch = "wasm32"))]
    let followers = fits.clone();
    let inner = bare_gossip(settings, fits, rooms)?;
    let gossip = match rooms {
        Rooms::Open => Gated::new(inner, judge.clone(), GOSSIP_PROTOCOL)
            .waiting_for(&["/meshsub", "/floodsub"]),
        Rooms::Members => {
            Gated::new(inner, judge.clone(), MEMBERS_PROTOCOL).waiting_for(&[MEMBERS_PROTOCOL])
        }
    };
    #[cfg(not(target_arch = "wasm32"))]
    let gossip = gossip.telling(followers);
    Ok(gossip)
}

fn bare_gossip(settings: &Settings, fits: Fits, rooms: Rooms) -> Result<Gossip, SetupError> {
    let wrong = |reason: &dyn std::fmt::Display| SetupError {
        protocol: "gossipsub",
        reason: reason.to_string(),
    };
    let mut config = gossipsub::ConfigBuilder::default();
    config
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_RPC_BYTES_MAX)
        .mesh_n_high(settings.profile.mesh_high())
        .connection_handler_queue_len(limits::GOSSIP_QUEUE_MAX)
        .duplicate_cache_time(Duration::from_millis(limits::GOSSIP_DUPLICATES_MS));
    match rooms {
        Rooms::Open => config.support_floodsub(),
        Rooms::Members => config.protocol_id_prefix(MEMBERS_PROTOCOL),
    };
    let config = config.build().map_err(|e| wrong(&e))?;
    let filter = gossipsub::MaxCountSubscriptionFilter {
        filter: fits,
        max_subscribed_topics: limits::GOSSIP_SUBSCRIPTIONS_MAX,
        max_subscriptions_per_request: limits::GOSSIP_SUBSCRIPTIONS_MAX,
    };
    let author = MessageAuthenticity::Signed(settings.keypair.clone());
    let mut gossip =
        Gossip::new_with_subscription_filter(author, config, filter).map_err(|e| wrong(&e))?;
    gossip
        .with_peer_score(peer_score(settings.profile), gossipsub::PeerScoreThresholds::default())
        .map_err(|e| wrong(&e))?;
    Ok(gossip)
}

/// Our message id on every topic: author and sequence number (go's default), so that nobody else
/// can claim the id of a message before it.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.extend_from_slice(&message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::from(id)
}

fn peer_score(profile: Profile) -> gossipsub::PeerScoreParams {
    gossipsub::PeerScoreParams {
        // Browsers behind one NAT, and everything on one machine, share an address.
        ip_colocation_factor_threshold: f64::from(profile.inbound_max()),
        ip_colocation_factor_whitelist: [
            std::net::IpAddr::from([127, 0, 0, 1]),
            std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ]
        .into(),
        // Peers that number messages in another dialect break promises without meaning to.
        behaviour_penalty_weight: 0.0,
        ..gossipsub::PeerScoreParams::default()
    }
}

/// Score of one topic: forged or forbidden messages cost, silence does not, because a chat room is
/// silent most of the time.
pub(super) fn topic_score() -> gossipsub::TopicScoreParams {
    gossipsub::TopicScoreParams {
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        ..gossipsub::TopicScoreParams::default()
    }
}
