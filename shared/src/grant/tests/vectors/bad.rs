//! Chains that do not count. A name is `bad/FIELD/FAULT/WHAT`.

use super::*;

/// Where the fields of a link begin.
const KIND: usize = 97;
const ACTIONS: usize = 130;
const PREFIX_LENGTH: usize = 165;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(forms());
    cases.extend(alone());
    cases.extend(times());
    cases.extend(roots());
    cases.extend(steps());
    cases.extend(holders());
    cases.extend(revocations());
    cases.extend(keys());
    cases.extend(signatures());
    cases
}

fn case(name: &str, bytes: Vec<u8>) -> Case {
    Case::new(format!("bad/{name}"), Scene::shown_by(3), bytes)
}

/// The ordinary chain of three links with one of them changed, and signed all the same.
fn changed(name: &str, place: u8, change: impl Fn(&mut Body)) -> Case {
    let bytes = bytes_of(&links(3, |n, body| {
        if n == place {
            change(body);
        }
    }));
    case(&format!("{name}, link {place}"), bytes)
}

/// One link, its body changed as bytes and signed as it is.
fn raw(name: &str, change: impl Fn(&mut Vec<u8>)) -> Case {
    let mut body = links(1, |_, _| ())[0].body().encode();
    change(&mut body);
    let signature = sign(&signer(0), DOMAIN, &body);
    body.extend_from_slice(&signature);
    Case::new(format!("bad/{name}"), Scene::shown_by(1), body)
}

fn lengths() -> Vec<Case> {
    let three = chain(3);
    let mut cases = vec![case("length/empty/nothing", Vec::new())];
    // The end of each field of the first link, and a byte less.
    let ends = [1, 33, 65, 97, 98, 130, 138, 146, 154, 155, 157, 165, 166, 171, 235];
    for end in ends {
        cases.push(case(&format!("length/cut_off/{} bytes", end - 1), three[..end - 1].to_vec()));
    }
    cases.remove(1);
    for end in [170, 234, 236 + 100, three.len() - 64, three.len() - 1] {
        cases.push(case(
            &format!("length/cut_off/{end} bytes of three links"),
            three[..end].to_vec(),
        ));
    }
    let five = [&chain(4)[..], &chain(1)].concat();
    cases.push(case("length/trailing/five links", five));
    let tail = [&chain(4)[..], &[1]].concat();
    cases.push(case("length/trailing/a byte after four links", tail));
    for bytes in [2_049, 4_096] {
        cases.push(case(&format!("length/too_much/{bytes} bytes"), vec![1; bytes]));
    }
    cases.push(case("version/unknown/a zero byte after three links", [&three[..], &[0]].concat()));
    cases.push(case("length/cut_off/a byte after three links", [&three[..], &[1]].concat()));
    cases
}

fn forms() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [0, 2, 3, 127, 128, 255] {
        cases.push(raw(&format!("version/unknown/{version}"), |body| body[0] = version));
    }
    for (place, start) in [(1, 235), (2, 235 + 237)] {
        let mut bytes = chain(3);
        bytes[start] = 2;
        cases.push(case(&format!("version/unknown/2, link {place}"), bytes));
    }
    for kind in [0, 3, 4, 128, 255] {
        cases.push(raw(&format!("audience/unknown/kind {kind}"), |body| body[KIND] = kind));
    }
    for length in [129_u8, 200, 255] {
        cases.push(raw(&format!("prefix/too_much/{length} bytes"), |body| {
            body.truncate(PREFIX_LENGTH);
            body.push(length);
            body.extend(std::iter::repeat_n(b'x', length.into()));
        }));
    }
    let texts: [(&str, &[u8]); 10] = [
        ("slash first", b"/topic"),
        ("slash last", b"topic/"),
        ("only a slash", b"/"),
        ("line feed", b"topic/\n"),
        ("zero", b"topic/\0"),
        ("delete", b"topic/\x7f"),
        ("C1 control", b"topic/\xc2\x85"),
        ("no UTF-8", b"topic/\xff"),
        ("overlong UTF-8", b"topic/\xc0\xaf"),
        ("half a character", b"topic/\xe8\x8a"),
    ];
    for (name, text) in texts {
        cases.push(raw(&format!("prefix/malformed/{name}"), |body| {
            body.truncate(PREFIX_LENGTH);
            body.push(u8::try_from(text.len()).unwrap());
            body.extend_from_slice(text);
        }));
    }
    // A length that lies: the signature's first bytes become prefix.
    cases.push(raw("length/cut_off/prefix longer than it is", |body| body[PREFIX_LENGTH] = 80));
    cases
}

fn alone() -> Vec<Case> {
    let mut cases = Vec::new();
    for place in 0..3 {
        cases.push(changed("network/other_network/signed", place, |body| body.network = [8; 32]));
        cases.push(changed("network/other_network/one bit", place, |body| body.network[31] ^= 1));
        cases.push(changed("expiry/empty_window/no time", place, |body| {
            body.terms.expires_ms = body.terms.not_before_ms
        }));
        cases.push(changed("expiry/empty_window/end before beginning", place, |body| {
            body.terms.expires_ms = 1
        }));
        cases.push(changed("expiry/too_long_lived/90 days and 1 ms", place, |body| {
            body.terms.expires_ms = body.terms.not_before_ms + LIFE_MAX + 1;
        }));
        cases.push(changed("expiry/too_long_lived/for ever", place, |body| {
            body.terms.expires_ms = u64::MAX
        }));
    }
    cases
}

fn times() -> Vec<Case> {
    let mut cases = Vec::new();
    for place in 0..3 {
        cases.push(changed("not_before/not_yet/1 ms too early", place, |body| {
            body.terms.not_before_ms = NOW + TOLERANCE + 1;
        }));
        cases.push(changed("expiry/expired/1 ms too late", place, |body| {
            body.terms.not_before_ms = NOW - DAY;
            body.terms.expires_ms = NOW - TOLERANCE;
        }));
    }
    for (name, now_ms) in [
        ("not_before/not_yet/clock at zero", 0),
        ("not_before/not_yet/just before the tolerance", terms(0).not_before_ms - TOLERANCE - 1),
        ("expiry/expired/just after the tolerance", terms(0).expires_ms + TOLERANCE),
        ("expiry/expired/end of time", u64::MAX),
    ] {
        let mut case = case(name, chain(3));
        case.scene.now_ms = now_ms;
        cases.push(case);
    }
    cases
}

fn roots() -> Vec<Case> {
    let mut cases = vec![
        changed("parent/not_a_root/some id", 0, |body| body.parent = GrantId::from_bytes([1; 32])),
        changed("issuer/not_trusted/somebody", 0, |body| body.issuer = key(9)),
    ];
    // The rest of a chain without its root.
    cases.push(case("parent/not_a_root/the root is missing", bytes_of(&links(3, |_, _| ())[1..])));
    let with = |name: &str, roots: Vec<Key>, owners: Vec<Owner>| {
        let mut case = case(name, chain(3));
        case.scene = Scene { roots, owners, ..case.scene };
        case
    };
    let owner = |n: u8, text: &str| Owner { key: key(n), owned: Prefix::new(text).unwrap() };
    cases.push(with("issuer/not_trusted/nobody is trusted", vec![], vec![]));
    cases.push(with("issuer/not_trusted/others are trusted", vec![key(1), key(2), key(3)], vec![]));
    cases.push(with("issuer/not_trusted/owned by another", vec![], vec![owner(1, "topic")]));
    for owned in ["topic/a", "topi", "topics", "content", "mailbox/x"] {
        let name = format!("prefix/not_owned/owner of {owned}");
        cases.push(with(&name, vec![], vec![owner(0, owned)]));
    }
    cases
}

fn steps() -> Vec<Case> {
    let mut cases = Vec::new();
    let prefix =
        |text: &'static str| move |body: &mut Body| body.terms.prefix = Prefix::new(text).unwrap();
    for place in 1..3 {
        cases.push(changed("parent/other_parent/none", place, |body| body.parent = GrantId::NONE));
        cases.push(changed("parent/other_parent/some id", place, |body| {
            body.parent = GrantId::from_bytes([1; 32])
        }));
        cases.push(changed("issuer/not_the_audience/somebody", place, |body| body.issuer = key(9)));
        cases.push(changed("issuer/not_the_audience/the root", place, |body| body.issuer = key(0)));
        cases.push(changed("actions/more_than_parent/one more", place, |body| {
            body.terms.actions = body.terms.actions.with(Action::AdminWrite);
        }));
        cases.push(changed("actions/more_than_parent/an unknown one more", place, |body| {
            body.terms.actions = ActionSet::from_bits(body.terms.actions.bits() | 1 << 63);
        }));
        cases.push(changed("actions/more_than_parent/all", place, |body| {
            body.terms.actions = ActionSet::from_bits(!0)
        }));
        cases.push(changed("not_before/more_than_parent/1 ms earlier", place, move |body| {
            body.terms.not_before_ms = terms(place - 1).not_before_ms - 1;
        }));
        cases.push(changed("expiry/more_than_parent/1 ms later", place, move |body| {
            body.terms.expires_ms = terms(place - 1).expires_ms + 1;
        }));
        cases.push(changed("depth/more_than_parent/the same", place, move |body| {
            body.terms.depth = terms(place - 1).depth
        }));
        cases.push(changed("depth/more_than_parent/255", place, |body| body.terms.depth = 255));
        cases.push(changed("prefix/more_than_parent/everything", place, prefix("")));
        cases.push(changed("prefix/more_than_parent/a sibling", place, prefix("content")));
        cases.push(changed("prefix/more_than_parent/a longer segment", place, move |body| {
            let text = format!("{}b", terms(place - 1).prefix);
            body.terms.prefix = Prefix::new(&text).unwrap();
        }));
        let not_delegable = bytes_of(&links(3, |n, body| {
            if n == place - 1 {
                body.terms.depth = 0;
            }
        }));
        cases.push(case(&format!("depth/not_delegable/0 above, link {place}"), not_delegable));
        for (above, below) in [(1, 0), (1, 2), (5, 0), (5, 6), (1, u16::MAX)] {
            let bytes = bytes_of(&links(3, |n, body| {
                body.terms.max_uses = if n == place {
                    below
                } else if n < place {
                    above
                } else {
                    1
                };
            }));
            let name = format!("max_uses/more_than_parent/{below} of {above}, link {place}");
            cases.push(case(&name, bytes));
        }
    }
    cases.push(changed("prefix/more_than_parent/the parent's parent", 2, prefix("topic")));
    cases.extend(strung());
    cases
}

/// Good links in a wrong order.
fn strung() -> Vec<Case> {
    let mut cases = Vec::new();
    let swapped = links(3, |_, _| ());
    cases.push(case(
        "parent/not_a_root/links swapped",
        bytes_of(&[swapped[1].clone(), swapped[0].clone()]),
    ));
    cases.push(case(
        "parent/other_parent/a link twice",
        bytes_of(&[swapped[0].clone(), swapped[0].clone()]),
    ));
    cases.push(case(
        "parent/other_parent/a link left out",
        bytes_of(&[swapped[0].clone(), swapped[2].clone()]),
    ));
    let other = links(3, |_, body| body.terms.nonce = [99; 8]);
    cases.push(case(
        "parent/other_parent/a link of another chain",
        bytes_of(&[swapped[0].clone(), other[1].clone()]),
    ));
    cases
}

fn holders() -> Vec<Case> {
    let mut cases = vec![
        changed("audience/not_the_holder/somebody", 2, |body| {
            body.terms.audience = Audience::Peer(key(9))
        }),
        changed("audience/not_the_holder/an invite with the peer's key", 2, |body| {
            body.terms.audience = Audience::Invite(body.terms.audience.key());
        }),
    ];
    for count in [1, 2] {
        cases.push(case(&format!("audience/not_the_holder/only the first {count}"), chain(count)));
    }
    for n in [0, 1, 2, 4] {
        let mut case = case(&format!("audience/not_the_holder/shown by place {n}"), chain(3));
        case.scene.holder = Audience::Peer(key(n));
        cases.push(case);
    }
    let mut invite = case("audience/not_the_holder/shown by an invite", chain(3));
    invite.scene.holder = Audience::Invite(key(3));
    cases.push(invite);
    cases
}

fn revocations() -> Vec<Case> {
    let mut cases = Vec::new();
    let ids: Vec<_> = links(3, |_, _| ()).iter().map(Link::id).collect();
    for place in 0..3_u8 {
        for by in 0..=place {
            let end = format!("link {place} by {by}");
            let id = ids[usize::from(place)];
            let grant = case(&format!("id/revoked/{end}"), chain(3));
            cases.push(grant.after_list(by, &[entry(Target::Grant(id), NOW + DAY)]));
            let peer = case(&format!("audience/revoked/{end}"), chain(3));
            cases.push(peer.after_list(by, &[entry(Target::Peer(key(place + 1)), NOW)]));
            let issuer = case(&format!("issuer/revoked/{end}"), chain(3));
            cases.push(issuer.after_list(by, &[entry(Target::Issuer(key(place)), NOW)]));
        }
    }
    let ever = case("audience/revoked/for ever", chain(3));
    cases.push(ever.after_list(0, &[entry(Target::Peer(key(3)), u64::MAX)]));
    let edge = case("audience/revoked/1 ms after the beginning", chain(3));
    cases.push(edge.after_list(0, &[entry(Target::Peer(key(3)), terms(0).not_before_ms + 1)]));
    let later = bytes_of(&links(3, |n, body| {
        if n == 2 {
            body.terms.not_before_ms = NOW + MINUTE;
        }
    }));
    let dodge = case("audience/revoked/a later link below an older one", later);
    cases.push(dodge.after_list(0, &[entry(Target::Peer(key(3)), NOW)]));
    cases
}

fn keys() -> Vec<Case> {
    let mut cases = Vec::new();
    for weak in weak_keys() {
        let name = HEXLOWER.encode(&weak);
        let weak = Key::from_bytes(weak);
        let trusted = bytes_of(&links(1, |_, body| body.issuer = weak));
        let mut root =
            Case::new(format!("bad/issuer/weak_key/{name}"), Scene::shown_by(1), trusted);
        root.scene.roots = vec![weak];
        cases.push(root);
        let granted = bytes_of(&links(1, |_, body| body.terms.audience = Audience::Peer(weak)));
        let mut last =
            Case::new(format!("bad/audience/weak_key/{name}"), Scene::shown_by(1), granted);
        last.scene.holder = Audience::Peer(weak);
        cases.push(last);
    }
    cases
}

fn signatures() -> Vec<Case> {
    let mut cases = Vec::new();
    let three = chain(3);
    let lengths: Vec<_> = (0..3).map(|n| 230 + terms(n).prefix.as_str().len()).collect();
    for place in 0..3 {
        let end: usize = lengths[..=place].iter().sum();
        let start = end - lengths[place];
        for (name, at) in
            [("R", end - 64), ("end of R", end - 33), ("S", end - 32), ("end of S", end - 1)]
        {
            let mut bytes = three.clone();
            bytes[at] ^= 1;
            cases.push(case(&format!("signature/forged/a bit of {name}, link {place}"), bytes));
        }
        let mut larger = three.clone();
        let signature = with_larger_s(three[end - 64..end].try_into().unwrap());
        larger[end - 64..end].copy_from_slice(&signature);
        cases.push(case(&format!("signature/forged/S + L, link {place}"), larger));
        for (name, signature) in [("zeros", [0; 64]), ("ones", [0xff; 64])] {
            let mut bytes = three.clone();
            bytes[end - 64..end].copy_from_slice(&signature);
            cases.push(case(&format!("signature/forged/{name}, link {place}"), bytes));
        }
        // The last link's own terms changed, within what its parent allows, and not signed again.
        if place == 2 {
            for (name, at) in [("actions fewer", ACTIONS + 7), ("nonce", 157)] {
                let mut bytes = three.clone();
                let new = if name == "nonce" { !bytes[start + at] } else { 0 };
                bytes[start + at] = new;
                cases.push(case(&format!("signature/forged/{name}"), bytes));
            }
        }
    }
    let link = &links(1, |_, _| ())[0];
    let body = link.body().encode();
    let signed = |name: &str, signature: [u8; 64]| {
        let bytes = [&body[..], &signature].concat();
        Case::new(format!("bad/signature/forged/{name}"), Scene::shown_by(1), bytes)
    };
    cases.push(signed("without domain", sign(&signer(0), b"", &body)));
    cases.push(signed("domain of lists", sign(&signer(0), revocation::DOMAIN, &body)));
    cases.push(signed("by its audience", sign(&signer(1), DOMAIN, &body)));
    cases.push(signed("of another body", sign(&signer(0), DOMAIN, &body[1..])));
    let mut small = [0; 64];
    small[0] = 1;
    cases.push(signed("R of small order", small));
    cases
}
