//! The paths of invitations and grants.
//! Invariant: bounded input; an id is 64 hexadecimal digits or a PeerId.
//! Not here: who may invite and take back (the node asks the policy), what becomes of it.

use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use data_encoding::HEXLOWER_PERMISSIVE;
use peerloom_shared::grant::{GrantId, Role};
use peerloom_shared::limits;
use serde::Deserialize;
use serde_json::json;

use super::problem::{ApiError, refusal};
use super::routes::{Body, Reply, State, act, ok, read, wait};
use crate::identity::ledger::Removal;
use crate::node_handle::invites::Invitation;

/// Adds the paths.
pub(super) fn configure(api: &mut ServiceConfig) {
    api.service(act("/v1/invites/create", create))
        .service(act("/v1/invites/revoke", revoke_invite))
        .service(act("/v1/invites/accept", accept))
        .service(read("/v1/grants", grants))
        .service(act("/v1/grants/revoke", revoke_grant));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateBody {
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    life_ms: Option<u64>,
    #[serde(default)]
    max_uses: Option<u16>,
    #[serde(default)]
    page: Option<String>,
}

async fn create(state: Data<State>, body: Body<CreateBody>) -> Reply {
    let Body(CreateBody { room, role, life_ms, max_uses, page }) = body;
    let bad = |why: String| ApiError::new(refusal::BAD_INPUT, why);
    let role = match role {
        Some(role) => role.parse::<Role>().map_err(|error| bad(format!("role {error}")))?,
        None => Role::Member,
    };
    let life_ms = life_ms.unwrap_or(limits::INVITE_LIFE_MS);
    if life_ms == 0 || life_ms > limits::GRANT_LIFE_MS_MAX {
        return Err(bad(format!("lifeMs must be 1 to {}", limits::GRANT_LIFE_MS_MAX)));
    }
    let life = Duration::from_millis(life_ms);
    let wanted = Invitation { role, room, life, max_uses: max_uses.unwrap_or(1) };
    ok(wait(state.node.invite(wanted, page)).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct InviteBody {
    id: String,
    #[serde(default)]
    with_guests: bool,
}

async fn revoke_invite(state: Data<State>, body: Body<InviteBody>) -> Reply {
    let Body(InviteBody { id, with_guests }) = body;
    let id = grant_id(&id)?;
    let removal = if with_guests { Removal::WithGuests(id) } else { Removal::Grant(id) };
    wait(state.node.revoke(removal)).await?;
    ok(json!({ "schema": "peerloom/revoked/1", "id": id.to_string() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantBody {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    peer: Option<String>,
}

async fn revoke_grant(state: Data<State>, body: Body<GrantBody>) -> Reply {
    let (removal, what) = match (body.0.id, body.0.peer) {
        (Some(id), None) => (Removal::Grant(grant_id(&id)?), id),
        (None, Some(peer)) => {
            let bad = |error| ApiError::new(refusal::NO_PEER_ID, format!("peer: {error}"));
            (Removal::Peer(peer.parse().map_err(bad)?), peer)
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::new(refusal::BAD_INPUT, "give either `id` or `peer`"));
        }
    };
    wait(state.node.revoke(removal)).await?;
    ok(json!({ "schema": "peerloom/revoked/1", "id": what }))
}

fn grant_id(text: &str) -> Result<GrantId, ApiError> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap_or_default();
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
        ApiError::new(refusal::BAD_INPUT, "the id of a grant has 64 hexadecimal digits")
    })?;
    Ok(GrantId::from_bytes(bytes))
}

async fn grants(state: Data<State>) -> Reply {
    ok(wait(state.node.grants()).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    link: String,
}

async fn accept(state: Data<State>, body: Body<AcceptBody>) -> Reply {
    ok(wait(state.node.accept(body.0.link)).await?)
}
