//! `peerloom dht`: look up and store in the distributed hash table.
//! Invariant: keys and values are the bytes of the text, or of the digits with `--hex`.
//! Not here: lookups and records.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Outcome, Session, peers};
use crate::error::{Exit, Failure, codes};
use crate::text::{lines, one_line};

/// Arguments of `dht`.
#[derive(Debug, Args)]
pub struct DhtArgs {
    #[command(subcommand)]
    verb: DhtVerb,
    /// Keys and values are hexadecimal digits
    #[arg(long, global = true)]
    hex: bool,
}

#[derive(Debug, Subcommand)]
enum DhtVerb {
    /// Read a record
    Get {
        /// Its key
        key: String,
    },
    /// Write a record
    Put {
        /// Its key
        key: String,
        /// Its value
        value: String,
    },
    /// Say that this node provides what a key names
    Provide {
        /// The key
        key: String,
    },
    /// Find peers that provide what a key names
    Providers {
        /// The key
        key: String,
    },
    /// Find the addresses of a peer
    FindPeer {
        /// The peer's id
        peer: String,
    },
}

/// Looks up or stores.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: DhtArgs) -> Outcome {
    let hex = args.hex;
    let (verb, body) = match args.verb {
        DhtVerb::Get { key } => ("get", json!({ "key": octets(&key, hex)? })),
        DhtVerb::Put { key, value } => {
            ("put", json!({ "key": octets(&key, hex)?, "value": octets(&value, hex)? }))
        }
        DhtVerb::Provide { key } => ("provide", json!({ "key": octets(&key, hex)? })),
        DhtVerb::Providers { key } => ("providers", json!({ "key": octets(&key, hex)? })),
        DhtVerb::FindPeer { peer } => ("find-peer", json!({ "id": peers::peer_id(&peer)? })),
    };
    let mut answer: Value = session.client()?.post(&format!("/api/v1/dht/{verb}"), &body)?;
    if let Some(object) = answer.as_object_mut() {
        object.insert("schema".to_owned(), json!(format!("peerloom/dht-{verb}/1")));
        if hex && let Some(Value::String(text)) = object.get("value") {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            object.insert("value".to_owned(), json!({ "hex": digits }));
        }
    }
    session.out.either(&answer, || text(verb, &answer))?;
    let found = match verb {
        "providers" => !list(&answer, "providers").is_empty(),
        "find-peer" => !list(&answer, "addresses").is_empty(),
        _ => true,
    };
    Ok(if found { Exit::DONE } else { Exit::NOT_FOUND })
}

fn octets(text: &str, hex: bool) -> Result<Value, Failure> {
    if !hex {
        return Ok(json!(text));
    }
    if text.len().is_multiple_of(2) && text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(json!({ "hex": text }));
    }
    let why = format!("`{}` is not an even number of hexadecimal digits", one_line(text));
    Err(Failure::new(&codes::CLI_001, why))
}

fn list(answer: &Value, field: &str) -> Vec<String> {
    let items = answer.get(field).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(one_line).collect()
}

fn text(verb: &str, answer: &Value) -> String {
    let or_none = |items: Vec<String>, none: &str| {
        if items.is_empty() { none.to_owned() } else { items.join("\n") }
    };
    match verb {
        "get" => match answer.get("value") {
            Some(Value::String(text)) => lines(text),
            Some(value) => {
                value.get("hex").and_then(Value::as_str).map(one_line).unwrap_or_default()
            }
            None => String::new(),
        },
        "put" => "stored".to_owned(),
        "provide" => "announced".to_owned(),
        "providers" => or_none(list(answer, "providers"), "nobody provides it"),
        _ => or_none(list(answer, "addresses"), "no address is known"),
    }
}
