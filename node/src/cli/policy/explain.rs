//! `peerloom policy explain`: why this node allows or denies something.
//! Invariant: the decision is the node's own function's; what it was asked on is said with the answer.
//! Not here: finding the reasons (`crate::policy::explain`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use clap::Args;
use peerloom_shared::PeerId;
use peerloom_shared::grant::{Chain, Invite, resource_of};
use peerloom_shared::limits::INVITE_INPUT_BYTES_MAX;
use peerloom_shared::net::clock::unix_ms;
use peerloom_shared::policy::{Action, Class, Resource, Subject};
use serde_json::{Value, json};

use super::super::{Failures, Outcome, Session};
use super::trial::decided;
use super::{Place, Where};
use crate::audit::{Asked, PastDenial, utc};
use crate::error::{Exit, Failure, codes};
use crate::policy::beside::Noted;
use crate::policy::explain::{Explanation, Grant, Offer, Part, Request, Weight, explain};
use crate::policy::replay::class_of;
use crate::policy::{folder, time};
use crate::text::one_line;

/// Arguments of `policy explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Who: a PeerId, or `local` for this node's operator
    #[arg(
        long = "peer",
        alias = "who",
        value_name = "PEER",
        required_unless_present = "reference"
    )]
    who: Option<String>,
    /// What, such as topic.publish
    #[arg(long, alias = "do", value_name = "ACTION", required_unless_present = "reference")]
    action: Option<String>,
    /// On what, such as topic/garden, node, admin or protocol//ipfs/kad/1.0.0
    #[arg(long, alias = "on", value_name = "RESOURCE", required_unless_present = "reference")]
    resource: Option<String>,
    /// The denial with this reference, from the audit log or from whoever was denied
    #[arg(long = "ref", value_name = "REF", conflicts_with_all = ["who", "action", "resource"])]
    reference: Option<String>,
    /// When, such as 2026-05-01T12:00:00Z; now, where nothing is said
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The address that the peer comes from
    #[arg(long, value_name = "IP")]
    ip: Option<IpAddr>,
    /// The peer comes through a relay
    #[arg(long)]
    relayed: bool,
    /// What if it held this as well: an invitation, or a file with a grant's bytes or an invitation
    #[arg(long, value_name = "FILE|LINK")]
    with_grant: Vec<String>,
    #[command(flatten)]
    folder: Where,
}

pub(super) fn run(session: &Session, args: &ExplainArgs) -> Outcome {
    let place = Place::of(session, &args.folder)?;
    let loaded = folder::load(&place.dir, &place.wanted, unix_ms())?;
    let decided = decided(session)?;
    let mut request = match &args.reference {
        Some(reference) => of_reference(session, reference)?,
        None => of_words(args, &decided)?,
    };
    if let Some(at) = &args.at {
        request.at_ms = time::parse(at).ok_or_else(|| wrong("--at", at, time::FORM))?;
    }
    request.offers = kept(&request, &decided);
    for text in &args.with_grant {
        request.offers.push(offered(text, &request)?);
    }
    request.revoked = revoked(&place);
    let told = explain(&loaded, &request);
    session.out.either(&as_json(&request, &told), || as_text(session, &request, &told))?;
    Ok(Exit::DONE)
}

fn wrong(flag: &str, found: &str, wanted: &str) -> Failure {
    let text = format!("`{}` is no value of {flag}: it takes a {wanted}", one_line(found));
    Failure::new(&codes::CLI_001, text)
}

/// The question of the flags. What the peer said it is, and where it came from, is taken from its newest
/// request where no flag says it.
fn of_words(args: &ExplainArgs, decided: &[Asked]) -> Result<Request, Failure> {
    let who = args.who.as_deref().unwrap_or_default();
    let peer = match who {
        "local" => None,
        who => Some(who.parse::<PeerId>().map_err(|_| wrong("--peer", who, "PeerId, or `local`"))?),
    };
    let action = args.action.as_deref().unwrap_or_default();
    let action = action_of(action).ok_or_else(|| {
        let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        wrong("--action", action, &format!("name among {}", names.join(", ")))
    })?;
    let resource = args.resource.as_deref().unwrap_or_default();
    let resource = resource_of(resource).ok_or_else(|| {
        wrong("--resource", resource, "kind and a name, such as topic/garden, or node, or admin")
    })?;
    let newest = peer.and_then(|peer| newest(&peer, decided));
    let subject = match peer {
        None => Subject::Local,
        Some(id) => Subject::Peer {
            id,
            addr: args.ip.or_else(|| newest.and_then(|asked| asked.net)),
            relayed: args.relayed || newest.is_some_and(|asked| args.ip.is_none() && asked.relayed),
        },
    };
    let class = newest.map_or(Class::Unknown, |asked| class_of(&asked.class));
    Ok(Request::new(subject, action, resource, class, unix_ms()))
}

fn action_of(name: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.name() == name)
}

/// The question of a denial in the audit log.
fn of_reference(session: &Session, reference: &str) -> Result<Request, Failures> {
    let folder = session.config()?.files().audit();
    let reference = reference.trim().to_ascii_uppercase();
    let denial = PastDenial::find(&folder, &reference).map_err(|error| {
        Failure::new(&codes::AUD_002, format!("cannot read {}: {error}", folder.display()))
    })?;
    let none = || {
        let text = format!("no line has the reference {}", one_line(&reference));
        Failure::new(&codes::AUD_004, text)
    };
    let denial = denial.ok_or_else(none)?;
    let cut = || {
        let text = "the audit log holds only a part of what was asked for";
        Failure::new(&codes::AUD_004, text.to_owned())
    };
    let (subject, action, resource) = denial.question().ok_or_else(cut)?;
    let class = class_of(denial.class());
    Ok(Request::new(subject, action, resource, class, denial.at_ms()))
}

/// The newest request of a peer.
fn newest<'a>(peer: &PeerId, decided: &'a [Asked]) -> Option<&'a Asked> {
    let id = peer.to_string();
    let own = decided.iter().filter(|asked| asked.peer.as_deref() == Some(&id));
    // The author of what others carried is asked about without an address.
    own.max_by_key(|asked| (asked.net.is_some(), asked.at_ms))
}

/// The grants that the peer held at its newest request before the question.
fn kept(request: &Request, decided: &[Asked]) -> Vec<Offer> {
    let Some(id) = request.subject.peer().map(|peer| peer.to_string()) else { return Vec::new() };
    let own = decided.iter().filter(|asked| asked.peer.as_deref() == Some(&id));
    let newest = own.max_by_key(|asked| asked.at_ms);
    let noted = newest.into_iter().flat_map(|asked| asked.grants.iter());
    let offer = |noted: Noted| {
        let id = noted.ids.last().map(|id| id.chars().take(8).collect::<String>());
        let from = format!("{}, shown to this node", id.unwrap_or_default());
        Offer { from, grant: Grant::Noted(noted) }
    };
    noted.filter_map(Noted::of).map(offer).collect()
}

/// A grant that somebody might show.
fn offered(text: &str, request: &Request) -> Result<Offer, Failure> {
    let cannot = |why: String| Failure::new(&codes::CLI_001, why);
    let is_link = text.contains('#') || text.starts_with("j=");
    let bytes = if is_link {
        text.as_bytes().to_vec()
    } else {
        use std::io::Read as _;
        let unreadable = |error| cannot(format!("cannot read {}: {error}", one_line(text)));
        let file = std::fs::File::open(text).map_err(unreadable)?;
        let max = u64::try_from(INVITE_INPUT_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        bytes
    };
    let from = if is_link { "the invitation".to_owned() } else { one_line(text) };
    let words = std::str::from_utf8(&bytes).ok().filter(|words| words.contains("j="));
    let grant = match words {
        Some(words) => of_invite(words, request),
        None => match Chain::decode(&bytes) {
            Ok(chain) => Grant::Chain(chain),
            Err(error) => Grant::Malformed(error),
        },
    };
    Ok(Offer { from, grant })
}

/// What the peer would hold once it has accepted an invitation.
fn of_invite(words: &str, request: &Request) -> Grant {
    let Some(peer) = request.subject.peer() else {
        return Grant::NoInvite("this node itself needs none".to_owned());
    };
    let accepted = Invite::parse(words, request.at_ms).and_then(|it| it.accept(&peer, [0; 8]));
    accepted.map_or_else(|error| Grant::NoInvite(error.to_string()), Grant::Chain)
}

/// What was taken back here, as the running node knows it. Without one, what a peer showed last counts.
fn revoked(place: &Place) -> BTreeSet<String> {
    let given = place.running.iter().flat_map(|running| running.given.iter());
    given.filter(|given| given.state == "revoked").map(|given| given.id.clone()).collect()
}

/// The group of whoever is in no other one, as it is shown.
const ANONYMOUS: &str = "Group::\"anonymous\"";

fn who(subject: &Subject) -> String {
    match subject {
        Subject::Local => "the operator of this node".to_owned(),
        Subject::Peer { id, addr, relayed } => {
            let way = if *relayed { ", through a relay" } else { "" };
            let from = addr.map(|addr| format!(" from {addr}")).unwrap_or_default();
            format!("{id}{from}{way}")
        }
        Subject::Address(ip) => ip.to_string(),
    }
}

fn as_json(request: &Request, told: &Explanation) -> Value {
    let part = |part: &Part| {
        json!({
            "id": *part.rule.id, "reason": *part.rule.reason, "forbids": part.rule.forbids,
            "at": crate::policy::compile::spot_of(&part.rule).to_string(),
            "holds": part.holds.as_ref().ok(), "error": part.holds.as_ref().err(),
            "decided": part.decided,
        })
    };
    let weight = |weight: &Weight| {
        json!({
            "from": weight.from, "counts": weight.counts, "allows": weight.allows,
            "link": weight.link, "field": weight.field, "why": weight.why,
        })
    };
    json!({
        "schema": "peerloom/policy-explain/1",
        "who": request.subject.peer().map(|peer| peer.to_string()),
        "action": request.action.name(), "resource": words(&request.resource),
        "atMs": request.at_ms, "allowed": told.allowed, "by": told.by, "reason": told.reason,
        "forbidden": told.forbidden, "listed": told.listed,
        "policies": told.parts.iter().map(part).collect::<Vec<_>>(),
        "grants": told.grants.iter().map(weight).collect::<Vec<_>>(),
        "member": told.member, "root": told.root, "groups": told.around,
    })
}

fn words(resource: &Resource) -> String {
    let path = peerloom_shared::grant::path_of(resource).unwrap_or_default();
    one_line(&String::from_utf8_lossy(&path))
}

fn as_text(session: &Session, request: &Request, told: &Explanation) -> String {
    let verdict = if told.allowed { "allowed" } else { "denied" };
    let mut text = format!("{verdict} by {}\n", told.by.join(", "));
    if let Some(reason) = &told.reason {
        text.push_str(&format!("  {reason}\n"));
    }
    let mut standing = Vec::new();
    standing.extend(told.root.then(|| "a root of this network".to_owned()));
    standing.extend((told.member && !told.root).then(|| "a member".to_owned()));
    standing.extend(told.around.iter().filter(|name| *name != ANONYMOUS).cloned());
    let nobody = match &request.subject {
        Subject::Local => "this node itself",
        Subject::Peer { .. } | Subject::Address(_) => "a stranger",
    };
    let pairs = [
        ("who", who(&request.subject)),
        ("action", request.action.name().to_owned()),
        ("on", words(&request.resource)),
        ("at", format!("{} UTC", utc(request.at_ms))),
        ("counts as", if standing.is_empty() { nobody.to_owned() } else { standing.join(", ") }),
    ];
    text.push_str(&format!("\n{}\n", session.out.pairs(&pairs).trim_end()));
    if told.forbidden && !told.listed {
        text.push_str("\nIt is forbidden, so no grant can allow it.\n");
    }
    if !told.parts.is_empty() {
        text.push_str("\npolicies about it\n");
        let rows: Vec<_> = told.parts.iter().map(part_row).collect();
        text.push_str(&session.out.table(&["POLICY", "SAYS", "HERE", "WHERE", "REASON"], &rows));
    }
    text.push_str("\ngrants\n");
    let rows: Vec<_> = told.grants.iter().map(weight_row).collect();
    let table = session.out.table(&["GRANT", "COUNTS", "ALLOWS IT", "WHY"], &rows);
    text.push_str(if rows.is_empty() { "  none that this node has seen" } else { &table });
    text
}

fn part_row(part: &Part) -> Vec<String> {
    let says = if part.rule.forbids { "forbid" } else { "permit" };
    let here = match &part.holds {
        Ok(true) if part.decided => "decides".to_owned(),
        Ok(true) => "holds, but another decides".to_owned(),
        Ok(false) => "its condition does not hold".to_owned(),
        Err(error) => format!("cannot be evaluated: {}", one_line(error)),
    };
    let at = match &part.rule.origin {
        Some(_) => crate::policy::compile::spot_of(&part.rule).to_string(),
        None => "the profile".to_owned(),
    };
    // What a permit says is for whoever it does not hold for.
    let silent = part.holds == Ok(true) && !part.rule.forbids;
    let reason = if silent { String::new() } else { part.rule.reason.to_string() };
    vec![part.rule.id.to_string(), says.to_owned(), here, at, reason]
}

fn weight_row(weight: &Weight) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let place = match (weight.link, weight.field) {
        (Some(link), Some(field)) => format!("link {}, {field}: ", link.saturating_add(1)),
        (None, Some(field)) => format!("{field}: "),
        (Some(_) | None, None) => String::new(),
    };
    let why = format!("{place}{}", one_line(&weight.why));
    vec![weight.from.clone(), yes(weight.counts), yes(weight.allows), why]
}
