//! Datagrams as a webrtc-direct listener gets them: is there a user name, and is it one of ours?
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerloom_webrtc::direct;

fuzz_target!(|datagram: &[u8]| {
    let Ok(username) = direct::username_of(datagram) else { return };
    assert!(direct::is_stun(datagram) && username.len() < datagram.len());
    let Ok(names) = direct::parse_username(username) else { return };
    assert_eq!(format!("{}:{}", names.server_ufrag, names.client_ufrag), username);
    assert!((22..=256).contains(&names.server_pwd().len()));
    assert!((22..=256).contains(&names.client_pwd().len()));
    if names.version == direct::Version::V2 {
        assert_eq!(direct::v2_server_ufrag(names.client_pwd()), Ok(names.server_ufrag.clone()));
    }
});
