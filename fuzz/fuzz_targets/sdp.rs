//! Descriptions and candidates of the other side: what is accepted must survive being written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerloom_webrtc::sdp::{
    Candidate, CandidateLine, Description, SdpError, Setup, ice_pwd_of, ice_ufrag_of, munge_offer,
};

const UFRAG: &str = "libp2p+webrtc+v1/0123456789abcdefghijABCDEFGHIJxy";

fuzz_target!(|text: &str| {
    if let Ok(read) = Description::parse(text) {
        assert_eq!(Description::parse(&read.to_offer()).as_ref(), Ok(&read));
        let answer = Description::parse(&read.to_answer()).map(|answer| answer.setup);
        assert!(matches!(answer, Ok(Setup::Active | Setup::Passive)));
    }
    if let Ok(munged) = munge_offer(text, UFRAG, UFRAG) {
        let [ufrag, pwd] = [ice_ufrag_of(&munged), ice_pwd_of(&munged)];
        assert!(ufrag == pwd && matches!(ufrag, Ok(UFRAG) | Err(SdpError::TooLong)));
    }
    if let Ok(Some(candidate)) = Candidate::parse(text) {
        // Escapes may make the JSON longer than is read again.
        if let Ok(again) = Candidate::parse(&candidate.to_json()) {
            assert_eq!(again.as_ref(), Some(&candidate));
        }
        if candidate.line().is_ok() {
            assert!(!candidate.candidate.contains(['\r', '\n']));
        }
    }
    if CandidateLine::parse(text).is_ok() {
        assert!(!text.contains(['\r', '\n']));
    }
});
