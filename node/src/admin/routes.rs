//! Every path of the HTTP server and what it takes and gives.
//! Invariant: a handler reads bounded input, asks the node once, and shapes the answer.
//! Not here: who may ask (`auth`), the page's files (`assets`), and any decision about the mesh.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, rt, web};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use peerloom_shared::limits;
use peerloom_shared::{Multiaddr, PeerId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::{Answer, NodeApi, Reached};
use super::auth::{self, AdminToken, Names};
use super::events::{self, EventId};
use super::problem::{ApiError, refusal};
use super::{assets, routes_dht, routes_grants};

/// What every request can see.
pub(super) struct State {
    pub(super) node: Arc<dyn NodeApi>,
    pub(super) token: AdminToken,
    pub(super) names: Names,
    pub(super) readers: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
}

pub(super) type Reply = Result<HttpResponse, ApiError>;

/// Adds all paths.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(read("/livez", livez))
        .service(read("/readyz", readyz))
        .service(read("/metrics", metrics))
        .service(read("/api/v1/bootstrap", bootstrap))
        .service(
            // The guard belongs to the scope, not to a test of the path's text, so no spelling of
            // a path reaches a handler without it.
            web::scope("/api")
                .wrap(from_fn(auth::guard))
                .service(read("/v1/status", status))
                .service(read("/v1/peers", peers))
                .service(act("/v1/peers/connect", connect))
                .service(act("/v1/peers/disconnect", disconnect))
                .service(act("/v1/ping", ping))
                .service(read("/v1/rooms", rooms))
                .service(act("/v1/rooms/join", join))
                .service(act("/v1/rooms/leave", leave))
                .service(act("/v1/rooms/send", send))
                .service(read("/v1/rooms/messages", messages))
                .service(read("/v1/events", event_stream))
                .service(read("/v1/config", config))
                .service(read("/v1/key", key))
                .service(act("/v1/reload", reload))
                .service(act("/v1/shutdown", shutdown))
                .configure(routes_dht::configure)
                .configure(routes_grants::configure)
                .default_service(web::to(no_such_path)),
        )
        .default_service(web::to(assets::page));
}

/// A path that is only read.
pub(super) fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let other = || async { wrong_method("GET") };
    web::resource(path).route(web::get().to(handler)).default_service(web::to(other))
}

/// A path that does something. Only POST reaches it, so no link and no image can.
pub(super) fn act<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let other = || async { wrong_method("POST") };
    web::resource(path).route(web::method(Method::POST).to(handler)).default_service(web::to(other))
}

fn wrong_method(allowed: &'static str) -> HttpResponse {
    use actix_web::ResponseError;
    let error = ApiError::new(refusal::WRONG_METHOD, format!("this path takes {allowed}"));
    let mut response = error.error_response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

async fn no_such_path() -> Reply {
    Err(ApiError::new(refusal::NO_SUCH_PATH, "the API has no such path"))
}

/// A JSON body, read within its bounds. No body counts as an object without fields.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or_default();
        let payload = payload.take();
        Box::pin(async move {
            let time = Duration::from_millis(limits::HTTP_REQUEST_MS);
            let bytes =
                rt::time::timeout(time, collect(payload, announced)).await.map_err(|_| {
                    ApiError::new(refusal::SLOW_BODY, "the body did not arrive in time")
                })??;
            let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
            let value = serde_json::from_slice(text)
                .map_err(|error| ApiError::new(refusal::BAD_INPUT, error.to_string()))?;
            Ok(Self(value))
        })
    }
}

async fn collect(mut payload: Payload, announced: usize) -> Result<Vec<u8>, ApiError> {
    let too_large = |size: usize| {
        let max = limits::HTTP_BODY_BYTES_MAX;
        ApiError::new(refusal::BODY_TOO_LARGE, format!("{size} bytes or more, {max} are allowed"))
    };
    if announced > limits::HTTP_BODY_BYTES_MAX {
        return Err(too_large(announced));
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| ApiError::new(refusal::BAD_INPUT, error.to_string()))?;
        let size = bytes.len().saturating_add(chunk.len());
        if size > limits::HTTP_BODY_BYTES_MAX {
            return Err(too_large(size));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Waits for the node, but not for ever.
pub(super) async fn wait<T>(call: Answer<'_, T>) -> Result<T, ApiError> {
    match rt::time::timeout(Duration::from_millis(limits::HTTP_CALL_MS), call).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::new(refusal::NO_ANSWER, "the node did not answer in time")),
    }
}

pub(super) fn ok(value: impl Serialize) -> Reply {
    Ok(HttpResponse::Ok().json(value))
}

fn parse_address(text: &str) -> Result<Multiaddr, ApiError> {
    let bad = |why: String| Err(ApiError::new(refusal::NO_ADDRESS, why));
    if text.len() > limits::ADDRESS_BYTES_MAX {
        return bad(format!("longer than {} bytes", limits::ADDRESS_BYTES_MAX));
    }
    match text.parse::<Multiaddr>() {
        // An empty text is an address of no parts, which leads nowhere.
        Ok(address) if address.is_empty() => bad("the address is empty".to_owned()),
        Ok(address) => Ok(address),
        Err(error) => bad(format!("{text}: {error}")),
    }
}

/// `{}`: a path that takes nothing still refuses fields that it would ignore.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressBody {
    address: String,
}

/// A body that names a peer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerBody {
    id: String,
}

impl PeerBody {
    pub(super) fn peer(&self) -> Result<PeerId, ApiError> {
        // A PeerId in text has at most 62 characters, so a longer one is not worth decoding.
        let text: String = self.id.chars().take(limits::REMOTE_TEXT_CHARS_MAX).collect();
        let bad = |error| ApiError::new(refusal::NO_PEER_ID, format!("{text}: {error}"));
        text.parse().map_err(bad)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinBody {
    room: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoomBody {
    room: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendBody {
    room: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    room: String,
    #[serde(default)]
    limit: Option<usize>,
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(state: Data<State>) -> HttpResponse {
    match state.node.ready() {
        Ok(()) => HttpResponse::Ok().json(json!({ "ready": true, "reasons": [] })),
        Err(reasons) => {
            HttpResponse::ServiceUnavailable().json(json!({ "ready": false, "reasons": reasons }))
        }
    }
}

async fn metrics(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(state.node.metrics_text())
}

async fn bootstrap(state: Data<State>, request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().json(state.node.bootstrap(auth::asked_over_loopback(&request)))
}

async fn status(state: Data<State>) -> Reply {
    ok(wait(state.node.status()).await?)
}

async fn peers(state: Data<State>) -> Reply {
    let peers = wait(state.node.status()).await?.peers;
    ok(json!({ "schema": "peerloom/peers/1", "peers": peers }))
}

async fn connect(state: Data<State>, body: Body<AddressBody>) -> Reply {
    let address = parse_address(&body.0.address)?;
    let Reached { peer, already } = wait(state.node.connect(address)).await?;
    let over = already.map(|over| over.to_string());
    ok(json!({ "id": peer.to_string(), "already": over }))
}

async fn disconnect(state: Data<State>, body: Body<PeerBody>) -> Reply {
    let peer = body.0.peer()?;
    wait(state.node.disconnect(peer)).await?;
    ok(json!({ "id": peer.to_string() }))
}

async fn ping(state: Data<State>, body: Body<PeerBody>) -> Reply {
    let rtt = wait(state.node.ping(body.0.peer()?)).await?;
    ok(json!({ "rttMs": rtt.as_secs_f64() * 1_000.0 }))
}

async fn rooms(state: Data<State>) -> Reply {
    let rooms = wait(state.node.rooms()).await?;
    ok(json!({ "schema": "peerloom/rooms/1", "rooms": rooms }))
}

async fn join(state: Data<State>, body: Body<JoinBody>) -> Reply {
    let Body(JoinBody { room, name }) = body;
    wait(state.node.join(room.clone(), name)).await?;
    ok(json!({ "room": room }))
}

async fn leave(state: Data<State>, body: Body<RoomBody>) -> Reply {
    let Body(RoomBody { room }) = body;
    wait(state.node.leave(room.clone())).await?;
    ok(json!({ "room": room }))
}

async fn send(state: Data<State>, body: Body<SendBody>) -> Reply {
    let Body(SendBody { room, text }) = body;
    ok(wait(state.node.send(room, text)).await?)
}

async fn messages(state: Data<State>, request: HttpRequest) -> Reply {
    let query = web::Query::<MessagesQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(refusal::BAD_INPUT, error.to_string()))?
        .into_inner();
    let limit = query.limit.unwrap_or(limits::ROOM_RECENT_DEFAULT).min(limits::ROOM_RECENT_MAX);
    let messages = wait(state.node.messages(query.room, limit)).await?;
    ok(json!({ "schema": "peerloom/messages/1", "messages": messages }))
}

async fn event_stream(state: Data<State>, request: HttpRequest) -> Reply {
    let after = match request.headers().get("last-event-id").map(|id| id.to_str()) {
        None => None,
        // A browser repeats an empty id when it never got one.
        Some(Ok("")) => None,
        Some(Ok(text)) => Some(place(text)?),
        Some(Err(_)) => return Err(ApiError::new(refusal::BAD_INPUT, "Last-Event-ID: not text")),
    };
    let place = Arc::clone(&state.readers)
        .try_acquire_owned()
        .map_err(|_| ApiError::new(refusal::TOO_MANY_READERS, "all places are taken"))?;
    let body = events::stream(state.node.events().read(after), state.stop.clone(), place);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Asks proxies not to hold events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

fn place(text: &str) -> Result<EventId, ApiError> {
    text.parse()
        .map_err(|error| ApiError::new(refusal::BAD_INPUT, format!("Last-Event-ID: {error}")))
}

async fn config(state: Data<State>) -> Reply {
    ok(state.node.config_json())
}

async fn key(state: Data<State>) -> Reply {
    ok(state.node.key_public())
}

async fn reload(state: Data<State>, body: Body<Nothing>) -> Reply {
    let Body(Nothing {}) = body;
    ok(wait(state.node.reload()).await?)
}

async fn shutdown(state: Data<State>, body: Body<Nothing>) -> Reply {
    let Body(Nothing {}) = body;
    state.node.shutdown();
    Ok(HttpResponse::Accepted().json(json!({ "stopping": true })))
}
