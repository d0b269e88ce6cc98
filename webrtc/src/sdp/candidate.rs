//! ICE candidates: the line of SDP, and the JSON form of an `RTCIceCandidateInit` around it.
//! Invariant: a parsed line holds no control character, and JSON is written from parsed values only.
//! Not here: which candidates are wanted (`signal` asks a filter).

use std::net::IpAddr;

use super::json::{self, Value};
use crate::limits::SignalLimits;

/// How multicast DNS names end.
const LOCAL: &str = ".local";

/// Why a candidate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// More bytes than [`SignalLimits::candidate_bytes`] allows by default.
    #[error("the candidate is too long")]
    TooLong,
    /// No JSON object of plain values, or one that names a member twice.
    #[error("the candidate is no JSON object of plain values")]
    Json,
    /// A member of another type than an `RTCIceCandidateInit` has.
    #[error("a member of the candidate has the wrong type")]
    Member,
    /// No candidate line (RFC 8839, section 5.1).
    #[error("the candidate line is malformed")]
    Line,
}

impl CandidateError {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Json => "json",
            Self::Member => "member",
            Self::Line => "line",
        }
    }
}

/// A candidate as browsers pass it around: `RTCIceCandidateInit` (W3C WebRTC, section 4.8.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The line of SDP, without `a=`; never empty in a parsed one.
    pub candidate: String,
    /// Name of the section it belongs to.
    pub sdp_mid: Option<String>,
    /// Place of that section, counted from 0.
    pub sdp_m_line_index: Option<u16>,
    /// User name fragment of the generation it belongs to.
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// Reads the JSON form. `None` is the end of candidates: nothing at all, `null`, an empty string,
    /// or an object with an empty line. Members that nobody knows are skipped.
    ///
    /// # Errors
    /// When it is neither that nor a candidate. The line itself is not looked into; see
    /// [`Candidate::line`].
    pub fn parse(text: &str) -> Result<Option<Self>, CandidateError> {
        if text.len() > SignalLimits::DEFAULT.candidate_bytes {
            return Err(CandidateError::TooLong);
        }
        if matches!(text.trim(), "" | "null" | "\"\"") {
            return Ok(None);
        }
        let mut read = Self::default();
        for (name, value) in json::object(text).ok_or(CandidateError::Json)? {
            match (name.as_str(), value) {
                ("candidate", Value::Text(line)) => {
                    // libdatachannel writes it as it stands in SDP.
                    read.candidate = line.strip_prefix("a=").unwrap_or(&line).to_owned();
                }
                ("sdpMid", Value::Text(mid)) => read.sdp_mid = Some(mid),
                ("sdpMLineIndex", Value::Number(index)) => {
                    let index = index.parse().map_err(|_| CandidateError::Member)?;
                    read.sdp_m_line_index = Some(index);
                }
                ("usernameFragment", Value::Text(ufrag)) => read.username_fragment = Some(ufrag),
                ("candidate" | "sdpMid" | "sdpMLineIndex" | "usernameFragment", Value::Null) => {}
                ("candidate" | "sdpMid" | "sdpMLineIndex" | "usernameFragment", _) => {
                    return Err(CandidateError::Member);
                }
                (_, _) => {}
            }
        }
        Ok((!read.candidate.is_empty()).then_some(read))
    }

    /// The JSON form, with the members in the order in which browsers write them.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"candidate\":");
        json::write_text(&mut out, &self.candidate);
        out.push_str(",\"sdpMid\":");
        json::write_optional(&mut out, self.sdp_mid.as_deref());
        out.push_str(",\"sdpMLineIndex\":");
        match self.sdp_m_line_index {
            Some(index) => out.push_str(&index.to_string()),
            None => out.push_str("null"),
        }
        out.push_str(",\"usernameFragment\":");
        json::write_optional(&mut out, self.username_fragment.as_deref());
        out.push('}');
        out
    }

    /// What the line says.
    ///
    /// # Errors
    /// When the line is malformed.
    pub fn line(&self) -> Result<CandidateLine, CandidateError> {
        CandidateLine::parse(&self.candidate)
    }
}

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// At this address.
    Ip(IpAddr),
    /// At the address of this name; browsers hide local addresses behind names that end in `.local`.
    Name(String),
}

/// What a candidate is spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP (RFC 6544).
    Tcp,
}

/// How a candidate came to be (RFC 8445, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An address of the machine itself.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the other side saw.
    PeerReflexive,
    /// At a TURN server.
    Relayed,
}

/// What a candidate's line says (RFC 8839, section 5.1), as far as filters and sockets need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CandidateLine {
    /// Where.
    pub address: Address,
    /// Port; TCP candidates that only dial say 9.
    pub port: u16,
    /// With what.
    pub protocol: Protocol,
    /// Of which kind.
    pub kind: CandidateKind,
    /// The sender's priority; higher is better.
    pub priority: u32,
}

impl CandidateLine {
    /// Reads `candidate:…`, with or without `a=`. Extensions at the end are not looked into.
    ///
    /// # Errors
    /// When a field is missing or is not what the grammar says.
    pub fn parse(line: &str) -> Result<Self, CandidateError> {
        if line.len() > SignalLimits::DEFAULT.candidate_bytes {
            return Err(CandidateError::TooLong);
        }
        Self::fields(line).ok_or(CandidateError::Line)
    }

    fn fields(line: &str) -> Option<Self> {
        if !line.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return None;
        }
        let line = line.strip_prefix("a=").unwrap_or(line);
        let mut words = line.strip_prefix("candidate:")?.split(' ');
        let _foundation = words.next().filter(|word| (1..=32).contains(&word.len()))?;
        let _component: u16 = words.next()?.parse().ok()?;
        let protocol = match words.next()? {
            word if word.eq_ignore_ascii_case("udp") => Protocol::Udp,
            word if word.eq_ignore_ascii_case("tcp") => Protocol::Tcp,
            _ => return None,
        };
        let priority = words.next()?.parse().ok()?;
        let address = address_of(words.next()?)?;
        let port = words.next()?.parse().ok()?;
        if words.next()? != "typ" {
            return None;
        }
        let kind = match words.next()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        };
        Some(Self { address, port, protocol, kind, priority })
    }

    /// Whether the address is a multicast DNS name (RFC 6762), as browsers use for local addresses.
    #[must_use]
    pub fn is_mdns(&self) -> bool {
        match &self.address {
            Address::Ip(_) => false,
            Address::Name(name) => {
                let end = name.len().checked_sub(LOCAL.len()).and_then(|at| name.get(at..));
                end.is_some_and(|end| end.eq_ignore_ascii_case(LOCAL))
            }
        }
    }
}

fn address_of(word: &str) -> Option<Address> {
    if let Ok(ip) = word.parse() {
        return Some(Address::Ip(ip));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    // Digits and dots alone are a broken IPv4 address, which a resolver might still take for one.
    let named = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    (word.len() <= 253 && named && word.bytes().all(allowed))
        .then(|| Address::Name(word.to_owned()))
}
