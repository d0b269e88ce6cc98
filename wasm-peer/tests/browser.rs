//! Proves in a real browser what only a browser can prove: keystore, WebSocket dialler, class `Peer`.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{future::Future, time::Duration};

use futures::{
    channel::oneshot,
    future::{Either, join, select},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Transport as _,
    core::{
        Endpoint,
        transport::{DialOpts, PortUse, TransportError},
    },
};
use peerloom_wasm_peer::{
    js::Peer,
    keystore::{KeystoreError, load_or_create},
    websocket::{Transport, socket_url},
};
use tokio::sync::mpsc;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{IdbDatabase, IdbFactory, IdbRequest, IdbTransactionMode};

wasm_bindgen_test_configure!(run_in_browser);

/// A test that is not done by then has hung; the runner's own limit is 20 s for all of them.
const TEST_MS: u64 = 5_000;

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let work = std::pin::pin!(work);
    match select(work, Delay::new(Duration::from_millis(TEST_MS))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => panic!("nothing happened for {TEST_MS} ms"),
    }
}

/// A name that no earlier run in the same browser profile has used.
fn fresh_name(label: &str) -> String {
    format!("{label}-{}", js_sys::Math::random())
}

fn id(loaded: &peerloom_wasm_peer::keystore::Loaded) -> PeerId {
    loaded.keypair.public().to_peer_id()
}

#[wasm_bindgen_test]
async fn an_identity_survives_a_second_load() {
    let name = fresh_name("kept");
    let first = in_time(load_or_create(&name)).await.unwrap();
    let second = in_time(load_or_create(&name)).await.unwrap();
    assert!(first.persisted && second.persisted, "{first:?} {second:?}");
    assert_eq!(first.reason, None);
    assert_eq!(id(&first), id(&second));
    let signature = second.keypair.sign(b"proof").unwrap();
    assert!(first.keypair.public().verify(b"proof", &signature));
}

#[wasm_bindgen_test]
async fn two_names_are_two_identities() {
    let one = in_time(load_or_create(&fresh_name("one"))).await.unwrap();
    let two = in_time(load_or_create(&fresh_name("two"))).await.unwrap();
    assert_ne!(id(&one), id(&two));
}

#[wasm_bindgen_test]
async fn two_creators_at_once_get_one_identity() {
    let name = fresh_name("race");
    let (one, two) = in_time(join(load_or_create(&name), load_or_create(&name))).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.persisted && two.persisted);
    assert_eq!(id(&one), id(&two));
}

#[wasm_bindgen_test]
async fn a_name_has_1_to_64_bytes() {
    for name in [String::new(), "x".repeat(65)] {
        let refused = in_time(load_or_create(&name)).await;
        assert!(matches!(refused, Err(KeystoreError::Name)), "{refused:?}");
    }
}

#[wasm_bindgen_test]
async fn a_damaged_record_is_an_error_and_stays() {
    let name = fresh_name("damaged");
    let before = in_time(load_or_create(&name)).await.unwrap();
    let whole = stored(&name).await;
    let sealed: js_sys::Uint8Array = field(&whole, "sealed").dyn_into().unwrap();

    sealed.set_index(0, sealed.get_index(0) ^ 1);
    store(&name, &whole).await;
    for _ in 0..2 {
        let error = in_time(load_or_create(&name)).await.unwrap_err();
        assert!(matches!(error, KeystoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    sealed.set_index(0, sealed.get_index(0) ^ 1);
    store(&name, &whole).await;
    let after = in_time(load_or_create(&name)).await.unwrap();
    assert_eq!(id(&before), id(&after));
}

#[wasm_bindgen_test]
async fn foreign_records_are_errors() {
    let name = fresh_name("foreign");
    let other = fresh_name("other");
    in_time(load_or_create(&other)).await.unwrap();

    for value in [JsValue::from("text"), JsValue::from(7), js_sys::Object::new().into()] {
        store(&name, &value).await;
        let error = in_time(load_or_create(&name)).await.unwrap_err();
        assert!(matches!(error, KeystoreError::Damaged { .. }), "{error}");
    }
    // A whole record, but of another name.
    store(&name, &stored(&other).await).await;
    let error = in_time(load_or_create(&name)).await.unwrap_err();
    assert!(matches!(error, KeystoreError::Damaged { .. }), "{error}");

    let newer = stored(&other).await;
    js_sys::Reflect::set(&newer, &"version".into(), &2.into()).unwrap();
    store(&name, &newer).await;
    let error = in_time(load_or_create(&name)).await.unwrap_err();
    assert!(matches!(error, KeystoreError::Newer { .. }), "{error}");
}

#[wasm_bindgen_test]
async fn the_wrapping_key_cannot_be_read_out() {
    let name = fresh_name("wrapped");
    in_time(load_or_create(&name)).await.unwrap();
    let wrap: web_sys::CryptoKey = field(&stored(&name).await, "wrap").dyn_into().unwrap();
    assert!(!wrap.extractable());
}

#[wasm_bindgen_test]
async fn without_storage_the_key_lives_in_memory() {
    let throws = js_sys::Function::new_no_args("throw new DOMException('no', 'SecurityError')");
    let refuses =
        js_sys::Function::new_no_args("throw new DOMException('full', 'QuotaExceededError')");
    let global: JsValue = js_sys::global().into();
    let open = prototype("IDBFactory");
    let add = prototype("IDBObjectStore");
    for (owner, property, value, reason) in [
        (&global, "isSecureContext", JsValue::FALSE, "secure context"),
        (&global, "crypto", JsValue::UNDEFINED, "no WebCrypto"),
        (&global, "indexedDB", JsValue::UNDEFINED, "no IndexedDB"),
        (&open, "open", throws.into(), "refuses IndexedDB (SecurityError: no)"),
        (&add, "add", refuses.into(), "did not store the key (QuotaExceededError: full)"),
    ] {
        let name = fresh_name("memory");
        let replaced = Replaced::new(owner, property, &value);
        let one = in_time(load_or_create(&name)).await.unwrap();
        let two = in_time(load_or_create(&name)).await.unwrap();
        drop(replaced);
        assert!(!one.persisted && !two.persisted, "{property}");
        assert!(one.reason.as_deref().is_some_and(|text| text.contains(reason)), "{one:?}");
        assert_ne!(id(&one), id(&two), "{property}");
        let kept = in_time(load_or_create(&name)).await.unwrap();
        assert!(kept.persisted, "{property} was not restored: {kept:?}");
    }
}

#[wasm_bindgen_test]
async fn a_failing_read_is_an_error_and_no_new_identity() {
    let name = fresh_name("unreadable");
    let before = in_time(load_or_create(&name)).await.unwrap();
    let fails = js_sys::Function::new_no_args("throw new DOMException('disk', 'UnknownError')");
    let replaced = Replaced::new(&prototype("IDBObjectStore"), "get", &fails);
    let error = in_time(load_or_create(&name)).await.unwrap_err();
    drop(replaced);
    assert!(matches!(error, KeystoreError::Unreadable { .. }), "{error}");
    assert_eq!(id(&in_time(load_or_create(&name)).await.unwrap()), id(&before));
}

#[wasm_bindgen_test]
fn addresses_become_urls() {
    let peer = PeerId::random();
    for (address, url) in [
        ("/ip4/127.0.0.1/tcp/7073/ws", "ws://127.0.0.1:7073/"),
        ("/ip6/::1/tcp/7073/ws", "ws://[::1]:7073/"),
        ("/dns/example.org/tcp/80/ws", "ws://example.org:80/"),
        ("/dns4/example.org/tcp/443/wss", "wss://example.org:443/"),
        ("/dns6/example.org/tcp/443/tls/ws", "wss://example.org:443/"),
        (
            "/ip4/192.0.2.1/tcp/4001/tls/sni/192-0-2-1.k51.libp2p.direct/ws",
            "wss://192-0-2-1.k51.libp2p.direct:4001/",
        ),
    ] {
        for full in [address.to_owned(), format!("{address}/p2p/{peer}")] {
            assert_eq!(socket_url(&full.parse().unwrap()).as_deref(), Some(url), "{full}");
        }
    }
}

#[wasm_bindgen_test]
fn other_addresses_are_left_to_other_transports() {
    let peer = PeerId::random();
    let refused = [
        format!("/ip4/127.0.0.1/tcp/7073/ws/p2p/{peer}/p2p-circuit"),
        format!("/ip4/127.0.0.1/tcp/7073/ws/p2p/{peer}/p2p-circuit/p2p/{peer}"),
        format!("/ip4/127.0.0.1/tcp/7073/ws/p2p/{peer}/p2p-circuit/webrtc/p2p/{peer}"),
        format!("/ip4/127.0.0.1/tcp/7073/ws/p2p/{peer}/p2p/{peer}"),
        format!("/p2p/{peer}"),
        "/ip4/127.0.0.1/tcp/7073".into(),
        "/ip4/127.0.0.1/tcp/7073/tls".into(),
        "/ip4/127.0.0.1/tcp/7073/tls/wss".into(),
        "/ip4/127.0.0.1/tcp/7073/sni/example.org/ws".into(),
        "/ip4/127.0.0.1/tcp/7073/ws/ws".into(),
        "/ip4/127.0.0.1/tcp/0/ws".into(),
        "/ip4/0.0.0.0/tcp/7073/ws".into(),
        "/ip4/127.0.0.1/udp/7071/webrtc-direct".into(),
        "/ip4/127.0.0.1/udp/7072/quic-v1".into(),
        "/dnsaddr/example.org/tcp/7073/ws".into(),
        "/dns4/user@example.org/tcp/7073/ws".into(),
        "/dns4/example.org?x/tcp/7073/ws".into(),
        "/memory/7".into(),
    ];
    for text in refused {
        let address: Multiaddr = text.parse().unwrap();
        match Transport::new().dial(address.clone(), as_(Endpoint::Dialer)) {
            Err(TransportError::MultiaddrNotSupported(returned)) => assert_eq!(returned, address),
            _ => panic!("{text} was not refused"),
        }
    }
    // The listener's part of a hole punch is not for a browser.
    let plain: Multiaddr = "/ip4/127.0.0.1/tcp/7073/ws".parse().unwrap();
    assert!(Transport::new().dial(plain, as_(Endpoint::Listener)).is_err());
}

#[wasm_bindgen_test]
async fn a_closed_port_is_an_error_soon() {
    // Port 9 (discard): nothing listens there, and browsers forbid it for WebSockets as well.
    for port in [9, 47_391] {
        let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap();
        let dial = Transport::new().dial(address, as_(Endpoint::Dialer)).unwrap();
        let error = in_time(dial).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
}

#[wasm_bindgen_test]
async fn an_abandoned_dial_leaves_nothing_behind() {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/47391/ws".parse().unwrap();
    let dial = Transport::new().dial(address.clone(), as_(Endpoint::Dialer)).unwrap();
    // Polled once, so that the socket exists, then dropped while it connects.
    assert!(matches!(select(dial, std::future::ready(())).await, Either::Right(_)));
    // The close event of the first socket comes before the second one's.
    let dial = Transport::new().dial(address, as_(Endpoint::Dialer)).unwrap();
    in_time(dial).await.unwrap_err();
}

/// Gives one property of a browser object another value until it is dropped, the only way to
/// meet a browser that refuses storage.
struct Replaced {
    owner: js_sys::Object,
    property: JsValue,
    before: JsValue,
}

impl Replaced {
    fn new(owner: &JsValue, property: &str, value: &JsValue) -> Self {
        let (owner, property): (js_sys::Object, JsValue) = (owner.clone().into(), property.into());
        let before = js_sys::Object::get_own_property_descriptor(&owner, &property);
        let after = js_sys::Object::new();
        js_sys::Reflect::set(&after, &"value".into(), value).unwrap();
        js_sys::Reflect::set(&after, &"configurable".into(), &JsValue::TRUE).unwrap();
        js_sys::Object::define_property(&owner, &property, &after);
        Self { owner, property, before }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let before = self.before.unchecked_ref();
        js_sys::Object::define_property(&self.owner, &self.property, before);
    }
}

fn prototype(class: &str) -> JsValue {
    field(&field(&js_sys::global(), class), "prototype")
}

fn as_(role: Endpoint) -> DialOpts {
    DialOpts { role, port_use: PortUse::Reuse }
}

fn field(record: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(record, &name.into()).unwrap()
}

async fn stored(name: &str) -> JsValue {
    let database = database().await;
    let transaction =
        database.transaction_with_str_and_mode("identity", IdbTransactionMode::Readonly).unwrap();
    let request = transaction.object_store("identity").unwrap().get(&name.into()).unwrap();
    let record = done(&request).await;
    database.close();
    record
}

async fn store(name: &str, record: &JsValue) {
    let database = database().await;
    let transaction =
        database.transaction_with_str_and_mode("identity", IdbTransactionMode::Readwrite).unwrap();
    let identities = transaction.object_store("identity").unwrap();
    done(&identities.put_with_key(record, &name.into()).unwrap()).await;
    database.close();
}

async fn database() -> IdbDatabase {
    let factory = js_sys::Reflect::get(&js_sys::global(), &"indexedDB".into()).unwrap();
    let request = factory.unchecked_into::<IdbFactory>().open_with_u32("peerloom", 1).unwrap();
    let upgrading = request.clone();
    // The first to open the database creates the store, and that may be a test.
    let upgrade = Closure::<dyn FnMut()>::new(move || {
        let database: IdbDatabase = upgrading.result().unwrap().unchecked_into();
        database.create_object_store("identity").unwrap();
    });
    request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
    done(&request).await.unchecked_into()
}

async fn done(request: &IdbRequest) -> JsValue {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let succeeded = Closure::<dyn FnMut()>::new(move || {
        sender.take().unwrap().send(()).unwrap();
    });
    request.set_onsuccess(Some(succeeded.as_ref().unchecked_ref()));
    in_time(receiver).await.unwrap();
    request.set_onsuccess(None);
    request.result().unwrap()
}

#[wasm_bindgen_test]
async fn a_peer_starts_tells_its_status_and_stops() {
    let (peer, mut batches) = start(None, &[]).await;
    let first = in_time(batches.recv()).await.unwrap();
    let status = field(&first.get(0), "status");
    assert_eq!(field(&first.get(0), "type"), "status");
    assert_eq!(field(&status, "schema"), "peerloom/status/1");
    assert_eq!(field(&status, "id"), peer.id().as_str());
    assert!(field(&status, "links").is_instance_of::<js_sys::Array>());
    assert!(!peer.persisted());
    assert_eq!(field(&peer.status().unwrap(), "health"), field(&status, "health"));

    settled(peer.join("lobby".into())).await.unwrap();
    let alone = settled(peer.send("lobby".into(), "hello".into())).await.unwrap_err();
    assert_eq!(code(&alone), "ROOM-003");
    assert_eq!(field(&alone, "retryable"), true);
    settled(peer.stop()).await.unwrap();
    settled(peer.stop()).await.unwrap();

    for refused in [
        peer.dial("/ip4/127.0.0.1/tcp/47391/ws".into()),
        peer.hang_up(PeerId::random().to_string()),
        peer.ping(PeerId::random().to_string()),
        peer.join("lobby".into()),
        peer.leave("lobby".into()),
        peer.send("lobby".into(), "hello".into()),
    ] {
        assert_eq!(code(&settled(refused).await.unwrap_err()), "WEB-003");
    }
    assert_eq!(code(&peer.status().unwrap_err()), "WEB-003");
    assert_eq!(code(&peer.set_name(None).unwrap_err()), "WEB-003");
}

#[wasm_bindgen_test]
async fn a_named_peer_keeps_its_id() {
    let name = fresh_name("peer");
    let (first, _events) = start(Some(&name), &[]).await;
    let (id, persisted) = (first.id(), first.persisted());
    settled(first.stop()).await.unwrap();
    let (second, _events) = start(Some(&name), &[]).await;
    assert!(persisted && second.persisted());
    assert_eq!(second.id(), id);
    settled(second.stop()).await.unwrap();
}

#[wasm_bindgen_test]
async fn wrong_options_are_named() {
    let peer = PeerId::random();
    let tcp = format!("/ip4/192.0.2.1/tcp/7072/p2p/{peer}");
    let nameless = "/ip4/192.0.2.1/tcp/7073/ws";
    let port_0 = format!("/ip4/192.0.2.1/udp/0/webrtc-direct/p2p/{peer}");
    for (identity, relay, wanted, text) in [
        (Some(""), None, "WEB-009", "1 to 64 bytes"),
        (None, Some("/ip4/nonsense"), "NET-101", "/ip4/nonsense"),
        (None, Some(nameless), "NET-101", nameless),
        (None, Some(tcp.as_str()), "NET-105", tcp.as_str()),
        (None, Some(port_0.as_str()), "NET-101", port_0.as_str()),
    ] {
        let relays = relay.as_slice();
        let refused = in_time(Peer::start(options(identity, relays), ignoring())).await;
        let error = refused.unwrap_err();
        assert_eq!(code(&error), wanted, "{relay:?}");
        let message = field(&error, "message").as_string().unwrap();
        assert!(message.contains(text), "{message}");
        let docs = format!("docs/errors.md#{}", wanted.to_ascii_lowercase());
        assert_eq!(field(&error, "docs"), docs.as_str());
        assert!(error.is_instance_of::<js_sys::Error>() && field(&error, "hint").is_string());
    }
    for value in [JsValue::UNDEFINED, JsValue::from(7)] {
        let refused = in_time(Peer::start(value, ignoring())).await.unwrap_err();
        assert_eq!(code(&refused), "WEB-009");
    }
}

#[wasm_bindgen_test]
async fn wrong_arguments_are_errors_with_codes() {
    let (peer, _events) = start(None, &[]).await;
    for (call, wanted) in [
        (peer.join("Lobby".into()), "ROOM-001"),
        (peer.send("elsewhere".into(), "hello".into()), "ROOM-002"),
        (peer.dial("nowhere".into()), "NET-101"),
        (peer.dial("/ip4/192.0.2.1/udp/7072/quic-v1".into()), "NET-105"),
        (peer.dial("/ip4/127.0.0.1/tcp/47391/ws".into()), "NET-110"),
        (peer.ping("nobody".into()), "NET-107"),
        (peer.ping(PeerId::random().to_string()), "NET-106"),
        (peer.hang_up(PeerId::random().to_string()), "NET-106"),
    ] {
        assert_eq!(code(&settled(call).await.unwrap_err()), wanted);
    }
    settled(peer.stop()).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_dead_link_waits_with_its_reason_and_calls_over_the_limit_are_busy() {
    let relay = format!("/ip4/127.0.0.1/tcp/47391/ws/p2p/{}", PeerId::random());
    let (peer, mut batches) = start(None, &[&relay]).await;
    loop {
        let batch = in_time(batches.recv()).await.unwrap();
        let status = field(&batch.get(batch.length() - 1), "status");
        let link = js_sys::Array::from(&field(&status, "links")).get(0);
        if field(&link, "state") == "waiting" {
            let detail = field(&link, "detail").as_string().unwrap();
            assert!(detail.contains("connection refused"), "{detail}");
            assert!(field(&link, "retryInMs").as_f64().is_some());
            break;
        }
    }
    let calls: Vec<_> = (0..40).map(|_| peer.send("elsewhere".into(), "hello".into())).collect();
    let mut codes = Vec::new();
    for call in calls {
        codes.push(code(&settled(call).await.unwrap_err()));
    }
    let busy = codes.iter().filter(|code| *code == "WEB-007").count();
    assert_eq!(busy, 40 - 32, "{codes:?}");
    settled(peer.stop()).await.unwrap();
}

async fn start(identity: Option<&str>, relays: &[&str]) -> (Peer, mpsc::Receiver<js_sys::Array>) {
    let (sender, batches) = mpsc::channel(64);
    let listener = Closure::<dyn FnMut(js_sys::Array)>::new(move |batch| {
        sender.try_send(batch).unwrap();
    });
    let listener: js_sys::Function = listener.into_js_value().unchecked_into();
    let peer = in_time(Peer::start(options(identity, relays), listener)).await.unwrap();
    (peer, batches)
}

fn ignoring() -> js_sys::Function {
    js_sys::Function::new_no_args("")
}

fn options(identity: Option<&str>, relays: &[&str]) -> JsValue {
    let options = js_sys::Object::new();
    let relays: js_sys::Array = relays.iter().map(|relay| JsValue::from(*relay)).collect();
    let identity = identity.map_or(JsValue::NULL, JsValue::from);
    js_sys::Reflect::set(&options, &"identity".into(), &identity).unwrap();
    js_sys::Reflect::set(&options, &"relays".into(), &relays).unwrap();
    js_sys::Reflect::set(&options, &"name".into(), &JsValue::NULL).unwrap();
    options.into()
}

async fn settled(promise: js_sys::Promise) -> Result<JsValue, JsValue> {
    in_time(wasm_bindgen_futures::JsFuture::from(promise)).await
}

fn code(error: &JsValue) -> String {
    field(error, "code").as_string().unwrap()
}

/// What a page pays for a peer that shows the longest chain there is. Only that it is right is asserted;
/// the time is for whoever reads the log.
#[wasm_bindgen_test]
fn a_chain_of_four_is_verified_and_its_time_is_told() {
    use peerloom_shared::grant::{
        Audience, Chain, Context, Key, Prefix, Revocations, Role, Signer, Terms,
    };
    const TIMES: u32 = 100;
    let keys: Vec<_> = (1..=5_u8)
        .map(|seed| libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap())
        .collect();
    let signer = |place: usize| -> Signer { keys[place].clone().try_into_ed25519().unwrap() };
    let audience = |place: usize| Audience::of_peer(&keys[place].public().to_peer_id()).unwrap();
    let terms = |place: usize| Terms {
        audience: audience(place),
        actions: Role::Member.actions(),
        not_before_ms: 0,
        expires_ms: 1_000_000,
        depth: u8::try_from(4 - place).unwrap(),
        max_uses: 0,
        nonce: [0; 8],
        prefix: Prefix::new("topic/garden").unwrap(),
    };
    let network = [9; 32];
    let mut chain = Chain::mint(network, &signer(0), terms(1)).unwrap();
    for place in 2..=4 {
        chain = chain.delegate(&signer(place - 1), terms(place)).unwrap();
    }
    let bytes = chain.encode();
    let revocations = Revocations::new(network);
    let context = |holder| Context {
        network: &network,
        now_ms: 500_000,
        holder,
        roots: &[],
        owners: &[],
        revocations: &revocations,
    };
    let roots = [Key::of(&signer(0))];
    let began = js_sys::Date::now();
    for _ in 0..TIMES {
        let context = Context { roots: &roots, ..context(audience(4)) };
        Chain::decode(&bytes).unwrap().verify(&context).unwrap();
    }
    let each = (js_sys::Date::now() - began) / f64::from(TIMES);
    web_sys::console::log_1(&format!("a chain of four: {each:.2} ms each").into());
    let stranger = Context { roots: &roots, ..context(audience(3)) };
    assert!(chain.verify(&stranger).is_err(), "whoever it is not for");
    assert!(chain.verify(&context(audience(4))).is_err(), "nobody trusts its root");
}
