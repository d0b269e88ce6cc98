//! Who may ask: the checks in front of every request and the stricter ones in front of the API.
//! Invariant: no admin handler runs unless the request comes from this machine, from no foreign
//! page, through no proxy, with the token, and the policy agrees.
//! Not here: where the token file is and who made it; what the policy's rules are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, ResponseError, web};
use peerloom_shared::limits;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::api::Access;
use super::problem::{ApiError, refusal};
use super::routes::State;
use super::server::Outside;

/// The secret that opens the admin API. Its text is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(Zeroizing<String>);

impl AdminToken {
    /// Takes the token's text as it stands in the token file; white space around it is cut off.
    ///
    /// # Errors
    /// [`WeakToken`] for a text that is too short or that no header can carry.
    pub fn new(text: &str) -> Result<Self, WeakToken> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() < limits::ADMIN_TOKEN_BYTES_MIN || !printable {
            return Err(WeakToken);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    fn matches(&self, given: &[u8]) -> bool {
        // The time depends on the lengths only, and the length is no secret.
        bool::from(self.0.as_bytes().ct_eq(given))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(***)")
    }
}

/// A token that anybody could guess, or that is no single word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an admin token is one word of at least {} printable characters",
    limits::ADMIN_TOKEN_BYTES_MIN
)]
pub struct WeakToken;

/// The names under which this server may be addressed.
#[derive(Clone, Debug)]
pub(super) struct Names {
    port: u16,
    ip: IpAddr,
}

impl Names {
    /// The names of a server that listens at this address.
    pub(super) fn of(address: SocketAddr) -> Self {
        Self { port: address.port(), ip: address.ip().to_canonical() }
    }

    /// Whether only this machine can reach the server.
    pub(super) fn only_local(&self) -> bool {
        self.ip.is_loopback()
    }

    fn allows(&self, host: &str) -> bool {
        let name = match split_port(host) {
            Some((name, port)) if port == self.port => name,
            None if self.port == 80 => host,
            Some(_) | None => return false,
        };
        if name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]" {
            return true;
        }
        self.only_local() && name.parse() == Ok(self.ip)
    }
}

/// `name:port`, where an IPv6 name is in brackets.
fn split_port(host: &str) -> Option<(&str, u16)> {
    let (name, port) = host.rsplit_once(':')?;
    // The colons of a bare `[::1]` are not a port's.
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Some((name, port.parse().ok()?)) } else { None }
}

/// In front of every request: size of the head, room for other machines, and, when the server is
/// for this machine only, the Host header, so that no foreign name can be rebound to it. After
/// it: the headers that every answer carries.
pub(super) async fn front(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let refusal = state(&request).and_then(|state| check_front(&request, &state.names));
    let mut response = match refusal {
        Err(error) => refuse(request, &error),
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
    };
    seal(response.headers_mut());
    Ok(response)
}

/// In front of the admin API: everything else.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let verdict = state(&request).and_then(|state| {
        check_source(&request, &state.names)?;
        check_token(&request, &state.token)?;
        check_form(&request)?;
        let access = access(request.method());
        state.node.admit(access)?;
        if access == Access::Write {
            state.node.wrote(request.method().as_str(), request.path());
        }
        Ok(())
    });
    match verdict {
        Err(error) => Ok(refuse(request, &error)),
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

fn state(request: &ServiceRequest) -> Result<&State, ApiError> {
    // The server always sets it; without it there is nothing to decide with, so nothing passes.
    request
        .app_data::<web::Data<State>>()
        .map(|state| state.get_ref())
        .ok_or_else(|| ApiError::new(refusal::NO_ANSWER, "the server is not set up"))
}

fn refuse(request: ServiceRequest, error: &ApiError) -> ServiceResponse {
    tracing::debug!(code = error.code, path = request.path(), "request refused");
    request.into_response(error.error_response())
}

fn access(method: &Method) -> Access {
    if method.is_safe() { Access::Read } else { Access::Write }
}

fn check_front(request: &ServiceRequest, names: &Names) -> Result<(), ApiError> {
    let headers = request.headers();
    check_size(request.uri(), headers)?;
    if request.request().conn_data::<Outside>().is_some_and(Outside::too_many) {
        return Err(ApiError::new(
            refusal::TOO_MANY_OUTSIDE,
            "all places for other machines are taken",
        ));
    }
    if names.only_local() {
        check_host(request.uri(), headers, names)?;
    }
    Ok(())
}

fn check_size(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes = headers.iter().fold(target, |sum, (name, value)| {
        // Four more for the colon, the space and the line end.
        sum.saturating_add(name.as_str().len()).saturating_add(value.len()).saturating_add(4)
    });
    if headers.len() > limits::HTTP_HEADERS_MAX || bytes > limits::HTTP_HEAD_BYTES_MAX {
        let detail = format!("{} headers, {bytes} bytes", headers.len());
        return Err(ApiError::new(refusal::HEAD_TOO_LARGE, detail));
    }
    Ok(())
}

/// The request's source: this machine, directly, by one of our names, and from no foreign page.
fn check_source(request: &ServiceRequest, names: &Names) -> Result<(), ApiError> {
    if !is_local(request.request()) {
        return Err(ApiError::new(refusal::NOT_LOCAL, "the admin API answers this machine only"));
    }
    let headers = request.headers();
    if let Some(name) = forwarding(headers) {
        return Err(ApiError::new(refusal::FORWARDED, format!("the request carries {name}")));
    }
    check_host(request.uri(), headers, names)?;
    check_origin(headers)
}

/// Whether the other end of the connection is on this machine.
fn is_local(request: &HttpRequest) -> bool {
    request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

/// Whether the asker itself, and not only a proxy before it, is on this machine.
pub(super) fn asked_over_loopback(request: &HttpRequest) -> bool {
    is_local(request) && forwarding(request.headers()).is_none()
}

fn forwarding(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.keys().find(|name| {
        let name = name.as_str();
        name.starts_with("x-forwarded")
            || matches!(name, "forwarded" | "via" | "x-real-ip" | "x-client-ip" | "true-client-ip")
            || name == "cf-connecting-ip"
    })
}

fn check_host(uri: &Uri, headers: &HeaderMap, names: &Names) -> Result<(), ApiError> {
    let host = only(headers, &header::HOST)
        .map_err(|()| ApiError::new(refusal::FOREIGN_HOST, "there is more than one Host header"))?
        .ok_or_else(|| ApiError::new(refusal::FOREIGN_HOST, "there is no Host header"))?;
    // A target with its own authority would let the two disagree.
    let target_agrees = uri.authority().is_none_or(|target| target.as_str() == host);
    if names.allows(host) && target_agrees {
        return Ok(());
    }
    let ours = format!("this server is localhost, 127.0.0.1 or [::1] with port {}", names.port);
    Err(ApiError::new(refusal::FOREIGN_HOST, ours))
}

fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let foreign = |detail: &str| Err(ApiError::new(refusal::FOREIGN_ORIGIN, detail));
    let Ok(origin) = only(headers, &header::ORIGIN) else {
        return foreign("the Origin header is not readable");
    };
    let host = only(headers, &header::HOST).ok().flatten().unwrap_or_default();
    if let Some(origin) = origin
        && !origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    {
        return foreign("the Origin header names another site");
    }
    // Browsers send this with every request, also where they leave Origin out.
    let site = HeaderName::from_static("sec-fetch-site");
    match only(headers, &site) {
        Ok(None | Some("same-origin" | "none")) => Ok(()),
        Ok(Some(_)) | Err(()) => foreign("the browser says that another site asks"),
    }
}

/// The only value of a header; an error when there are several or it is not plain text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(());
    }
    value.to_str().map(Some).map_err(|_| ())
}

fn check_token(request: &ServiceRequest, token: &AdminToken) -> Result<(), ApiError> {
    let given = only(request.headers(), &header::AUTHORIZATION)
        .map_err(|()| {
            ApiError::new(refusal::TOKEN_WRONG, "the Authorization header is not readable")
        })?
        .ok_or_else(|| ApiError::new(refusal::TOKEN_MISSING, "there is no Authorization header"))?;
    let bearer = match given.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        Some(_) | None => {
            return Err(ApiError::new(
                refusal::TOKEN_MISSING,
                "the Authorization header is no Bearer",
            ));
        }
    };
    if token.matches(bearer.as_bytes()) {
        Ok(())
    } else {
        Err(ApiError::new(refusal::TOKEN_WRONG, "this token does not belong to this node"))
    }
}

/// The request's form: its own method, no upgrade, and JSON where there is a body.
fn check_form(request: &ServiceRequest) -> Result<(), ApiError> {
    let headers = request.headers();
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        if headers.contains_key(name) {
            return Err(ApiError::new(
                refusal::METHOD_OVERRIDE,
                format!("the request carries {name}"),
            ));
        }
    }
    if headers.contains_key(header::UPGRADE) || request.head().upgrade() {
        return Err(ApiError::new(refusal::UPGRADE, "the request asks for another protocol"));
    }
    if request.method() == Method::POST && !is_json(headers) {
        return Err(ApiError::new(
            refusal::NOT_JSON,
            "a POST needs Content-Type: application/json",
        ));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = only(headers, &header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The headers that every answer carries. The page sets its own content policy before; for the
/// rest nothing may be loaded at all.
fn seal(headers: &mut HeaderMap) {
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CROSS_ORIGIN_RESOURCE_POLICY, same_origin);
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
