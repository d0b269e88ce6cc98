//! A signalling session whose other side sends anything: it stays small and ends once, in time.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use peerloom_webrtc::backend::{Failure, Local, Role};
use peerloom_webrtc::limits::SignalLimits;
use peerloom_webrtc::signal::{CandidateFilter, Output, Reach, Signal};

// Steps: a byte for what happens, and one for how many of the bytes after it belong to it.
fuzz_target!(|input: &[u8]| {
    let Some((first, mut rest)) = input.split_first() else { return };
    let role = if first & 1 == 0 { Role::Initiator } else { Role::Responder };
    let limits = SignalLimits::DEFAULT;
    let filter = CandidateFilter::new(Reach::World, Vec::new(), limits.near_candidates);
    let mut signal = Signal::new(role, limits, Duration::ZERO).with_filter(filter);
    let (mut now, mut ended) = (Duration::ZERO, false);
    while let [kind, length, tail @ ..] = rest {
        let (data, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = tail;
        now += Duration::from_millis(1);
        let text = || String::from_utf8_lossy(data).into_owned();
        match kind % 16 {
            0 => signal.local(now, Local::Description(text())),
            1 => signal.local(now, Local::RemoteApplied),
            2 => signal.local(now, Local::Candidate(text())),
            3 => signal.local(now, Local::Connected),
            4 => signal.local(now, Local::Failed(Failure::Closed)),
            5 => signal.stream_ended(now),
            6 => signal.tick(now),
            7 => now += Duration::from_secs(u64::from(*length) / 32),
            _ => signal.receive(now, data),
        }
        let mut outputs = 0;
        while let Some(output) = signal.poll_output() {
            assert!(!ended, "{output:?} after the end");
            ended = matches!(output, Output::Connected | Output::Failed(_));
            outputs += 1;
        }
        assert!(outputs <= 2 * limits.candidates + 4);
        assert_eq!(signal.next_wake().is_none(), ended);
    }
    signal.tick(limits.total);
    assert_eq!(signal.poll_output().is_some(), !ended);
});
