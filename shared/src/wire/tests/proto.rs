//! The published `.proto` files and the code must be the same format. A tiny reader takes the fields
//! out of the text; a tiny decoder takes them out of encoded bytes.

use std::collections::BTreeMap;

use libp2p_identity::Keypair;
use prost::Message;

use crate::wire::announcement::AnnouncementWire;
use crate::wire::auth::{AnswerWire, KnownWire, RequestWire};
use crate::wire::post::PostWire;
use crate::wire::{Post, PostKind};

const POST: &str = include_str!("../../../proto/post.proto");
const AUTH: &str = include_str!("../../../proto/auth.proto");
const ANNOUNCEMENT: &str = include_str!("../../../proto/announcement.proto");

/// A field as the text states it: number to (type, name).
type Fields = BTreeMap<u32, (String, String)>;

/// The fields of a message, or the values of an enum.
fn block(text: &str, head: &str) -> Fields {
    let mut fields = Fields::new();
    let lines = text.lines().map(str::trim).skip_while(|line| *line != format!("{head} {{"));
    for line in lines.skip(1).take_while(|line| *line != "}") {
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let (left, number) = line.strip_suffix(';').unwrap().split_once(" = ").unwrap();
        let (kind, name) = left.rsplit_once(' ').unwrap_or(("", left));
        let old = fields.insert(number.parse().unwrap(), (kind.into(), name.into()));
        assert_eq!(old, None, "{number} is there twice");
    }
    assert!(!fields.is_empty(), "{head} is not there");
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    prost::encoding::decode_varint(bytes).unwrap()
}

/// The fields of encoded bytes: number to (wire type, contents), in order.
fn fields_of(mut bytes: &[u8]) -> Vec<(u32, u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let contents = match tag & 7 {
            0 => varint(&mut bytes).to_be_bytes().to_vec(),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (contents, rest) = bytes.split_at(length);
                bytes = rest;
                contents.to_vec()
            }
            other => panic!("wire type {other}"),
        };
        fields.push((u32::try_from(tag >> 3).unwrap(), (tag & 7) as u8, contents));
    }
    fields
}

fn wire_type(kind: &str) -> u8 {
    match kind {
        "uint32" | "uint64" | "Kind" => 0,
        "bytes" | "repeated bytes" | "string" | "repeated Known" => 2,
        other => panic!("the reader does not know {other}"),
    }
}

#[test]
fn the_code_writes_posts_as_the_file_says() {
    let stated = block(POST, "message Post");
    let wire = PostWire {
        v: 1,
        counter: 22,
        created_ms: u64::MAX,
        kind: 3,
        body: b"body".to_vec(),
        reply_to: b"reply_to".to_vec(),
    };
    let by_name = BTreeMap::from([
        ("v", 1_u64.to_be_bytes().to_vec()),
        ("counter", 22_u64.to_be_bytes().to_vec()),
        ("created_ms", u64::MAX.to_be_bytes().to_vec()),
        ("kind", 3_u64.to_be_bytes().to_vec()),
        ("body", b"body".to_vec()),
        ("reply_to", b"reply_to".to_vec()),
    ]);
    let found = fields_of(&wire.encode_to_vec());
    assert_eq!(found.len(), stated.len());
    for (number, found_type, contents) in found {
        let (kind, name) = &stated[&number];
        assert_eq!(found_type, wire_type(kind), "{name}");
        assert_eq!(contents, by_name[name.as_str()], "{name}");
    }
}

#[test]
fn the_kinds_of_posts_are_those_of_the_file() {
    let stated = block(POST, "enum Kind");
    assert_eq!(stated[&0].1, "UNSET");
    for (kind, name) in [
        (PostKind::Text, "TEXT"),
        (PostKind::Presence, "PRESENCE"),
        (PostKind::Leave, "LEAVE"),
        (PostKind::Sealed, "SEALED"),
    ] {
        let post = Post { counter: 1, created_ms: 1, kind, body: vec![], reply_to: vec![] };
        let number = PostWire::decode(post.encode().as_slice()).unwrap().kind;
        assert_eq!(stated[&u32::try_from(number).unwrap()].1, name);
    }
    assert_eq!(stated.len(), 5);
}

#[test]
fn the_code_writes_announcements_as_the_file_says() {
    let stated = block(ANNOUNCEMENT, "message Announcement");
    let key = Keypair::ed25519_from_bytes([1; 32]).unwrap().public().encode_protobuf();
    let wire =
        AnnouncementWire { public_key: key.clone(), addrs: vec![b"one".into(), b"two".into()] };
    let name = |number: u32| stated[&number].1.as_str();
    let found = fields_of(&wire.encode_to_vec());
    let expected = [("public_key", key), ("addrs", b"one".to_vec()), ("addrs", b"two".to_vec())];
    assert_eq!(found.len(), expected.len());
    for ((number, found_type, contents), (expected_name, expected_contents)) in
        found.into_iter().zip(expected)
    {
        assert_eq!(name(number), expected_name);
        assert_eq!(found_type, wire_type(&stated[&number].0));
        assert_eq!(contents, expected_contents);
    }
    assert_eq!(stated[&2].0, "repeated bytes");
    assert_eq!(stated.len(), 2);
}

#[test]
fn the_code_writes_auth_messages_as_the_file_says() {
    let number = |value: u64| value.to_be_bytes().to_vec();
    let known = KnownWire { issuer: b"issuer".to_vec(), version: 2 };
    let request = RequestWire {
        network: b"network".to_vec(),
        grants: vec![b"grants".to_vec()],
        features: 3,
        class: 4,
        issued: vec![b"issued".to_vec()],
        lists: vec![b"lists".to_vec()],
        known: vec![known.clone()],
        keys: vec![b"keys".to_vec()],
    };
    let answer = AnswerWire {
        status: 1,
        allowed: 2,
        expires_ms: 3,
        epoch: 4,
        access: 5,
        reason: "reason".to_owned(),
        lists: vec![b"lists".to_vec()],
        issued: vec![b"issued".to_vec()],
        keys: vec![b"keys".to_vec()],
    };
    let text = |name: &str| (name.to_owned(), name.as_bytes().to_vec());
    let requested = BTreeMap::from([
        text("network"),
        text("grants"),
        ("features".to_owned(), number(3)),
        ("class".to_owned(), number(4)),
        text("issued"),
        text("keys"),
        text("lists"),
        ("known".to_owned(), known.encode_to_vec()),
    ]);
    let answered = BTreeMap::from([
        ("status".to_owned(), number(1)),
        ("allowed".to_owned(), number(2)),
        ("expires_ms".to_owned(), number(3)),
        ("epoch".to_owned(), number(4)),
        ("access".to_owned(), number(5)),
        text("reason"),
        text("issued"),
        text("keys"),
        text("lists"),
    ]);
    for (head, bytes, expected) in [
        ("message Request", request.encode_to_vec(), requested),
        ("message Answer", answer.encode_to_vec(), answered),
        (
            "message Known",
            known.encode_to_vec(),
            BTreeMap::from([text("issuer"), ("version".to_owned(), number(2))]),
        ),
    ] {
        let stated = block(AUTH, head);
        let found = fields_of(&bytes);
        assert_eq!((found.len(), found.len()), (stated.len(), expected.len()));
        for (number, found_type, contents) in found {
            let (kind, name) = &stated[&number];
            assert_eq!(found_type, wire_type(kind), "{name}");
            assert_eq!(contents, expected[name], "{name}");
        }
    }
}
