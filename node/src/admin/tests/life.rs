//! The server's life: binding, stopping, slow and many clients.
//! Invariant: the port is free again after a stop, and slow clients end by themselves.
//! Not here: what the paths do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peerloom_shared::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::client::{DEADLINE, Request, TOKEN, with_server};
use super::fake::FakeNode;
use crate::admin::{AdminError, AdminServer, AdminToken, serve};
use crate::error::Coded;

fn bind(address: &str) -> Result<AdminServer, AdminError> {
    let token = AdminToken::new(TOKEN).unwrap();
    serve(FakeNode::new(), address.parse().unwrap(), token)
}

#[actix_web::test]
async fn a_port_in_use_and_a_foreign_address_are_named() {
    let first = bind("127.0.0.1:0").unwrap();
    let address = first.address().to_string();
    let error = bind(&address).unwrap_err();
    assert_eq!(error.code().id, "NET-102");
    assert_eq!(error.to_string(), format!("cannot listen on {address}: the port is in use"));
    assert!(error.hint().is_some_and(|hint| hint.contains("--http")));
    assert_eq!(bind("203.0.113.77:0").unwrap_err().code().id, "NET-103");
}

#[actix_web::test]
async fn the_page_address_can_be_opened() {
    let local = bind("127.0.0.1:0").unwrap();
    assert_eq!(local.page_url(), format!("http://127.0.0.1:{}/", local.address().port()));
    let open = bind("0.0.0.0:0").unwrap();
    assert_eq!(open.page_url(), format!("http://127.0.0.1:{}/", open.address().port()));
}

#[actix_web::test]
async fn it_stops_in_time_with_open_streams_and_frees_the_port() {
    let node = FakeNode::new();
    let token = AdminToken::new(TOKEN).unwrap();
    let server = serve(node, "127.0.0.1:0".parse().unwrap(), token).unwrap();
    let address = server.address();
    let stop = CancellationToken::new();
    let test = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = Request::new(address, "GET", "/api/v1/events").without("Connection");
        stream.write_all(&request.bytes()).await.unwrap();
        let mut some = [0; 1_024];
        assert!(stream.read(&mut some).await.unwrap() > 0);
        // One idle connection and one that stays in the middle of a request.
        let idle = TcpStream::connect(address).await.unwrap();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"POST /api/v1/rooms/join HTT").await.unwrap();
        stop.cancel();
        let since = Instant::now();
        let mut rest = Vec::new();
        timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        // The body was ended properly, not cut off.
        assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
        drop((idle, half));
        since
    };
    let (since, ()) = futures::join!(test, server.run(stop.clone()));
    let budget = Duration::from_millis(limits::HTTP_STOP_MS + 500);
    assert!(since.elapsed() < budget, "{:?}", since.elapsed());
    assert!(bind(&address.to_string()).is_ok());
}

#[actix_web::test]
async fn slow_clients_end_by_themselves() {
    with_server("127.0.0.1:0", |address, _| async move {
        let head = async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(b"GET /livez HTTP/1.1\r\nHost: a").await.unwrap();
            let mut answer = Vec::new();
            timeout(DEADLINE, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
        };
        let body = async {
            let request = Request::post(address, "/api/v1/rooms/join", "")
                .set("Content-Length", "20")
                .body(b"{\"room\":");
            request.send(address).await.assert_problem(408, "API-009");
        };
        let meanwhile = async {
            let honest = Request::new(address, "GET", "/livez").send(address).await;
            assert_eq!(honest.status, 200);
        };
        futures::join!(head, body, meanwhile);
    })
    .await;
}

#[actix_web::test]
async fn more_clients_than_places_do_no_harm() {
    with_server("127.0.0.1:0", |address, _| async move {
        let mut sockets = Vec::new();
        for _ in 0..limits::HTTP_CONNECTIONS_MAX + 50 {
            sockets.push(TcpStream::connect(address).await.unwrap());
        }
        drop(sockets);
        let honest = Request::new(address, "GET", "/api/v1/status").send(address).await;
        assert_eq!(honest.status, 200);
    })
    .await;
}

#[actix_web::test]
async fn it_runs_without_an_actix_system_too() {
    let server = bind("127.0.0.1:0").unwrap();
    let address = server.address();
    let runs = |server: AdminServer| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let stop = CancellationToken::new();
            let test = async {
                let answer = Request::new(address, "GET", "/livez").send(address).await;
                assert_eq!(answer.status, 200);
                stop.cancel();
            };
            futures::join!(server.run(stop.clone()), test);
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(move || runs(server)).join().unwrap();
    });
}

#[test]
fn the_server_can_be_sent_to_another_thread() {
    fn send<T: Send>(_: &T) {}
    let server = bind("127.0.0.1:0").unwrap();
    send(&server);
    let shared: Arc<FakeNode> = FakeNode::new();
    send(&shared);
    send(&server.run(CancellationToken::new()));
}
