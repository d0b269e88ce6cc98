//! Messages of `/peerloom/auth/1` as strangers may send them, up to the machine that judges them. Nothing
//! may panic; what is read is written the same again; nothing forged counts; every question is answered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use libp2p_identity::ed25519::SecretKey;
use peerloom_shared::auth::{Judging, judging};
use peerloom_shared::defence::group::Group;
use peerloom_shared::grant::{Key, Signer};
use peerloom_shared::machine::Machine as _;
use peerloom_shared::policy::{Access, Trust};
use peerloom_shared::time::{Mono, Now};
use peerloom_shared::wire::{AuthAnswer, AuthRequest};

fn key(n: u8) -> Key {
    Key::of(&Signer::from(SecretKey::try_from_bytes([n; 32]).unwrap()))
}

fuzz_target!(|input: &[u8]| {
    if let Ok(answer) = AuthAnswer::decode(input) {
        assert_eq!(AuthAnswer::decode(&answer.encode()), Ok(answer));
    }
    let Ok(request) = AuthRequest::decode(input) else { return };
    assert_eq!(AuthRequest::decode(&request.encode()).as_ref(), Ok(&request));
    let (local, asker) = (key(1).peer().unwrap(), key(2).peer().unwrap());
    let mut machine = Judging::new(local);
    let now = Now::new(Mono::from_millis(1), 1_800_000_000_000);
    let trust = Trust { network: request.network, ..Trust::founded_by(key(3)) };
    machine.handle(now, judging::Input::Policy { trust, access: Access::Closed });
    machine.handle(
        now,
        judging::Input::Asked {
            ticket: 7,
            peer: asker,
            source: Group::V4([192, 0, 2]),
            request: Box::new(request),
        },
    );
    let mut answers = 0;
    while let Some(output) = machine.poll_output() {
        match output {
            judging::Output::Answer { ticket, peer, expires_ms, .. } => {
                assert_eq!((ticket, peer, expires_ms), (7, asker, None));
                answers += 1;
            }
            judging::Output::Hold { held, .. } => assert!(held.rights.is_empty() && !held.is_root),
            // Signed by key 3, which no input can be.
            judging::Output::Listed(list) => panic!("{list:?}"),
            judging::Output::Count { .. }
            | judging::Output::Arrived { .. }
            | judging::Output::Received(_) => panic!("nothing of ours is in the input"),
        }
    }
    assert_eq!(answers, 1);
});
