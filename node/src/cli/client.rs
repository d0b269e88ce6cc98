//! A client of the running node's API.
//! Invariant: the token goes to this computer only: never to another host, a proxy or a redirect.
//! Not here: the API; what the verbs do with the answers.

use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use peerloom_shared::limits;
use peerloom_shared::view::PeerEvent;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::running::Running;
use crate::config::CheckedConfig;
use crate::error::{Failure, FailureView, codes};
use crate::identity::keystore::{self, Token};
use crate::identity::secret_file::SecretError;

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    token_file: PathBuf,
    timeout: Duration,
}

impl Client {
    /// A client of the node that the settings name: by `api`, else by the note in the data folder,
    /// else at the address where the node would listen.
    ///
    /// # Errors
    /// When the address is not on this computer, or no node ever ran and none can be guessed.
    pub fn new(config: &CheckedConfig) -> Result<Self, Failure> {
        let base = match &config.api {
            Some(api) => api.clone(),
            None => match Running::read(&config.files()) {
                Some(running) => running.api,
                // Whoever names a folder means its node, not another one that has the usual port.
                None if config.names_a_folder_only() => {
                    let folder = config.data_dir.display();
                    return Err(unreachable(&format!("no node runs with the folder {folder}")));
                }
                None if config.http.port() != 0 => format!("http://{}", config.http),
                None => return Err(unreachable("the settings name no port")),
            },
        };
        let base = local(&base).ok_or_else(|| {
            Failure::new(&codes::CLI_007, format!("{base} is not on this computer"))
        })?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("peerloom/", env!("CARGO_PKG_VERSION"), " (cli)"))
            .timeout_global(Some(config.timeout))
            .build()
            .new_agent();
        Ok(Self { agent, base, token_file: config.token_file.clone(), timeout: config.timeout })
    }

    /// Where the node's page is, as seen from this computer.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}/", self.base)
    }

    /// How long one request may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// What the node reported, or why it could not be asked.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = self.agent.get(self.url(path)).header("Authorization", self.bearer()?);
        read(request.call().map_err(|error| self.failed(&error))?)
    }

    /// Does `path` with `body`.
    ///
    /// # Errors
    /// What the node reported, or why it could not be asked.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let request = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.bearer()?)
            .header("Content-Type", "application/json");
        read(request.send(body.to_string()).map_err(|error| self.failed(&error))?)
    }

    /// Reads a public `path`, without the token: the status and the body, which may be plain text.
    ///
    /// # Errors
    /// Why the node could not be asked.
    pub fn public(&self, path: &str) -> Result<(u16, String), Failure> {
        let answer = self.agent.get(self.url(path)).call().map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        let bytes = bytes(answer)?;
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Opens the stream of events.
    ///
    /// # Errors
    /// What the node reported, or why it could not be asked.
    pub fn events(&self) -> Result<Events, Failure> {
        let request = self
            .agent
            .get(self.url("/api/v1/events"))
            .header("Authorization", self.bearer()?)
            .header("Accept", "text/event-stream")
            .config()
            .timeout_global(None)
            .timeout_connect(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .build();
        let answer = request.call().map_err(|error| self.failed(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer));
        }
        let reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Events { lines: BufReader::new(Box::new(reader)) })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn bearer(&self) -> Result<String, Failure> {
        let token: Token = keystore::token(&self.token_file).map_err(|error| {
            if let SecretError::Missing { path } = &error {
                let text = format!("there is no token file {}", path.display());
                return Failure::new(&codes::CLI_004, text);
            }
            error.into()
        })?;
        Ok(format!("Bearer {}", token.expose()))
    }

    fn failed(&self, error: &ureq::Error) -> Failure {
        let base = &self.base;
        if let ureq::Error::Timeout(_) = error {
            let waited = self.timeout.as_millis();
            let text = format!("the node at {base} did not answer within {waited} ms");
            Failure::new(&codes::CLI_006, text)
        } else if let ureq::Error::Io(error) = error {
            unreachable(&format!("{base}: {error}"))
        } else if matches!(error, ureq::Error::ConnectionFailed | ureq::Error::HostNotFound) {
            unreachable(base)
        } else {
            Failure::new(&codes::CLI_005, format!("{base}: {error}"))
        }
    }
}

fn unreachable(what: &str) -> Failure {
    Failure::new(&codes::CLI_003, format!("cannot reach the node: {what}"))
}

/// The address if it is on this computer; the unspecified one means loopback.
fn local(base: &str) -> Option<String> {
    let authority = base.strip_prefix("http://")?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse::<u16>().ok()?)),
        _ => (authority, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_loopback() => ip.to_string(),
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(ip)) if ip.is_loopback() || ip.is_unspecified() => "[::1]".to_owned(),
        Err(_) if bare.eq_ignore_ascii_case("localhost") => "localhost".to_owned(),
        _ => return None,
    };
    Some(match port {
        Some(port) => format!("http://{host}:{port}"),
        None => format!("http://{host}"),
    })
}

fn read<T: DeserializeOwned>(answer: Response<Body>) -> Result<T, Failure> {
    if !answer.status().is_success() {
        return Err(refusal(answer));
    }
    serde_json::from_slice(&bytes(answer)?).map_err(|error| {
        Failure::new(&codes::CLI_005, format!("the answer has an unknown form: {error}"))
    })
}

fn bytes(answer: Response<Body>) -> Result<Vec<u8>, Failure> {
    let body = answer.into_body().into_with_config().limit(limits::API_ANSWER_BYTES_MAX);
    body.read_to_vec().map_err(|error| {
        if let ureq::Error::Timeout(_) = error {
            return Failure::new(&codes::CLI_006, "the answer did not arrive in time");
        }
        Failure::new(&codes::CLI_005, format!("the answer is incomplete: {error}"))
    })
}

/// What a problem document says; anything else is not our node's.
fn refusal(answer: Response<Body>) -> Failure {
    let status = answer.status().as_u16();
    let body = match bytes(answer) {
        Ok(body) => body,
        Err(failure) => return failure,
    };
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |field: &str| problem.get(field).and_then(Value::as_str).map(str::to_owned);
    let (Some(code), Some(title)) = (text("code"), text("title")) else {
        return Failure::new(&codes::CLI_005, format!("it answered with HTTP status {status}"));
    };
    let view = FailureView {
        message: text("detail").unwrap_or(title),
        hint: text("hint").unwrap_or_default(),
        docs: text("docs").unwrap_or_default(),
        retryable: problem.get("retryable").and_then(Value::as_bool).unwrap_or_default(),
        code,
    };
    Failure::reported(view, status)
}

/// The stream of events, oldest first.
pub struct Events {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Waits for the next event. `None`: the stream has ended, as it does when the node stops.
    /// Events that this program does not know are passed over.
    pub fn wait(&mut self) -> Option<PeerEvent> {
        let mut data = Vec::new();
        let mut left = limits::API_EVENT_BYTES_MAX;
        loop {
            let mut line = Vec::new();
            let count = (&mut self.lines).take(left).read_until(b'\n', &mut line).ok()?;
            if count == 0 {
                return None;
            }
            left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            let line = line.trim_ascii_end();
            if let Some(text) = line.strip_prefix(b"data:") {
                data.extend_from_slice(text);
            } else if line.is_empty() {
                // An empty line ends one event.
                let event = serde_json::from_slice(&data).ok();
                data.clear();
                left = limits::API_EVENT_BYTES_MAX;
                if event.is_some() {
                    return event;
                }
            }
        }
    }

    #[cfg(test)]
    fn of(text: &'static str) -> Self {
        Self { lines: BufReader::new(Box::new(text.as_bytes())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_on_this_computer() {
        for (given, used) in [
            ("http://127.0.0.1:7070", Some("http://127.0.0.1:7070")),
            ("http://127.9.9.9", Some("http://127.9.9.9")),
            ("http://0.0.0.0:1", Some("http://127.0.0.1:1")),
            ("http://[::1]:7070", Some("http://[::1]:7070")),
            ("http://[::]:7070", Some("http://[::1]:7070")),
            ("http://[::1]", Some("http://[::1]")),
            ("http://LocalHost:80", Some("http://localhost:80")),
            ("http://192.168.0.1:7070", None),
            ("http://localhost.example.org:7070", None),
            ("http://localhost@example.org", None),
            ("http://127.0.0.1.example.org:1", None),
            ("https://127.0.0.1:7070", None),
            ("http://127.0.0.1:99999", None),
        ] {
            assert_eq!(local(given).as_deref(), used, "{given}");
        }
    }

    #[test]
    fn events_are_read_across_comments_ids_and_unknown_kinds() {
        let mut events = Events::of(
            ": hello\n\nid: a-1\ndata: {\"type\":\"gap\",\"lost\":3}\n\n\
             data: {\"type\":\"future\"}\n\nid: a-2\r\ndata: {\"type\":\r\ndata: \"gap\",\"lost\":4}\r\n\r\n\
             data: {\"type\":\"gap\"",
        );
        assert_eq!(events.wait(), Some(PeerEvent::Gap { lost: 3 }));
        assert_eq!(events.wait(), Some(PeerEvent::Gap { lost: 4 }));
        assert_eq!(events.wait(), None);
    }
}
