//! A native peer connection of `/webrtc`, from its first order until it is connected.
//! Invariant: only addresses of this machine are told, and only by this side's own word.
//! Not here: the order of things (`signal`), streams (`connection`).

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use is::IceCreds;
use libp2p_webrtc_utils::Fingerprint;

use super::certificate::Certificate;
use super::link::{Link, LinkEvent};
use super::plan::Plan;
use super::socket::{Port, Session};
use super::wire::Native;
use crate::backend::{Failure, Local, Negotiation, Order, Platform, Role};
use crate::direct::random_token;
use crate::limits::ConnectionLimits;
use crate::sdp::{Candidate, Description, Setup};
use crate::signal::Network;

/// Makes native peer connections for `/webrtc`.
#[derive(Clone, Debug)]
pub struct NativePlatform {
    /// Shown to the other side; its hash goes through the signalling.
    pub certificate: Certificate,
    /// The limits of each connection.
    pub limits: ConnectionLimits,
}

/// See the module's text.
#[derive(Debug)]
pub struct Peering {
    role: Role,
    certificate: Certificate,
    limits: ConnectionLimits,
    local: IceCreds,
    /// Name of the data section: an answer repeats the offer's.
    mid: Option<String>,
    session: Option<Session>,
    native: Option<Native>,
    told: VecDeque<Local>,
    over: bool,
    waker: Option<Waker>,
}

impl Platform for NativePlatform {
    type Negotiation = Peering;

    fn start(&self, role: Role) -> Result<Peering, Failure> {
        let session = own_port().map_err(|e| Failure::Platform(e.to_string()))?;
        Ok(Peering {
            role,
            certificate: self.certificate.clone(),
            limits: self.limits,
            local: IceCreds { ufrag: token()?, pass: token()? },
            mid: None,
            session: Some(session),
            native: None,
            told: VecDeque::new(),
            over: false,
            waker: None,
        })
    }

    fn networks(&self) -> Vec<Network> {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let network = |interface: &if_addrs::Interface| Network {
            address: interface.ip(),
            prefix: match &interface.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            },
        };
        interfaces.iter().map(network).collect()
    }
}

/// A port for both families, or for IPv4 where the machine has no IPv6.
fn own_port() -> std::io::Result<Session> {
    let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
    let old = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    Port::own(both).or_else(|_| Port::own(old))
}

fn token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Failure::Platform(e.to_string()))?;
    Ok(random_token(&bytes))
}

impl Peering {
    fn describe(&mut self, setup: Setup) -> Result<String, Failure> {
        let digest = digest(self.certificate.fingerprint())?;
        let mut description = Description::new(&self.local.ufrag, &self.local.pass, digest)
            .map_err(|e| Failure::Platform(e.to_string()))?;
        description.setup = setup;
        description.max_message_size = u32::try_from(self.limits.stream.receive_frame_bytes).ok();
        if let Some(mid) = self.mid.take() {
            description.mid = mid;
        }
        Ok(match self.role {
            Role::Initiator => description.to_offer(),
            Role::Responder => description.to_answer(),
        })
    }

    fn apply(&mut self, sdp: &str) -> Result<(), Failure> {
        let remote = Description::parse(sdp).map_err(|e| Failure::Platform(e.to_string()))?;
        let session = self.session.take().ok_or_else(|| twice("description"))?;
        let port = session.socket().local_addr().map_err(|e| Failure::Platform(e.to_string()))?;
        // Who answers an offer that leaves it open begins (RFC 8842, section 5.3).
        let dtls_client = match (self.role, remote.setup) {
            (_, Setup::Passive) | (Role::Responder, Setup::ActPass) => true,
            (_, Setup::Active) | (Role::Initiator, Setup::ActPass) => false,
        };
        let plan = Plan {
            certificate: self.certificate.dtls(),
            dtls_client,
            controlling: self.role == Role::Initiator,
            lite: false,
            local: self.local.clone(),
            bases: Plan::bases(port.port()),
            limits: self.limits,
        };
        let mut link = Link::new(plan, Instant::now())?;
        let credentials = IceCreds { ufrag: remote.ufrag, pass: remote.pwd };
        link.set_remote(credentials, Some(Fingerprint::raw(remote.fingerprint)));
        for candidate in &remote.candidates {
            // What ICE does not understand, such as a name or TCP, is no way for us.
            link.add_remote_candidate(candidate).unwrap_or_default();
        }
        self.mid = Some(remote.mid);
        self.native = Some(Native::new(link, session));
        Ok(())
    }

    /// Tells our addresses, each a candidate.
    fn gather(&mut self) -> Result<(), Failure> {
        let socket = match (&self.session, &mut self.native) {
            (Some(session), _) => session.socket().local_addr(),
            (None, Some(native)) => native.local_addr(),
            (None, None) => return Ok(()),
        };
        let bound = socket.map_err(|e| Failure::Platform(e.to_string()))?;
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        for ip in interfaces.iter().map(if_addrs::Interface::ip) {
            let family = ip.is_ipv4() || (bound.is_ipv6() && !is_link_local(ip));
            let address = SocketAddr::new(ip, bound.port());
            if !family {
                continue;
            }
            let Ok(host) = is::Candidate::host(address, "udp") else { continue };
            let line = host.to_sdp_string();
            let candidate = Candidate {
                candidate: line.strip_prefix("a=").unwrap_or(&line).to_owned(),
                sdp_mid: Some("0".to_owned()),
                sdp_m_line_index: Some(0),
                username_fragment: Some(self.local.ufrag.clone()),
            };
            self.told.push_back(Local::Candidate(candidate.to_json()));
        }
        Ok(())
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::CreateOffer => {
                let sdp = self.describe(Setup::ActPass)?;
                self.told.push_back(Local::Description(sdp));
            }
            Order::CreateAnswer => {
                let client = self.native.as_ref().is_none_or(Native::is_dtls_client);
                let sdp = self.describe(if client { Setup::Active } else { Setup::Passive })?;
                self.told.push_back(Local::Description(sdp));
            }
            Order::ApplyRemote(sdp) => {
                self.apply(&sdp)?;
                self.told.push_back(Local::RemoteApplied);
            }
            Order::ApplyLocal => self.gather()?,
            Order::AddCandidate(json) => {
                if let Ok(Some(candidate)) = Candidate::parse(&json)
                    && let Some(native) = &mut self.native
                {
                    let line = &candidate.candidate;
                    native.link().add_remote_candidate(line).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, local: Local) -> Poll<Local> {
        self.over = true;
        Poll::Ready(local)
    }
}

fn digest(fingerprint: Fingerprint) -> Result<[u8; 32], Failure> {
    fingerprint.to_multihash().digest().try_into().map_err(|_| twice("fingerprint"))
}

fn twice(what: &str) -> Failure {
    Failure::Platform(format!("there is a {what} already"))
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

impl Negotiation for Peering {
    type Backend = Native;

    fn order(&mut self, order: Order) {
        if let Err(failure) = self.carry_out(order) {
            self.told.push_back(Local::Failed(failure));
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll_local(&mut self, cx: &mut Context<'_>) -> Poll<Local> {
        self.waker = Some(cx.waker().clone());
        if let Some(local) = self.told.pop_front() {
            return Poll::Ready(local);
        }
        if self.over {
            return Poll::Pending;
        }
        let Some(native) = &mut self.native else { return Poll::Pending };
        loop {
            match native.poll_link(cx) {
                Poll::Ready(Ok(LinkEvent::Secured(_))) => return self.tell(Local::Connected),
                Poll::Ready(Ok(LinkEvent::Channel(_))) => {}
                Poll::Ready(Err(failure)) => return self.tell(Local::Failed(failure)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn into_backend(self) -> Result<Native, Failure> {
        self.native.ok_or(Failure::NoPath)
    }
}
