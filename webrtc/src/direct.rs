//! The names and passwords of webrtc-direct, and the STUN request that carries them.
//! Invariant: every value that leaves here is made of ice-chars within the lengths of RFC 8839.
//! Not here: SDP (`sdp`), certificate hashes in addresses (libp2p's crates), sockets.

#[cfg(test)]
mod tests;

/// Says that client and server share one string as name and password, written into the offer.
const V1_PREFIX: &str = "libp2p+webrtc+v1/";
/// Says that what follows in the server's name is the password of the client.
const V2_PREFIX: &str = "libp2p+webrtc+v2/";
/// Lengths of a user name fragment, in characters (RFC 8839, section 5.4).
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
/// Lengths of a password, in characters (RFC 8839, section 5.4).
const PWD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;
/// What a token is made of; all of them are ice-chars.
const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How a webrtc-direct client and server agree on ICE credentials without exchanging SDP
/// (libp2p specification webrtc-direct).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// One string is name and password of both sides.
    V1,
    /// The client keeps its own credentials and puts its password into the server's name.
    V2,
}

/// Why a STUN user name is not one of webrtc-direct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no colon between the server's and the client's name.
    #[error("the user name has no colon")]
    NoColon,
    /// Something other than an ASCII letter, a digit, `+` or `/`.
    #[error("the user name has a character that ICE does not allow")]
    Character,
    /// A user name fragment shorter than 4 or longer than 256 characters.
    #[error("a user name fragment has {0} characters")]
    UfragLength(usize),
    /// A password shorter than 22 or longer than 256 characters.
    #[error("a password has {0} characters")]
    PwdLength(usize),
    /// The server's name begins with none of the known prefixes.
    #[error("the user name is of no known version of webrtc-direct")]
    Version,
    /// A name of version 1 whose halves differ.
    #[error("the halves of a version 1 user name differ")]
    Unequal,
}

impl NameError {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoColon => "no_colon",
            Self::Character => "character",
            Self::UfragLength(_) => "ufrag_length",
            Self::PwdLength(_) => "pwd_length",
            Self::Version => "version",
            Self::Unequal => "unequal",
        }
    }
}

/// Both sides' names, taken out of a STUN user name by [`parse_username`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Names {
    /// The version that the server's name asks for.
    pub version: Version,
    /// The server's user name fragment.
    pub server_ufrag: String,
    /// The client's user name fragment.
    pub client_ufrag: String,
}

impl Names {
    /// The server's password: the same string as its name, in both versions.
    #[must_use]
    pub fn server_pwd(&self) -> &str {
        &self.server_ufrag
    }

    /// The client's password.
    #[must_use]
    pub fn client_pwd(&self) -> &str {
        match self.version {
            Version::V1 => &self.client_ufrag,
            Version::V2 => self.server_ufrag.strip_prefix(V2_PREFIX).unwrap_or_default(),
        }
    }
}

/// Reads the USERNAME of a client's connectivity check, `server_ufrag:client_ufrag`.
///
/// # Errors
/// Names the first rule that the user name breaks. Nothing is kept of a refused one.
pub fn parse_username(username: &str) -> Result<Names, NameError> {
    let (server, client) = username.split_once(':').ok_or(NameError::NoColon)?;
    check_ufrag(server)?;
    check_ufrag(client)?;
    let version = if server.starts_with(V1_PREFIX) {
        check_pwd(server)?;
        if server != client {
            return Err(NameError::Unequal);
        }
        Version::V1
    } else if let Some(pwd) = server.strip_prefix(V2_PREFIX) {
        check_pwd(pwd)?;
        Version::V2
    } else {
        return Err(NameError::Version);
    };
    Ok(Names { version, server_ufrag: server.to_owned(), client_ufrag: client.to_owned() })
}

/// The string that is name and password of both sides in version 1, made from 32 random bytes.
#[must_use]
pub fn v1_ufrag(random: [u8; 32]) -> String {
    let mut ufrag = V1_PREFIX.to_owned();
    ufrag.push_str(&random_token(&random));
    ufrag
}

/// The server's name and password in version 2, which tell it the client's password.
///
/// # Errors
/// When `client_pwd` is no ICE password, or too long to follow the prefix in a name.
pub fn v2_server_ufrag(client_pwd: &str) -> Result<String, NameError> {
    check_pwd(client_pwd)?;
    let ufrag = [V2_PREFIX, client_pwd].concat();
    check_ufrag(&ufrag)?;
    Ok(ufrag)
}

/// One letter or digit for each byte of `bytes`.
///
/// 256 is no multiple of 62, so eight of the letters are a quarter likelier than the rest: 32
/// characters still hold more than 180 bits of chance, and ICE asks for 128.
#[must_use]
pub fn random_token(bytes: &[u8]) -> String {
    bytes
        .iter()
        .filter_map(|byte| ALPHANUMERIC.get(usize::from(*byte) % ALPHANUMERIC.len()))
        .map(|letter| char::from(*letter))
        .collect()
}

/// Refuses what is no user name fragment by RFC 8839, section 5.4.
pub(crate) fn check_ufrag(ufrag: &str) -> Result<(), NameError> {
    if !UFRAG_CHARS.contains(&ufrag.len()) {
        return Err(NameError::UfragLength(ufrag.len()));
    }
    check_chars(ufrag)
}

/// Refuses what is no password by RFC 8839, section 5.4.
pub(crate) fn check_pwd(pwd: &str) -> Result<(), NameError> {
    if !PWD_CHARS.contains(&pwd.len()) {
        return Err(NameError::PwdLength(pwd.len()));
    }
    check_chars(pwd)
}

/// A string that passes has one byte a character, so that its length in bytes is the one meant.
fn check_chars(text: &str) -> Result<(), NameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if text.bytes().all(allowed) { Ok(()) } else { Err(NameError::Character) }
}

/// STUN's method and class of a Binding request.
const BINDING_REQUEST: u16 = 0x0001;
/// Bytes 4 to 8 of every STUN message.
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Type, length, cookie and transaction id.
const HEADER_BYTES: usize = 20;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;

/// Why a datagram is no STUN Binding request with a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StunError {
    /// Shorter than a STUN header.
    #[error("the datagram is too short for STUN")]
    Short,
    /// Another kind of STUN message, or no STUN at all.
    #[error("not a STUN Binding request")]
    NotRequest,
    /// The magic cookie is missing.
    #[error("no STUN magic cookie")]
    Cookie,
    /// The length in the header is no multiple of four, or not that of the datagram.
    #[error("the STUN length does not fit the datagram")]
    Length,
    /// An attribute reaches beyond the end.
    #[error("a STUN attribute reaches beyond the end")]
    Attribute,
    /// No USERNAME among the attributes that the integrity check covers.
    #[error("the STUN request has no user name")]
    NoUsername,
    /// The USERNAME is no UTF-8.
    #[error("the STUN user name is not text")]
    NotText,
}

impl StunError {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::NotRequest => "not_request",
            Self::Cookie => "cookie",
            Self::Length => "length",
            Self::Attribute => "attribute",
            Self::NoUsername => "no_username",
            Self::NotText => "not_text",
        }
    }
}

/// Whether a datagram is for STUN by its first byte (RFC 7983, section 7); DTLS begins with 20 to 63.
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first <= 3)
}

/// The USERNAME of a STUN Binding request (RFC 8489, sections 5 and 14.3).
///
/// Only the first one counts, and none that comes after the message integrity, as the RFC says. The
/// integrity itself is not verified here.
///
/// # Errors
/// When the datagram is anything but one whole and well-formed request with a user name.
pub fn username_of(datagram: &[u8]) -> Result<&str, StunError> {
    let (header, mut rest) = datagram.split_at_checked(HEADER_BYTES).ok_or(StunError::Short)?;
    let (kind, header) = take_u16(header).ok_or(StunError::Short)?;
    if kind != BINDING_REQUEST {
        return Err(StunError::NotRequest);
    }
    let (length, header) = take_u16(header).ok_or(StunError::Short)?;
    if !header.starts_with(&MAGIC_COOKIE.to_be_bytes()) {
        return Err(StunError::Cookie);
    }
    if usize::from(length) != rest.len() || length % 4 != 0 {
        return Err(StunError::Length);
    }
    let (mut username, mut covered) = (None, true);
    while !rest.is_empty() {
        let (attribute, tail) = take_u16(rest).ok_or(StunError::Attribute)?;
        let (length, tail) = take_u16(tail).ok_or(StunError::Attribute)?;
        let length = usize::from(length);
        let (value, _) = tail.split_at_checked(length).ok_or(StunError::Attribute)?;
        (_, rest) =
            tail.split_at_checked(length.next_multiple_of(4)).ok_or(StunError::Attribute)?;
        covered &= attribute != MESSAGE_INTEGRITY && attribute != MESSAGE_INTEGRITY_SHA256;
        if attribute == USERNAME && covered && username.is_none() {
            username = Some(value);
        }
    }
    std::str::from_utf8(username.ok_or(StunError::NoUsername)?).map_err(|_| StunError::NotText)
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*head), tail))
}
