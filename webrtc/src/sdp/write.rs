//! Writing descriptions, and reading and replacing the credentials in one of this platform.
//! Invariant: no value can begin a line of its own, whatever its field was set to.
//! Not here: reading the other side's descriptions.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::{CandidateLine, Description, MID, SCTP_PORT, SdpError, Setup};
use crate::direct::{check_pwd, check_ufrag};
use crate::limits::{SignalLimits, StreamLimits};

impl Description {
    /// An offer. It ends every line with CRLF, as all of SDP does.
    #[must_use]
    pub fn to_offer(&self) -> String {
        self.write_as(self.setup)
    }

    /// An answer. [`Setup::ActPass`] is no answer and becomes active, as RFC 8842 recommends.
    #[must_use]
    pub fn to_answer(&self) -> String {
        self.write_as(match self.setup {
            Setup::Active | Setup::ActPass => Setup::Active,
            Setup::Passive => Setup::Passive,
        })
    }

    fn write_as(&self, setup: Setup) -> String {
        let mut lines = Lines::default();
        lines.line("v=0");
        lines.line("o=- 0 0 IN IP4 0.0.0.0");
        lines.line("s=-");
        lines.line("t=0 0");
        lines.pair("a=group:BUNDLE ", &self.mid);
        if self.ice_lite {
            lines.line("a=ice-lite");
        }
        lines.line("m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
        lines.line("c=IN IP4 0.0.0.0");
        lines.pair("a=mid:", &self.mid);
        lines.credentials("trickle", &self.ufrag, &self.pwd);
        lines.transport(&self.fingerprint, setup, self.sctp_port);
        if let Some(size) = self.max_message_size {
            lines.pair("a=max-message-size:", &size.to_string());
        }
        for candidate in &self.candidates {
            if CandidateLine::parse(candidate).is_ok() {
                lines.pair("a=", candidate);
            }
        }
        lines.0
    }
}

/// The answer that a webrtc-direct server would give, made by the client from the server's address
/// and certificate hash (libp2p specification webrtc-direct, section "Connection Establishment").
///
/// # Errors
/// When a name breaks the rules of ICE.
pub fn direct_answer(
    server: SocketAddr,
    server_fingerprint: &[u8; 32],
    ufrag: &str,
    pwd: &str,
) -> Result<String, SdpError> {
    check_ufrag(ufrag).map_err(SdpError::Ufrag)?;
    check_pwd(pwd).map_err(SdpError::Pwd)?;
    let (ip, port) = (server.ip(), server.port());
    let family = match ip {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let mut lines = Lines::default();
    lines.line("v=0");
    lines.line(&format!("o=- 0 0 IN {family} {ip}"));
    lines.line("s=-");
    lines.line("t=0 0");
    lines.line("a=ice-lite");
    lines.line(&format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel"));
    lines.line(&format!("c=IN {family} {ip}"));
    lines.pair("a=mid:", MID);
    lines.credentials("ice2", ufrag, pwd);
    lines.transport(server_fingerprint, Setup::Passive, SCTP_PORT);
    // The specification fixes the size of messages to that of our largest frame.
    let size = StreamLimits::DEFAULT.send_frame_bytes;
    lines.pair("a=max-message-size:", &size.to_string());
    lines.line(&format!("a=candidate:1 1 UDP 2130706431 {ip} {port} typ host"));
    lines.line("a=end-of-candidates");
    Ok(lines.0)
}

/// Puts other ICE credentials into an offer of this platform, as version 1 of webrtc-direct needs it.
/// Everything else stays, the line ends too.
///
/// # Errors
/// When a name breaks the rules of ICE, or the offer has none to replace.
pub fn munge_offer(sdp: &str, ufrag: &str, pwd: &str) -> Result<String, SdpError> {
    check_ufrag(ufrag).map_err(SdpError::Ufrag)?;
    check_pwd(pwd).map_err(SdpError::Pwd)?;
    ice_ufrag_of(sdp)?;
    ice_pwd_of(sdp)?;
    let mut munged = String::with_capacity(sdp.len().saturating_add(ufrag.len() + pwd.len()));
    for line in sdp.split_inclusive('\n') {
        let body = line.trim_end_matches(['\r', '\n']);
        let end = line.strip_prefix(body).unwrap_or_default();
        if body.starts_with("a=ice-ufrag:") {
            munged.extend(["a=ice-ufrag:", ufrag, end]);
        } else if body.starts_with("a=ice-pwd:") {
            munged.extend(["a=ice-pwd:", pwd, end]);
        } else {
            munged.push_str(line);
        }
    }
    Ok(munged)
}

/// The first ICE user name fragment of a description.
///
/// # Errors
/// When the description is too long, has none, or it breaks the rules of ICE.
pub fn ice_ufrag_of(sdp: &str) -> Result<&str, SdpError> {
    let ufrag = first_of(sdp, "a=ice-ufrag:")?.ok_or(SdpError::NoUfrag)?;
    check_ufrag(ufrag).map_err(SdpError::Ufrag)?;
    Ok(ufrag)
}

/// The first ICE password of a description.
///
/// # Errors
/// When the description is too long, has none, or it breaks the rules of ICE.
pub fn ice_pwd_of(sdp: &str) -> Result<&str, SdpError> {
    let pwd = first_of(sdp, "a=ice-pwd:")?.ok_or(SdpError::NoPwd)?;
    check_pwd(pwd).map_err(SdpError::Pwd)?;
    Ok(pwd)
}

fn first_of<'a>(sdp: &'a str, start: &str) -> Result<Option<&'a str>, SdpError> {
    if sdp.len() > SignalLimits::DEFAULT.sdp_bytes {
        return Err(SdpError::TooLong);
    }
    Ok(sdp.lines().find_map(|line| line.strip_prefix(start)))
}

/// A description being written.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.pair(line, "");
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        // The fields of a description are public: a line end in one must not become one here.
        self.0.extend(value.chars().filter(|letter| !letter.is_control()));
        self.0.push_str("\r\n");
    }

    fn credentials(&mut self, options: &str, ufrag: &str, pwd: &str) {
        self.pair("a=ice-options:", options);
        self.pair("a=ice-ufrag:", ufrag);
        self.pair("a=ice-pwd:", pwd);
    }

    fn transport(&mut self, fingerprint: &[u8; 32], setup: Setup, sctp_port: u16) {
        let mut digest = String::with_capacity(3 * fingerprint.len());
        for (place, byte) in fingerprint.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            // Writing to a String cannot fail.
            write!(digest, "{colon}{byte:02X}").unwrap_or_default();
        }
        self.pair("a=fingerprint:sha-256 ", &digest);
        self.pair("a=setup:", setup.as_str());
        self.pair("a=sctp-port:", &sctp_port.to_string());
    }
}
