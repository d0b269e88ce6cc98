//! Role: what is measured, and what is compared with what.
//! Invariant: a goal names two subjects that run in the same rounds.
//! Not here: how.

use crate::round::{Runner, Subject};

const OURS: Runner = Runner::Rust("peerloom");
const THEIRS: Runner = Runner::Rust("libp2p-webrtc");
const TCP: Runner = Runner::Rust("tcp");

/// All subjects.
pub(crate) const ALL: [Subject; 8] = [
    subject("ours-up", "ours, native to native", (OURS, OURS), "up", 256),
    subject("ours-down", "ours, native to native, listener sends", (OURS, OURS), "down", 256),
    subject("libp2p-webrtc", "libp2p-webrtc, native to native", (THEIRS, THEIRS), "up", 16),
    subject("js", "js-libp2p in Node to itself", (Runner::Node, Runner::Node), "up", 64),
    subject("page-up", "our page in Chromium to our node", (OURS, Runner::Page), "up", 48),
    subject("page-down", "our node to our page in Chromium", (OURS, Runner::Page), "down", 48),
    subject(
        "channel",
        "raw data channel in one Chromium page",
        (Runner::Channel, Runner::Channel),
        "up",
        64,
    ),
    subject("tcp", "libp2p TCP, Noise, yamux", (TCP, TCP), "up", 512),
];

const fn subject(
    key: &'static str,
    title: &'static str,
    (server, client): (Runner, Runner),
    way: &'static str,
    mib: u64,
) -> Subject {
    Subject { key, title, server, client, way, mib }
}

/// The first is so many times as fast as the second.
pub(crate) struct Goal {
    pub(crate) of: &'static str,
    pub(crate) against: &'static str,
    pub(crate) at_least: f64,
}

/// Met only if the worse end of the interval meets it.
pub(crate) const GOALS: [Goal; 6] = [
    Goal { of: "ours-up", against: "libp2p-webrtc", at_least: 5.0 },
    Goal { of: "ours-up", against: "js", at_least: 1.0 },
    Goal { of: "ours-down", against: "js", at_least: 1.0 },
    Goal { of: "page-up", against: "channel", at_least: 0.5 },
    Goal { of: "page-down", against: "channel", at_least: 0.5 },
    Goal { of: "ours-up", against: "tcp", at_least: 0.0 },
];
