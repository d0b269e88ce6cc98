//! The DHT: who is in our routing table, and the queries under way.
//! Invariant: every ask gets exactly one answer, at the latest after [`QUERY_MS`]; no network group
//! fills the table.
//! Not here: Kademlia itself (libp2p), which records we store for others (shells).

mod error;
mod io;
mod table;

use std::collections::VecDeque;

pub use self::error::RoutingError;
pub use self::io::{Ask, Found, Input, Miss, Output};

use self::table::{Change, Table};
use crate::PeerId;
use crate::limits::{
    PROVIDED_KEYS_MAX, QUERIES_MAX, QUERY_MS, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX,
    REFRESH_EVERY_MS,
};
use crate::machine::Machine;
use crate::ordered::{BTreeMap, BTreeSet};
use crate::time::{Mono, Now};

/// How this peer routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether private networks may fill the table, as this machine always may: for LANs, where all
    /// peers are of one group.
    pub exempt_private: bool,
}

#[derive(Debug)]
struct Query {
    /// Who asked; `None`: we did, to refresh.
    ticket: Option<u64>,
    ask: Ask,
    until: Mono,
}

/// The routing machine.
#[derive(Debug)]
pub struct Routing {
    table: Table,
    queries: BTreeMap<u64, Query>,
    next_query: u64,
    refresh_at: Option<Mono>,
    provided: BTreeSet<Vec<u8>>,
    out: VecDeque<Output>,
}

impl Routing {
    /// A machine with an empty table.
    #[must_use]
    pub fn new(local: PeerId, config: Config) -> Self {
        Self {
            table: Table::new(local, config.exempt_private),
            queries: BTreeMap::new(),
            next_query: 0,
            refresh_at: None,
            provided: BTreeSet::new(),
            out: VecDeque::new(),
        }
    }

    /// Number of peers in the routing table.
    #[must_use]
    pub fn table_len(&self) -> usize {
        self.table.len()
    }

    /// Number of queries under way.
    #[must_use]
    pub fn queries_len(&self) -> usize {
        self.queries.len()
    }

    fn apply(&mut self, changes: Vec<Change>) {
        self.out.extend(changes.into_iter().map(|change| match change {
            Change::Admit(peer, addrs) => Output::Admit { peer, addrs },
            Change::Expel(peer) => Output::Expel { peer },
        }));
    }

    fn ask(&mut self, now: Now, ticket: u64, ask: Ask) {
        if let Err(error) = self.check(&ask) {
            self.out.push_back(Output::Answer { ticket, result: Err(error) });
        } else {
            self.start(now, Some(ticket), ask);
        }
    }

    fn check(&self, ask: &Ask) -> Result<(), RoutingError> {
        match ask {
            Ask::Get(key) | Ask::Put { key, .. } | Ask::Provide(key) | Ask::FindProviders(key)
                if key.is_empty() || key.len() > RECORD_KEY_BYTES_MAX =>
            {
                return Err(RoutingError::BadKey { bytes: key.len() });
            }
            Ask::Put { value, .. } if value.len() > RECORD_BYTES_MAX => {
                return Err(RoutingError::ValueTooLong { bytes: value.len() });
            }
            Ask::Provide(key)
                if !self.provided.contains(key) && self.provided.len() >= PROVIDED_KEYS_MAX =>
            {
                return Err(RoutingError::TooManyProvided);
            }
            Ask::FindPeer(_)
            | Ask::Get(_)
            | Ask::Put { .. }
            | Ask::Provide(_)
            | Ask::FindProviders(_)
            | Ask::Refresh => {}
        }
        if self.queries.len() >= QUERIES_MAX { Err(RoutingError::Busy) } else { Ok(()) }
    }

    fn start(&mut self, now: Now, ticket: Option<u64>, ask: Ask) {
        if let Ask::Provide(key) = &ask {
            self.provided.insert(key.clone());
        }
        let query = self.next_query;
        self.next_query = query.saturating_add(1);
        let until = now.mono.after(QUERY_MS);
        self.queries.insert(query, Query { ticket, ask: ask.clone(), until });
        self.out.push_back(Output::Query { query, ask });
    }

    fn done(&mut self, number: u64, result: Result<Found, Miss>) {
        let Some(query) = self.queries.remove(&number) else { return };
        let result = match result {
            Ok(found) => self.found(found),
            // What failed with nobody to ask failed for that reason.
            Err(_) if self.table.is_empty() => Err(RoutingError::Alone),
            Err(Miss::NotFound) => Err(RoutingError::NotFound),
            Err(Miss::Failed(reason)) => Err(RoutingError::Failed { reason }),
        };
        self.end(query, result);
    }

    /// Tells discovery what it should hear, and makes the answer.
    fn found(&mut self, found: Found) -> Result<Found, RoutingError> {
        match &found {
            Found::Peer { addrs, .. } if addrs.is_empty() => return Err(RoutingError::NotFound),
            Found::Peer { peer, addrs } => {
                self.out.push_back(Output::Heard { peer: *peer, addrs: addrs.clone() });
            }
            Found::Refreshed { peers } => {
                self.out.extend(
                    peers
                        .iter()
                        .filter(|(_, addrs)| !addrs.is_empty())
                        .map(|(peer, addrs)| Output::Heard { peer: *peer, addrs: addrs.clone() }),
                );
            }
            Found::Value { .. } | Found::Stored | Found::Provided | Found::Providers(_) => {}
        }
        Ok(found)
    }

    fn end(&mut self, query: Query, result: Result<Found, RoutingError>) {
        if let (Ask::Provide(key), Err(_)) = (&query.ask, &result) {
            self.provided.remove(key);
        }
        if let Some(ticket) = query.ticket {
            self.out.push_back(Output::Answer { ticket, result });
        }
    }

    fn work(&mut self, now: Now) {
        let changes = self.table.expire(now.mono);
        self.apply(changes);
        let late = self.queries.iter().filter(|(_, query)| query.until <= now.mono);
        for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.out.push_back(Output::Cancel { query: number });
            if let Some(query) = self.queries.remove(&number) {
                self.end(query, Err(RoutingError::TimedOut));
            }
        }
        if self.table.is_empty() {
            self.refresh_at = None;
        } else if self.refresh_at.is_none_or(|at| at <= now.mono)
            && self.queries.len() < QUERIES_MAX
        {
            self.refresh_at = Some(now.mono.after(REFRESH_EVERY_MS));
            self.start(now, None, Ask::Refresh);
        }
    }
}

impl Machine for Routing {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Identified { peer, speaks_kad, addrs, over } => {
                let changes = if speaks_kad {
                    self.table.meet(peer, &addrs, over)
                } else {
                    self.table.expel(&peer)
                };
                self.apply(changes);
            }
            Input::Gone { peer } => self.table.gone(now.mono, &peer),
            Input::Ask { ticket, ask } => self.ask(now, ticket, ask),
            Input::Done { query, result } => self.done(query, result),
        }
        self.work(now);
    }

    fn tick(&mut self, now: Now) {
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        let late = self.queries.values().map(|query| query.until).min();
        let refresh = if self.queries.len() < QUERIES_MAX { self.refresh_at } else { None };
        [late, refresh, self.table.next_wake()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
