//! The rules of `/webrtc` signalling: what is sent, applied and accepted when.
//! Invariant: one `Connected` or `Failed` ends every session in time, and nothing comes after it.
//! Not here: streams (`behaviour` carries the bytes), peer connections (`backend` obeys the orders).

mod error;
mod filter;
mod message;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::{Local, Order, Role};
use crate::limits::SignalLimits;
use crate::sdp::{Candidate, CandidateLine, Description, SdpError, Setup};

pub use error::{Expected, SignalError};
pub use filter::{CandidateFilter, Network, Reach, Verdict, judge_candidate};
use message::Decoder;
pub use message::MessageKind;
pub use sessions::{Full, SessionId, Sessions};

/// What the owner of a session has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this to the stream; a write that fails counts as the end of the stream.
    Send(Bytes),
    /// Hand this to the platform.
    Order(Order),
    /// Close the stream and take the connection. Nothing comes after it.
    Connected,
    /// Reset the stream and drop the connection. Nothing comes after it.
    Failed(SignalError),
}

/// What was left out without harm, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Candidates of the other side that the filter refused.
    pub filtered: usize,
    /// Candidates of the other side that are none.
    pub unreadable: usize,
    /// Candidates of this side that were not sent: too many, too long, or unreadable.
    pub unsent: usize,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Initiator: the platform makes the offer.
    Offering,
    /// Initiator: the offer is on its way.
    Offered,
    /// Responder: nothing has come.
    Waiting,
    /// Responder: the platform takes the offer.
    Applying,
    /// Responder: the platform makes the answer.
    Answering,
    /// Offer and answer are exchanged; candidates go both ways.
    Connecting,
    /// It connected or failed.
    Done,
}

/// One session of `/webrtc` signalling (libp2p specification webrtc, section "Signaling"), of either
/// role. Time is whatever clock the owner has, as long as it never goes back.
#[derive(Debug)]
pub struct Signal {
    limits: SignalLimits,
    /// `None` takes every candidate.
    filter: Option<CandidateFilter>,
    phase: Phase,
    deadline: Duration,
    decoder: Decoder,
    outputs: VecDeque<Output>,
    /// Candidates of this side until they may be sent.
    local: Vec<String>,
    /// Candidates of the other side until its offer is in force.
    remote: Vec<String>,
    stream_ended: bool,
    received_bytes: usize,
    sent_bytes: usize,
    received_candidates: usize,
    sent_candidates: usize,
    counts: Counts,
}

impl Signal {
    /// Starts a session. An initiator asks for the offer at once.
    #[must_use]
    pub fn new(role: Role, limits: SignalLimits, now: Duration) -> Self {
        let (phase, first) = match role {
            Role::Initiator => (Phase::Offering, Some(Output::Order(Order::CreateOffer))),
            Role::Responder => (Phase::Waiting, None),
        };
        Self {
            limits,
            filter: None,
            phase,
            deadline: now.saturating_add(limits.total),
            decoder: Decoder::new(limits.sdp_bytes.max(limits.candidate_bytes)),
            outputs: first.into_iter().collect(),
            local: Vec::new(),
            remote: Vec::new(),
            stream_ended: false,
            received_bytes: 0,
            sent_bytes: 0,
            received_candidates: 0,
            sent_candidates: 0,
            counts: Counts::default(),
        }
    }

    /// Tries only those candidates of the other side that `filter` takes, also those in its SDP.
    #[must_use]
    pub fn with_filter(mut self, filter: CandidateFilter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Takes bytes off the stream, in pieces of any size.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        if !self.is_running(now) || self.stream_ended {
            return;
        }
        // What is within the limit counts, so that it does not matter in which pieces it comes.
        let left = self.left_bytes();
        let (mut allowed, beyond) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        self.received_bytes = self.received_bytes.saturating_add(allowed.len());
        while self.phase != Phase::Done {
            match self.decoder.next(&mut allowed) {
                Ok(Some((kind, data))) => {
                    if let Err(error) = self.message(kind, &data) {
                        self.fail(error);
                    }
                }
                Ok(None) if beyond.is_empty() => return,
                Ok(None) => self.fail(SignalError::TooMuch),
                Err(error) => self.fail(error),
            }
        }
    }

    /// The stream ended or was reset. Once offer and answer are exchanged that is no failure: the
    /// other side may be connected already, and its connection tells more than its stream.
    pub fn stream_ended(&mut self, now: Duration) {
        if !self.is_running(now) {
            return;
        }
        self.stream_ended = true;
        match self.phase {
            Phase::Connecting | Phase::Done => {}
            Phase::Offering
            | Phase::Offered
            | Phase::Waiting
            | Phase::Applying
            | Phase::Answering => self.fail(SignalError::Ended),
        }
    }

    /// Takes what the platform says.
    pub fn local(&mut self, now: Duration, local: Local) {
        if !self.is_running(now) {
            return;
        }
        match local {
            Local::Description(sdp) => self.description(&sdp),
            Local::RemoteApplied => self.remote_applied(),
            Local::Candidate(json) => self.local_candidate(json),
            Local::Connected if self.phase == Phase::Connecting => {
                self.finish();
                self.outputs.push_back(Output::Connected);
            }
            Local::Connected => self.fail(SignalError::Platform("connected")),
            Local::Failed(failure) => self.fail(SignalError::Peer(failure)),
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) {
        self.is_running(now);
    }

    /// When [`Signal::tick`] is due; never again once the session is over.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        (self.phase != Phase::Done).then_some(self.deadline)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was left out so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the session goes on; ends it when its time is over.
    fn is_running(&mut self, now: Duration) -> bool {
        if self.phase != Phase::Done && now >= self.deadline {
            self.fail(SignalError::Timeout);
        }
        self.phase != Phase::Done
    }

    fn message(&mut self, kind: MessageKind, data: &str) -> Result<(), SignalError> {
        let expected = match self.phase {
            Phase::Offering | Phase::Done => Expected::Nothing,
            Phase::Offered => Expected::Answer,
            Phase::Waiting => Expected::Offer,
            Phase::Applying | Phase::Answering | Phase::Connecting => Expected::Candidates,
        };
        match (expected, kind) {
            (Expected::Offer, MessageKind::Offer) => {
                let offer = self.remote_description(data)?.to_offer();
                self.phase = Phase::Applying;
                self.order(Order::ApplyRemote(offer));
            }
            (Expected::Answer, MessageKind::Answer) => {
                let answer = self.remote_description(data)?;
                if answer.setup == Setup::ActPass {
                    return Err(SignalError::Sdp(SdpError::Setup));
                }
                self.phase = Phase::Connecting;
                self.order(Order::ApplyRemote(answer.to_answer()));
            }
            (Expected::Candidates, MessageKind::Candidate) => self.remote_candidate(data)?,
            (
                Expected::Nothing | Expected::Offer | Expected::Answer | Expected::Candidates,
                got,
            ) => {
                return Err(SignalError::OutOfOrder { expected, got });
            }
        }
        Ok(())
    }

    /// Reads an SDP of the other side. The platform gets it written anew, so that nothing in it but
    /// what we understood reaches the platform, and no candidate that the filter refuses.
    fn remote_description(&mut self, data: &str) -> Result<Description, SignalError> {
        let limit = self.limits.sdp_bytes;
        if data.len() > limit {
            return Err(SignalError::TooLarge { limit });
        }
        let mut read = Description::parse(data)?;
        self.received_candidates = self.received_candidates.saturating_add(read.candidates.len());
        if self.received_candidates > self.limits.candidates {
            return Err(SignalError::TooMany);
        }
        let before = read.candidates.len();
        let filter = &mut self.filter;
        read.candidates.retain(|line| {
            CandidateLine::parse(line).is_ok_and(|line| takes(filter.as_mut(), &line))
        });
        self.counts.filtered += before.saturating_sub(read.candidates.len());
        Ok(read)
    }

    fn remote_candidate(&mut self, data: &str) -> Result<(), SignalError> {
        let limit = self.limits.candidate_bytes;
        if data.len() > limit {
            return Err(SignalError::TooLarge { limit });
        }
        let candidate = match Candidate::parse(data) {
            Ok(Some(candidate)) => Some(candidate),
            // The end of candidates, which is no candidate. Its bytes are counted.
            Ok(None) => return Ok(()),
            Err(_) => None,
        };
        self.received_candidates = self.received_candidates.saturating_add(1);
        if self.received_candidates > self.limits.candidates {
            return Err(SignalError::TooMany);
        }
        let known = candidate.and_then(|candidate| Some((candidate.line().ok()?, candidate)));
        let Some((line, candidate)) = known else {
            self.counts.unreadable += 1;
            return Ok(());
        };
        if !takes(self.filter.as_mut(), &line) {
            self.counts.filtered += 1;
        } else if self.phase == Phase::Applying {
            self.remote.push(candidate.to_json());
        } else {
            self.order(Order::AddCandidate(candidate.to_json()));
        }
        Ok(())
    }

    fn description(&mut self, sdp: &str) {
        let (kind, next) = match self.phase {
            Phase::Offering => (MessageKind::Offer, Phase::Offered),
            Phase::Answering => (MessageKind::Answer, Phase::Connecting),
            Phase::Offered | Phase::Waiting | Phase::Applying | Phase::Connecting | Phase::Done => {
                return self.fail(SignalError::Platform("description"));
            }
        };
        let limit = self.limits.sdp_bytes;
        if sdp.len() > limit {
            return self.fail(SignalError::TooLarge { limit });
        }
        let frame = message::encode(kind, sdp);
        if frame.len() > self.left_bytes() {
            return self.fail(SignalError::TooMuch);
        }
        self.phase = next;
        self.send(frame);
        self.order(Order::ApplyLocal);
        for candidate in std::mem::take(&mut self.local) {
            self.send_candidate(&candidate);
        }
    }

    fn remote_applied(&mut self) {
        // After an answer there is nothing to wait for: the platform takes orders one by one.
        if self.phase != Phase::Applying {
            return;
        }
        self.phase = Phase::Answering;
        self.order(Order::CreateAnswer);
        for candidate in std::mem::take(&mut self.remote) {
            self.order(Order::AddCandidate(candidate));
        }
    }

    fn local_candidate(&mut self, json: String) {
        match Candidate::parse(&json) {
            Ok(None) => return,
            Ok(Some(_)) if json.len() <= self.limits.candidate_bytes => {}
            Ok(Some(_)) | Err(_) => {
                self.counts.unsent += 1;
                return;
            }
        }
        match self.phase {
            Phase::Offered | Phase::Connecting => self.send_candidate(&json),
            Phase::Offering | Phase::Waiting | Phase::Applying | Phase::Answering => {
                if self.local.len() < self.limits.candidates {
                    self.local.push(json);
                } else {
                    self.counts.unsent += 1;
                }
            }
            Phase::Done => {}
        }
    }

    fn send_candidate(&mut self, json: &str) {
        let frame = message::encode(MessageKind::Candidate, json);
        // Half of the bytes is the other side's: two sides that both keep to this never fail by it.
        let full = self.sent_bytes.saturating_add(frame.len()) > self.limits.total_bytes / 2;
        if full || self.stream_ended || self.sent_candidates >= self.limits.candidates {
            self.counts.unsent += 1;
            return;
        }
        self.sent_candidates += 1;
        self.send(frame);
    }

    fn left_bytes(&self) -> usize {
        let used = self.received_bytes.saturating_add(self.sent_bytes);
        self.limits.total_bytes.saturating_sub(used)
    }

    fn send(&mut self, frame: Bytes) {
        self.sent_bytes = self.sent_bytes.saturating_add(frame.len());
        self.outputs.push_back(Output::Send(frame));
    }

    fn order(&mut self, order: Order) {
        self.outputs.push_back(Output::Order(order));
    }

    fn finish(&mut self) {
        self.phase = Phase::Done;
        self.local = Vec::new();
        self.remote = Vec::new();
    }

    /// Ends the session. What was still to be done is moot: the stream is reset.
    fn fail(&mut self, error: SignalError) {
        self.finish();
        self.outputs.clear();
        self.outputs.push_back(Output::Failed(error));
    }
}

/// Whether a candidate of the other side is tried.
fn takes(filter: Option<&mut CandidateFilter>, line: &CandidateLine) -> bool {
    filter.is_none_or(|filter| filter.takes(line))
}
