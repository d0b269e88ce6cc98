//! The cache: what it remembers, for how long, and what floods cost.

use super::*;
use crate::time::Mono;

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

/// Whether the chain was accepted without looking at its signatures: a source without tokens.
fn is_remembered(cache: &mut ChainCache<u8>, now: Mono, scene: &Scene, bytes: &[u8]) -> bool {
    let spent = links(1, |_, body| body.terms.nonce = [77; 8]);
    while cache.check(now, 9, &flood(spent[0].clone()), &Scene::shown_by(1).context())
        != Err(CheckError::SourceBusy)
    {}
    cache.check(now, 9, bytes, &scene.context()).is_ok()
}

/// A chain with a bad signature.
fn flood(link: Link) -> Vec<u8> {
    let mut bytes = bytes_of(&[link]);
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn remembered_for_a_minute() {
    let (scene, bytes) = (Scene::shown_by(2), chain(2));
    let mut cache = ChainCache::new();
    assert!(!is_remembered(&mut cache, at(0), &scene, &bytes));
    assert!(cache.check(at(0), 1, &bytes, &scene.context()).is_ok());
    assert_eq!(cache.len(), 1);
    assert!(is_remembered(&mut cache, at(0), &scene, &bytes));
    assert!(is_remembered(&mut cache, at(59_999), &scene, &bytes));
    assert!(!is_remembered(&mut cache, at(60_000), &scene, &bytes));
    assert!(cache.is_empty());
}

#[test]
fn nothing_outlives_what_it_rests_on() {
    let (scene, bytes) = (Scene::shown_by(2), chain(2));
    let mut cache = ChainCache::new();
    assert!(cache.check(at(0), 1, &bytes, &scene.context()).is_ok());
    let refused = |cache: &mut ChainCache<u8>, scene: &Scene| {
        cache.check(at(1), 2, &bytes, &scene.context()).map(|_| ()).map_err(|e| match e {
            CheckError::Grant(e) => e.fault.name(),
            CheckError::SourceBusy | CheckError::Busy => "busy",
        })
    };
    let late = Scene { now_ms: terms(1).expires_ms + TOLERANCE, ..scene.clone() };
    assert_eq!(refused(&mut cache, &late), Err("expired"));
    let untrusted = Scene { roots: vec![key(7)], ..scene.clone() };
    assert_eq!(refused(&mut cache, &untrusted), Err("not_trusted"));
    let thief = Scene { holder: Audience::Peer(key(5)), ..scene.clone() };
    assert_eq!(refused(&mut cache, &thief), Err("not_the_holder"));
    let elsewhere = Scene { network: [8; 32], ..scene.clone() };
    assert_eq!(refused(&mut cache, &elsewhere), Err("other_network"));
    let mut revoked = scene.clone();
    revoked.revoke(0, &[entry(Target::Peer(key(2)), NOW)]);
    assert_eq!(refused(&mut cache, &revoked), Err("revoked"));
    assert_eq!(refused(&mut cache, &scene), Ok(()));
}

#[test]
fn a_flood_of_bad_grants_buys_few_signatures() {
    let scene = Scene::shown_by(1);
    let bytes = flood(links(1, |_, _| ())[0].clone());
    let mut cache = ChainCache::new();
    let mut checked = 0;
    for n in 0..10_000_u64 {
        match cache.check(at(n / 10), 1, &bytes, &scene.context()) {
            Err(CheckError::Grant(e)) => {
                assert_eq!(e.fault, Fault::Forged);
                checked += 1;
            }
            Err(CheckError::SourceBusy) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((32..=36).contains(&checked), "{checked} signatures in a second");
    assert!(cache.is_empty());
    // Somebody else is served meanwhile.
    assert!(cache.check(at(1_000), 2, &chain(1), &scene.context()).is_ok());
}

#[test]
fn many_sources_have_one_limit_together() {
    let scene = Scene::shown_by(1);
    let bytes = flood(links(1, |_, _| ())[0].clone());
    let mut cache = ChainCache::new();
    let mut checked = 0;
    for source in 0..3_000_u16 {
        match cache.check(at(0), source, &bytes, &scene.context()) {
            Err(CheckError::Grant(_)) => checked += 1,
            Err(CheckError::Busy) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(checked, 2_000);
}

#[test]
fn what_fails_before_the_signatures_costs_nothing() {
    let (scene, bytes) = (Scene::shown_by(2), chain(1));
    let mut cache = ChainCache::new();
    for _ in 0..1_000 {
        assert!(cache.check(at(0), 1, &bytes, &scene.context()).is_err());
        assert!(cache.check(at(0), 1, &[1; 4_000], &scene.context()).is_err());
    }
    assert!(cache.check(at(0), 1, &chain(2), &scene.context()).is_ok());
}
