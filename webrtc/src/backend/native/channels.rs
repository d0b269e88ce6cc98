//! Data channels of one native connection: SCTP below, channel messages above.
//! Invariant: without input, output or a clock of its own. What is not asked for stays in SCTP's
//! receive window, so a slow reader slows the sender down instead of filling memory.
//! Not here: encryption and paths (`link`), what the messages mean (`stream`).

mod settings;
mod streams;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig,
    Event as SctpEvent, Payload, PayloadProtocolIdentifier as Ppi, ServerConfig, StreamEvent,
    Transmit,
};

use super::dcep::Dcep;
use crate::backend::{ChannelId, Event, Failure, Kind};
use crate::limits::ConnectionLimits;
use crate::limits::native::{REFUSED_MAX, SCTP_PAYLOAD_BYTES};

/// SCTP wants addresses; below DTLS there is just one, whatever its name.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);
/// The channel that `/webrtc` makes only so that the offer has a section for data.
const INIT_LABEL: &str = "init";
/// One frame of libp2p's WebRTC streams that says RESET: length 2, field 1, value 2.
const RESET_FRAME: [u8; 3] = [2, 8, 2];
/// The same for FIN_ACK, value 3.
const FIN_ACK_FRAME: [u8; 3] = [2, 8, 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Ours, not yet announced: the association is not up.
    Waiting(Kind),
    /// In use.
    Open,
    /// The other side wrote to it, and has not said yet what it is.
    Unknown,
    /// Refused with a RESET; closed once that is sent.
    Refused,
    /// We are done with it; the other side opened it, and has to reset it. What comes is dropped.
    Left,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    state: State,
    held: bool,
}

/// See the module's text.
pub(super) struct Channels {
    endpoint: Endpoint,
    association: Option<Association>,
    handle: AssociationHandle,
    up: bool,
    limits: ConnectionLimits,
    now: Instant,
    /// By SCTP stream id.
    channels: BTreeMap<u16, Channel>,
    streams: BTreeMap<ChannelId, u16>,
    /// Streams that may have something to read.
    readable: BTreeSet<u16>,
    /// Streams whose reset is not yet acknowledged; their ids cannot be used again.
    resetting: BTreeSet<u16>,
    /// Streams whose RESET is not yet acknowledged.
    refused: BTreeSet<u16>,
    /// Streams left to the other side, and until when.
    left: BTreeMap<u16, Instant>,
    events: VecDeque<Event>,
    /// Something happened since SCTP was last asked for packets. Asking costs it a look at everything
    /// that is not acknowledged.
    stirred: bool,
    next_channel: u64,
    next_stream: u16,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channels")
            .field("up", &self.up)
            .field("open", &self.channels.len())
            .finish()
    }
}

impl Channels {
    /// The side that was the client of DTLS begins the association and has the even stream ids
    /// (RFC 8832, section 6).
    ///
    /// # Errors
    /// When SCTP refuses its settings.
    pub(super) fn new(
        client: bool,
        limits: ConnectionLimits,
        now: Instant,
    ) -> Result<Self, Failure> {
        let transport = Arc::new(settings::transport(&limits));
        let mut config = EndpointConfig::default();
        config.max_payload_size(SCTP_PAYLOAD_BYTES);
        let mut server = ServerConfig::default();
        server.transport = Arc::clone(&transport);
        let mut endpoint = Endpoint::new(Arc::new(config), Some(Arc::new(server)));
        let mut association = None;
        let mut handle = AssociationHandle(0);
        if client {
            let mut config = ClientConfig::new();
            config.transport = transport;
            let (made, begun) =
                endpoint.connect(config, PEER).map_err(|e| Failure::Platform(e.to_string()))?;
            handle = made;
            association = Some(begun);
        }
        Ok(Self {
            endpoint,
            association,
            handle,
            up: false,
            limits,
            now,
            channels: BTreeMap::new(),
            streams: BTreeMap::new(),
            readable: BTreeSet::new(),
            resetting: BTreeSet::new(),
            refused: BTreeSet::new(),
            left: BTreeMap::new(),
            events: VecDeque::new(),
            stirred: true,
            next_channel: 0,
            next_stream: u16::from(!client),
        })
    }

    /// Takes a decrypted packet.
    pub(super) fn handle_datagram(&mut self, now: Instant, packet: Bytes) {
        self.now = now;
        self.stirred = true;
        match self.endpoint.handle(now, PEER, None, None, packet) {
            // A repeated INIT must not replace the association that is there.
            Some((handle, DatagramEvent::NewAssociation(made))) if self.association.is_none() => {
                self.association = Some(made);
                self.handle = handle;
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) = &mut self.association {
                    association.handle_event(event);
                }
            }
            Some((_, DatagramEvent::NewAssociation(_))) | None => {}
        }
        self.exchange();
        self.close_refused();
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.stirred = true;
        if let Some(association) = &mut self.association {
            association.handle_timeout(now);
        }
        self.exchange();
        self.close_refused();
        self.close_left();
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let due = self.association.as_ref().and_then(Association::poll_timeout);
        due.into_iter().chain(self.left.values().copied()).min()
    }

    /// The next packets to encrypt and send.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<Bytes>> {
        self.now = self.now.max(now);
        loop {
            let transmit = self.next_transmit()?;
            if let Payload::RawEncode(packets) = transmit.payload {
                return Some(packets);
            }
        }
    }

    fn next_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.endpoint.poll_transmit() {
            return Some(transmit);
        }
        // One asking gives all that may be sent now.
        if !std::mem::take(&mut self.stirred) {
            return None;
        }
        self.association.as_mut()?.poll_transmit(self.now)
    }

    /// What happened. Reads at most one message.
    ///
    /// # Errors
    /// The association ended.
    pub(super) fn poll_event(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.take_association_event()? || self.read_one() {
                continue;
            }
            return Ok(None);
        }
    }

    /// Opens a channel of ours.
    ///
    /// # Errors
    /// When all are taken.
    pub(super) fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure> {
        let stream = match kind {
            Kind::Negotiated(stream) => stream,
            Kind::Announced => self.free_stream()?,
        };
        let id = self.add(stream, State::Waiting(kind));
        if self.up {
            self.announce(stream);
        }
        Ok(id)
    }

    /// See [`crate::backend::Backend::send`].
    ///
    /// # Errors
    /// When SCTP refuses the message.
    pub(super) fn send(&mut self, id: ChannelId, message: &[u8]) -> Result<(), Failure> {
        let Some(&stream) = self.streams.get(&id) else { return Ok(()) };
        self.write(stream, message, Ppi::Binary)
    }

    /// Bytes of a channel that are not yet acknowledged.
    pub(super) fn buffered(&mut self, id: ChannelId) -> usize {
        self.streams.get(&id).copied().map_or(0, |stream| self.buffered_on(stream))
    }

    /// See [`crate::backend::Backend::hold`].
    pub(super) fn hold(&mut self, id: ChannelId, hold: bool) {
        if let Some(stream) = self.streams.get(&id)
            && let Some(channel) = self.channels.get_mut(stream)
        {
            channel.held = hold;
            if !hold {
                self.readable.insert(*stream);
            }
        }
    }

    /// See [`crate::backend::Backend::close_channel`].
    pub(super) fn close_channel(&mut self, id: ChannelId) {
        if let Some(&stream) = self.streams.get(&id) {
            self.leave(stream);
        }
    }

    /// Ends the association; what is buffered is still sent.
    pub(super) fn shut_down(&mut self) {
        self.stirred = true;
        if let Some(association) = &mut self.association {
            // Before it is up there is nothing to end.
            association.close().unwrap_or_default();
        }
    }

    fn exchange(&mut self) {
        let Some(association) = &mut self.association else { return };
        while let Some(event) = association.poll_endpoint_event() {
            if let Some(back) = self.endpoint.handle_event(self.handle, event) {
                association.handle_event(back);
            }
        }
    }

    /// Takes one event of the association; `false` when there is none.
    fn take_association_event(&mut self) -> Result<bool, Failure> {
        let Some(event) = self.association.as_mut().and_then(Association::poll) else {
            return Ok(false);
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "statistics, and what later versions add"
        )]
        match event {
            SctpEvent::Connected => {
                self.up = true;
                let waiting: Vec<u16> = self.channels.keys().copied().collect();
                for stream in waiting {
                    self.announce(stream);
                }
            }
            SctpEvent::AssociationLost { .. } | SctpEvent::HandshakeFailed { .. } => {
                return Err(Failure::Closed);
            }
            SctpEvent::Stream(event) => self.take_stream_event(&event),
            _ => {}
        }
        Ok(true)
    }

    fn take_stream_event(&mut self, event: &StreamEvent) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others change nothing here")]
        match *event {
            StreamEvent::Opened { id } | StreamEvent::Readable { id } => {
                if !self.channels.contains_key(&id) {
                    self.add(id, State::Unknown);
                }
                self.readable.insert(id);
            }
            StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. } => {
                self.resetting.insert(id);
                self.forget(id);
            }
            StreamEvent::ResetComplete { id } => {
                self.resetting.remove(&id);
            }
            StreamEvent::BufferedAmountLow { id } => {
                if let Some(channel) = self.channels.get(&id) {
                    self.events.push_back(Event::Drained(channel.id));
                }
            }
            // A stream whose reset failed stays in `resetting`: its id is never used again.
            _ => {}
        }
    }

    /// Reads one message of one stream; `false` when nobody has any.
    fn read_one(&mut self) -> bool {
        while let Some(stream) = self.readable.pop_first() {
            let Some(channel) = self.channels.get(&stream) else { continue };
            if channel.held {
                continue;
            }
            let Some(association) = &mut self.association else { return false };
            let Ok(mut open) = association.stream(stream) else { continue };
            let Ok(Some(chunks)) = open.read_sctp() else { continue };
            // There may be more behind it, and the window is wider now.
            self.stirred = true;
            self.readable.insert(stream);
            let mut message = vec![0; chunks.len()];
            if chunks.read(&mut message).is_ok() {
                self.take_message(stream, chunks.ppi, message);
            }
            return true;
        }
        false
    }

    fn take_message(&mut self, stream: u16, kind: Ppi, message: Vec<u8>) {
        let Some(channel) = self.channels.get(&stream) else { return };
        let id = channel.id;
        match (channel.state, kind) {
            (State::Unknown, Ppi::Dcep) => self.take_open(stream, &Dcep::decode(&message)),
            // The acknowledgement of ours, or a repeated message: of no use.
            (_, Ppi::Dcep) | (State::Refused, _) => {}
            // It may be the FIN that the other side waits with until it closes the channel, as js does.
            (State::Left, _) => self.acknowledge(stream),
            // Data on a stream that nobody announced.
            (State::Unknown | State::Waiting(_), _) => self.close_stream(stream),
            // An empty message is one byte on the wire (RFC 8831, section 6.6).
            (State::Open, Ppi::BinaryEmpty | Ppi::StringEmpty) => {}
            (State::Open, _) => self.events.push_back(Event::Message(id, message.into())),
        }
    }

    fn take_open(&mut self, stream: u16, open: &Dcep) {
        let Dcep::Open { label } = open else { return self.close_stream(stream) };
        if self.write(stream, &Dcep::ack_bytes(), Ppi::Dcep).is_err() {
            return self.close_stream(stream);
        }
        let open = self.channels.values().filter(|c| c.state == State::Open).count();
        let Some(channel) = self.channels.get_mut(&stream) else { return };
        if open >= self.limits.streams {
            channel.state = State::Refused;
            let few = self.refused.len() < REFUSED_MAX;
            if few && self.write(stream, &RESET_FRAME, Ppi::Binary).is_ok() {
                self.refused.insert(stream);
            } else {
                self.close_stream(stream);
            }
        } else {
            channel.state = State::Open;
            let id = channel.id;
            self.watch(stream);
            if label != INIT_LABEL {
                self.events.push_back(Event::Incoming(id));
            }
        }
    }
}
