use libp2p_identity::PeerId;
use proptest::prelude::*;

use super::*;
use crate::limits::{POST_BODY_BYTES_MAX, ROOM_KEYS_KEPT, ROOM_KEYS_ROOMS_MAX, ROOM_SEAL_BYTES};

const NETWORK: NetworkId = [9; 32];
const GARDEN: &str = "peerloom/members/garden";

fn signer(seed: u8) -> Signer {
    libp2p_identity::ed25519::SecretKey::try_from_bytes([seed; 32]).expect("32 bytes").into()
}

fn peer(seed: u8) -> PeerId {
    libp2p_identity::PublicKey::from(signer(seed).public()).to_peer_id()
}

fn first(topic: &str, secret: u8) -> RoomKey {
    RoomKey::first(NETWORK, Key::of(&signer(1)), topic, (1_000, [secret; 32]))
}

#[test]
fn a_key_counts_where_a_root_of_its_network_made_it() {
    let (root, other) = (signer(1), signer(2));
    let signed = first(GARDEN, 3).sign(&root);
    assert_eq!(SignedRoomKey::decode(&signed.encode()), Ok(signed.clone()));
    let roots = [Key::of(&root)];
    assert!(signed.counts(&NETWORK, &roots));
    assert!(!signed.counts(&[8; 32], &roots), "another network");
    assert!(!signed.counts(&NETWORK, &[Key::of(&other)]), "no root");
    assert!(!first(GARDEN, 3).sign(&other).counts(&NETWORK, &roots), "signed by another");
    assert!(!format!("{signed:?}").contains("3, 3"), "secrets are not printed");
}

#[test]
fn only_members_rooms_have_keys() {
    for topic in ["peerloom/open/garden", "peerloom/members/", "peerloom/members/Bad", ""] {
        let signed = first(topic, 3).sign(&signer(1));
        assert!(SignedRoomKey::decode(&signed.encode()).is_err(), "{topic}");
    }
}

#[test]
fn what_opens_is_the_authors_own_in_its_room() {
    let (key, anna, bo) = (first(GARDEN, 3), peer(5), peer(6));
    let sealed = seal(&key, &anna, 7, b"the roses").expect("small");
    assert_eq!(key_of(&sealed), Some(key.id()));
    assert_eq!(open(&key, &anna, 7, &sealed).as_deref(), Some(&b"the roses"[..]));
    assert_eq!(open(&key, &bo, 7, &sealed), None, "said by another");
    assert_eq!(open(&key, &anna, 8, &sealed), None, "under another counter");
    let attic = RoomKey { topic: "peerloom/members/attic".to_owned(), ..key.clone() };
    assert_eq!(open(&attic, &anna, 7, &sealed), None, "in another room");
    assert_eq!(open(&first(GARDEN, 4), &anna, 7, &sealed), None, "with another key");
    for place in 8..sealed.len() {
        let mut bent = sealed.clone();
        bent[place] ^= 1;
        assert_eq!(open(&key, &anna, 7, &bent), None, "byte {place} changed");
    }
    assert_ne!(sealed, seal(&key, &anna, 7, b"the rose!").expect("small"));
    assert_eq!(sealed.len(), b"the roses".len() + ROOM_SEAL_BYTES);
    assert_eq!(seal(&key, &anna, 7, &vec![0; POST_BODY_BYTES_MAX]), None, "too large");
}

#[test]
fn a_ring_keeps_the_newest_keys_of_each_room() {
    let (root, mut ring) = (signer(1), KeyRing::default());
    let mut key = first(GARDEN, 0);
    assert!(ring.add(key.clone().sign(&root)));
    assert!(!ring.add(key.clone().sign(&root)), "known");
    let oldest = key.clone();
    for secret in 1..=u8::try_from(ROOM_KEYS_KEPT).expect("few") {
        key = key.next(Key::of(&root), (2_000, [secret; 32]));
        assert!(ring.add(key.clone().sign(&root)));
        assert_eq!(ring.newest_of(GARDEN), Some(&key));
    }
    assert_eq!(ring.find(GARDEN, &oldest.id()), None);
    assert!(!ring.add(oldest.sign(&root)), "too old");
    assert_eq!(ring.iter().count(), ROOM_KEYS_KEPT);
    for room in 1..ROOM_KEYS_ROOMS_MAX {
        assert!(ring.add(first(&format!("peerloom/members/r{room}"), 1).sign(&root)));
    }
    assert!(!ring.add(first("peerloom/members/more", 1).sign(&root)));
    assert_eq!(ring.newest().count(), ROOM_KEYS_ROOMS_MAX);
    assert_eq!(ring.newest_of(GARDEN), Some(&key));
}

proptest! {
    #[test]
    fn a_ring_is_the_same_in_whatever_order_keys_come(
        order in Just((0..24_u8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let root = signer(1);
        let keys: Vec<_> = (0..24_u8)
            .map(|number| {
                let topic = format!("peerloom/members/r{}", number % 3);
                let generation = u64::from(number / 6) + 1;
                RoomKey { generation, ..first(&topic, number) }.sign(&root)
            })
            .collect();
        let whole = KeyRing::of(keys.clone());
        let mixed = KeyRing::of(order.into_iter().map(|at| keys[usize::from(at)].clone()));
        prop_assert_eq!(whole, mixed);
    }

    #[test]
    fn decoding_never_panics_and_has_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(signed) = SignedRoomKey::decode(&bytes) {
            prop_assert_eq!(signed.encode(), bytes);
        }
    }

    #[test]
    fn what_is_made_up_does_not_open(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(open(&first(GARDEN, 3), &peer(5), 7, &bytes), None);
    }
}
