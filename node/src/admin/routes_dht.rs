//! The paths of the distributed hash table.
//! Invariant: keys and values are bytes; text stands for its UTF-8 bytes, `{"hex": ..}` for others.
//! Not here: lookups, records and their lifetimes.

use actix_web::web::{Data, ServiceConfig};
use peerloom_shared::limits;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::problem::{ApiError, refusal};
use super::routes::{Body, PeerBody, Reply, State, act, ok, wait};

/// Adds the paths.
pub(super) fn configure(api: &mut ServiceConfig) {
    api.service(act("/v1/dht/find-peer", find_peer))
        .service(act("/v1/dht/get", get))
        .service(act("/v1/dht/put", put))
        .service(act("/v1/dht/provide", provide))
        .service(act("/v1/dht/providers", providers));
}

/// Bytes in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Octets {
    Text(String),
    Hex(Hex),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    hex: String,
}

impl Octets {
    fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => {
                let hex = error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                Self::Hex(Hex { hex })
            }
        }
    }

    fn key(self) -> Result<Vec<u8>, ApiError> {
        let bytes = self.bytes("key")?;
        let max = limits::RECORD_KEY_BYTES_MAX;
        if bytes.is_empty() || bytes.len() > max {
            let detail = format!("the key has {} bytes, not 1 to {max}", bytes.len());
            return Err(ApiError::new(refusal::BAD_KEY, detail));
        }
        Ok(bytes)
    }

    fn value(self) -> Result<Vec<u8>, ApiError> {
        let bytes = self.bytes("value")?;
        let max = limits::RECORD_BYTES_MAX;
        if bytes.len() > max {
            let detail = format!("the value has {} bytes, more than {max}", bytes.len());
            return Err(ApiError::new(refusal::LONG_VALUE, detail));
        }
        Ok(bytes)
    }

    fn bytes(self, field: &str) -> Result<Vec<u8>, ApiError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Hex(Hex { hex }) => from_hex(&hex)
                .ok_or_else(|| ApiError::new(refusal::BAD_INPUT, format!("{field}: not hex"))),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    key: Octets,
}

impl KeyBody {
    fn key(self) -> Result<Vec<u8>, ApiError> {
        self.key.key()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordBody {
    key: Octets,
    value: Octets,
}

async fn find_peer(state: Data<State>, body: Body<PeerBody>) -> Reply {
    ok(wait(state.node.find_peer(body.0.peer()?)).await?)
}

async fn get(state: Data<State>, body: Body<KeyBody>) -> Reply {
    let key = body.0.key()?;
    let value = wait(state.node.get(key.clone())).await?;
    ok(json!({ "key": Octets::of(key), "value": Octets::of(value) }))
}

async fn put(state: Data<State>, body: Body<RecordBody>) -> Reply {
    let Body(RecordBody { key, value }) = body;
    let key = key.key()?;
    let value = value.value()?;
    wait(state.node.put(key.clone(), value)).await?;
    ok(json!({ "key": Octets::of(key) }))
}

async fn provide(state: Data<State>, body: Body<KeyBody>) -> Reply {
    let key = body.0.key()?;
    wait(state.node.provide(key.clone())).await?;
    ok(json!({ "key": Octets::of(key) }))
}

async fn providers(state: Data<State>, body: Body<KeyBody>) -> Reply {
    let key = body.0.key()?;
    let providers = wait(state.node.providers(key.clone())).await?;
    let providers: Vec<String> = providers.iter().map(ToString::to_string).collect();
    ok(json!({ "key": Octets::of(key), "providers": providers }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_json_in_both_forms() {
        for bytes in [b"name".to_vec(), Vec::new(), vec![0, 159, 146, 150], (0..=255).collect()] {
            let text = serde_json::to_string(&Octets::of(bytes.clone())).unwrap();
            let back: Octets = serde_json::from_str(&text).unwrap();
            assert_eq!(back.value(), Ok(bytes));
        }
    }

    #[test]
    fn bad_hex_and_long_values_are_refused() {
        for hex in ["0", "0g", "zz", "0 ", "é9"] {
            let octets = Octets::Hex(Hex { hex: hex.to_owned() });
            assert_eq!(octets.key().unwrap_err().code, "API-003", "{hex}");
        }
        for (length, fine) in [(0, false), (1, true), (256, true), (257, false)] {
            let key = Octets::Text("k".repeat(length)).key();
            match key {
                Ok(_) => assert!(fine, "{length}"),
                Err(error) => assert_eq!((error.code.as_str(), fine), ("DHT-005", false)),
            }
        }
        let long = Octets::Text("v".repeat(limits::RECORD_BYTES_MAX + 1)).value();
        assert_eq!(long.unwrap_err().code, "DHT-006");
    }
}
