//! The node's own metrics and the registry that libp2p's join.
//! Invariant: base units, `_total` on counters, and labels from fixed words only: no PeerId, no
//! address, so the number of series is bounded by the code.
//! Not here: who measures; each part of the node holds a clone and counts.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Which actor.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActorLabel {
    actor: &'static str,
}

/// Which policy decision.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabel {
    action: &'static str,
    effect: &'static str,
}

/// Which action was asked for.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActionLabel {
    action: &'static str,
}

/// Why something was refused.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// Which kind of path.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PathLabel {
    path: &'static str,
}

/// Which kind of path, and which way.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BytesLabel {
    path: &'static str,
    direction: &'static str,
}

/// What became of a gossip message.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GossipLabel {
    outcome: &'static str,
    reason: &'static str,
}

/// Bounds of the histogram of work of one actor, in seconds: 50 µs to 5 s, an ask's deadline.
const HANDLE_BUCKETS: [f64; 11] =
    [0.000_05, 0.000_2, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Bounds of the histogram of the Driver's work for one event, in seconds: 1 µs to 100 ms; above
/// 4 ms a browser would miss frames, and above 100 ms every connection feels it.
const LIFT_BUCKETS: [f64; 9] =
    [0.000_001, 0.000_01, 0.000_05, 0.000_2, 0.001, 0.004, 0.02, 0.05, 0.1];

type HandleFamily = Family<ActorLabel, Histogram, fn() -> Histogram>;

fn handle_histogram() -> Histogram {
    Histogram::new(HANDLE_BUCKETS)
}

/// The node's metrics. Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    slots_used: Family<ActorLabel, Gauge>,
    lane_depth: Family<ActorLabel, Gauge>,
    lane_shed: Family<ActorLabel, Counter>,
    restarts: Family<ActorLabel, Counter>,
    handle: HandleFamily,
    lift: Histogram,
    decisions: Family<DecisionLabel, Counter>,
    observed: Family<ActionLabel, Counter>,
    reload_failed: Counter,
    audit_suppressed: Counter,
    audit_lost: Family<ReasonLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    upgrades: Family<ResultLabel, Counter>,
    candidates_refused: Counter,
    stun_dropped: Family<ReasonLabel, Counter>,
    circuits: Gauge,
    connections: Family<PathLabel, Gauge>,
    bytes: Family<BytesLabel, Counter>,
    gossip: Family<GossipLabel, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All families, registered under the prefix `peerloom`, and the build's version.
    pub fn new(version: &str) -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::default())),
            slots_used: Family::default(),
            lane_depth: Family::default(),
            lane_shed: Family::default(),
            restarts: Family::default(),
            handle: Family::new_with_constructor(handle_histogram),
            lift: Histogram::new(LIFT_BUCKETS),
            decisions: Family::default(),
            observed: Family::default(),
            reload_failed: Counter::default(),
            audit_suppressed: Counter::default(),
            audit_lost: Family::default(),
            refused: Family::default(),
            upgrades: Family::default(),
            candidates_refused: Counter::default(),
            stun_dropped: Family::default(),
            circuits: Gauge::default(),
            connections: Family::default(),
            bytes: Family::default(),
            gossip: Family::default(),
        };
        metrics.register(|root| {
            let own = root.sub_registry_with_prefix("peerloom");
            let build = Info::new(vec![("version", version.to_owned())]);
            own.register("build", "Version of this program", build);
            metrics.register_actors(own);
            metrics.register_network(own);
            metrics.register_audit(own);
        });
        metrics
    }

    fn register_actors(&self, own: &mut Registry) {
        let slots = self.slots_used.clone();
        own.register("actor_slots_used", "Asks queued or running at an actor", slots);
        let depth = self.lane_depth.clone();
        own.register("lane_depth", "Work items waiting for an actor", depth);
        let shed = self.lane_shed.clone();
        own.register("lane_shed", "Work items refused because the lane was full", shed);
        let restarts = self.restarts.clone();
        own.register("actor_restarts", "Restarts that an actor's death caused", restarts);
        let help = "Time an actor took for one message";
        own.register_with_unit("actor_handle", help, Unit::Seconds, self.handle.clone());
        let help = "Time the Driver took to lift one event";
        own.register_with_unit("driver_lift", help, Unit::Seconds, self.lift.clone());
    }

    fn register_network(&self, own: &mut Registry) {
        let decisions = self.decisions.clone();
        own.register("policy_decisions", "Policy decisions by action and effect", decisions);
        let observed = self.observed.clone();
        let help = "What policy would have denied, had it not only observed";
        own.register("policy_observed_denials", help, observed);
        let failed = self.reload_failed.clone();
        own.register("policy_reload_failed", "Policy folders that could not be loaded", failed);
        let refused = self.refused.clone();
        own.register("admission_refused", "Connections refused before use", refused);
        let upgrades = self.upgrades.clone();
        own.register("webrtc_upgrades", "Sessions of /webrtc by how they ended", upgrades);
        let refused = self.candidates_refused.clone();
        let help = "Addresses of other peers that were not tried, because they are too near";
        own.register("webrtc_candidates_refused", help, refused);
        let dropped = self.stun_dropped.clone();
        own.register("stun_dropped", "Datagrams that WebRTC listeners dropped", dropped);
        let circuits = self.circuits.clone();
        own.register("relay_circuits", "Circuits that this node carries", circuits);
        let connections = self.connections.clone();
        own.register("connections", "Open connections by the kind of path", connections);
        let help = "Bytes of all streams by the kind of path, before encryption";
        own.register_with_unit("stream", help, Unit::Bytes, self.bytes.clone());
        let gossip = self.gossip.clone();
        own.register("gossip_messages", "Gossip messages judged, by outcome and reason", gossip);
    }

    fn register_audit(&self, own: &mut Registry) {
        let suppressed = self.audit_suppressed.clone();
        let help = "Denials that the audit log only counts, because they came too fast";
        own.register("audit_suppressed", help, suppressed);
        let lost = self.audit_lost.clone();
        own.register("audit_lost", "Lines that the audit log could not write", lost);
    }

    /// Lets a library add its own families, such as libp2p's. Do it once for each: the registry
    /// does not notice a name that is given twice.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.registry())
    }

    /// Sets how many asks are queued or running at an actor.
    pub fn set_slots_used(&self, actor: &'static str, used: usize) {
        self.slots_used.get_or_create(&ActorLabel { actor }).set(signed(used));
    }

    /// Sets how many work items wait for an actor.
    pub fn set_lane_depth(&self, actor: &'static str, depth: usize) {
        self.lane_depth.get_or_create(&ActorLabel { actor }).set(signed(depth));
    }

    /// Counts `more` work items that a full lane refused.
    pub fn count_lane_shed(&self, actor: &'static str, more: u64) {
        self.lane_shed.get_or_create(&ActorLabel { actor }).inc_by(more);
    }

    /// Counts a restart that the death of this actor caused.
    pub fn count_restart(&self, actor: &'static str) {
        self.restarts.get_or_create(&ActorLabel { actor }).inc();
    }

    /// Notes how long an actor took for one message.
    pub fn observe_handle(&self, actor: &'static str, took: Duration) {
        self.handle.get_or_create(&ActorLabel { actor }).observe(took.as_secs_f64());
    }

    /// Notes how long the Driver took to lift one event.
    pub fn observe_lift(&self, took: Duration) {
        self.lift.observe(took.as_secs_f64());
    }

    /// Counts `more` policy decisions; `action` is the action's published name.
    pub fn count_decision(&self, action: &'static str, allowed: bool, more: u64) {
        let effect = if allowed { "allow" } else { "deny" };
        self.decisions.get_or_create(&DecisionLabel { action, effect }).inc_by(more);
    }

    /// Counts what would have been denied; `action` is the action's published name.
    pub fn count_observed(&self, action: &'static str) {
        self.observed.get_or_create(&ActionLabel { action }).inc();
    }

    /// Counts a policy folder that could not be loaded.
    pub fn count_reload_failed(&self) {
        self.reload_failed.inc();
    }

    /// Counts `more` denials that got no line of their own in the audit log.
    pub fn count_audit_suppressed(&self, more: u64) {
        self.audit_suppressed.inc_by(more);
    }

    /// Counts `more` lines that the audit log could not write, for this reason.
    pub fn count_audit_lost(&self, reason: &'static str, more: u64) {
        self.audit_lost.get_or_create(&ReasonLabel { reason }).inc_by(more);
    }

    /// Counts `more` connections that were refused before use.
    pub fn count_refused(&self, reason: &'static str, more: u64) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc_by(more);
    }

    /// Counts `more` sessions of `/webrtc` that ended so.
    pub fn count_upgrades(&self, result: &'static str, more: u64) {
        self.upgrades.get_or_create(&ResultLabel { result }).inc_by(more);
    }

    /// Counts `more` addresses of other peers that `/webrtc` did not try.
    pub fn count_candidates_refused(&self, more: u64) {
        self.candidates_refused.inc_by(more);
    }

    /// Counts `more` datagrams that WebRTC listeners dropped.
    pub fn count_stun_dropped(&self, reason: &'static str, more: u64) {
        self.stun_dropped.get_or_create(&ReasonLabel { reason }).inc_by(more);
    }

    /// Sets how many circuits this node carries.
    pub fn set_circuits(&self, circuits: usize) {
        self.circuits.set(signed(circuits));
    }

    /// Sets how many connections of a kind are open.
    pub fn set_connections(&self, path: &'static str, open: usize) {
        self.connections.get_or_create(&PathLabel { path }).set(signed(open));
    }

    /// Counts `more` bytes that streams of a kind of path have sent, or received.
    pub fn count_bytes(&self, path: &'static str, sent: bool, more: u64) {
        let direction = if sent { "sent" } else { "received" };
        self.bytes.get_or_create(&BytesLabel { path, direction }).inc_by(more);
    }

    /// Counts `more` gossip messages judged so: the outcome is `accept`, `ignore` or `reject`.
    pub fn count_gossip(&self, outcome: &'static str, reason: &'static str, more: u64) {
        self.gossip.get_or_create(&GossipLabel { outcome, reason }).inc_by(more);
    }

    /// All metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics have no text form");
            text.clear();
            text.push_str("# EOF\n");
        }
        text
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // The registry is only added to, so what a panic left behind can still be read.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gauges are signed; no count of ours comes near the end of the range.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_published_name() {
        let metrics = Metrics::new("0.1.0");
        metrics.set_slots_used("pubsub", 3);
        metrics.set_lane_depth("pubsub", 4);
        metrics.count_lane_shed("pubsub", 1);
        metrics.count_restart("pubsub");
        metrics.observe_handle("pubsub", Duration::from_millis(2));
        metrics.observe_lift(Duration::from_micros(20));
        metrics.count_decision("connect.in", true, 1);
        metrics.count_observed("dht.put");
        metrics.count_reload_failed();
        metrics.count_audit_suppressed(3);
        metrics.count_audit_lost("queue", 4);
        metrics.count_refused("limit", 2);
        metrics.count_candidates_refused(6);
        metrics.set_circuits(5);
        metrics.set_connections("quic", 2);
        metrics.count_bytes("relayed", true, 9);
        metrics.count_bytes("relayed", false, 8);
        metrics.count_gossip("ignore", "seen", 7);
        // Clones count into the same numbers.
        metrics.clone().count_gossip("ignore", "seen", 1);
        let text = metrics.encode();
        for line in [
            "peerloom_build_info{version=\"0.1.0\"} 1",
            "peerloom_actor_slots_used{actor=\"pubsub\"} 3",
            "peerloom_lane_depth{actor=\"pubsub\"} 4",
            "peerloom_lane_shed_total{actor=\"pubsub\"} 1",
            "peerloom_actor_restarts_total{actor=\"pubsub\"} 1",
            "peerloom_actor_handle_seconds_count{actor=\"pubsub\"} 1",
            "peerloom_actor_handle_seconds_bucket{le=\"0.005\",actor=\"pubsub\"} 1",
            "peerloom_driver_lift_seconds_bucket{le=\"0.00001\"} 0",
            "peerloom_driver_lift_seconds_bucket{le=\"0.00005\"} 1",
            "peerloom_policy_decisions_total{action=\"connect.in\",effect=\"allow\"} 1",
            "peerloom_policy_observed_denials_total{action=\"dht.put\"} 1",
            "peerloom_policy_reload_failed_total 1",
            "peerloom_audit_suppressed_total 3",
            "peerloom_audit_lost_total{reason=\"queue\"} 4",
            "peerloom_admission_refused_total{reason=\"limit\"} 2",
            "peerloom_webrtc_candidates_refused_total 6",
            "peerloom_relay_circuits 5",
            "peerloom_connections{path=\"quic\"} 2",
            "peerloom_stream_bytes_total{path=\"relayed\",direction=\"sent\"} 9",
            "peerloom_stream_bytes_total{path=\"relayed\",direction=\"received\"} 8",
            "peerloom_gossip_messages_total{outcome=\"ignore\",reason=\"seen\"} 8",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_library_adds_its_own_names() {
        let metrics = Metrics::new("0.1.0");
        let theirs: Counter = metrics.register(|registry| {
            let counter = Counter::default();
            registry.sub_registry_with_prefix("libp2p").register("dials", "Dials", counter.clone());
            counter
        });
        theirs.inc();
        assert!(metrics.encode().contains("libp2p_dials_total 1"));
    }
}
