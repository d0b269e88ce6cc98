//! Session descriptions of connections that carry nothing but data channels.
//! Invariant: what is written is made of checked fields; what is read is bounded and never trusted.
//! Not here: the order in which descriptions travel (`signal`), certificates, audio and video.

mod candidate;
mod json;
#[cfg(test)]
mod tests;
mod write;

pub use candidate::{Address, Candidate, CandidateError, CandidateKind, CandidateLine, Protocol};
pub use write::{direct_answer, ice_pwd_of, ice_ufrag_of, munge_offer};

use crate::direct::{NameError, check_pwd, check_ufrag};
use crate::limits::SignalLimits;

/// The SCTP port that everybody uses, and the one meant where none is written (RFC 8841, 5.1).
const SCTP_PORT: u16 = 5000;
/// The name of the data section where none is written; all implementations use it.
const MID: &str = "0";
/// Characters of the longest name of a section that is taken.
const MID_CHARS: usize = 32;

/// Which side of the DTLS handshake begins (RFC 8842, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// This side begins.
    Active,
    /// This side waits.
    Passive,
    /// The answer decides; only in offers.
    ActPass,
}

impl Setup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }
}

/// Why a session description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// More bytes than [`SignalLimits::sdp_bytes`] allows by default.
    #[error("the description is too long")]
    TooLong,
    /// It does not begin as one, or a line is not of the form `x=…`.
    #[error("not a session description")]
    Malformed,
    /// No section of data channels over SCTP, DTLS and UDP, or it was refused with port 0.
    #[error("the description has no data section")]
    NoData,
    /// No user name fragment.
    #[error("the description has no ICE user name")]
    NoUfrag,
    /// No password.
    #[error("the description has no ICE password")]
    NoPwd,
    /// The user name fragment breaks the rules of ICE.
    #[error("bad ICE user name: {0}")]
    Ufrag(NameError),
    /// The password breaks the rules of ICE.
    #[error("bad ICE password: {0}")]
    Pwd(NameError),
    /// No certificate fingerprint by SHA-256.
    #[error("the description has no SHA-256 fingerprint")]
    NoFingerprint,
    /// A SHA-256 fingerprint that is not 32 hexadecimal bytes with colons between them.
    #[error("the fingerprint is malformed")]
    Fingerprint,
    /// The DTLS role is missing or none that a new connection can have.
    #[error("no usable DTLS role")]
    Setup,
    /// The SCTP port is no port.
    #[error("bad SCTP port")]
    SctpPort,
    /// The largest message is no number.
    #[error("bad largest message size")]
    MessageSize,
    /// The name of the data section is no short token.
    #[error("bad name of the data section")]
    Mid,
}

impl SdpError {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::NoData => "no_data",
            Self::NoUfrag => "no_ufrag",
            Self::NoPwd => "no_pwd",
            Self::Ufrag(_) => "ufrag",
            Self::Pwd(_) => "pwd",
            Self::NoFingerprint => "no_fingerprint",
            Self::Fingerprint => "fingerprint",
            Self::Setup => "setup",
            Self::SctpPort => "sctp_port",
            Self::MessageSize => "message_size",
            Self::Mid => "mid",
        }
    }
}

/// What an offer or an answer says, as far as data channels need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub pwd: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Which side begins the DTLS handshake.
    pub setup: Setup,
    /// SCTP port; 5000 with everybody.
    pub sctp_port: u16,
    /// Bytes of the largest message that is accepted, 0 for any; the other side assumes 64 KiB when
    /// there is none (RFC 8841, section 6.1).
    pub max_message_size: Option<u32>,
    /// Whether this side only answers connectivity checks.
    pub ice_lite: bool,
    /// Name of the data section. An answer repeats that of its offer.
    pub mid: String,
    /// Candidates, each `candidate:…`. What is no [`CandidateLine`] is left out when written.
    pub candidates: Vec<String>,
}

impl Description {
    /// A description that offers both DTLS roles, with the common values everywhere else.
    ///
    /// # Errors
    /// When a name breaks the rules of ICE.
    pub fn new(ufrag: &str, pwd: &str, fingerprint: [u8; 32]) -> Result<Self, SdpError> {
        check_ufrag(ufrag).map_err(SdpError::Ufrag)?;
        check_pwd(pwd).map_err(SdpError::Pwd)?;
        Ok(Self {
            ufrag: ufrag.to_owned(),
            pwd: pwd.to_owned(),
            fingerprint,
            setup: Setup::ActPass,
            sctp_port: SCTP_PORT,
            max_message_size: None,
            ice_lite: false,
            mid: MID.to_owned(),
            candidates: Vec::new(),
        })
    }

    /// Reads the first data section, with what stands before the first section as its defaults
    /// (RFC 8866, section 5.13). Lines end with LF or CRLF. Candidates that are none are skipped.
    ///
    /// # Errors
    /// Names the first rule that the description breaks.
    pub fn parse(sdp: &str) -> Result<Self, SdpError> {
        let (session, media) = sections(sdp)?;
        let own = |name| media.lines(name).chain(session.lines(name)).next();
        let ufrag = own("ice-ufrag").ok_or(SdpError::NoUfrag)?;
        let pwd = own("ice-pwd").ok_or(SdpError::NoPwd)?;
        let mid = own("mid").unwrap_or(MID);
        let mut read = Self::new(ufrag, pwd, fingerprint_of(&session, &media)?)?;
        checked_mid(mid).ok_or(SdpError::Mid)?.clone_into(&mut read.mid);
        read.setup = match own("setup") {
            Some("active") => Setup::Active,
            Some("passive") => Setup::Passive,
            Some("actpass") => Setup::ActPass,
            Some(_) | None => return Err(SdpError::Setup),
        };
        if let Some(port) = own("sctp-port") {
            read.sctp_port = port.parse().map_err(|_| SdpError::SctpPort)?;
        }
        if let Some(size) = own("max-message-size") {
            let size: u64 = size.parse().map_err(|_| SdpError::MessageSize)?;
            read.max_message_size = Some(u32::try_from(size).unwrap_or(u32::MAX));
        }
        read.ice_lite = session.has_flag("ice-lite");
        read.candidates = media
            .lines("candidate")
            .map(|value| ["candidate:", value].concat())
            .filter(|line| CandidateLine::parse(line).is_ok())
            .collect();
        Ok(read)
    }
}

/// The lines of one section.
struct Section<'a>(&'a str);

impl<'a> Section<'a> {
    /// The values of an attribute, in order.
    fn lines(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0
            .lines()
            .filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
    }

    fn has_flag(&self, name: &str) -> bool {
        self.0.lines().any(|line| line.strip_prefix("a=") == Some(name))
    }

    /// Whether this is a data section in use. The `m=` of its first line is gone.
    fn is_data(&self) -> bool {
        let first = self.0.lines().next().unwrap_or_default();
        let mut words = first.split(' ');
        words.next() == Some("application")
            && words.next().and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port != 0)
            && matches!(words.next(), Some("UDP/DTLS/SCTP" | "TCP/DTLS/SCTP"))
            && words.next() == Some("webrtc-datachannel")
    }
}

/// What stands before the first section, and the first data section.
fn sections(sdp: &str) -> Result<(Section<'_>, Section<'_>), SdpError> {
    if sdp.len() > SignalLimits::DEFAULT.sdp_bytes {
        return Err(SdpError::TooLong);
    }
    let is_line = |line: &str| {
        let mut chars = line.chars();
        chars.next().is_some_and(|first| first.is_ascii_lowercase()) && chars.next() == Some('=')
    };
    // go's descriptions have empty lines.
    if !sdp.starts_with("v=0") || !sdp.lines().all(|line| line.is_empty() || is_line(line)) {
        return Err(SdpError::Malformed);
    }
    // Every part but the first has lost the `m=` that it began with, and every part but the last the
    // second half of its last line end.
    let mut parts = sdp.split("\nm=").map(|part| Section(part.strip_suffix('\r').unwrap_or(part)));
    let session = parts.next().unwrap_or(Section(""));
    let media = parts.find(Section::is_data).ok_or(SdpError::NoData)?;
    Ok((session, media))
}

/// A section with fingerprints replaces those of the session (RFC 8122, section 5).
fn fingerprint_of(session: &Section<'_>, media: &Section<'_>) -> Result<[u8; 32], SdpError> {
    let sha_256 = |value: &str| {
        let (hash, digest) = value.split_once(' ')?;
        hash.eq_ignore_ascii_case("sha-256").then(|| digest.trim().to_owned())
    };
    let level = if media.lines("fingerprint").next().is_some() { media } else { session };
    let digest = level.lines("fingerprint").find_map(sha_256).ok_or(SdpError::NoFingerprint)?;
    let (mut bytes, mut words) = ([0; 32], digest.split(':'));
    for byte in &mut bytes {
        let word = words.next().filter(|word| word.len() == 2).ok_or(SdpError::Fingerprint)?;
        if !word.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(SdpError::Fingerprint);
        }
        *byte = u8::from_str_radix(word, 16).map_err(|_| SdpError::Fingerprint)?;
    }
    if words.next().is_some() { Err(SdpError::Fingerprint) } else { Ok(bytes) }
}

/// The name of a section, if it is a short token (RFC 8866, section 9).
fn checked_mid(mid: &str) -> Option<&str> {
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte);
    ((1..=MID_CHARS).contains(&mid.len()) && mid.bytes().all(is_token)).then_some(mid)
}
