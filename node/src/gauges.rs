//! Reads counters that live elsewhere into the metrics, whenever somebody looks.
//! Invariant: totals never go down, also when the group they are read from is rebuilt.
//! Not here: the metric families (`admin::metrics`).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use peerloom_shared::view::Transport;

use crate::admin::Metrics;
use crate::group::Group;
use crate::traffic;

/// What was read last, by metric and label.
#[derive(Debug, Default)]
pub struct Gauges(Mutex<BTreeMap<(&'static str, &'static str, bool), u64>>);

impl Gauges {
    /// Reads everything once.
    pub fn sample(&self, metrics: &Metrics, group: &Group) {
        for (actor, used) in group.slots() {
            metrics.set_slots_used(actor, used);
        }
        for (actor, gauge) in &group.gauges {
            let waiting = usize::try_from(gauge.waiting()).unwrap_or(usize::MAX);
            metrics.set_lane_depth(actor, waiting);
            metrics.count_lane_shed(actor, self.more(("shed", actor, false), gauge.shed()));
        }
        let refused = group.refused.load(Ordering::Relaxed);
        metrics.count_refused("policy", self.more(("refused", "policy", false), refused));
        for (outcome, now) in group.transports.upgrades.counts() {
            metrics.count_upgrades(outcome, self.more(("upgrade", outcome, false), now));
        }
        let refused = group.transports.upgrades.refused_candidates();
        metrics.count_candidates_refused(self.more(("candidates", "refused", false), refused));
        for (reason, now) in group.transports.dropped.counts() {
            metrics.count_stun_dropped(reason, self.more(("dropped", reason, false), now));
        }
        for (action, allowed, denied) in group.net.judge().decisions().each() {
            let name = action.name();
            metrics.count_decision(name, true, self.more(("decision", name, true), allowed));
            metrics.count_decision(name, false, self.more(("decision", name, false), denied));
        }
        for (kind, [received, sent]) in group.transports.traffic.each() {
            let path = traffic::name(kind);
            metrics.count_bytes(path, false, self.more(("bytes", path, false), received));
            metrics.count_bytes(path, true, self.more(("bytes", path, true), sent));
        }
        let state = group.net.state();
        metrics.set_circuits(state.circuits);
        let open: Vec<_> = state.connections.values().map(|c| Transport::of(&c.address)).collect();
        for kind in traffic::KINDS {
            let open = open.iter().filter(|of| **of == kind).count();
            metrics.set_connections(traffic::name(kind), open);
        }
    }

    /// How much a counter has grown since it was read last. A smaller one starts again from 0.
    fn more(&self, key: (&'static str, &'static str, bool), now: u64) -> u64 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.insert(key, now).unwrap_or_default();
        now.checked_sub(before).unwrap_or(now)
    }
}
