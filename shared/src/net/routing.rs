//! Kademlia: commands and events.
//! Invariant: a query whose caller has left is ended; nothing offered by others is stored unasked.
//! Not here: whom to admit to the table and when to refresh (`routing` machine).

use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{self, Quorum, Record};

use super::address;
use super::command::{Reply, RoutingCommand};
use super::driver::{Driver, redeem};
use super::handle::NetError;
use super::transport::answer;
use super::work::{Offer, RoutingWork};
use crate::limits::{PROVIDERS_PER_KEY_MAX, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX};
use crate::ordered::BTreeSet;
use crate::policy::{Action, Permit, Resource};
use crate::routing::{Ask, Found};

/// A query under way.
pub(super) struct Query {
    number: u64,
    ask: Ask,
    reply: Reply<Found>,
    providers: BTreeSet<PeerId>,
}

/// The action that an ask needs.
pub(super) fn action(ask: &Ask) -> Action {
    match ask {
        Ask::Put { .. } => Action::DhtPut,
        Ask::Provide(_) => Action::DhtProvide,
        Ask::FindPeer(_) | Ask::Get(_) | Ask::FindProviders(_) | Ask::Refresh => Action::DhtQuery,
    }
}

/// The resource that an ask concerns.
pub(super) fn resource(ask: &Ask) -> Resource {
    match ask {
        Ask::Put { key, .. } | Ask::Provide(key) | Ask::Get(key) | Ask::FindProviders(key) => {
            Resource::Key(key.clone())
        }
        Ask::FindPeer(peer) => Resource::Peer(*peer),
        Ask::Refresh => Resource::Node,
    }
}

impl Driver {
    pub(super) fn apply_routing(&mut self, command: RoutingCommand) {
        match command {
            RoutingCommand::Admit { permit, peer, addresses } => {
                if redeem(permit, Action::DhtQuery, &Resource::Peer(peer)).is_ok() {
                    for address in addresses {
                        self.kad().add_address(&peer, address);
                    }
                }
            }
            RoutingCommand::Expel { permit, peer } => {
                if redeem(permit, Action::DhtQuery, &Resource::Peer(peer)).is_ok() {
                    self.kad().remove_peer(&peer);
                }
            }
            RoutingCommand::Query { permit, number, ask, reply } => {
                match redeem(permit, action(&ask), &resource(&ask)).and_then(|()| self.start(&ask))
                {
                    Ok(id) => {
                        self.owed.query_numbers.insert(number, id);
                        let query = Query { number, ask, reply, providers: BTreeSet::new() };
                        self.owed.queries.insert(id, query);
                    }
                    Err(error) => answer(reply, Err(error)),
                }
            }
            RoutingCommand::Cancel { permit, number } => {
                if redeem(permit, Action::DhtQuery, &Resource::Node).is_ok() {
                    self.cancel(number);
                }
            }
            RoutingCommand::Store { permit, offer } => self.store(permit, offer),
        }
    }

    fn kad(&mut self) -> &mut kad::Behaviour<kad::store::MemoryStore> {
        self.swarm.behaviour_mut().kad.inner_mut()
    }

    fn start(&mut self, ask: &Ask) -> Result<kad::QueryId, NetError> {
        let key = |bytes: &Vec<u8>| kad::RecordKey::new(bytes);
        Ok(match ask {
            Ask::FindPeer(peer) => self.kad().get_closest_peers(*peer),
            Ask::Get(bytes) => self.kad().get_record(key(bytes)),
            Ask::Put { key: bytes, value } => {
                let record = Record::new(key(bytes), value.clone());
                self.kad()
                    .put_record(record, Quorum::One)
                    .map_err(|e| NetError::Routing(e.to_string()))?
            }
            Ask::Provide(bytes) => self
                .kad()
                .start_providing(key(bytes))
                .map_err(|e| NetError::Routing(e.to_string()))?,
            Ask::FindProviders(bytes) => self.kad().get_providers(key(bytes)),
            Ask::Refresh => self.kad().bootstrap().map_err(|e| NetError::Routing(e.to_string()))?,
        })
    }

    fn store(&mut self, permit: Permit, offer: Offer) {
        // The store's own bounds may refuse; the offering peer cannot be told in this protocol.
        match offer {
            Offer::Record(record) => {
                let on = Resource::Key(record.key.to_vec());
                if redeem(permit, Action::DhtPut, &on).is_ok() {
                    drop(self.kad().store_mut().put(record));
                }
            }
            Offer::Provider(record) => {
                let on = Resource::Key(record.key.to_vec());
                if redeem(permit, Action::DhtProvide, &on).is_ok() {
                    drop(self.kad().store_mut().add_provider(record));
                }
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "table changes are counted by metrics")]
    pub(super) fn lift_routing(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                self.progress(id, result, step.last);
            }
            kad::Event::InboundRequest {
                request: kad::InboundRequest::PutRecord { source, record: Some(record), .. },
            } if record.key.as_ref().len() <= RECORD_KEY_BYTES_MAX
                && record.value.len() <= RECORD_BYTES_MAX =>
            {
                self.offered(source, Offer::Record(record));
            }
            kad::Event::InboundRequest {
                request: kad::InboundRequest::AddProvider { record: Some(record) },
            } if record.key.as_ref().len() <= RECORD_KEY_BYTES_MAX => {
                // Kademlia lets a peer provide for itself only, and libp2p checks that.
                self.offered(record.provider, Offer::Provider(record));
            }
            _ => {}
        }
    }

    fn offered(&mut self, from: PeerId, offer: Offer) {
        // The protocol has no word for "busy": a full lane drops the offer, the publisher repeats it.
        drop(self.lanes.routing.offer(RoutingWork::RecordOffered { from, offer }));
    }

    fn progress(&mut self, id: kad::QueryId, result: kad::QueryResult, last: bool) {
        let Some(mut query) = self.owed.queries.remove(&id) else { return };
        let outcome = outcome(&mut query, result).or_else(|| last.then(|| end(&query)));
        let outcome = outcome.map(|outcome| self.or_own_word(&query.ask, outcome));
        let left = query.reply.is_closed();
        if outcome.is_none() && !left {
            self.owed.queries.insert(id, query);
            return;
        }
        self.owed.query_numbers.remove(&query.number);
        if let Some(outcome) = outcome {
            answer(query.reply, outcome);
        }
        self.finish(&id);
    }

    /// A walk tells of peers that others know. A peer that we are connected to told us itself.
    fn or_own_word(&self, ask: &Ask, outcome: Result<Found, NetError>) -> Result<Found, NetError> {
        let (Ask::FindPeer(peer), Err(NetError::NotFound)) = (ask, &outcome) else {
            return outcome;
        };
        let told = self.state.identities.get(peer).filter(|told| !told.addresses.is_empty());
        told.map_or(outcome, |told| Ok(Found::Peer { peer: *peer, addrs: told.addresses.clone() }))
    }

    fn cancel(&mut self, number: u64) {
        if let Some(id) = self.owed.query_numbers.remove(&number)
            && let Some(query) = self.owed.queries.remove(&id)
        {
            answer(query.reply, Err(NetError::NotFound));
            self.finish(&id);
        }
    }

    fn finish(&mut self, id: &kad::QueryId) {
        if let Some(mut query) = self.kad().query_mut(id) {
            query.finish();
        }
    }
}

/// The answer that this step of a query brings, if it completes the query.
fn outcome(query: &mut Query, result: kad::QueryResult) -> Option<Result<Found, NetError>> {
    let failed = |e: &dyn std::fmt::Display| Some(Err(NetError::Routing(e.to_string())));
    match result {
        kad::QueryResult::GetClosestPeers(Ok(ok)) => Some(closest(&query.ask, ok.peers)),
        kad::QueryResult::GetClosestPeers(Err(kad::GetClosestPeersError::Timeout {
            peers,
            ..
        })) => Some(closest(&query.ask, peers)),
        kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) => {
            let record = found.record;
            Some(Ok(Found::Value {
                key: record.key.to_vec(),
                value: record.value,
                publisher: record.publisher,
            }))
        }
        kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders {
            providers,
            ..
        })) => {
            query.providers.extend(providers);
            let enough = query.providers.len() >= PROVIDERS_PER_KEY_MAX;
            enough.then(|| end(query))
        }
        kad::QueryResult::GetRecord(Ok(_)) | kad::QueryResult::GetProviders(_) => None,
        kad::QueryResult::GetRecord(Err(kad::GetRecordError::NotFound { .. })) => {
            Some(Err(NetError::NotFound))
        }
        kad::QueryResult::GetRecord(Err(e)) => failed(&e),
        kad::QueryResult::PutRecord(Ok(_)) | kad::QueryResult::RepublishRecord(Ok(_)) => {
            Some(Ok(Found::Stored))
        }
        kad::QueryResult::StartProviding(Ok(_)) | kad::QueryResult::RepublishProvider(Ok(_)) => {
            Some(Ok(Found::Provided))
        }
        kad::QueryResult::PutRecord(Err(e)) | kad::QueryResult::RepublishRecord(Err(e)) => {
            failed(&e)
        }
        kad::QueryResult::StartProviding(Err(e)) | kad::QueryResult::RepublishProvider(Err(e)) => {
            failed(&e)
        }
        // A refresh walks one bucket after the other and reports each.
        kad::QueryResult::Bootstrap(Ok(step)) => {
            (step.num_remaining == 0).then_some(Ok(Found::Refreshed { peers: Vec::new() }))
        }
        kad::QueryResult::Bootstrap(Err(e)) => failed(&e),
    }
}

/// What the walk towards a peer met: the peer itself, when somebody knows it.
fn closest(ask: &Ask, peers: Vec<kad::PeerInfo>) -> Result<Found, NetError> {
    let Ask::FindPeer(wanted) = ask else { return Err(NetError::NotFound) };
    let found = peers.into_iter().find(|info| info.peer_id == *wanted);
    let addrs = found.ok_or(NetError::NotFound)?.addrs;
    let addrs = addrs.into_iter().map(address::without_peer).collect();
    Ok(Found::Peer { peer: *wanted, addrs })
}

/// The answer of a query that ended without a decisive step.
fn end(query: &Query) -> Result<Found, NetError> {
    match query.ask {
        Ask::FindProviders(_) => Ok(Found::Providers(query.providers.iter().copied().collect())),
        Ask::Refresh => Ok(Found::Refreshed { peers: Vec::new() }),
        Ask::FindPeer(_) | Ask::Get(_) | Ask::Put { .. } | Ask::Provide(_) => {
            Err(NetError::NotFound)
        }
    }
}
