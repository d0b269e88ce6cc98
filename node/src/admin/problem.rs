//! Errors as HTTP sees them: `application/problem+json` (RFC 9457) with a stable code and a hint.
//! Invariant: what is sent comes from the one table of codes, or from a failure that does.
//! Not here: the table, and what the command line makes of a problem.

use std::fmt;

use actix_web::HttpResponse;
use actix_web::ResponseError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use serde::Serialize;

use crate::error::{self, Code, Failure, Kind};

/// What sort of failure it is. It decides the HTTP status and, for a client, the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request makes no sense (400).
    Invalid,
    /// No valid token (401).
    Unauthenticated,
    /// The policy, or a rule of this server, says no (403).
    Denied,
    /// There is no such thing (404).
    NotFound,
    /// The path exists, but not for this method (405).
    Method,
    /// The request arrived too slowly (408).
    Slow,
    /// The present state forbids it (409).
    Conflict,
    /// The body is too large (413).
    TooLarge,
    /// The body is not JSON (415).
    MediaType,
    /// All places are taken; try again soon (429).
    Busy,
    /// Too many or too large headers (431).
    HeadTooLarge,
    /// We broke a promise (500).
    Internal,
    /// Another peer did not do its part (502).
    Upstream,
    /// A part of the node is not there at the moment (503).
    Unavailable,
    /// Nobody answered in time (504).
    TimedOut,
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The kind of a published HTTP status; what nobody published is our own mistake.
    pub fn of(status: u16) -> Self {
        match status {
            400 => Self::Invalid,
            401 => Self::Unauthenticated,
            403 => Self::Denied,
            404 => Self::NotFound,
            405 => Self::Method,
            408 => Self::Slow,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            415 => Self::MediaType,
            429 => Self::Busy,
            431 => Self::HeadTooLarge,
            502 => Self::Upstream,
            503 => Self::Unavailable,
            504 => Self::TimedOut,
            _ => Self::Internal,
        }
    }
}

/// An error of the admin API, with everything a person or program needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The stable code, such as `NET-102`.
    pub code: String,
    /// What sort of failure it is.
    pub kind: ErrorKind,
    /// What happened, in a few words that are the same each time.
    pub title: String,
    /// What happened this time.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// The body of a problem, as it is sent.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    hint: &'a str,
    docs: String,
    retryable: bool,
}

impl ApiError {
    /// An error with a published code; `detail` says what happened this time.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        Self {
            code: code.id.to_owned(),
            kind: ErrorKind::of(code.http),
            title: code.title.to_owned(),
            detail: detail.into(),
            hint: code.hint.to_owned(),
            retryable: code.kind == Kind::Retry,
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let kind = ErrorKind::of(failure.http());
        let view = failure.view();
        let title = error::find(&view.code).map_or(view.message.as_str(), |code| code.title);
        Self {
            kind,
            title: title.to_owned(),
            code: view.code,
            detail: view.message,
            hint: view.hint,
            retryable: view.retryable,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let slug = self.code.to_ascii_lowercase();
        let mut response = HttpResponse::build(status);
        match self.kind {
            ErrorKind::Unauthenticated => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"peerloom\""));
            }
            ErrorKind::Busy | ErrorKind::Unavailable => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            // What is left of a refused body would be read as the next request.
            ErrorKind::TooLarge | ErrorKind::Slow | ErrorKind::HeadTooLarge => {
                response.force_close();
            }
            ErrorKind::Invalid
            | ErrorKind::Denied
            | ErrorKind::NotFound
            | ErrorKind::Method
            | ErrorKind::Conflict
            | ErrorKind::MediaType
            | ErrorKind::Internal
            | ErrorKind::Upstream
            | ErrorKind::TimedOut => {}
        }
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        let body = Problem {
            kind: format!("urn:peerloom:error:{slug}"),
            title: &self.title,
            status: status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            hint: &self.hint,
            docs: format!("docs/errors.md#{slug}"),
            retryable: self.retryable,
        };
        // A struct of strings always has a JSON form; an empty body would still carry the status.
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// The codes of this server's own refusals, by what they mean.
pub(super) mod refusal {
    use crate::error::{Code, codes};

    pub(crate) const NO_SUCH_PATH: &Code = &codes::API_001;
    pub(crate) const WRONG_METHOD: &Code = &codes::API_002;
    pub(crate) const BAD_INPUT: &Code = &codes::API_003;
    pub(crate) const BODY_TOO_LARGE: &Code = &codes::API_004;
    pub(crate) const NOT_JSON: &Code = &codes::API_005;
    pub(crate) const HEAD_TOO_LARGE: &Code = &codes::API_006;
    pub(crate) const UPGRADE: &Code = &codes::API_007;
    pub(crate) const METHOD_OVERRIDE: &Code = &codes::API_008;
    pub(crate) const SLOW_BODY: &Code = &codes::API_009;
    pub(crate) const TOO_MANY_READERS: &Code = &codes::API_010;
    pub(crate) const TOO_MANY_OUTSIDE: &Code = &codes::API_011;
    pub(crate) const NO_ANSWER: &Code = &codes::API_012;
    pub(crate) const TOKEN_MISSING: &Code = &codes::AUTH_001;
    pub(crate) const TOKEN_WRONG: &Code = &codes::AUTH_002;
    pub(crate) const FOREIGN_HOST: &Code = &codes::AUTH_003;
    pub(crate) const FOREIGN_ORIGIN: &Code = &codes::AUTH_004;
    pub(crate) const NOT_LOCAL: &Code = &codes::AUTH_005;
    pub(crate) const FORWARDED: &Code = &codes::AUTH_006;
    pub(crate) const NO_ADDRESS: &Code = &codes::NET_101;
    pub(crate) const NO_PEER_ID: &Code = &codes::NET_107;
    pub(crate) const BAD_KEY: &Code = &codes::DHT_005;
    pub(crate) const LONG_VALUE: &Code = &codes::DHT_006;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::codes;

    #[test]
    fn every_published_status_has_its_kind() {
        for code in codes::ALL {
            let kind = ErrorKind::of(code.http);
            assert_eq!(kind.status().as_u16(), code.http, "{}", code.id);
        }
    }

    #[test]
    fn a_failure_keeps_its_words() {
        let failure = Failure::new(&codes::ROOM_003, "nobody is in lobby").with_hint("Wait.");
        let error = ApiError::from(failure);
        assert_eq!(error.code, "ROOM-003");
        assert_eq!(error.kind.status().as_u16(), codes::ROOM_003.http);
        assert_eq!(error.title, codes::ROOM_003.title);
        assert_eq!((error.detail.as_str(), error.hint.as_str()), ("nobody is in lobby", "Wait."));
        assert!(error.retryable);
    }
}
