//! Requests that must not get through, each as it would arrive on the wire.
//! Invariant: after each of them the node has done nothing and the server still answers.
//! Not here: honest requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::client::{Request, Response, TOKEN, exchange, with_server};
use super::fake::FakeNode;
use crate::admin::AdminToken;

/// A request that would stop the node if it got through.
fn shutdown(address: SocketAddr) -> Request {
    Request::post(address, "/api/v1/shutdown", "{}")
}

/// Sends one hostile request; afterwards the node is untouched and an honest request still works.
async fn refused(address: SocketAddr, node: &Arc<FakeNode>, request: Request) -> Response {
    let response = request.send(address).await;
    assert!(response.status >= 400, "{}", response.head);
    still_fine(address, node).await;
    response
}

async fn still_fine(address: SocketAddr, node: &Arc<FakeNode>) {
    assert!(!node.stopping.load(Ordering::Relaxed), "the request got through");
    let honest = Request::new(address, "GET", "/api/v1/status").send(address).await;
    assert_eq!(honest.status, 200, "{}", honest.text());
}

#[actix_web::test]
async fn control_the_honest_request_gets_through() {
    with_server("127.0.0.1:0", |address, node| async move {
        assert_eq!(shutdown(address).send(address).await.status, 202);
        assert!(node.stopping.load(Ordering::Relaxed));
    })
    .await;
}

#[actix_web::test]
async fn rebound_host() {
    with_server("127.0.0.1:0", |address, node| async move {
        let port = address.port();
        let right = format!("127.0.0.1:{port}");
        for host in [
            format!("evil.example:{port}"),
            format!("127.0.0.1.evil.example:{port}"),
            format!("localhost.:{port}"),
            "127.0.0.1".to_owned(),
            "127.0.0.1:1".to_owned(),
            format!("127.0.0.1:{port}:{port}"),
            format!("user@127.0.0.1:{port}"),
            format!("0.0.0.0:{port}"),
            String::new(),
        ] {
            let request = shutdown(address).set("Host", &host);
            let response = refused(address, &node, request).await;
            // The HTTP library itself refuses some of these names as malformed.
            if response.status != 400 {
                response.assert_problem(403, "AUTH-003");
            }
            for path in ["/", "/api/v1/bootstrap", "/metrics", "/livez"] {
                let request = Request::new(address, "GET", path).set("Host", &host);
                assert!(request.send(address).await.status >= 400, "{path} for {host}");
            }
        }
        let twice = shutdown(address).with("Host", "evil.example");
        refused(address, &node, twice).await;
        let none = shutdown(address).without("Host");
        refused(address, &node, none).await;
        let absolute =
            Request::post(address, &format!("http://evil.example:{port}/api/v1/shutdown"), "{}");
        refused(address, &node, absolute).await;
        for host in [right, format!("LOCALHOST:{port}"), format!("[::1]:{port}")] {
            let request = Request::new(address, "GET", "/api/v1/status").set("Host", &host);
            assert_eq!(request.send(address).await.status, 200, "{host}");
        }
    })
    .await;
}

#[actix_web::test]
async fn foreign_origin() {
    with_server("127.0.0.1:0", |address, node| async move {
        let port = address.port();
        for origin in [
            "https://evil.example".to_owned(),
            format!("http://127.0.0.1:{port}.evil.example"),
            format!("https://127.0.0.1:{port}"),
            format!("http://localhost:{port}"),
            "http://127.0.0.1:1".to_owned(),
            format!("http://127.0.0.1:{port}/"),
        ] {
            let request = shutdown(address).with("Origin", &origin);
            refused(address, &node, request).await.assert_problem(403, "AUTH-004");
        }
        for site in ["cross-site", "same-site"] {
            let request = shutdown(address).with("Sec-Fetch-Site", site);
            refused(address, &node, request).await.assert_problem(403, "AUTH-004");
        }
        let preflight = Request::new(address, "OPTIONS", "/api/v1/shutdown")
            .without("Authorization")
            .with("Origin", "https://evil.example")
            .with("Access-Control-Request-Method", "POST");
        refused(address, &node, preflight).await.assert_problem(403, "AUTH-004");
        let own = Request::new(address, "GET", "/api/v1/status")
            .with("Origin", &format!("http://127.0.0.1:{port}"))
            .with("Sec-Fetch-Site", "same-origin");
        assert_eq!(own.send(address).await.status, 200);
    })
    .await;
}

#[actix_web::test]
async fn null_origin() {
    with_server("127.0.0.1:0", |address, node| async move {
        let request = shutdown(address).with("Origin", "null");
        refused(address, &node, request).await.assert_problem(403, "AUTH-004");
    })
    .await;
}

#[actix_web::test]
async fn simple_post() {
    with_server("127.0.0.1:0", |address, node| async move {
        // What a form of another site can send without asking first.
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            let request = shutdown(address).set("Content-Type", kind);
            refused(address, &node, request).await.assert_problem(415, "API-005");
        }
        let request = shutdown(address).without("Content-Type");
        refused(address, &node, request).await.assert_problem(415, "API-005");
        let request = shutdown(address).with("Content-Type", "text/plain");
        refused(address, &node, request).await.assert_problem(415, "API-005");
    })
    .await;
}

#[actix_web::test]
async fn get_with_side_effect() {
    with_server("127.0.0.1:0", |address, node| async move {
        for path in ["shutdown", "reload", "rooms/join", "peers/connect", "dht/put", "ping"] {
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let request = Request::new(address, method, &format!("/api/v1/{path}?room=r"));
                let response = refused(address, &node, request).await;
                assert_eq!(response.status, 405, "{method} {path}");
                assert_eq!(response.header("allow"), Some("POST"));
            }
        }
        let request = Request::post(address, "/api/v1/status", "{}");
        let response = refused(address, &node, request).await;
        response.assert_problem(405, "API-002");
        assert_eq!(response.header("allow"), Some("GET"));
    })
    .await;
}

#[actix_web::test]
async fn websocket_upgrade_on_an_api_path() {
    with_server("127.0.0.1:0", |address, node| async move {
        for path in ["/api/v1/status", "/api/v1/events", "/api/v1/shutdown"] {
            let request = Request::new(address, "GET", path)
                .set("Connection", "Upgrade")
                .with("Upgrade", "websocket")
                .with("Sec-WebSocket-Version", "13")
                .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
                .with("Content-Length", "0");
            let bytes = [request.bytes(), Request::new(address, "GET", "/livez").bytes()].concat();
            let response = exchange(address, &bytes).await;
            assert_eq!(response.status, 400, "{}", response.head);
            assert!(response.text().contains("API-007"), "{}", response.text());
            still_fine(address, &node).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn missing_or_short_token() {
    with_server("127.0.0.1:0", |address, node| async move {
        let missing = shutdown(address).without("Authorization");
        let response = refused(address, &node, missing).await;
        response.assert_problem(401, "AUTH-001");
        assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"peerloom\""));
        for value in [TOKEN.to_owned(), format!("Basic {TOKEN}"), "Bearer".to_owned()] {
            let request = shutdown(address).set("Authorization", &value);
            refused(address, &node, request).await.assert_problem(401, "AUTH-001");
        }
        let short = &TOKEN[..TOKEN.len() - 1];
        let other = TOKEN.replace('f', "e");
        for token in [short, "", &format!("{TOKEN}0"), &TOKEN.to_uppercase(), &other] {
            let request = shutdown(address).set("Authorization", &format!("Bearer {token} "));
            let response = refused(address, &node, request).await;
            assert_eq!(response.status, 401, "{token}");
        }
        let twice = shutdown(address).with("Authorization", &format!("Bearer {TOKEN}"));
        refused(address, &node, twice).await.assert_problem(401, "AUTH-002");
        let in_query = format!("/api/v1/status?token={TOKEN}&access_token={TOKEN}");
        let request = Request::new(address, "GET", &in_query).without("Authorization");
        refused(address, &node, request).await.assert_problem(401, "AUTH-001");
    })
    .await;
}

#[actix_web::test]
async fn path_traversal() {
    with_server("127.0.0.1:0", |address, node| async move {
        for path in [
            "/../../etc/passwd",
            "/assets/../../Cargo.toml",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc%2fpasswd",
            "/assets/..%5c..%5cCargo.toml",
            "//etc/passwd",
            "/index.html/../build.rs",
            "/%00",
        ] {
            let request = Request::new(address, "GET", path);
            let response = refused(address, &node, request).await;
            assert!(!response.text().contains("root:"), "{path}");
        }
        // No other spelling of an API path gets past the guard.
        for path in [
            "//api/v1/shutdown",
            "/API/v1/shutdown",
            "/%61pi/v1/shutdown",
            "/api%2fv1%2fshutdown",
            "/./api/v1/shutdown",
            "/x/../api/v1/shutdown",
            "/api/v1/bootstrap/../shutdown",
            "/api//v1/shutdown",
            "/api/v1/shutdown/",
            "/api/v1/%73hutdown",
        ] {
            let request = Request::post(address, path, "{}").without("Authorization");
            refused(address, &node, request).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn oversized_body() {
    with_server("127.0.0.1:0", |address, node| async move {
        let text = format!("{{\"room\":\"r\",\"text\":\"{}\"}}", "a".repeat(70_000));
        let path = "/api/v1/rooms/send";
        let request = Request::post(address, path, &text);
        refused(address, &node, request).await.assert_problem(413, "API-004");
        // The same without saying before how long it is.
        let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        let request = Request::post(address, path, "")
            .set("Transfer-Encoding", "chunked")
            .without("Content-Length")
            .body(chunk.as_bytes());
        refused(address, &node, request).await.assert_problem(413, "API-004");
        // A lying length is refused before a byte of it arrives.
        let request = Request::post(address, path, "").set("Content-Length", "99999999999");
        refused(address, &node, request).await.assert_problem(413, "API-004");
    })
    .await;
}

#[actix_web::test]
async fn header_flood() {
    with_server("127.0.0.1:0", |address, node| async move {
        let mut many = shutdown(address);
        for number in 0..70 {
            many = many.with(&format!("X-Flood-{number}"), "1");
        }
        refused(address, &node, many.clone()).await.assert_problem(431, "API-006");
        for number in 70..1_000 {
            many = many.with(&format!("X-Flood-{number}"), "1");
        }
        refused(address, &node, many).await;
        let long = shutdown(address).with("X-Long", &"a".repeat(20_000));
        refused(address, &node, long).await.assert_problem(431, "API-006");
        let path = format!("/api/v1/status?{}", "a".repeat(20_000));
        let request = Request::new(address, "GET", &path);
        refused(address, &node, request).await.assert_problem(431, "API-006");
        // Headers that never end.
        let mut endless = format!("GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\n");
        endless.push_str(&"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(8_000));
        assert!(exchange(address, endless.as_bytes()).await.status >= 400);
        still_fine(address, &node).await;
    })
    .await;
}

#[actix_web::test]
async fn method_override() {
    with_server("127.0.0.1:0", |address, node| async move {
        for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
            let request =
                Request::new(address, "GET", "/api/v1/shutdown?_method=POST").with(name, "POST");
            refused(address, &node, request).await.assert_problem(400, "API-008");
        }
    })
    .await;
}

#[actix_web::test]
async fn http2_preface() {
    with_server("127.0.0.1:0", |address, node| async move {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let response = exchange(address, preface).await;
        assert_eq!(response.status, 400, "{}", response.head);
        still_fine(address, &node).await;
    })
    .await;
}

#[actix_web::test]
async fn a_forwarded_request() {
    with_server("127.0.0.1:0", |address, node| async move {
        for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"] {
            let request = shutdown(address).with(name, "127.0.0.1");
            refused(address, &node, request).await.assert_problem(403, "AUTH-006");
        }
    })
    .await;
}

#[actix_web::test]
async fn two_requests_in_one_body() {
    with_server("127.0.0.1:0", |address, node| async move {
        // Two lengths that disagree are the start of smuggling.
        let inner = Request::post(address, "/api/v1/shutdown", "{}").bytes();
        let request = Request::new(address, "POST", "/api/v1/reload")
            .with("Content-Type", "application/json")
            .with("Content-Length", "2")
            .with("Transfer-Encoding", "chunked")
            .without("Connection")
            .body(&[b"0\r\n\r\n".as_slice(), &inner].concat());
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        socket.write_all(&request.without("Authorization").bytes()).await.unwrap();
        let mut first = [0; 16];
        socket.read_exact(&mut first).await.unwrap();
        assert!(first.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&first));
        drop(socket);
        // The body's request carries the right token, so it would count if it were read as one.
        still_fine(address, &node).await;
    })
    .await;
}

#[test]
fn a_weak_token_is_refused_at_the_start_and_no_token_is_shown() {
    for weak in ["", "short", " \n", &"a b".repeat(20), &"ü".repeat(20)] {
        assert!(AdminToken::new(weak).is_err(), "{weak}");
    }
    let token = AdminToken::new(&format!("{TOKEN}\n")).unwrap();
    assert_eq!(token, AdminToken::new(TOKEN).unwrap());
    assert!(!format!("{token:?}").contains(TOKEN));
}
