//! One native WebRTC connection: a path (ICE), encryption (DTLS) and data channels (SCTP) on top.
//! Invariant: without input, output or a clock of its own; never panics on what it is fed.
//! Not here: sockets and timers (`connection`), who the other side is (`noise` above it).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dimpl::{Config, Dtls, Output};
use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use libp2p_webrtc_utils::Fingerprint;

use super::channels::Channels;
use super::plan::Plan;
use super::udp::Burst;
use crate::backend::{ChannelId, Event, Failure, Kind};
use crate::limits::ConnectionLimits;
use crate::limits::native::{BURST_BYTES, DTLS_BYTES, RECORD_BYTES};

/// What a link tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkEvent {
    /// DTLS is done; this is the other side's certificate.
    Secured(Fingerprint),
    /// Something happened on a channel.
    Channel(Event),
}

/// See the module's text.
pub(super) struct Link {
    ice: IceAgent,
    dtls: Dtls,
    dtls_client: bool,
    dtls_wake: Option<Instant>,
    /// The other side's certificate as the signalling or the address promised it.
    expected: Option<Fingerprint>,
    seen: Option<Fingerprint>,
    channels: Option<Channels>,
    limits: ConnectionLimits,
    bases: Vec<SocketAddr>,
    path: Option<SocketAddr>,
    /// Where DTLS came from, until ICE has chosen: a browser starts it before it nominates.
    asked_from: Option<SocketAddr>,
    /// What SCTP has for the other side, not yet encrypted: at most what it may have on its way.
    plain: VecDeque<Bytes>,
    out: VecDeque<Burst>,
    /// Memory of a burst that is sent.
    spare: Vec<u8>,
    events: VecDeque<LinkEvent>,
    record: Vec<u8>,
    now: Instant,
    failed: Option<Failure>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("path", &self.path).field("channels", &self.channels).finish()
    }
}

impl Link {
    /// Starts a link. The other side's credentials and addresses may come later.
    ///
    /// # Errors
    /// When the platform's cryptography refuses its settings.
    pub(super) fn new(plan: Plan, now: Instant) -> Result<Self, Failure> {
        let mut ice = IceAgent::new(plan.local);
        ice.set_controlling(plan.controlling);
        ice.set_ice_lite(plan.lite);
        for base in &plan.bases {
            let base = Candidate::host(*base, "udp").map_err(|e| platform(&e))?;
            ice.add_local_candidate(base);
        }
        let config = Config::builder().mtu(DTLS_BYTES).build().map_err(|e| platform(&e))?;
        let mut dtls = Dtls::new_12(Arc::new(config), plan.certificate, now);
        dtls.set_active(plan.dtls_client);
        Ok(Self {
            ice,
            dtls,
            dtls_client: plan.dtls_client,
            dtls_wake: None,
            expected: None,
            seen: None,
            channels: None,
            limits: plan.limits,
            bases: plan.bases,
            path: None,
            asked_from: None,
            plain: VecDeque::new(),
            out: VecDeque::new(),
            spare: Vec::new(),
            events: VecDeque::new(),
            record: vec![0; RECORD_BYTES],
            now,
            failed: None,
        })
    }

    /// Who the other side says it is.
    pub(super) fn set_remote(&mut self, credentials: IceCreds, expected: Option<Fingerprint>) {
        self.ice.set_remote_credentials(credentials);
        self.expected = expected;
    }

    /// An address where the other side may be.
    ///
    /// # Errors
    /// When ICE cannot use it.
    pub(super) fn add_remote_address(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let candidate = Candidate::host(address, "udp").map_err(|e| platform(&e))?;
        self.ice.add_remote_candidate(candidate);
        Ok(())
    }

    /// A candidate line of the other side, `candidate:…`.
    ///
    /// # Errors
    /// When it is not understood.
    pub(super) fn add_remote_candidate(&mut self, line: &str) -> Result<(), Failure> {
        let candidate = Candidate::from_sdp_string(line).map_err(|e| platform(&e))?;
        self.ice.add_remote_candidate(candidate);
        Ok(())
    }

    /// Takes datagrams that came together (RFC 7983 tells the kind of each by its first byte).
    pub(super) fn handle_datagrams<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagrams: impl Iterator<Item = &'a [u8]>,
    ) {
        self.now = now;
        let mut timed = false;
        for bytes in datagrams {
            match bytes.first() {
                Some(0..=3) => self.handle_check(from, bytes),
                Some(20..=63) => {
                    self.asked_from = Some(from);
                    self.handle_record(bytes, std::mem::replace(&mut timed, true));
                }
                Some(_) | None => {}
            }
        }
        self.advance();
    }

    fn handle_check(&mut self, from: SocketAddr, bytes: &[u8]) {
        let base = self.bases.iter().find(|base| base.is_ipv4() == from.is_ipv4());
        if let (Ok(message), Some(&destination)) = (StunMessage::parse(bytes), base) {
            let packet = StunPacket { proto: Protocol::Udp, source: from, destination, message };
            self.ice.handle_packet(self.now, packet);
            self.ice.handle_timeout(self.now);
        }
    }

    fn handle_record(&mut self, bytes: &[u8], timed: bool) {
        // Keeps DTLS's own clock right; its errors end the connection.
        let clock = if timed { Ok(()) } else { self.dtls.handle_timeout(self.now) };
        if let Err(error) = clock.and_then(|()| self.dtls.handle_packet(bytes)) {
            self.fail(Failure::Handshake(error.to_string()));
        }
        // At once: DTLS holds only a few packets.
        if self.may_encrypt() {
            self.take_dtls_output();
        }
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.ice.handle_timeout(now);
        if self.may_encrypt()
            && let Err(error) = self.dtls.handle_timeout(now)
        {
            self.fail(Failure::Handshake(error.to_string()));
        }
        if let Some(channels) = &mut self.channels {
            channels.handle_timeout(now);
        }
        self.advance();
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn next_timeout(&mut self) -> Option<Instant> {
        let channels = self.channels.as_ref().and_then(Channels::next_timeout);
        let dtls = self.dtls_wake.filter(|_| self.may_encrypt());
        [self.ice.poll_timeout(), dtls, channels].into_iter().flatten().min()
    }

    /// The next datagrams to send. Asking for no more than the socket takes keeps the rest in SCTP,
    /// where it counts as buffered.
    /// SCTP's clocks for an answer start at `now`.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        loop {
            if let Some(transmit) = self.ice.poll_transmit() {
                let bytes = Vec::from(transmit.contents);
                return Some(Burst::new(transmit.destination, &bytes, Vec::new()));
            }
            // All but the last are as full as they get.
            if self.out.len() > 1 {
                return self.out.pop_front();
            }
            if let Some(packet) = self.plain.pop_front() {
                self.encrypt(&packet);
                continue;
            }
            match self.channels.as_mut().and_then(|channels| channels.poll_transmit(now)) {
                Some(packets) => self.plain.extend(packets),
                None => return self.out.pop_front(),
            }
        }
    }

    /// Takes back the memory of a burst that is sent.
    pub(super) fn reuse(&mut self, burst: Burst) {
        let space = burst.into_space();
        if space.capacity() > self.spare.capacity() {
            self.spare = space;
        }
    }

    /// The next thing that happened.
    ///
    /// # Errors
    /// Why the link ended; final.
    pub(super) fn poll_event(&mut self) -> Result<Option<LinkEvent>, Failure> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        match self.channels.as_mut().map(Channels::poll_event) {
            Some(Ok(event)) => Ok(event.map(LinkEvent::Channel)),
            Some(Err(failure)) => {
                self.fail(failure.clone());
                Err(failure)
            }
            None => Ok(None),
        }
    }

    /// See [`Channels::open`].
    ///
    /// # Errors
    /// Before [`LinkEvent::Secured`], or when all channels are taken.
    pub(super) fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure> {
        match (&self.failed, &mut self.channels) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(channels)) => channels.open(kind),
            (None, None) => Err(Failure::Platform("not connected yet".to_owned())),
        }
    }

    /// The channels, once there are any.
    pub(super) fn channels(&mut self) -> Option<&mut Channels> {
        self.channels.as_mut()
    }

    /// Says goodbye; [`Self::poll_transmit`] has it.
    pub(super) fn close(&mut self) {
        if let Some(mut channels) = self.channels.take() {
            channels.shut_down();
            while let Some(packets) = channels.poll_transmit(self.now) {
                self.plain.extend(packets);
            }
            while let Some(packet) = self.plain.pop_front() {
                self.encrypt(&packet);
            }
        }
        if self.dtls.close().is_ok() {
            self.take_dtls_output();
        }
        self.fail(Failure::Closed);
    }

    /// Whether this side begins the DTLS handshake.
    pub(super) fn is_dtls_client(&self) -> bool {
        self.dtls_client
    }

    fn encrypt(&mut self, packet: &[u8]) {
        if let Err(error) = self.dtls.send_application_data(packet) {
            return self.fail(Failure::Handshake(error.to_string()));
        }
        // At once: DTLS holds only a few packets.
        self.take_dtls_output();
    }

    fn fail(&mut self, failure: Failure) {
        self.failed.get_or_insert(failure);
    }

    /// A DTLS client speaks first, and needs a path for it.
    fn may_encrypt(&self) -> bool {
        self.path.is_some() || !self.dtls_client
    }

    fn advance(&mut self) {
        while let Some(event) = self.ice.poll_event() {
            match event {
                IceAgentEvent::NominatedSend { destination, .. } => {
                    let first = self.path.replace(destination).is_none();
                    if first
                        && self.dtls_client
                        && let Err(error) = self.dtls.handle_timeout(self.now)
                    {
                        self.fail(Failure::Handshake(error.to_string()));
                    }
                }
                IceAgentEvent::IceConnectionStateChange(state)
                    if state.is_disconnected() && self.path.is_some() =>
                {
                    self.fail(Failure::NoPath);
                }
                IceAgentEvent::IceConnectionStateChange(_)
                | IceAgentEvent::IceRestart(_)
                | IceAgentEvent::DiscoveredRecv { .. } => {}
            }
        }
        if self.may_encrypt() {
            self.take_dtls_output();
        }
    }

    fn take_dtls_output(&mut self) {
        let mut record = std::mem::take(&mut self.record);
        loop {
            #[expect(clippy::wildcard_enum_match_arm, reason = "keys for media are of no use")]
            match self.dtls.poll_output(&mut record) {
                Output::Packet(bytes) => {
                    if let Some(to) = self.path.or(self.asked_from)
                        && !self.out.back_mut().is_some_and(|burst| burst.push(to, bytes))
                    {
                        let mut space = std::mem::take(&mut self.spare);
                        if !self.plain.is_empty() {
                            space.reserve(BURST_BYTES);
                        }
                        self.out.push_back(Burst::new(to, bytes, space));
                    }
                }
                Output::BufferTooSmall { needed } => record.resize(needed, 0),
                Output::Timeout(at) => {
                    self.dtls_wake = Some(at);
                    break;
                }
                Output::PeerCert(certificate) => {
                    let seen = Fingerprint::from_certificate(certificate);
                    self.seen = Some(seen);
                    if self.expected.is_some_and(|expected| expected != seen) {
                        self.fail(Failure::Handshake("it shows another certificate".to_owned()));
                        break;
                    }
                }
                Output::Connected => self.secured(),
                Output::ApplicationData(data) => {
                    if let Some(channels) = &mut self.channels {
                        channels.handle_datagram(self.now, Bytes::copy_from_slice(data));
                    }
                }
                Output::CloseNotify => {
                    self.fail(Failure::Closed);
                    break;
                }
                _ => {}
            }
        }
        self.record = record;
    }

    fn secured(&mut self) {
        let Some(seen) = self.seen else {
            return self.fail(Failure::Handshake("it shows no certificate".to_owned()));
        };
        match Channels::new(self.dtls_client, self.limits, self.now) {
            Ok(channels) => {
                self.channels = Some(channels);
                self.events.push_back(LinkEvent::Secured(seen));
            }
            Err(failure) => self.fail(failure),
        }
    }
}

fn platform(error: &dyn std::error::Error) -> Failure {
    Failure::Platform(error.to_string())
}
