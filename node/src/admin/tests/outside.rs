//! Requests from other machines.
//! Invariant: they see the page of an open port and never the admin API.
//! Not here: requests from this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::{App, test, web};
use peerloom_shared::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::client::{Request, TOKEN, with_server};
use super::fake::{FakeNode, LOCAL};
use crate::admin::auth::{self, AdminToken, Names};
use crate::admin::routes::{self, State};

/// The answer to a GET of `path` by `peer`, from a server that listens on every address.
async fn ask(peer: Option<&str>, path: &str) -> (u16, serde_json::Value) {
    let state = State {
        node: FakeNode::new(),
        token: AdminToken::new(TOKEN).unwrap(),
        names: Names::of("[::]:7070".parse().unwrap()),
        readers: Arc::new(Semaphore::new(limits::EVENT_READERS_MAX)),
        stop: CancellationToken::new(),
    };
    let app = App::new()
        .app_data(web::Data::new(state))
        .configure(routes::configure)
        .wrap(from_fn(auth::front));
    let app = test::init_service(app).await;
    let mut request = test::TestRequest::get()
        .uri(path)
        .insert_header(("Host", "127.0.0.1:7070"))
        .insert_header(("Authorization", format!("Bearer {TOKEN}")));
    if let Some(peer) = peer {
        request = request.peer_addr(peer.parse::<SocketAddr>().unwrap());
    }
    let response = test::call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&test::read_body(response).await).unwrap())
}

#[actix_web::test]
async fn the_admin_api_answers_this_machine_only() {
    for peer in ["127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
        assert_eq!(ask(Some(peer), "/api/v1/status").await.0, 200, "{peer}");
    }
    for peer in ["192.0.2.1:5", "10.0.0.1:5", "[2001:db8::1]:5", "[::ffff:192.0.2.1]:5"] {
        let (status, problem) = ask(Some(peer), "/api/v1/status").await;
        assert_eq!((status, &problem["code"]), (403, &"AUTH-005".into()), "{peer}");
    }
    let (status, problem) = ask(None, "/api/v1/status").await;
    assert_eq!((status, &problem["code"]), (403, &"AUTH-005".into()));
}

#[actix_web::test]
async fn each_asker_gets_addresses_that_it_can_reach() {
    for (peer, host) in [("127.0.0.1:5", "127.0.0.1"), ("192.0.2.1:5", "192.0.2.7")] {
        let (status, bootstrap) = ask(Some(peer), "/api/v1/bootstrap").await;
        let address = format!("/ip4/{host}/tcp/7073/ws/p2p/{LOCAL}");
        assert_eq!((status, &bootstrap["addresses"][0]), (200, &address.into()));
    }
}

/// This machine's address towards the internet, which is not loopback. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.77:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[actix_web::test]
async fn other_machines_cannot_take_all_places() {
    // A machine without any network has nobody outside.
    let Some(ip) = own_address() else { return };
    with_server("0.0.0.0:0", |address, _| async move {
        let outside = SocketAddr::new(ip, address.port());
        let mut places = Vec::new();
        for _ in 0..limits::HTTP_CONNECTIONS_OUTSIDE_MAX {
            // An answered request proves that the server has counted the connection.
            let mut socket = TcpStream::connect(outside).await.unwrap();
            let request = Request::new(outside, "GET", "/livez").without("Connection");
            socket.write_all(&request.bytes()).await.unwrap();
            let mut some = [0; 12];
            socket.read_exact(&mut some).await.unwrap();
            assert_eq!(&some, b"HTTP/1.1 200");
            places.push(socket);
        }
        let one_more = Request::new(outside, "GET", "/livez").send(outside).await;
        one_more.assert_problem(503, "API-011");
        let operator = Request::new(address, "GET", "/api/v1/status").send(address).await;
        assert_eq!(operator.status, 200);
        let api = Request::new(address, "GET", "/api/v1/status");
        drop(places);
        // Their places come back as the server learns that they left.
        while Request::new(outside, "GET", "/livez").send(outside).await.status != 200 {}
        api.send(outside).await.assert_problem(403, "AUTH-005");
    })
    .await;
}
