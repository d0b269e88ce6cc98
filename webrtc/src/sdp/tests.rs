use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::direct;

/// An offer of Chromium 156.
const CHROMIUM: &str = "v=0\r\no=- 3053503290707968488 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:ihaM\r\n\
    a=ice-pwd:NX2o7SLxp7VBcltm8q4vjds0\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 29:F7:E5:C1:F8:16:B6:05:B9:82:02:F2:BC:51:A5:62:9A:FF:D9:D2:F9:84:F7:F3:A2:B5:B0:95:36:BB:D0:0F\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

/// An offer of the form that Firefox makes: the fingerprint stands before the section.
const FIREFOX: &str = "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 5143218976543210987 0 IN IP4 0.0.0.0\r\n\
    s=-\r\nt=0 0\r\na=sendrecv\r\n\
    a=fingerprint:sha-256 29:F7:E5:C1:F8:16:B6:05:B9:82:02:F2:BC:51:A5:62:9A:FF:D9:D2:F9:84:F7:F3:A2:B5:B0:95:36:BB:D0:0F\r\n\
    a=group:BUNDLE 0\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n\
    a=ice-pwd:0123456789abcdef0123456789abcdef\r\na=ice-ufrag:01234567\r\na=mid:0\r\na=setup:actpass\r\n\
    a=sctp-port:5000\r\na=max-message-size:1073741823\r\n";

/// An offer of libdatachannel.
const LIBDATACHANNEL: &str = "v=0\r\no=rtc 2984988369 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\na=ice-options:ice2,trickle\r\n\
    a=fingerprint:sha-256 95:4A:4F:44:73:4A:63:55:28:05:E5:F9:92:7D:F5:2B:15:55:8B:84:5F:B2:98:13:AE:CD:CF:D8:B5:C2:25:EC\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\n\
    a=sctp-port:5000\r\na=max-message-size:262144\r\na=setup:actpass\r\na=ice-ufrag:LBSG\r\n\
    a=ice-pwd:H4mhTyPGlGzu8qJ2Z5r6Rh\r\n";

const FINGERPRINT: [u8; 32] = [
    0x29, 0xF7, 0xE5, 0xC1, 0xF8, 0x16, 0xB6, 0x05, 0xB9, 0x82, 0x02, 0xF2, 0xBC, 0x51, 0xA5, 0x62,
    0x9A, 0xFF, 0xD9, 0xD2, 0xF9, 0x84, 0xF7, 0xF3, 0xA2, 0xB5, 0xB0, 0x95, 0x36, 0xBB, 0xD0, 0x0F,
];

const HOST: &str = "candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host generation 0 ufrag ihaM";

#[test]
fn offers_of_browsers_are_read() {
    let chromium = Description::parse(CHROMIUM).unwrap();
    assert_eq!(
        chromium,
        Description {
            ufrag: "ihaM".to_owned(),
            pwd: "NX2o7SLxp7VBcltm8q4vjds0".to_owned(),
            fingerprint: FINGERPRINT,
            setup: Setup::ActPass,
            sctp_port: 5000,
            max_message_size: Some(262_144),
            ice_lite: false,
            mid: "0".to_owned(),
            candidates: Vec::new(),
        }
    );
    let firefox = Description::parse(FIREFOX).unwrap();
    assert_eq!(firefox.fingerprint, FINGERPRINT);
    assert_eq!(
        (firefox.ufrag.as_str(), firefox.max_message_size),
        ("01234567", Some(1_073_741_823))
    );
    let libdatachannel = Description::parse(LIBDATACHANNEL).unwrap();
    assert_eq!((libdatachannel.ufrag.as_str(), libdatachannel.fingerprint[0]), ("LBSG", 0x95));
}

#[test]
fn line_ends_and_the_case_of_the_hash_do_not_matter() {
    let expected = Description::parse(CHROMIUM).unwrap();
    let unix = CHROMIUM.replace("\r\n", "\n");
    assert_eq!(Description::parse(&unix).unwrap(), expected);
    assert_eq!(Description::parse(unix.trim_end()).unwrap(), expected);
    let spaced = unix.replace("m=app", "\nm=app");
    assert_eq!(Description::parse(&spaced).unwrap(), expected, "go has an empty line there");
    let lower = CHROMIUM.replace("29:F7:E5", "29:f7:e5").replace("sha-256", "SHA-256");
    assert_eq!(Description::parse(&lower).unwrap(), expected);
}

#[test]
fn the_sha_256_fingerprint_is_taken_of_several() {
    let other =
        "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n";
    let before = CHROMIUM.replace("a=fingerprint", &format!("{other}a=fingerprint"));
    assert_eq!(Description::parse(&before).unwrap().fingerprint, FINGERPRINT);
    let after = CHROMIUM.replace("a=setup", &format!("{other}a=setup"));
    assert_eq!(Description::parse(&after).unwrap().fingerprint, FINGERPRINT);
    // The section's own fingerprints replace those of the session, even by none that we know.
    let hidden = FIREFOX.replace("a=setup", &format!("{other}a=setup"));
    assert_eq!(Description::parse(&hidden), Err(SdpError::NoFingerprint));
}

#[test]
fn the_first_data_section_counts() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:none\r\na=setup:active\r\n";
    let other = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:other\r\n";
    let mixed = CHROMIUM.replace("m=app", &format!("{audio}m=app")) + audio + other;
    assert_eq!(Description::parse(&mixed).unwrap(), Description::parse(CHROMIUM).unwrap());
    let rejected = CHROMIUM
        .replace("m=app", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:9\r\nm=app");
    assert_eq!(Description::parse(&rejected).unwrap().mid, "0");
}

#[test]
fn defaults_of_the_rfcs_stand_in() {
    let bare = CHROMIUM
        .replace("a=sctp-port:5000\r\n", "")
        .replace("a=max-message-size:262144\r\n", "")
        .replace("a=mid:0\r\n", "");
    let read = Description::parse(&bare).unwrap();
    assert_eq!((read.sctp_port, read.max_message_size, read.mid.as_str()), (5000, None, "0"));
    let endless = CHROMIUM.replace("262144", "18446744073709551615");
    assert_eq!(Description::parse(&endless).unwrap().max_message_size, Some(u32::MAX));
    let lite = CHROMIUM.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
    assert!(Description::parse(&lite).unwrap().ice_lite);
    let tcp = CHROMIUM.replace("UDP/DTLS", "TCP/DTLS");
    assert!(Description::parse(&tcp).is_ok());
}

#[test]
fn every_bad_description_has_its_error() {
    let with = |from: &str, to: &str| {
        assert!(CHROMIUM.contains(from), "{from}");
        CHROMIUM.replace(from, to)
    };
    let bad_pwd = |pwd: &str| with("NX2o7SLxp7VBcltm8q4vjds0", pwd);
    let cases = [
        (String::new(), SdpError::Malformed),
        ("hello".to_owned(), SdpError::Malformed),
        ("{\"type\":\"offer\"}".to_owned(), SdpError::Malformed),
        (with("s=-", "free text"), SdpError::Malformed),
        (with("s=-", "S=-"), SdpError::Malformed),
        ("v=0\r\n".to_owned(), SdpError::NoData),
        (with("m=application", "m=audio"), SdpError::NoData),
        (with("m=application 9", "m=application 0"), SdpError::NoData),
        (with("m=application 9", "m=application 99999"), SdpError::NoData),
        (with("UDP/DTLS/SCTP", "UDP/TLS/RTP/SAVPF"), SdpError::NoData),
        (with("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000"), SdpError::NoData),
        (with("a=ice-ufrag:ihaM\r\n", ""), SdpError::NoUfrag),
        (with("ihaM", "iha"), SdpError::Ufrag(NameError::UfragLength(3))),
        (with("ihaM", &"u".repeat(257)), SdpError::Ufrag(NameError::UfragLength(257))),
        (with("ihaM", "ih M"), SdpError::Ufrag(NameError::Character)),
        (with("ihaM", "ihaM\ra=x"), SdpError::Ufrag(NameError::Character)),
        (with("a=ice-pwd:NX2o7SLxp7VBcltm8q4vjds0\r\n", ""), SdpError::NoPwd),
        (bad_pwd("short"), SdpError::Pwd(NameError::PwdLength(5))),
        (bad_pwd(&"p".repeat(257)), SdpError::Pwd(NameError::PwdLength(257))),
        (bad_pwd("NX2o7SLxp7VBcltm8q4vjds-"), SdpError::Pwd(NameError::Character)),
        (with("sha-256", "sha-512"), SdpError::NoFingerprint),
        (with("fingerprint", "fingerprinx"), SdpError::NoFingerprint),
        (with("sha-256 29", "sha-256:29"), SdpError::NoFingerprint),
        (with(" 29:F7", " F7"), SdpError::Fingerprint),
        (with(" 29:F7", " 29:29:F7"), SdpError::Fingerprint),
        (with(" 29:F7", " 29:G7"), SdpError::Fingerprint),
        (with(" 29:F7", " 29:+7"), SdpError::Fingerprint),
        (with(" 29:F7", " 29F7"), SdpError::Fingerprint),
        (with("a=setup:actpass\r\n", ""), SdpError::Setup),
        (with("actpass", "holdconn"), SdpError::Setup),
        (with("actpass", "ACTIVE"), SdpError::Setup),
        (with("sctp-port:5000", "sctp-port:70000"), SdpError::SctpPort),
        (with("sctp-port:5000", "sctp-port:"), SdpError::SctpPort),
        (with("262144", "-1"), SdpError::MessageSize),
        (with("262144", "18446744073709551616"), SdpError::MessageSize),
        (with("mid:0", "mid:"), SdpError::Mid),
        (with("mid:0", "mid:a b"), SdpError::Mid),
        (with("mid:0", &format!("mid:{}", "m".repeat(33))), SdpError::Mid),
        (CHROMIUM.to_owned() + &"a=x\r\n".repeat(4000), SdpError::TooLong),
    ];
    for (sdp, error) in cases {
        let shown: String = sdp.chars().take(700).collect();
        assert_eq!(Description::parse(&sdp).map(|_| ()), Err(error), "{shown}");
    }
}

#[test]
fn what_is_written_is_what_browsers_write() {
    let mut description =
        Description::new("ihaM", "NX2o7SLxp7VBcltm8q4vjds0", FINGERPRINT).unwrap();
    description.max_message_size = Some(262_144);
    let expected = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
        a=ice-options:trickle\r\na=ice-ufrag:ihaM\r\na=ice-pwd:NX2o7SLxp7VBcltm8q4vjds0\r\n\
        a=fingerprint:sha-256 29:F7:E5:C1:F8:16:B6:05:B9:82:02:F2:BC:51:A5:62:9A:FF:D9:D2:F9:84:F7:F3:A2:B5:B0:95:36:BB:D0:0F\r\n\
        a=setup:actpass\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";
    assert_eq!(description.to_offer(), expected);
    assert_eq!(description.to_answer(), expected.replace("actpass", "active"));
    description.setup = Setup::Passive;
    assert_eq!(description.to_answer(), expected.replace("actpass", "passive"));
    description.candidates = vec![HOST.to_owned(), "candidate:nonsense".to_owned()];
    description.ice_lite = true;
    let offer = description.to_offer();
    assert!(offer.ends_with(&format!("a={HOST}\r\n")) && offer.contains("a=ice-lite\r\nm="));
    assert!(!offer.contains("nonsense"));
}

#[test]
fn a_field_cannot_write_a_line() {
    let mut description = Description::parse(CHROMIUM).unwrap();
    description.ufrag = "ihaM\r\na=evil:1".to_owned();
    description.mid = "0\na=evil:2".to_owned();
    description.candidates = vec![format!("{HOST}\r\na=evil:3")];
    let offer = description.to_offer();
    assert!(offer.lines().all(|line| !line.starts_with("a=evil")), "{offer}");
}

#[test]
fn candidates_are_read_and_written_again() {
    let with =
        CHROMIUM.to_owned() + "a=" + HOST + "\r\na=candidate:nonsense\r\na=end-of-candidates\r\n";
    let read = Description::parse(&with).unwrap();
    assert_eq!(read.candidates, [HOST]);
    assert_eq!(Description::parse(&read.to_offer()).unwrap(), read);
    let session = CHROMIUM.replace("m=app", &format!("a={HOST}\r\nm=app"));
    assert!(Description::parse(&session).unwrap().candidates.is_empty());
}

#[test]
fn the_direct_answer_is_that_of_a_server() {
    let ufrag = direct::v1_ufrag([0; 32]);
    let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4001));
    let answer = direct_answer(server, &FINGERPRINT, &ufrag, &ufrag).unwrap();
    let expected = format!(
        "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n\
        m=application 4001 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.0.2.1\r\na=mid:0\r\n\
        a=ice-options:ice2\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}\r\n\
        a=fingerprint:sha-256 29:F7:E5:C1:F8:16:B6:05:B9:82:02:F2:BC:51:A5:62:9A:FF:D9:D2:F9:84:F7:F3:A2:B5:B0:95:36:BB:D0:0F\r\n\
        a=setup:passive\r\na=sctp-port:5000\r\na=max-message-size:16384\r\n\
        a=candidate:1 1 UDP 2130706431 192.0.2.1 4001 typ host\r\na=end-of-candidates\r\n"
    );
    assert_eq!(answer, expected);
    let read = Description::parse(&answer).unwrap();
    assert!(read.ice_lite && read.setup == Setup::Passive && read.candidates.len() == 1);

    let server = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
    let answer = direct_answer(server, &FINGERPRINT, &ufrag, &ufrag).unwrap();
    assert!(
        answer.contains("c=IN IP6 ::1\r\n") && answer.contains(" ::1 9 typ host\r\n"),
        "{answer}"
    );
    let error = direct_answer(server, &FINGERPRINT, "a\r\nb=c", &ufrag).unwrap_err();
    assert_eq!(error, SdpError::Ufrag(NameError::Character));
    let error = direct_answer(server, &FINGERPRINT, &ufrag, "short").unwrap_err();
    assert_eq!(error, SdpError::Pwd(NameError::PwdLength(5)));
}

#[test]
fn credentials_are_replaced_and_nothing_else() {
    let ufrag = direct::v1_ufrag([9; 32]);
    for offer in [CHROMIUM.to_owned(), CHROMIUM.replace("\r\n", "\n")] {
        let munged = munge_offer(&offer, &ufrag, &ufrag).unwrap();
        assert_eq!((ice_ufrag_of(&munged), ice_pwd_of(&munged)), (Ok(ufrag.as_str()), Ok(&*ufrag)));
        assert_eq!(munge_offer(&munged, "ihaM", "NX2o7SLxp7VBcltm8q4vjds0").unwrap(), offer);
    }
    assert_eq!(munge_offer(CHROMIUM, "x", &ufrag), Err(SdpError::Ufrag(NameError::UfragLength(1))));
    assert_eq!(munge_offer(CHROMIUM, &ufrag, "x"), Err(SdpError::Pwd(NameError::PwdLength(1))));
    assert_eq!(munge_offer("v=0\r\n", &ufrag, &ufrag), Err(SdpError::NoUfrag));
    assert_eq!(munge_offer("a=ice-ufrag:abcd", &ufrag, &ufrag), Err(SdpError::NoPwd));
    assert_eq!(ice_ufrag_of(CHROMIUM), Ok("ihaM"));
    assert_eq!(ice_pwd_of(CHROMIUM), Ok("NX2o7SLxp7VBcltm8q4vjds0"));
    assert_eq!(ice_pwd_of(&"a=x\n".repeat(5000)), Err(SdpError::TooLong));
}

fn line(text: &str) -> Result<CandidateLine, CandidateError> {
    CandidateLine::parse(text)
}

#[test]
fn candidate_lines_of_browsers_are_read() {
    let host = line(HOST).unwrap();
    assert_eq!(
        host,
        CandidateLine {
            address: Address::Ip(IpAddr::from([192, 0, 2, 7])),
            port: 50000,
            protocol: Protocol::Udp,
            kind: CandidateKind::Host,
            priority: 2_113_937_151,
        }
    );
    assert!(!host.is_mdns());
    let mdns = line(
        "candidate:842163049 1 udp 1677729535 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9.local 46154 \
        typ host generation 0 ufrag EEtu network-cost 999",
    )
    .unwrap();
    assert!(mdns.is_mdns());
    let tcp = line("candidate:2 1 TCP 1518214911 2001:db8::1 9 typ host tcptype active").unwrap();
    assert_eq!((tcp.protocol, tcp.port), (Protocol::Tcp, 9));
    assert_eq!(tcp.address, Address::Ip("2001:db8::1".parse().unwrap()));
    let srflx =
        line("candidate:3 1 UDP 1 198.51.100.1 1 typ srflx raddr 10.0.0.1 rport 2").unwrap();
    assert_eq!(srflx.kind, CandidateKind::ServerReflexive);
    assert_eq!(
        line("a=candidate:1 1 UDP 1 ::1 1 typ prflx").unwrap().kind,
        CandidateKind::PeerReflexive
    );
    assert_eq!(line("candidate:1 1 UDP 1 ::1 1 typ relay").unwrap().kind, CandidateKind::Relayed);
    assert!(!line("candidate:1 1 UDP 1 example.org 1 typ host").unwrap().is_mdns());
}

#[test]
fn what_is_no_candidate_line_is_refused() {
    for text in [
        "",
        "candidate:",
        "candidate:1 1 udp 1 192.0.2.7 1",
        "candidate:1 1 udp 1 192.0.2.7 1 typ",
        "candidate:1 1 udp 1 192.0.2.7 1 typ magic",
        "candidate:1 1 udp 1 192.0.2.7 1 type host",
        "candidate:1 1 udp 1 192.0.2.7 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.7 -1 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.7 1 typ host",
        "candidate:1 x udp 1 192.0.2.7 1 typ host",
        "candidate:1 1 sctp 1 192.0.2.7 1 typ host",
        "candidate:1 1 udp 1 192.0.2.777 1 typ host",
        "candidate:1 1 udp 1 3232235777 1 typ host",
        "candidate:1 1 udp 1 fe80::1%eth0 1 typ host",
        "candidate:1 1 udp 1 a/b 1 typ host",
        "candidate: 1 udp 1 192.0.2.7 1 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.7 1 typ host",
        "candidate:1 1 udp 1 192.0.2.7 1 typ host\r\na=setup:active",
        "candidate:1 1 udp 1 192.0.2.7 1 typ host \u{fc}",
        "Candidate:1 1 udp 1 192.0.2.7 1 typ host",
    ] {
        assert_eq!(line(text), Err(CandidateError::Line), "{text:?}");
    }
    assert_eq!(line(&format!("{HOST}{}", " x".repeat(600))), Err(CandidateError::TooLong));
}

#[test]
fn the_json_of_a_browser_is_read_and_written() {
    let json = format!(
        r#"{{"candidate":"{HOST}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ihaM"}}"#
    );
    let candidate = Candidate::parse(&json).unwrap().unwrap();
    assert_eq!(
        candidate,
        Candidate {
            candidate: HOST.to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: Some("ihaM".to_owned()),
        }
    );
    assert_eq!(candidate.to_json(), json);
    let spaced = format!(
        "\t{{ \"x\" : -1.5e+3 , \"y\":true, \"sdpMid\":null,\n\"candidate\" : \"a={HOST}\" }} "
    );
    let candidate = Candidate::parse(&spaced).unwrap().unwrap();
    assert_eq!((candidate.candidate.as_str(), candidate.sdp_mid), (HOST, None));
}

#[test]
fn every_end_of_candidates_is_known() {
    for text in
        ["", " ", "null", " null\n", "\"\"", "{}", r#"{"candidate":""}"#, r#"{"candidate":null}"#]
    {
        assert_eq!(Candidate::parse(text), Ok(None), "{text:?}");
    }
    let end = r#"{"candidate":"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ihaM"}"#;
    assert_eq!(Candidate::parse(end), Ok(None));
}

#[test]
fn what_is_no_json_of_a_candidate_is_refused() {
    for text in [
        "{",
        "}",
        "[]",
        "1",
        "nul",
        "true",
        "\"candidate\"",
        "{}{}",
        "{} x",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"a":nulL}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":"b}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ud800\ud800"}"#,
        r#"{"a":"\ud800x"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
    ] {
        assert_eq!(Candidate::parse(text), Err(CandidateError::Json), "{text}");
    }
    for text in [
        r#"{"candidate":1}"#,
        r#"{"sdpMid":0}"#,
        r#"{"sdpMLineIndex":"0"}"#,
        r#"{"sdpMLineIndex":-1}"#,
        r#"{"sdpMLineIndex":65536}"#,
        r#"{"sdpMLineIndex":0.5}"#,
        r#"{"sdpMLineIndex":1e1}"#,
        r#"{"usernameFragment":false}"#,
    ] {
        assert_eq!(Candidate::parse(text), Err(CandidateError::Member), "{text}");
    }
    let many: Vec<String> = (0..17).map(|n| format!("\"{n}\":0")).collect();
    assert_eq!(Candidate::parse(&format!("{{{}}}", many.join(","))), Err(CandidateError::Json));
    assert_eq!(Candidate::parse(&" ".repeat(1025)), Err(CandidateError::TooLong));
    assert_eq!(Candidate::parse(&"[".repeat(1024)), Err(CandidateError::Json));
}

#[test]
fn escapes_are_read() {
    let json = r#"{"candidate":"\"\\\/\b\f\n\r\t\u0041\u00e4\ud83d\ude00"}"#;
    let read = Candidate::parse(json).unwrap().unwrap();
    assert_eq!(read.candidate, "\"\\/\u{8}\u{c}\n\r\tA\u{e4}\u{1f600}");
    assert_eq!(read.line(), Err(CandidateError::Line));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,300}") {
        prop_assert!(Description::parse(&text).is_err());
        let _unused = (Candidate::parse(&text), line(&text));
    }

    #[test]
    fn a_changed_offer_is_refused_or_survives_rewriting(
        at in 0..CHROMIUM.len(), with in "[a-z0-9:=/ \r\n\\PC]{0,3}", cut in 0..4_usize,
    ) {
        let mut offer = CHROMIUM.to_owned();
        offer.replace_range(at..(at + cut).min(CHROMIUM.len()), &with);
        if let Ok(read) = Description::parse(&offer) {
            prop_assert_eq!(Description::parse(&read.to_offer()), Ok(read));
        }
    }

    #[test]
    fn every_description_comes_back(
        ufrag in "[A-Za-z0-9+/]{4,256}", pwd in "[A-Za-z0-9+/]{22,256}", fingerprint in any::<[u8; 32]>(),
        rest in (any::<u16>(), any::<Option<u32>>(), any::<bool>(), "[a-z0-9!#$%&'*+.^_{|}~-]{1,32}"),
    ) {
        let mut description = Description::new(&ufrag, &pwd, fingerprint).unwrap();
        (description.sctp_port, description.max_message_size, description.ice_lite, description.mid) = rest;
        for setup in [Setup::Active, Setup::Passive, Setup::ActPass] {
            description.setup = setup;
            prop_assert_eq!(&Description::parse(&description.to_offer()).unwrap(), &description);
            let answer = Description::parse(&description.to_answer()).unwrap();
            prop_assert_eq!(answer.setup == Setup::Passive, setup == Setup::Passive);
        }
    }

    #[test]
    fn every_candidate_comes_back(
        text in ".{1,100}", mid in prop::option::of(".{0,20}"), index in any::<Option<u16>>(),
        fragment in prop::option::of("[\\x00-\\x7f]{0,20}"),
    ) {
        prop_assume!(!text.starts_with("a="));
        let candidate = Candidate {
            candidate: text, sdp_mid: mid, sdp_m_line_index: index, username_fragment: fragment,
        };
        let json = candidate.to_json();
        if json.len() <= SignalLimits::DEFAULT.candidate_bytes {
            prop_assert_eq!(Candidate::parse(&json), Ok(Some(candidate)));
        }
    }
}
