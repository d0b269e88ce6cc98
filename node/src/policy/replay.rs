//! Trying a policy folder out on the newest requests that a node has decided.
//! Invariant: both folders get the same question, at the time at which it was asked; nothing changes.
//! Not here: keeping the requests (`crate::audit`), showing what comes out (`crate::cli`).

use std::sync::Arc;

use peerloom_shared::policy::{
    Action, Class, Denial, Held, Permit, PolicySet, Question, Resource, Subject,
};

use super::beside::{Along, Beside, Noted};
use super::engine::CedarEngine;
use super::folder::Loaded;
use crate::audit::Asked;

/// The epoch of a set that is only tried out.
const TRIED: u64 = 0;

/// A folder that decides requests again.
#[derive(Debug)]
pub struct Side {
    set: PolicySet,
    engine: Arc<CedarEngine>,
}

/// What a folder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// By which rules.
    pub by: String,
}

impl Answer {
    fn of(verdict: Result<Permit, Denial>) -> Self {
        match verdict {
            Ok(permit) => {
                let by: Vec<&str> = permit.rules().iter().map(AsRef::as_ref).collect();
                Self { allowed: true, by: by.join(", ") }
            }
            Err(denial) => Self { allowed: false, by: denial.rule.into_owned() },
        }
    }
}

/// A request as it can be asked again.
#[derive(Clone, Debug)]
struct Request {
    subject: Subject,
    action: Action,
    resource: Resource,
    class: Class,
    noted: Vec<Noted>,
    at_ms: u64,
}

/// Why a request cannot be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Cut,
    Unknown,
}

impl Request {
    fn of(asked: &Asked) -> Result<Self, Lost> {
        if asked.cut {
            return Err(Lost::Cut);
        }
        let noted: Option<Vec<_>> = asked.grants.iter().map(Noted::of).collect();
        let parts = (asked.subject(), asked.action(), asked.resource(), noted);
        let (Some(subject), Some(action), Some(resource), Some(noted)) = parts else {
            return Err(Lost::Unknown);
        };
        let class = class_of(&asked.class);
        Ok(Self { subject, action, resource, class, noted, at_ms: asked.at_ms })
    }
}

/// The class with this name; a name of a newer version is none that is known here.
#[must_use]
pub fn class_of(name: &str) -> Class {
    let known = [Class::Native, Class::Browser].into_iter().find(|class| class.name() == name);
    known.unwrap_or_default()
}

impl Side {
    /// A side that decides by this folder.
    #[must_use]
    pub fn new(loaded: Loaded) -> Self {
        let engine = Arc::new(CedarEngine::new(loaded.compiled));
        let trust = engine.compiled().trust.clone();
        Self { set: PolicySet::from_rules(loaded.lists, TRIED).trusting(trust), engine }
    }

    fn decide(&self, request: &Request) -> Answer {
        // Roots are those of this side, whoever was one when it was asked.
        let held = Held { class: request.class, ..Held::default() };
        let question = Question {
            subject: &request.subject,
            action: request.action,
            resource: &request.resource,
            held: &held,
            now_ms: request.at_ms,
        };
        let beside = Beside { noted: request.noted.clone(), ..Beside::default() };
        let along = Along { engine: Arc::clone(&self.engine), beside };
        Answer::of(self.set.clone().with_engine(Arc::new(along)).authorize(&question).permit())
    }
}

/// A request that two folders decide differently.
#[derive(Clone, Debug)]
pub struct Flip {
    /// What was asked.
    pub asked: Asked,
    /// What the folder in force says.
    pub now: Answer,
    /// What the other one would say.
    pub then: Answer,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Requests that were asked again.
    pub asked: usize,
    /// Those that are decided differently, the newest first.
    pub flips: Vec<Flip>,
    /// Requests of which only a part was kept, because a name was too long or the grants too many.
    pub cut: usize,
    /// Requests with words that this version does not know.
    pub unknown: usize,
    /// Requests from an address of which only the network was kept: its first address stands for it.
    pub coarse: usize,
    /// Requests that were decided otherwise at their time than by the folder in force now: by older
    /// policies, while denials were only observed, or because of more of an address than was kept.
    pub older: usize,
}

/// Asks both folders.
#[must_use]
pub fn replay(requests: Vec<Asked>, in_force: &Side, candidate: &Side) -> Replay {
    let mut replay = Replay::default();
    for asked in requests {
        let request = match Request::of(&asked) {
            Ok(request) => request,
            Err(Lost::Cut) => {
                replay.cut = replay.cut.saturating_add(1);
                continue;
            }
            Err(Lost::Unknown) => {
                replay.unknown = replay.unknown.saturating_add(1);
                continue;
            }
        };
        let (now, then) = (in_force.decide(&request), candidate.decide(&request));
        replay.asked = replay.asked.saturating_add(1);
        replay.coarse = replay.coarse.saturating_add(usize::from(asked.net.is_some()));
        replay.older = replay.older.saturating_add(usize::from(now.allowed != asked.allowed));
        if now.allowed != then.allowed {
            replay.flips.push(Flip { asked, now, then });
        }
    }
    replay.flips.sort_by_key(|flip| std::cmp::Reverse(flip.asked.at_ms));
    replay
}

#[cfg(test)]
mod tests;
