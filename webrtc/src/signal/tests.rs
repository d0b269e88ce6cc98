mod filter;
mod sim;

use proptest::prelude::*;

use super::message::encode;
use super::*;
use crate::backend::Failure;
use crate::direct::NameError;

pub(super) const LIMITS: SignalLimits = SignalLimits::DEFAULT;
const START: Duration = Duration::from_secs(100);

/// A description of a platform, with the DTLS role that offers or answers have.
pub(super) fn sdp(setup: Setup) -> String {
    let mut description = Description::new("ihaM", "NX2o7SLxp7VBcltm8q4vjds0", [0x29; 32]).unwrap();
    description.setup = setup;
    description.max_message_size = Some(262_144);
    description.to_offer()
}

/// What is tried of peers that come through a public relay.
fn far() -> CandidateFilter {
    CandidateFilter::new(Reach::World, Vec::new(), LIMITS.near_candidates)
}

fn offer() -> String {
    sdp(Setup::ActPass)
}

fn answer() -> String {
    sdp(Setup::Active)
}

/// The JSON of a candidate at this address.
pub(super) fn candidate(address: &str, port: usize) -> String {
    Candidate {
        candidate: format!("candidate:1 1 udp 2113937151 {address} {port} typ host generation 0"),
        sdp_mid: Some("0".to_owned()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("ihaM".to_owned()),
    }
    .to_json()
}

fn outputs(signal: &mut Signal) -> Vec<Output> {
    std::iter::from_fn(|| signal.poll_output()).collect()
}

fn order(order: Order) -> Output {
    Output::Order(order)
}

fn sent(kind: MessageKind, data: &str) -> Output {
    Output::Send(encode(kind, data))
}

const PHASES: [Phase; 6] = [
    Phase::Offering,
    Phase::Offered,
    Phase::Waiting,
    Phase::Applying,
    Phase::Answering,
    Phase::Connecting,
];

/// A session in this phase, with nothing left to do. Connecting is the initiator's.
fn in_phase(phase: Phase, limits: SignalLimits) -> Signal {
    let role = match phase {
        Phase::Offering | Phase::Offered | Phase::Connecting | Phase::Done => Role::Initiator,
        Phase::Waiting | Phase::Applying | Phase::Answering => Role::Responder,
    };
    let mut signal = Signal::new(role, limits, START);
    if matches!(phase, Phase::Offered | Phase::Connecting) {
        signal.local(START, Local::Description(offer()));
    }
    if phase == Phase::Connecting {
        signal.receive(START, &encode(MessageKind::Answer, &answer()));
    }
    if matches!(phase, Phase::Applying | Phase::Answering) {
        signal.receive(START, &encode(MessageKind::Offer, &offer()));
    }
    if phase == Phase::Answering {
        signal.local(START, Local::RemoteApplied);
    }
    assert_eq!(signal.phase, phase);
    outputs(&mut signal);
    signal
}

/// A responder that has sent its answer.
fn answered(limits: SignalLimits) -> Signal {
    let mut signal = in_phase(Phase::Answering, limits);
    signal.local(START, Local::Description(answer()));
    outputs(&mut signal);
    signal
}

fn failed_with(signal: &mut Signal) -> SignalError {
    let outputs = outputs(signal);
    match outputs.as_slice() {
        [Output::Failed(error)] => error.clone(),
        others => panic!("not one failure: {others:?}"),
    }
}

#[test]
fn messages_are_the_bytes_of_js() {
    // protons writes fields in order, and a 0 that is set.
    let cases: [(MessageKind, &str, &[u8]); 3] = [
        (MessageKind::Offer, "v=0", b"\x07\x08\x00\x12\x03v=0"),
        (MessageKind::Answer, "v=0", b"\x07\x08\x01\x12\x03v=0"),
        (MessageKind::Candidate, "", b"\x04\x08\x02\x12\x00"),
    ];
    for (kind, data, bytes) in cases {
        assert_eq!(encode(kind, data).as_ref(), bytes);
        let mut left = bytes;
        let read = Decoder::new(100).next(&mut left).unwrap().unwrap();
        assert_eq!((read, left.len()), ((kind, data.to_owned()), 0));
    }
    let long = encode(MessageKind::Offer, &"x".repeat(300));
    assert_eq!(&long[..7], b"\xb1\x02\x08\x00\x12\xac\x02");
}

#[test]
fn fields_in_any_order_and_unknown_ones_are_read() {
    let mut bytes: &[u8] = b"\x0b\x12\x03v=0\x1a\x02zz\x08\x02";
    let read = Decoder::new(100).next(&mut bytes).unwrap().unwrap();
    assert_eq!(read, (MessageKind::Candidate, "v=0".to_owned()));
    let mut bytes: &[u8] = b"\x02\x08\x02";
    let read = Decoder::new(100).next(&mut bytes).unwrap().unwrap();
    assert_eq!(
        read,
        (MessageKind::Candidate, String::new()),
        "js leaves data out when it has none"
    );
}

#[test]
fn an_initiator_says_and_does_things_in_order() {
    let mut signal = Signal::new(Role::Initiator, LIMITS, START);
    assert_eq!(signal.next_wake(), Some(START + LIMITS.total));
    assert_eq!(outputs(&mut signal), [order(Order::CreateOffer)]);
    let (mine, theirs) = (candidate("192.0.2.1", 1), candidate("192.0.2.2", 2));
    // Too early to be sent, but not forgotten.
    signal.local(START, Local::Candidate(mine.clone()));
    assert_eq!(outputs(&mut signal), []);
    signal.local(START, Local::Description(offer()));
    assert_eq!(
        outputs(&mut signal),
        [
            sent(MessageKind::Offer, &offer()),
            order(Order::ApplyLocal),
            sent(MessageKind::Candidate, &mine)
        ]
    );
    signal.local(START, Local::Candidate(mine.clone()));
    assert_eq!(outputs(&mut signal), [sent(MessageKind::Candidate, &mine)]);
    signal.receive(START, &encode(MessageKind::Answer, &answer()));
    signal.receive(START, &encode(MessageKind::Candidate, &theirs));
    signal.local(START, Local::RemoteApplied);
    assert_eq!(
        outputs(&mut signal),
        [order(Order::ApplyRemote(answer())), order(Order::AddCandidate(theirs))]
    );
    signal.local(START, Local::Connected);
    assert_eq!(outputs(&mut signal), [Output::Connected]);
    assert_eq!(signal.next_wake(), None);
    signal.local(START, Local::Candidate(mine));
    signal.local(START, Local::Failed(Failure::Closed));
    signal.receive(START, b"\xff\xff\xff");
    signal.stream_ended(START);
    signal.tick(START + LIMITS.total);
    assert_eq!(outputs(&mut signal), [], "nothing comes after the end");
}

#[test]
fn a_responder_says_and_does_things_in_order() {
    let mut signal = Signal::new(Role::Responder, LIMITS, START);
    let (mine, theirs) = (candidate("192.0.2.1", 1), candidate("192.0.2.2", 2));
    signal.receive(START, &encode(MessageKind::Offer, &offer()));
    signal.receive(START, &encode(MessageKind::Candidate, &theirs));
    assert_eq!(outputs(&mut signal), [order(Order::ApplyRemote(offer()))]);
    signal.local(START, Local::RemoteApplied);
    assert_eq!(
        outputs(&mut signal),
        [order(Order::CreateAnswer), order(Order::AddCandidate(theirs.clone()))]
    );
    signal.local(START, Local::Candidate(mine.clone()));
    signal.receive(START, &encode(MessageKind::Candidate, &theirs));
    assert_eq!(outputs(&mut signal), [order(Order::AddCandidate(theirs))]);
    signal.local(START, Local::Description(answer()));
    assert_eq!(
        outputs(&mut signal),
        [
            sent(MessageKind::Answer, &answer()),
            order(Order::ApplyLocal),
            sent(MessageKind::Candidate, &mine)
        ]
    );
    signal.local(START, Local::Connected);
    assert_eq!(outputs(&mut signal), [Output::Connected]);
}

#[test]
fn every_message_out_of_order_is_refused() {
    use MessageKind::{Answer, Candidate, Offer};
    for phase in PHASES {
        let expected = match phase {
            Phase::Offering | Phase::Done => Expected::Nothing,
            Phase::Offered => Expected::Answer,
            Phase::Waiting => Expected::Offer,
            Phase::Applying | Phase::Answering | Phase::Connecting => Expected::Candidates,
        };
        for (got, data) in
            [(Offer, offer()), (Answer, answer()), (Candidate, candidate("192.0.2.1", 1))]
        {
            let mut signal = in_phase(phase, LIMITS);
            signal.receive(START, &encode(got, &data));
            let allowed = matches!(
                (expected, got),
                (Expected::Offer, Offer)
                    | (Expected::Answer, Answer)
                    | (Expected::Candidates, Candidate)
            );
            if allowed {
                assert_ne!(signal.phase, Phase::Done, "{phase:?} {got:?}");
            } else {
                let error = failed_with(&mut signal);
                assert_eq!(error, SignalError::OutOfOrder { expected, got }, "{phase:?}");
                assert_eq!(error.name(), "out_of_order");
            }
        }
    }
}

#[test]
fn bad_descriptions_are_refused() {
    let cases = [
        (String::new(), SdpError::Malformed),
        ("\0".to_owned(), SdpError::Malformed),
        ("v=0\r\ns=-\r\n".to_owned(), SdpError::NoData),
        (offer().replace("sha-256", "sha-1"), SdpError::NoFingerprint),
        (offer().replace("ihaM", "i-aM"), SdpError::Ufrag(NameError::Character)),
        (offer().replace("NX2o", "N"), SdpError::Pwd(NameError::PwdLength(21))),
    ];
    for (sdp, error) in cases {
        let mut responder = in_phase(Phase::Waiting, LIMITS);
        responder.receive(START, &encode(MessageKind::Offer, &sdp));
        assert_eq!(failed_with(&mut responder), SignalError::Sdp(error), "{sdp}");
        let mut initiator = in_phase(Phase::Offered, LIMITS);
        initiator.receive(START, &encode(MessageKind::Answer, &sdp));
        assert_eq!(failed_with(&mut initiator), SignalError::Sdp(error), "{sdp}");
    }
    let mut initiator = in_phase(Phase::Offered, LIMITS);
    initiator.receive(START, &encode(MessageKind::Answer, &offer()));
    assert_eq!(failed_with(&mut initiator), SignalError::Sdp(SdpError::Setup));
}

#[test]
fn the_platform_gets_only_what_was_understood() {
    let odd = offer().replace("a=mid:0", "a=sctpmap:5000 x\r\na=unheard:of\r\na=mid:data")
        + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    let mut signal = in_phase(Phase::Waiting, LIMITS);
    signal.receive(START, &encode(MessageKind::Offer, &odd));
    let expected = offer().replace("mid:0", "mid:data").replace("BUNDLE 0", "BUNDLE data");
    assert_eq!(outputs(&mut signal), [order(Order::ApplyRemote(expected))]);
}

#[test]
fn bad_bytes_have_their_errors() {
    let large = LIMITS.sdp_bytes + 64;
    let cases: [(&[u8], SignalError); 11] = [
        (b"\x00", SignalError::Malformed),
        // No type, an unknown one, a field that is cut off, a wrong wire type, a group.
        (b"\x05\x12\x03v=0", SignalError::Malformed),
        (b"\x02\x08\x03", SignalError::Malformed),
        (b"\x03\x08\x02\x12", SignalError::Malformed),
        (b"\x05\x08\x02\x12\x09x", SignalError::Malformed),
        (b"\x04\x08\x02\x10\x00", SignalError::Malformed),
        (b"\x03\x08\x02\x1b", SignalError::Malformed),
        // Not the shortest length prefix.
        (b"\x84\x00\x08\x02\x12\x00", SignalError::Malformed),
        (b"\x80\x80\x80\x80\x80\x01", SignalError::Malformed),
        (b"\x06\x08\x02\x12\x02\xc3\x28", SignalError::NotText),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", SignalError::TooLarge { limit: large }),
    ];
    for phase in PHASES {
        for (bytes, error) in &cases {
            let mut signal = in_phase(phase, LIMITS);
            signal.receive(START, bytes);
            assert_eq!(failed_with(&mut signal), *error, "{bytes:02x?} in {phase:?}");
        }
    }
}

#[test]
fn a_large_prefix_is_refused_before_its_bytes_come() {
    let mut decoder = Decoder::new(LIMITS.sdp_bytes);
    let limit = LIMITS.sdp_bytes + 64;
    // 16,449 as a varint: one more than the limit.
    assert_eq!(limit, 16_448);
    let mut bytes: &[u8] = b"\xc1\x80\x01";
    assert_eq!(decoder.next(&mut bytes), Err(SignalError::TooLarge { limit }));
    assert_eq!(decoder.held(), 0);
    // The limit itself is waited for, without room being made for it.
    let mut decoder = Decoder::new(LIMITS.sdp_bytes);
    let mut bytes: &[u8] = b"\xc0\x80\x01\x08";
    assert_eq!(decoder.next(&mut bytes), Ok(None));
    assert!(decoder.held() < 64, "{}", decoder.held());
}

#[test]
fn data_above_its_limit_is_refused() {
    let mut signal = in_phase(Phase::Waiting, LIMITS);
    let large = offer() + &"a=x\r\n".repeat(3100);
    assert!(large.len() <= LIMITS.sdp_bytes);
    signal.receive(START, &encode(MessageKind::Offer, &large));
    assert_eq!(signal.phase, Phase::Applying);
    let mut signal = in_phase(Phase::Waiting, LIMITS);
    signal.receive(START, &encode(MessageKind::Offer, &"x".repeat(LIMITS.sdp_bytes + 1)));
    let limit = LIMITS.sdp_bytes;
    assert_eq!(failed_with(&mut signal), SignalError::TooLarge { limit });
    let mut signal = in_phase(Phase::Connecting, LIMITS);
    signal.receive(START, &encode(MessageKind::Candidate, &" ".repeat(LIMITS.candidate_bytes)));
    assert_eq!(outputs(&mut signal), []);
    signal.receive(START, &encode(MessageKind::Candidate, &" ".repeat(LIMITS.candidate_bytes + 1)));
    let limit = LIMITS.candidate_bytes;
    assert_eq!(failed_with(&mut signal), SignalError::TooLarge { limit });
}

#[test]
fn one_candidate_too_many_is_refused() {
    for phase in [Phase::Applying, Phase::Answering, Phase::Connecting] {
        let mut signal = in_phase(phase, LIMITS);
        for port in 0..LIMITS.candidates {
            // What is no candidate counts as well.
            let json = if port % 2 == 0 { candidate("192.0.2.1", port) } else { "junk".to_owned() };
            signal.receive(START, &encode(MessageKind::Candidate, &json));
        }
        assert_eq!(signal.phase, phase);
        assert!(signal.remote.len() <= LIMITS.candidates);
        assert_eq!(signal.counts().unreadable, LIMITS.candidates / 2);
        outputs(&mut signal);
        signal.receive(START, &encode(MessageKind::Candidate, &candidate("192.0.2.1", 1)));
        assert_eq!(failed_with(&mut signal), SignalError::TooMany);
        assert!(signal.remote.is_empty());
    }
}

#[test]
fn thousands_of_candidates_at_once_end_at_the_limit() {
    let flood: Vec<u8> = (0..5000)
        .flat_map(|port| encode(MessageKind::Candidate, &candidate("192.0.2.1", port)))
        .collect();
    let mut signal = in_phase(Phase::Connecting, LIMITS);
    signal.receive(START, &flood);
    assert_eq!(failed_with(&mut signal), SignalError::TooMany);
    assert!(signal.received_bytes <= LIMITS.total_bytes);
}

#[test]
fn candidates_of_a_description_count() {
    let line = |port| format!("a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\r\n");
    let with = |many| offer() + &(0..many).map(line).collect::<String>();
    let mut signal = in_phase(Phase::Waiting, LIMITS);
    signal.receive(START, &encode(MessageKind::Offer, &with(LIMITS.candidates)));
    assert_eq!(signal.phase, Phase::Applying);
    outputs(&mut signal);
    signal.receive(START, &encode(MessageKind::Candidate, &candidate("192.0.2.1", 1)));
    assert_eq!(failed_with(&mut signal), SignalError::TooMany);
    let mut signal = in_phase(Phase::Waiting, LIMITS);
    signal.receive(START, &encode(MessageKind::Offer, &with(LIMITS.candidates + 1)));
    assert_eq!(failed_with(&mut signal), SignalError::TooMany);
}

#[test]
fn ends_of_candidates_are_tolerated_until_the_bytes_are_used_up() {
    let mut signal = in_phase(Phase::Connecting, LIMITS);
    let ends = ["null", "\"\"", "", "{\"candidate\":\"\",\"sdpMid\":\"0\"}"];
    for end in ends.into_iter().cycle().take(1000) {
        signal.receive(START, &encode(MessageKind::Candidate, end));
    }
    assert_eq!(outputs(&mut signal), []);
    assert_eq!(signal.counts(), Counts::default());
    let end = encode(MessageKind::Candidate, "null");
    for _ in 0..LIMITS.total_bytes / end.len() {
        signal.receive(START, &end);
    }
    assert_eq!(failed_with(&mut signal), SignalError::TooMuch);
}

#[test]
fn ends_of_candidates_are_never_sent() {
    let mut signal = in_phase(Phase::Connecting, LIMITS);
    for end in ["null", "\"\"", "", "{\"candidate\":\"\"}"] {
        signal.local(START, Local::Candidate(end.to_owned()));
    }
    assert_eq!((outputs(&mut signal), signal.counts().unsent), (vec![], 0));
    for junk in ["junk".to_owned(), candidate(&"x".repeat(1024), 1)] {
        signal.local(START, Local::Candidate(junk));
    }
    assert_eq!((outputs(&mut signal), signal.counts().unsent), (vec![], 2));
}

#[test]
fn no_more_candidates_are_sent_than_the_other_side_takes() {
    for mut signal in [in_phase(Phase::Connecting, LIMITS), in_phase(Phase::Answering, LIMITS)] {
        for port in 0..1000 {
            signal.local(START, Local::Candidate(candidate("192.0.2.1", port)));
        }
        assert!(signal.local.len() <= LIMITS.candidates);
        if signal.phase == Phase::Answering {
            signal.local(START, Local::Description(answer()));
        }
        let frame = encode(MessageKind::Candidate, &candidate("192.0.2.1", 1)).len();
        let sent: Vec<Output> =
            outputs(&mut signal).into_iter().filter(|out| matches!(out, Output::Send(_))).collect();
        assert!(sent.len() >= LIMITS.candidates, "{frame}");
        assert!(sent.len() <= LIMITS.candidates + 1);
        assert_eq!(signal.counts().unsent, 1000 - LIMITS.candidates);
        assert!(signal.sent_bytes <= LIMITS.total_bytes / 2);
    }
}

#[test]
fn candidates_that_would_use_the_other_sides_bytes_are_not_sent() {
    let limits = SignalLimits { total_bytes: 2048, ..LIMITS };
    let mut signal = in_phase(Phase::Connecting, limits);
    for port in 0..100 {
        signal.local(START, Local::Candidate(candidate("192.0.2.1", port)));
    }
    assert!(signal.sent_bytes <= 1024 && signal.sent_candidates > 0);
    assert_eq!(signal.sent_candidates + signal.counts().unsent, 100);
    assert_eq!(signal.phase, Phase::Connecting);
}

#[test]
fn a_description_of_ours_that_is_too_large_fails() {
    let mut signal = in_phase(Phase::Offering, LIMITS);
    signal.local(START, Local::Description("x".repeat(LIMITS.sdp_bytes + 1)));
    let limit = LIMITS.sdp_bytes;
    assert_eq!(failed_with(&mut signal), SignalError::TooLarge { limit });
    let mut signal = in_phase(Phase::Offering, SignalLimits { total_bytes: 100, ..LIMITS });
    signal.local(START, Local::Description(offer()));
    assert_eq!(failed_with(&mut signal), SignalError::TooMuch);
}

#[test]
fn the_bytes_of_both_directions_count() {
    let frame = encode(MessageKind::Answer, &answer());
    let total_bytes = encode(MessageKind::Offer, &offer()).len() + frame.len();
    let mut signal = in_phase(Phase::Offered, SignalLimits { total_bytes, ..LIMITS });
    signal.receive(START, &frame);
    assert_eq!(signal.phase, Phase::Connecting, "exactly as many are allowed");
    outputs(&mut signal);
    signal.receive(START, &[]);
    assert_eq!(outputs(&mut signal), []);
    signal.receive(START, b"\x04");
    assert_eq!(failed_with(&mut signal), SignalError::TooMuch);
    let total_bytes = total_bytes - 1;
    let mut signal = in_phase(Phase::Offered, SignalLimits { total_bytes, ..LIMITS });
    signal.receive(START, &frame);
    assert_eq!(failed_with(&mut signal), SignalError::TooMuch);
}

#[test]
fn unwanted_candidates_are_left_out_and_counted() {
    let with = offer()
        + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\na=candidate:1 1 udp 1 8.8.8.8 1 typ host\r\n";
    let mut signal = in_phase(Phase::Waiting, LIMITS).with_filter(far());
    signal.receive(START, &encode(MessageKind::Offer, &with));
    let kept = offer() + "a=candidate:1 1 udp 1 8.8.8.8 1 typ host\r\n";
    assert_eq!(outputs(&mut signal), [order(Order::ApplyRemote(kept))]);
    let named = candidate("1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9.local", 1);
    for json in [candidate("192.168.0.1", 1), named.clone(), candidate("nonsense!", 1)] {
        signal.receive(START, &encode(MessageKind::Candidate, &json));
    }
    signal.local(START, Local::RemoteApplied);
    assert_eq!(
        outputs(&mut signal),
        [order(Order::CreateAnswer), order(Order::AddCandidate(named))]
    );
    assert_eq!(signal.counts(), Counts { filtered: 2, unreadable: 1, unsent: 0 });
}

#[test]
fn what_comes_late_meets_a_session_that_is_over() {
    let deadline = START + LIMITS.total;
    let before = deadline - Duration::from_millis(1);
    for phase in PHASES {
        let mut signal = in_phase(phase, LIMITS);
        signal.tick(before);
        assert_eq!((outputs(&mut signal), signal.next_wake()), (vec![], Some(deadline)));
        signal.tick(deadline);
        assert_eq!(failed_with(&mut signal), SignalError::Timeout, "{phase:?}");
        assert_eq!(signal.next_wake(), None);

        let mut signal = in_phase(phase, LIMITS);
        signal.receive(deadline, &encode(MessageKind::Answer, &answer()));
        assert_eq!(failed_with(&mut signal), SignalError::Timeout, "{phase:?}");
        let mut signal = in_phase(phase, LIMITS);
        signal.local(deadline, Local::Connected);
        assert_eq!(failed_with(&mut signal), SignalError::Timeout, "{phase:?}");
        let mut signal = in_phase(phase, LIMITS);
        signal.stream_ended(deadline);
        assert_eq!(failed_with(&mut signal), SignalError::Timeout, "{phase:?}");
    }
    assert_eq!(
        Signal::new(Role::Responder, LIMITS, Duration::MAX).next_wake(),
        Some(Duration::MAX)
    );
}

#[test]
fn the_end_of_the_stream_matters_before_the_answer_only() {
    for phase in PHASES {
        let mut signal = in_phase(phase, LIMITS);
        signal.stream_ended(START);
        if phase == Phase::Connecting {
            assert_eq!(outputs(&mut signal), []);
        } else {
            assert_eq!(failed_with(&mut signal), SignalError::Ended, "{phase:?}");
        }
    }
    for mut signal in [in_phase(Phase::Connecting, LIMITS), answered(LIMITS)] {
        // Half a message was on its way.
        signal.receive(START, b"\x20\x08");
        signal.stream_ended(START);
        signal.local(START, Local::Candidate(candidate("192.0.2.1", 1)));
        signal.receive(START, b"\xff\xff\xff");
        assert_eq!((outputs(&mut signal), signal.counts().unsent), (vec![], 1));
        signal.local(START, Local::Connected);
        assert_eq!(outputs(&mut signal), [Output::Connected]);
    }
}

#[test]
fn what_the_platform_says_out_of_turn_fails() {
    for phase in PHASES {
        let mut signal = in_phase(phase, LIMITS);
        signal.local(START, Local::Connected);
        if phase == Phase::Connecting {
            assert_eq!(outputs(&mut signal), [Output::Connected]);
        } else {
            assert_eq!(failed_with(&mut signal), SignalError::Platform("connected"), "{phase:?}");
        }
        let mut signal = in_phase(phase, LIMITS);
        signal.local(START, Local::Description(answer()));
        if !matches!(phase, Phase::Offering | Phase::Answering) {
            assert_eq!(failed_with(&mut signal), SignalError::Platform("description"), "{phase:?}");
        }
        let mut signal = in_phase(phase, LIMITS);
        signal.local(START, Local::Failed(Failure::NoPath));
        assert_eq!(failed_with(&mut signal), SignalError::Peer(Failure::NoPath), "{phase:?}");
    }
}

#[test]
fn a_failure_leaves_nothing_else_to_do() {
    let mut signal = Signal::new(Role::Initiator, LIMITS, START);
    signal.local(START, Local::Description(offer()));
    signal.local(START, Local::Failed(Failure::NoPath));
    assert_eq!(failed_with(&mut signal), SignalError::Peer(Failure::NoPath));
    signal.tick(START + LIMITS.total);
    signal.local(START, Local::Connected);
    assert_eq!(outputs(&mut signal), []);
}

#[test]
fn sessions_are_bounded() {
    let mut sessions = Sessions::new(LIMITS);
    assert!(sessions.is_empty());
    let mine: Vec<SessionId> =
        (0..LIMITS.sessions_per_peer).map(|_| sessions.admit(b"one peer").unwrap()).collect();
    assert_eq!(sessions.admit(b"one peer"), Err(Full::Peer));
    for peer in 0..LIMITS.sessions - mine.len() {
        sessions.admit(&peer.to_be_bytes()).unwrap();
    }
    assert_eq!(sessions.admit(b"another"), Err(Full::All));
    assert_eq!(sessions.len(), LIMITS.sessions);
    assert!(sessions.release(mine[0]));
    assert!(!sessions.release(mine[0]), "a number ends once");
    let again = sessions.admit(b"one peer").unwrap();
    assert!(!mine.contains(&again), "a number is given once");
    assert_eq!(sessions.admit(b"one peer"), Err(Full::All));
}

/// What can be done to a session.
#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Message(MessageKind, String),
    Local(Local),
    Ended,
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let data = prop_oneof![
        Just(offer()),
        Just(answer()),
        Just(candidate("8.8.8.8", 1)),
        Just("null".to_owned()),
        ".{0,40}",
    ];
    let kind = prop_oneof![
        Just(MessageKind::Offer),
        Just(MessageKind::Answer),
        Just(MessageKind::Candidate)
    ];
    let local = prop_oneof![
        data.clone().prop_map(Local::Description),
        Just(Local::RemoteApplied),
        data.clone().prop_map(Local::Candidate),
        Just(Local::Connected),
        Just(Local::Failed(Failure::Closed)),
    ];
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        8 => (kind, data).prop_map(|(kind, data)| Step::Message(kind, data)),
        8 => local.prop_map(Step::Local),
        1 => Just(Step::Ended),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_panic_and_in_little_room(
        bytes in prop::collection::vec(any::<u8>(), 0..2000), initiator in any::<bool>(),
    ) {
        let role = if initiator { Role::Initiator } else { Role::Responder };
        let mut signal = Signal::new(role, LIMITS, START);
        signal.receive(START, &bytes);
        prop_assert!(signal.decoder.held() <= 2 * bytes.len() + 64);
        prop_assert!(outputs(&mut signal).len() <= 2);
    }

    #[test]
    fn whatever_happens_ends_once_and_stays_small(
        initiator in any::<bool>(), steps in prop::collection::vec(step(), 0..60),
    ) {
        let role = if initiator { Role::Initiator } else { Role::Responder };
        let mut signal = Signal::new(role, LIMITS, START).with_filter(far());
        let mut ended = false;
        for (number, step) in steps.into_iter().enumerate() {
            let now = START + Duration::from_millis(number as u64);
            match step {
                Step::Bytes(bytes) => signal.receive(now, &bytes),
                Step::Message(kind, data) => signal.receive(now, &encode(kind, &data)),
                Step::Local(local) => signal.local(now, local),
                Step::Ended => signal.stream_ended(now),
                Step::Tick => signal.tick(now),
            }
            prop_assert!(signal.outputs.len() <= 2 * LIMITS.candidates + 4);
            prop_assert!(signal.decoder.held() <= 2 * (LIMITS.sdp_bytes + 64));
            for output in outputs(&mut signal) {
                prop_assert!(!ended, "{output:?} after the end");
                ended = matches!(output, Output::Connected | Output::Failed(_));
            }
            prop_assert_eq!(signal.next_wake().is_none(), ended);
        }
        signal.tick(START + LIMITS.total);
        prop_assert_eq!(outputs(&mut signal).len(), usize::from(!ended));
    }

    #[test]
    fn the_pieces_do_not_matter(
        messages in prop::collection::vec(0..40_usize, 0..200),
        junk in prop::collection::vec(any::<u8>(), 0..10),
        sizes in prop::collection::vec(1..700_usize, 1..20),
    ) {
        let mut bytes = encode(MessageKind::Offer, &offer()).to_vec();
        for message in messages {
            bytes.extend(match message {
                0 => encode(MessageKind::Answer, &answer()),
                1..10 => encode(MessageKind::Candidate, &candidate("8.8.8.8", message)),
                10..20 => encode(MessageKind::Candidate, "junk"),
                20..30 => encode(MessageKind::Candidate, &" ".repeat(900)),
                _ => encode(MessageKind::Candidate, "null"),
            });
        }
        bytes.extend(junk);
        let mut whole = Signal::new(Role::Responder, LIMITS, START);
        whole.receive(START, &bytes);
        let mut pieces = Signal::new(Role::Responder, LIMITS, START);
        let (mut rest, mut size) = (bytes.as_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, next) = rest.split_at((*size.next().unwrap()).min(rest.len()));
            pieces.receive(START, piece);
            rest = next;
        }
        prop_assert_eq!(outputs(&mut pieces), outputs(&mut whole));
        prop_assert_eq!(pieces.counts(), whole.counts());
    }
}
