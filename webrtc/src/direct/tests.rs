use proptest::prelude::*;

use super::*;

const V1: &str = "libp2p+webrtc+v1/0123456789abcdefghijABCDEFGHIJxy";
/// As long as Chromium's.
const PWD: &str = "abcdefghijklmnopqrstuv+/";

fn v2() -> String {
    v2_server_ufrag(PWD).unwrap()
}

/// A Binding request with these attributes, each padded with zeros.
fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut datagram = vec![0, 1];
    datagram.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    datagram.extend(MAGIC_COOKIE.to_be_bytes());
    datagram.extend([7; 12]);
    datagram.extend(body);
    datagram
}

#[test]
fn version_1_is_one_string_for_all() {
    let names = parse_username(&format!("{V1}:{V1}")).unwrap();
    assert_eq!(names.version, Version::V1);
    assert_eq!(names.server_ufrag, V1);
    assert_eq!(names.client_ufrag, V1);
    assert_eq!(names.server_pwd(), V1);
    assert_eq!(names.client_pwd(), V1);
}

#[test]
fn version_2_tells_the_clients_password() {
    let names = parse_username(&format!("{}:abcd", v2())).unwrap();
    assert_eq!(names.version, Version::V2);
    assert_eq!(names.server_ufrag, "libp2p+webrtc+v2/abcdefghijklmnopqrstuv+/");
    assert_eq!(names.server_ufrag.len(), 41, "the length that the design gives for Chromium");
    assert_eq!(names.client_ufrag, "abcd");
    assert_eq!(names.server_pwd(), names.server_ufrag);
    assert_eq!(names.client_pwd(), PWD);
}

#[test]
fn every_bad_user_name_has_its_error() {
    let v2 = v2();
    let short_v2 = format!("libp2p+webrtc+v2/{}", "p".repeat(21));
    let longest_v2 = format!("libp2p+webrtc+v2/{}", "p".repeat(239));
    let too_long = "u".repeat(257);
    let short_v1 = "libp2p+webrtc+v1/abcd";
    let cases = [
        (String::new(), NameError::NoColon),
        (v2.clone(), NameError::NoColon),
        (":".to_owned(), NameError::UfragLength(0)),
        (format!("abc:{v2}"), NameError::UfragLength(3)),
        (format!("{v2}:abc"), NameError::UfragLength(3)),
        (format!("{v2}:{too_long}"), NameError::UfragLength(257)),
        (format!("{longest_v2}p:abcd"), NameError::UfragLength(257)),
        (format!("{short_v2}:abcd"), NameError::PwdLength(21)),
        (format!("{short_v1}:{short_v1}"), NameError::PwdLength(21)),
        (format!("{v2}:ab:d"), NameError::Character),
        (format!("{v2}:ab\r\n"), NameError::Character),
        (format!("{v2}:ab d"), NameError::Character),
        (format!("{v2}:ab\0d"), NameError::Character),
        (format!("{v2}:äöü"), NameError::Character),
        (format!("{v2}-:abcd"), NameError::Character),
        (format!("{V1}:{V1}x"), NameError::Unequal),
        (format!("{V1}:abcd"), NameError::Unequal),
        (format!("{}:abcd", v2.replace("v2", "v3")), NameError::Version),
        (format!("{}:abcd", v2.replace("libp2p", "LIBP2P")), NameError::Version),
        (format!("x{v2}:abcd"), NameError::Version),
        ("abcdefgh:ijklmnop".to_owned(), NameError::Version),
    ];
    for (username, error) in cases {
        assert_eq!(parse_username(&username), Err(error), "{username:?}");
    }
    // The last lengths that are allowed.
    assert!(parse_username(&format!("{longest_v2}:{}", "u".repeat(256))).is_ok());
    assert!(parse_username(&format!("{short_v1}e:{short_v1}e")).is_ok());
}

#[test]
fn made_names_are_understood() {
    let ufrag = v1_ufrag([255; 32]);
    assert_eq!(ufrag.len(), 49);
    assert_eq!(parse_username(&format!("{ufrag}:{ufrag}")).unwrap().client_pwd(), ufrag);
    assert_eq!(v2_server_ufrag("short"), Err(NameError::PwdLength(5)));
    assert_eq!(v2_server_ufrag(&"p".repeat(240)), Err(NameError::UfragLength(257)));
    assert_eq!(v2_server_ufrag("abcdefghijklmnopqrstuv\n"), Err(NameError::Character));
}

#[test]
fn tokens_use_the_whole_alphabet() {
    let all: Vec<u8> = (0..=255).collect();
    let mut letters: Vec<char> = random_token(&all).chars().collect();
    assert_eq!(letters.len(), 256);
    letters.sort_unstable();
    letters.dedup();
    assert_eq!(letters.len(), 62);
    assert_ne!(v1_ufrag([1; 32]), v1_ufrag([2; 32]));
}

/// The sample request of RFC 5769, section 2.1.
const SAMPLE: [u8; 108] = [
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];

#[test]
fn the_sample_of_the_rfc_is_read() {
    assert_eq!(username_of(&SAMPLE), Ok("evtj:h6vY"));
    assert!(is_stun(&SAMPLE));
}

#[test]
fn no_part_of_a_request_is_one() {
    for end in 0..SAMPLE.len() {
        let error = username_of(&SAMPLE[..end]).unwrap_err();
        let expected = if end < 20 { StunError::Short } else { StunError::Length };
        assert_eq!(error, expected, "{end} bytes");
    }
    let mut longer = SAMPLE.to_vec();
    longer.extend([0; 4]);
    assert_eq!(username_of(&longer), Err(StunError::Length));
}

#[test]
fn every_bad_request_has_its_error() {
    let good = request(&[(USERNAME, b"server:client")]);
    assert_eq!(username_of(&good), Ok("server:client"));
    let changed = |at: usize, byte: u8| {
        let mut datagram = good.clone();
        datagram[at] = byte;
        datagram
    };
    let mut odd = good.clone();
    odd.push(0);
    odd[3] += 1;
    let cases = [
        (changed(0, 1), StunError::NotRequest),
        (changed(1, 0x11), StunError::NotRequest),
        (changed(4, 0), StunError::Cookie),
        (changed(2, 1), StunError::Length),
        (odd, StunError::Length),
        // An attribute of 17 bytes in room for 16, and one of 65,535.
        (changed(23, 17), StunError::Attribute),
        (changed(22, 255), StunError::Attribute),
        (request(&[]), StunError::NoUsername),
        (request(&[(0x8022, b"software")]), StunError::NoUsername),
        (request(&[(USERNAME, b"\xff\xfe")]), StunError::NotText),
        // What follows the integrity is not covered by it.
        (request(&[(8, &[0; 20]), (USERNAME, b"late")]), StunError::NoUsername),
        (request(&[(0x1c, &[0; 32]), (USERNAME, b"late")]), StunError::NoUsername),
    ];
    for (datagram, error) in cases {
        assert_eq!(username_of(&datagram), Err(error), "{datagram:?}");
    }
}

#[test]
fn the_first_user_name_counts() {
    let twice = request(&[(USERNAME, b"first"), (USERNAME, b"second")]);
    assert_eq!(username_of(&twice), Ok("first"));
    assert_eq!(username_of(&request(&[(USERNAME, b"")])), Ok(""));
}

#[test]
fn stun_is_told_by_its_first_byte() {
    for byte in 0..=255 {
        assert_eq!(is_stun(&[byte]), byte < 4);
    }
    assert!(!is_stun(&[]));
}

proptest! {
    #[test]
    fn any_user_name_is_refused_or_valid(username in ".{0,600}") {
        if let Ok(names) = parse_username(&username) {
            prop_assert!(check_pwd(names.server_pwd()).is_ok() && check_pwd(names.client_pwd()).is_ok());
        }
    }

    /// Nearly right names, to get behind the first checks.
    #[test]
    fn near_user_names_are_refused_or_valid(
        version in "v[0-3]", server in "[A-Za-z0-9+/ :]{0,260}", client in "[A-Za-z0-9+/:]{0,260}",
    ) {
        let username = format!("libp2p+webrtc+{version}/{server}:{client}");
        if let Ok(names) = parse_username(&username) {
            prop_assert_eq!(&format!("{}:{}", names.server_ufrag, names.client_ufrag), &username);
            prop_assert!(check_ufrag(&names.server_ufrag).is_ok() && check_ufrag(&names.client_ufrag).is_ok());
            prop_assert!(check_pwd(names.server_pwd()).is_ok() && check_pwd(names.client_pwd()).is_ok());
        }
    }

    #[test]
    fn any_datagram_is_read_without_panic(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(username_of(&datagram).is_err());
    }

    #[test]
    fn a_changed_request_is_read_without_panic(at in 0..SAMPLE.len(), byte in any::<u8>()) {
        let mut datagram = SAMPLE;
        datagram[at] = byte;
        if let Ok(username) = username_of(&datagram) {
            prop_assert!(username.len() <= SAMPLE.len());
        }
    }

    #[test]
    fn a_user_name_of_any_length_comes_through(username in ".{0,300}") {
        let datagram = request(&[(0x24, &[0; 4]), (USERNAME, username.as_bytes()), (8, &[0; 20])]);
        prop_assert_eq!(username_of(&datagram), Ok(username.as_str()));
    }

    #[test]
    fn made_version_2_names_give_the_password_back(random in prop::collection::vec(any::<u8>(), 22..240)) {
        let pwd = random_token(&random);
        let ufrag = v2_server_ufrag(&pwd).unwrap();
        let names = parse_username(&format!("{ufrag}:{}", random_token(&random[..8]))).unwrap();
        prop_assert_eq!(names.client_pwd(), pwd);
    }
}
