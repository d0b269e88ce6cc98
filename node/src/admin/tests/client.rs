//! A client that sends exactly the bytes it is told, and the harness around a running server.
//! Invariant: nothing waits longer than [`DEADLINE`].
//! Not here: what the answers should be.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::fake::FakeNode;
use crate::admin::{AdminToken, serve};

pub(super) const DEADLINE: Duration = Duration::from_secs(20);
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Runs a server on a free port for as long as the test needs it.
pub(super) async fn with_server<F: Future<Output = ()>>(
    bind: &str,
    test: impl FnOnce(SocketAddr, Arc<FakeNode>) -> F,
) {
    let node = FakeNode::new();
    let token = AdminToken::new(TOKEN).unwrap();
    let server = serve(node.clone(), bind.parse().unwrap(), token).unwrap();
    let address = server.address();
    let stop = CancellationToken::new();
    let body = async {
        let _stops_at_the_end = stop.clone().drop_guard();
        timeout(DEADLINE, test(address, node)).await.unwrap();
    };
    futures::join!(server.run(stop.clone()), body);
}

/// A request in the making.
#[derive(Clone)]
pub(super) struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request as an honest local program sends it.
    pub(super) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![
            ("Host".to_owned(), format!("127.0.0.1:{}", address.port())),
            ("Connection".to_owned(), "close".to_owned()),
        ];
        Self { line: format!("{method} {path} HTTP/1.1"), headers, body: Vec::new() }
            .with("Authorization", &format!("Bearer {TOKEN}"))
    }

    /// The same with a JSON body.
    pub(super) fn post(address: SocketAddr, path: &str, body: &str) -> Self {
        Self::new(address, "POST", path)
            .with("Content-Type", "application/json")
            .with("Content-Length", &body.len().to_string())
            .body(body.as_bytes())
    }

    pub(super) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Adds a header, also where there is one already.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces a header.
    pub(super) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.line);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(super) async fn send(&self, address: SocketAddr) -> Response {
        exchange(address, &self.bytes()).await
    }
}

/// Sends bytes and reads until the server closes.
pub(super) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Response {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may close before it has read everything.
    let wrote = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, socket.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.is_empty(), "no answer: {wrote:?} {read:?}");
    Response::parse(&answer)
}

pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[split + 4..].to_vec() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// Asserts that this is a problem with this status and code, told completely.
    pub(super) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{} {}", self.head, self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        let slug = code.to_ascii_lowercase();
        assert_eq!(problem["docs"], format!("docs/errors.md#{slug}"));
        for field in ["title", "detail", "hint"] {
            assert!(problem[field].as_str().is_some_and(|text| text.len() > 4), "{problem}");
        }
        assert_eq!(self.header("access-control-allow-origin"), None);
    }
}
