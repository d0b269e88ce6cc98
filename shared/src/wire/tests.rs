mod proto;

use libp2p_identity::{Keypair, PublicKey};
use multiaddr::Multiaddr;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::announcement::AnnouncementWire;
use super::auth::AnswerWire;
use super::post::PostWire;
use super::text::{clean_label, clean_name, clean_text};
use super::*;
use crate::grant::{ActionSet, Key};
use crate::limits::*;
use crate::policy::{Access, Class};

fn key(seed: u8) -> PublicKey {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap().public()
}

fn post(kind: PostKind, body: &[u8]) -> Post {
    Post { counter: 1, created_ms: 2, kind, body: body.to_vec(), reply_to: Vec::new() }
}

fn wire_post() -> PostWire {
    PostWire { v: 1, counter: 1, created_ms: 2, kind: 1, body: b"hi".to_vec(), reply_to: vec![] }
}

/// The bytes and an unknown field, `size` bytes together: one byte of tag, two of length, zeros.
fn padded(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    let rest = size - bytes.len() - 4;
    let low = |shift: usize| (rest >> shift & 0x7F) as u8;
    bytes.extend([0x7A, low(0) | 0x80, low(7) | 0x80, low(14)]);
    bytes.resize(size, 0);
    bytes
}

// ---- Rooms -------------------------------------------------------------------------------------

#[test]
fn room_names() {
    for name in ["a", "lobby", "a-b_c.9", UC_ROOM, &"x".repeat(ROOM_NAME_BYTES_MAX)] {
        assert_eq!(name.parse::<RoomName>().unwrap().as_str(), name);
    }
    let over = ROOM_NAME_BYTES_MAX + 1;
    let bad = [
        ("", RoomNameError::Empty),
        (&"x".repeat(over), RoomNameError::TooLong { bytes: over }),
        ("Lobby", RoomNameError::Character { character: 'L' }),
        ("a b", RoomNameError::Character { character: ' ' }),
        ("a/b", RoomNameError::Character { character: '/' }),
        ("raum-ä", RoomNameError::Character { character: 'ä' }),
        ("a\n", RoomNameError::Character { character: '\n' }),
    ];
    for (name, error) in bad {
        assert_eq!(name.parse::<RoomName>(), Err(error));
        assert_eq!(error.code(), "ROOM-001");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn topics_of_rooms() {
    let room = |name: &str| name.parse::<RoomName>().unwrap();
    assert_eq!(room_topic(&room("lobby")), "peerloom/open/lobby");
    assert_eq!(room_topic(&room(UC_ROOM)), "universal-connectivity");
    assert_eq!(room_of_topic("peerloom/open/lobby"), Some(room("lobby")));
    assert_eq!(room_of_topic(UC_ROOM), Some(room(UC_ROOM)));
    assert!(room_topic(&room(&"x".repeat(ROOM_NAME_BYTES_MAX))).len() <= TOPIC_BYTES_MAX);
    for topic in ["", "lobby", "peerloom/open/", "peerloom/open/A", UC_DISCOVERY_TOPIC] {
        assert_eq!(room_of_topic(topic), None, "{topic}");
    }
    assert_eq!(room_of_topic("peerloom/open/universal-connectivity"), None);
}

// ---- Posts -------------------------------------------------------------------------------------

#[test]
fn a_post_has_these_bytes() {
    let post = Post {
        counter: 300,
        created_ms: 1,
        kind: PostKind::Text,
        body: b"hi".to_vec(),
        reply_to: vec![0xAA],
    };
    let golden = [
        0x08, 0x01, 0x10, 0xAC, 0x02, 0x18, 0x01, 0x20, 0x01, 0x2A, 0x02, b'h', b'i', 0x32, 0x01,
        0xAA,
    ];
    assert_eq!(post.encode(), golden);
    assert_eq!(Post::decode(&golden), Ok(post));
}

#[test]
fn limits_of_posts_at_the_bound_and_beyond() {
    let cases = [
        (PostKind::Text, POST_BODY_BYTES_MAX),
        (PostKind::Presence, NAME_BYTES_MAX),
        (PostKind::Leave, 0),
    ];
    for (kind, max) in cases {
        let most = post(kind, &vec![b'x'; max]);
        assert_eq!(Post::decode(&most.encode()), Ok(most));
        let over = post(kind, &vec![b'x'; max + 1]).encode();
        let error = WireError::TooLarge { what: "post body", bytes: max + 1, max };
        assert_eq!(Post::decode(&over), Err(error));
    }
    let reply_to = |bytes| Post { reply_to: vec![7; bytes], ..post(PostKind::Text, b"re") };
    let most = reply_to(REPLY_TO_BYTES_MAX);
    assert_eq!(Post::decode(&most.encode()), Ok(most));
    assert!(matches!(
        Post::decode(&reply_to(REPLY_TO_BYTES_MAX + 1).encode()),
        Err(WireError::TooLarge { what: "reply reference", .. })
    ));
    // The largest possible post fits; unknown fields may fill the rest, up to the limit.
    let largest = Post {
        counter: u64::MAX,
        created_ms: u64::MAX,
        reply_to: vec![7; REPLY_TO_BYTES_MAX],
        ..post(PostKind::Text, &vec![b'x'; POST_BODY_BYTES_MAX])
    };
    assert_eq!(Post::decode(&padded(largest.encode(), POST_BYTES_MAX)), Ok(largest));
    let over = vec![0; POST_BYTES_MAX + 1];
    let error = WireError::TooLarge { what: "post", bytes: over.len(), max: POST_BYTES_MAX };
    assert_eq!(Post::decode(&over), Err(error));
}

#[test]
fn field_rules_of_posts() {
    let unsupported = |what, value| Err(WireError::Unsupported { what, value });
    let table = [
        (PostWire { v: 0, ..wire_post() }, Err(WireError::Malformed("post without a version"))),
        (PostWire { v: 2, ..wire_post() }, unsupported("version of post", 2)),
        (PostWire { kind: 0, ..wire_post() }, Err(WireError::Malformed("post without a kind"))),
        (PostWire { kind: 5, ..wire_post() }, unsupported("kind of post", 5)),
        (PostWire { kind: -1, ..wire_post() }, unsupported("kind of post", u32::MAX.into())),
        (
            PostWire { body: vec![0xFF], ..wire_post() },
            Err(WireError::Malformed("post body is not UTF-8")),
        ),
        (
            PostWire { kind: 2, body: vec![0xC3], ..wire_post() },
            Err(WireError::Malformed("post body is not UTF-8")),
        ),
    ];
    for (wire, expected) in table {
        assert_eq!(Post::decode(&wire.encode_to_vec()), expected);
    }
    assert!(matches!(Post::decode(&[]), Err(WireError::Malformed(_))));
    assert_eq!(post(PostKind::Presence, "Zoë".as_bytes()).text(), "Zoë");
    assert_eq!(post(PostKind::Text, &[0xFF]).text(), "");
}

#[test]
fn unknown_fields_are_ignored() {
    let mut bytes = wire_post().encode_to_vec();
    bytes.extend([0x7A, 0x03, b'n', b'e', b'w']);
    assert_eq!(Post::decode(&bytes).unwrap().text(), "hi");
    let announcement = Announcement { public_key: key(1), addrs: vec![] };
    let mut bytes = announcement.encode();
    bytes.extend([0x7A, 0x03, b'n', b'e', b'w']);
    assert_eq!(Announcement::decode(&bytes), Ok(announcement));
}

// ---- Announcements -----------------------------------------------------------------------------

fn addresses(count: usize) -> Vec<Multiaddr> {
    (0..count).map(|i| format!("/ip4/192.0.2.{i}/tcp/7072").parse().unwrap()).collect()
}

#[test]
fn an_announcement_has_these_bytes() {
    let announcement = Announcement { public_key: key(1), addrs: addresses(1) };
    let mut golden = vec![0x0A, 0x24, 0x08, 0x01, 0x12, 0x20];
    golden.extend(key(1).try_into_ed25519().unwrap().to_bytes());
    golden.extend([0x12, 0x08, 0x04, 192, 0, 2, 0, 0x06, 0x1B, 0xA0]);
    assert_eq!(announcement.encode(), golden);
    assert_eq!(announcement.peer(), key(1).to_peer_id());
}

#[test]
fn limits_of_announcements() {
    let announce = |addrs| Announcement { public_key: key(1), addrs };
    // We send 8 at most and take 16 at most.
    let sent = Announcement::decode(&announce(addresses(20)).encode()).unwrap();
    assert_eq!(sent.addrs, addresses(ADDRESSES_MAX));
    let raw = |addrs: Vec<Vec<u8>>| {
        AnnouncementWire { public_key: key(1).encode_protobuf(), addrs }.encode_to_vec()
    };
    for count in [ANNOUNCEMENT_ADDRESSES_MAX, ANNOUNCEMENT_ADDRESSES_MAX + 1] {
        let bytes = raw(addresses(count).iter().map(Multiaddr::to_vec).collect());
        let taken = Announcement::decode(&bytes).unwrap().addrs;
        assert_eq!(taken, addresses(ANNOUNCEMENT_ADDRESSES_MAX));
    }
    // One address: 512 bytes pass, 513 are skipped. A name of n bytes takes n + 3.
    let named =
        |bytes: usize| format!("/dns4/{}", "x".repeat(bytes - 3)).parse::<Multiaddr>().unwrap();
    for (bytes, passes) in [(ADDRESS_BYTES_MAX, true), (ADDRESS_BYTES_MAX + 1, false)] {
        let long = named(bytes);
        assert_eq!(long.len(), bytes);
        let taken = Announcement::decode(&raw(vec![long.to_vec()])).unwrap().addrs;
        assert_eq!(taken.len(), usize::from(passes));
        let sent = Announcement::decode(&announce(vec![long]).encode()).unwrap().addrs;
        assert_eq!(sent.len(), usize::from(passes));
    }
    // Eight of the longest would not fit: the rest is left out, small ones still go.
    let mut many = vec![named(ADDRESS_BYTES_MAX); 7];
    many.push(addresses(1).remove(0));
    let bytes = announce(vec![named(ADDRESS_BYTES_MAX); 8]).encode();
    assert!(bytes.len() <= ANNOUNCEMENT_BYTES_MAX);
    assert_eq!(Announcement::decode(&bytes).unwrap().addrs.len(), 7);
    assert_eq!(Announcement::decode(&announce(many.clone()).encode()).unwrap().addrs, many);
}

#[test]
fn an_announcement_at_its_size_limit_and_beyond() {
    let base = Announcement { public_key: key(1), addrs: addresses(1) };
    for (size, fits) in [(ANNOUNCEMENT_BYTES_MAX, true), (ANNOUNCEMENT_BYTES_MAX + 1, false)] {
        let bytes = padded(base.encode(), size);
        let expected = if fits {
            Ok(base.clone())
        } else {
            let max = ANNOUNCEMENT_BYTES_MAX;
            Err(WireError::TooLarge { what: "announcement", bytes: size, max })
        };
        assert_eq!(Announcement::decode(&bytes), expected);
    }
}

#[test]
fn a_bad_address_alone_is_skipped_and_a_bad_key_is_not() {
    let good = addresses(2);
    let wire = AnnouncementWire {
        public_key: key(1).encode_protobuf(),
        addrs: vec![good[0].to_vec(), vec![0xFF; 9], vec![], vec![4, 1], good[1].to_vec()],
    };
    assert_eq!(Announcement::decode(&wire.encode_to_vec()).unwrap().addrs, good);
    for public_key in [vec![], vec![1, 2, 3], key(1).encode_protobuf()[..20].to_vec()] {
        let wire = AnnouncementWire { public_key, addrs: vec![] };
        let decoded = Announcement::decode(&wire.encode_to_vec());
        assert!(matches!(decoded, Err(WireError::Malformed(_))));
    }
}

// ---- Text --------------------------------------------------------------------------------------

#[test]
fn text_made_safe() {
    let table = [
        ("hello", "hello"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\u{1B}[31mred\u{7}\0", "[31mred"),
        ("abc\u{202E}cba\u{202C}\u{2066}x\u{2069}", "abccbax"),
        ("a\u{200B}b\u{FEFF}c\u{AD}d", "abcd"),
        ("line\u{2028}break\u{2029}and\u{85}more", "line\nbreak\nand\nmore"),
        ("می\u{200C}خواهم", "می\u{200C}خواهم"),
        ("👩\u{200D}👧", "👩\u{200D}👧"),
        ("tag\u{E0041}s", "tags"),
        ("<b>&amp;", "<b>&amp;"),
        ("", ""),
    ];
    for (text, expected) in table {
        assert_eq!(clean_text(text), expected);
    }
    let long = "ä".repeat(TEXT_CHARS_MAX + 5);
    assert_eq!(clean_text(&long).chars().count(), TEXT_CHARS_MAX);
}

#[test]
fn names_made_safe() {
    let table = [
        ("  Ada   Lovelace \n", "Ada Lovelace"),
        ("a\tb\r\nc", "a b c"),
        ("\u{202E}evil", "evil"),
        ("a\u{200D}b\u{200C}c", "abc"),
        ("\u{200B}\u{3164}\u{2800}", ""),
        (" \u{A0}\u{3000} ", ""),
        ("日本 語", "日本 語"),
    ];
    for (name, expected) in table {
        assert_eq!(clean_name(name), expected, "{name:?}");
    }
    assert_eq!(clean_name(&"é".repeat(NAME_CHARS_MAX + 1)), "é".repeat(NAME_CHARS_MAX));
    assert_eq!(clean_label("ab cd", 3), "ab");
    assert_eq!(clean_label("ab cd", 4), "ab c");
    assert_eq!(clean_label("ab", 0), "");
}

// ---- Properties --------------------------------------------------------------------------------

fn any_post() -> impl Strategy<Value = Post> {
    let kind = prop_oneof![
        (Just(PostKind::Text), "\\PC{0,200}".boxed()),
        (Just(PostKind::Presence), "\\PC{0,40}".boxed()),
        (Just(PostKind::Leave), Just(String::new()).boxed()),
    ];
    (any::<u64>(), any::<u64>(), kind, vec(any::<u8>(), 0..=REPLY_TO_BYTES_MAX)).prop_map(
        |(counter, created_ms, (kind, body), reply_to)| Post {
            counter,
            created_ms,
            kind,
            body: body.into_bytes(),
            reply_to,
        },
    )
}

proptest! {
    #[test]
    fn posts_read_what_they_write(post in any_post()) {
        let bytes = post.encode();
        prop_assert!(bytes.len() <= POST_BYTES_MAX);
        prop_assert_eq!(Post::decode(&bytes), Ok(post));
    }

    #[test]
    fn announcements_read_what_they_write(seed: u8, hosts in vec(any::<u32>(), 0..=ADDRESSES_MAX)) {
        let addrs = hosts
            .iter()
            .map(|host| format!("/ip4/{}/tcp/1", std::net::Ipv4Addr::from_bits(*host)).parse().unwrap())
            .collect();
        let announcement = Announcement { public_key: key(seed), addrs };
        prop_assert_eq!(Announcement::decode(&announcement.encode()), Ok(announcement));
    }

    /// Whatever comes is refused, or is something that we could have written ourselves.
    #[test]
    fn hostile_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(post) = Post::decode(&bytes) {
            prop_assert_eq!(Post::decode(&post.encode()), Ok(post));
        }
        if let Ok(announcement) = Announcement::decode(&bytes) {
            prop_assert!(announcement.addrs.len() <= ANNOUNCEMENT_ADDRESSES_MAX);
        }
    }

    /// As above, for bytes that are nearly right.
    #[test]
    fn damaged_bytes_never_panic(
        post in any_post(),
        hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let announcement = Announcement { public_key: key(3), addrs: addresses(4) };
        for mut bytes in [post.encode(), announcement.encode()] {
            for (at, value) in &hits {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(post) = Post::decode(&bytes) {
                prop_assert!(std::str::from_utf8(&post.body).is_ok());
                prop_assert_eq!(Post::decode(&post.encode()), Ok(post));
            }
            if let Ok(announcement) = Announcement::decode(&bytes) {
                prop_assert!(announcement.addrs.iter().all(|a| a.len() <= ADDRESS_BYTES_MAX));
            }
        }
    }

    #[test]
    fn cleaning_twice_changes_nothing(text in any::<String>(), max in 0..50_usize) {
        let once = clean_text(&text);
        prop_assert_eq!(clean_text(&once), once.clone());
        prop_assert!(once.chars().count() <= text.chars().count());
        prop_assert!(!once.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        let label = clean_label(&text, max);
        prop_assert_eq!(clean_label(&label, max), label.clone());
        prop_assert!(label.chars().count() <= max);
        prop_assert_eq!(label.trim(), label.as_str());
    }

    #[test]
    fn rooms_and_topics_belong_together(name in "\\PC{0,70}", good in "[a-z0-9._-]{1,64}") {
        for name in [name, good] {
            if let Ok(room) = name.parse::<RoomName>() {
                prop_assert_eq!(room_of_topic(&room_topic(&room)), Some(room));
            }
        }
    }
}

// ---- Auth --------------------------------------------------------------------------------------

fn auth_request() -> AuthRequest {
    let (grants, issued) = (vec![vec![1; 300], vec![2; GRANT_CHAIN_BYTES_MAX]], vec![vec![3; 9]]);
    let lists = vec![vec![4; 200]];
    let known = vec![(Key::from_bytes([5; 32]), 6), (Key::from_bytes([7; 32]), u64::MAX)];
    AuthRequest {
        network: [7; 32],
        grants,
        class: Class::Browser,
        issued,
        lists,
        known,
        keys: vec![vec![6; 200]],
    }
}

fn auth_answer(reason: Option<String>) -> AuthAnswer {
    AuthAnswer {
        status: AuthStatus::Denied,
        allowed: ActionSet::from_bits(5),
        expires_ms: Some(9),
        epoch: 3,
        access: Access::Friends,
        reason,
        lists: vec![vec![8; 200], vec![9; 3]],
        issued: vec![vec![7; 300]],
        keys: vec![vec![6; 200], vec![5; 3]],
    }
}

#[test]
fn auth_messages_read_back() {
    let request = auth_request();
    assert_eq!(AuthRequest::decode(&request.encode()), Ok(request));
    for status in [
        AuthStatus::Ok,
        AuthStatus::Busy,
        AuthStatus::Denied,
        AuthStatus::Malformed,
        AuthStatus::Unsupported,
        AuthStatus::Expired,
    ] {
        for access in Access::ALL {
            let answer = AuthAnswer { status, access, ..auth_answer(Some("link 0".to_owned())) };
            assert_eq!(AuthAnswer::decode(&answer.encode()), Ok(answer));
        }
    }
}

#[test]
fn auth_messages_are_bounded() {
    let too_many = AuthRequest { grants: vec![vec![1]; AUTH_CHAINS_MAX + 1], ..auth_request() };
    let too_long =
        AuthRequest { issued: vec![vec![1; GRANT_CHAIN_BYTES_MAX + 1]], ..auth_request() };
    let too_many_lists = AuthRequest { lists: vec![vec![1]; AUTH_LISTS_MAX + 1], ..auth_request() };
    let too_long_list =
        AuthRequest { lists: vec![vec![1; REVOCATION_LIST_BYTES_MAX + 1]], ..auth_request() };
    let too_much_known = AuthRequest {
        known: vec![(Key::from_bytes([5; 32]), 6); REVOCATION_ISSUERS_MAX + 1],
        ..auth_request()
    };
    let too_many_keys =
        AuthRequest { keys: vec![vec![1]; ROOM_KEYS_ROOMS_MAX + 1], ..auth_request() };
    let too_long_key =
        AuthRequest { keys: vec![vec![1; ROOM_KEY_BYTES_MAX + 1]], ..auth_request() };
    for request in [
        too_many_keys,
        too_long_key,
        too_many,
        too_long,
        too_many_lists,
        too_long_list,
        too_much_known,
    ] {
        let refused = AuthRequest::decode(&request.encode());
        assert!(matches!(refused, Err(WireError::TooLarge { .. })), "{refused:?}");
    }
    let fits = padded(auth_request().encode(), AUTH_REQUEST_BYTES_MAX);
    assert_eq!(AuthRequest::decode(&fits), Ok(auth_request()));
    assert!(
        AuthRequest::decode(&padded(auth_request().encode(), AUTH_REQUEST_BYTES_MAX + 1)).is_err()
    );
    let chains = vec![vec![1; GRANT_CHAIN_BYTES_MAX]; AUTH_CHAINS_MAX];
    let full = AuthRequest {
        grants: chains.clone(),
        issued: chains,
        lists: vec![vec![1; REVOCATION_LIST_BYTES_MAX]],
        known: vec![(Key::from_bytes([5; 32]), u64::MAX); REVOCATION_ISSUERS_MAX],
        keys: vec![vec![1; ROOM_KEY_BYTES_MAX]; ROOM_KEYS_ROOMS_MAX],
        ..auth_request()
    };
    assert_eq!(AuthRequest::decode(&full.encode()), Ok(full), "the fullest of ours fits");
    // An endless reason is cut by the one who sends it, and made safe by the one who reads it.
    let answer = auth_answer(Some("x\u{202e}".repeat(9_999)));
    let read = AuthAnswer::decode(&answer.encode()).unwrap();
    assert_eq!(read.reason, Some("x".repeat(AUTH_REASON_CHARS_MAX)));
    let largest = auth_answer(Some("\u{10348}".repeat(AUTH_REASON_CHARS_MAX)));
    let lists = vec![vec![1; AUTH_LISTS_BYTES_MAX / AUTH_LISTS_MAX]; AUTH_LISTS_MAX];
    let issued = vec![vec![1; GRANT_CHAIN_BYTES_MAX]; AUTH_CHAINS_MAX];
    let keys = vec![vec![1; ROOM_KEY_BYTES_MAX]; ROOM_KEYS_ROOMS_MAX];
    let largest =
        AuthAnswer { epoch: u64::MAX, expires_ms: Some(u64::MAX), lists, issued, keys, ..largest };
    assert!(largest.encode().len() <= AUTH_ANSWER_BYTES_MAX);
}

#[test]
fn an_empty_answer_is_no_success() {
    assert!(AuthAnswer::decode(b"").is_err(), "no access");
    let unset = AnswerWire { access: 1, ..AnswerWire::default() };
    assert_eq!(AuthAnswer::decode(&unset.encode_to_vec()).unwrap().status, AuthStatus::Malformed);
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_auth_messages_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(request) = AuthRequest::decode(&bytes) {
            prop_assert_eq!(AuthRequest::decode(&request.encode()), Ok(request));
        }
        if let Ok(answer) = AuthAnswer::decode(&bytes) {
            prop_assert_eq!(AuthAnswer::decode(&answer.encode()), Ok(answer));
        }
    }
}
