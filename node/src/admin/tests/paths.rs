//! Every path of the API with an honest request, and its errors.
//! Invariant: field names are the published ones.
//! Not here: who may ask.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::client::{Request, Response, with_server};
use super::fake::{LOCAL, peer};

async fn get(address: SocketAddr, path: &str) -> Value {
    let response = Request::new(address, "GET", path).send(address).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    response.json()
}

async fn post(address: SocketAddr, path: &str, body: Value) -> Response {
    Request::post(address, path, &body.to_string()).send(address).await
}

async fn done(address: SocketAddr, path: &str, body: Value) -> Value {
    let response = post(address, path, body).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

#[actix_web::test]
async fn public_paths_need_no_token() {
    with_server("127.0.0.1:0", |address, node| async move {
        let plain = |path: &str| Request::new(address, "GET", path).without("Authorization");
        let live = plain("/livez").send(address).await;
        assert_eq!((live.status, live.text().as_str()), (200, "ok\n"));

        let ready = plain("/readyz").send(address).await;
        assert_eq!((ready.status, ready.json()["ready"].clone()), (200, json!(true)));
        node.inner.lock().unwrap().not_ready.push("no listener".to_owned());
        let ready = plain("/readyz").send(address).await;
        assert_eq!((ready.status, ready.json()["reasons"].clone()), (503, json!(["no listener"])));

        let bootstrap = plain("/api/v1/bootstrap").send(address).await.json();
        assert_eq!(bootstrap["schema"], "peerloom/bootstrap/1");
        assert_eq!(bootstrap["addresses"][0], format!("/ip4/127.0.0.1/tcp/7073/ws/p2p/{LOCAL}"));
        let forwarded = plain("/api/v1/bootstrap").with("X-Forwarded-For", "192.0.2.1");
        let bootstrap = forwarded.send(address).await.json();
        assert_eq!(bootstrap["addresses"][0], format!("/ip4/192.0.2.7/tcp/7073/ws/p2p/{LOCAL}"));

        node.metrics.count_decision("connect.in", false, 1);
        let metrics = plain("/metrics").send(address).await;
        let kind = metrics.header("content-type").unwrap().to_owned();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let line = "peerloom_policy_decisions_total{action=\"connect.in\",effect=\"deny\"} 1";
        assert!(metrics.text().contains(line), "{}", metrics.text());
    })
    .await;
}

#[actix_web::test]
async fn peers_are_dialled_pinged_and_hung_up() {
    with_server("127.0.0.1:0", |address, _| async move {
        assert_eq!(get(address, "/api/v1/status").await["health"], "offline");
        let id = peer(3).to_string();
        let dial = json!({ "address": format!("/ip4/192.0.2.1/tcp/7072/p2p/{id}") });
        assert_eq!(
            done(address, "/api/v1/peers/connect", dial).await,
            json!({ "id": id, "already": null })
        );
        let peers = get(address, "/api/v1/peers").await;
        assert_eq!(peers["schema"], "peerloom/peers/1");
        assert_eq!(peers["peers"][0]["rttMs"], 1.5);
        let rtt = done(address, "/api/v1/ping", json!({ "id": id })).await;
        assert_eq!(rtt, json!({ "rttMs": 1.5 }));
        done(address, "/api/v1/peers/disconnect", json!({ "id": id })).await;
        post(address, "/api/v1/peers/disconnect", json!({ "id": id }))
            .await
            .assert_problem(404, "NET-106");
        let nobody = json!({ "address": "/ip4/192.0.2.1/tcp/7072" });
        let response = post(address, "/api/v1/peers/connect", nobody).await;
        response.assert_problem(503, "NET-109");
        assert_eq!(response.json()["retryable"], true);
        assert_eq!(response.header("retry-after"), Some("1"));
    })
    .await;
}

#[actix_web::test]
async fn rooms_are_joined_used_and_left() {
    with_server("127.0.0.1:0", |address, _| async move {
        let text = json!({ "room": "lobby", "text": "hello" });
        post(address, "/api/v1/rooms/send", text.clone()).await.assert_problem(404, "ROOM-002");
        done(address, "/api/v1/rooms/join", json!({ "room": "lobby", "name": "Ada" })).await;
        let rooms = get(address, "/api/v1/rooms").await;
        assert_eq!(rooms["schema"], "peerloom/rooms/1");
        assert_eq!(rooms["rooms"][0]["topic"], "peerloom/open/lobby");
        let said = done(address, "/api/v1/rooms/send", text).await;
        assert_eq!((&said["text"], &said["own"]), (&json!("hello"), &json!(true)));
        done(address, "/api/v1/rooms/send", json!({ "room": "lobby", "text": "again" })).await;
        let all = get(address, "/api/v1/rooms/messages?room=lobby").await;
        assert_eq!(all["messages"].as_array().map(Vec::len), Some(2));
        let last = get(address, "/api/v1/rooms/messages?room=lobby&limit=1").await;
        assert_eq!(last["messages"][0]["text"], "again");
        done(address, "/api/v1/rooms/leave", json!({ "room": "lobby" })).await;
        assert_eq!(get(address, "/api/v1/rooms").await["rooms"], json!([]));
    })
    .await;
}

#[actix_web::test]
async fn the_hash_table_takes_text_and_bytes() {
    with_server("127.0.0.1:0", |address, _| async move {
        let dht = |verb: &str| format!("/api/v1/dht/{verb}");
        let record = json!({ "key": "name", "value": { "hex": "00ff" } });
        done(address, &dht("put"), record.clone()).await;
        assert_eq!(done(address, &dht("get"), json!({ "key": "name" })).await, record);
        let unknown = post(address, &dht("get"), json!({ "key": { "hex": "ff" } })).await;
        unknown.assert_problem(404, "DHT-004");
        done(address, &dht("provide"), json!({ "key": "name" })).await;
        let found = done(address, &dht("providers"), json!({ "key": "name" })).await;
        assert_eq!(found["providers"], json!([peer(1).to_string()]));
        let place = done(address, &dht("find-peer"), json!({ "id": LOCAL })).await;
        assert_eq!(place["addresses"], json!(["/ip4/192.0.2.1/tcp/7072"]));
        let long_key = json!({ "key": "k".repeat(257), "value": "v" });
        post(address, &dht("put"), long_key).await.assert_problem(400, "DHT-005");
        let long_value = json!({ "key": "k", "value": "v".repeat(4_097) });
        post(address, &dht("put"), long_value).await.assert_problem(413, "DHT-006");
        for bad in
            [json!({ "key": { "hex": "0" }, "value": "v" }), json!({ "key": 7, "value": "v" })]
        {
            post(address, &dht("put"), bad).await.assert_problem(400, "API-003");
        }
    })
    .await;
}

#[actix_web::test]
async fn the_node_itself_is_shown_and_steered() {
    with_server("127.0.0.1:0", |address, node| async move {
        assert_eq!(get(address, "/api/v1/key").await["kind"], "ed25519");
        assert_eq!(get(address, "/api/v1/config").await["http"], "127.0.0.1:7070");
        let reloaded = done(address, "/api/v1/reload", json!({})).await;
        assert_eq!(reloaded["policyEpoch"], 2);
        node.read_only.store(true, Ordering::Relaxed);
        post(address, "/api/v1/reload", json!({})).await.assert_problem(403, "POL-101");
        assert_eq!(get(address, "/api/v1/status").await["id"], LOCAL);
        node.read_only.store(false, Ordering::Relaxed);
        let empty = Request::post(address, "/api/v1/shutdown", "").send(address).await;
        assert_eq!((empty.status, empty.json()), (202, json!({ "stopping": true })));
        assert!(node.stopping.load(Ordering::Relaxed));
    })
    .await;
}

#[actix_web::test]
async fn bad_input_is_named() {
    with_server("127.0.0.1:0", |address, _| async move {
        for (path, body) in [
            ("/api/v1/rooms/join", json!({})),
            ("/api/v1/rooms/join", json!({ "room": "a", "nmae": "typo" })),
            ("/api/v1/rooms/join", json!([])),
            ("/api/v1/rooms/send", json!({ "room": 1, "text": "a" })),
            ("/api/v1/shutdown", json!({ "now": true })),
        ] {
            post(address, path, body).await.assert_problem(400, "API-003");
        }
        for address_text in ["not an address", "", &"/dns4/a".repeat(100)] {
            let body = json!({ "address": address_text });
            post(address, "/api/v1/peers/connect", body).await.assert_problem(400, "NET-101");
        }
        for id in ["12D3KooWnobody", "", &"1".repeat(50_000)] {
            let body = json!({ "id": id });
            post(address, "/api/v1/peers/disconnect", body).await.assert_problem(400, "NET-107");
        }
        for body in ["{", "{\"room\":\"a\"} trailing", "\u{feff}{}", "nul\0"] {
            let response = Request::post(address, "/api/v1/rooms/join", body).send(address).await;
            response.assert_problem(400, "API-003");
        }
        let deep = "[".repeat(60_000);
        let response = Request::post(address, "/api/v1/rooms/join", &deep).send(address).await;
        response.assert_problem(400, "API-003");
        for query in ["", "?room=a&limit=-1", "?room=a&limit=x", "?limit=1", "?room=a&more=1"] {
            let path = format!("/api/v1/rooms/messages{query}");
            let response = Request::new(address, "GET", &path).send(address).await;
            response.assert_problem(400, "API-003");
        }
        for path in ["/api", "/api/", "/api/v2/status", "/api/v1/nothing"] {
            let response = Request::new(address, "GET", path).send(address).await;
            response.assert_problem(404, "API-001");
        }
    })
    .await;
}

#[actix_web::test]
async fn writes_are_noted_before_they_are_done_and_nothing_else_is() {
    with_server("127.0.0.1:0", |address, node| async move {
        get(address, "/api/v1/status").await;
        done(address, "/api/v1/rooms/join", json!({ "room": "lobby", "name": "secret" })).await;
        // Admitted, and refused by its handler.
        post(address, "/api/v1/rooms/send?x=secret", json!({ "text": "secret" })).await;
        node.read_only.store(true, Ordering::Relaxed);
        assert_eq!(post(address, "/api/v1/shutdown", json!({})).await.status, 403);
        let writes = node.inner.lock().unwrap().writes.clone();
        assert_eq!(writes, ["POST /api/v1/rooms/join", "POST /api/v1/rooms/send"]);
    })
    .await;
}
