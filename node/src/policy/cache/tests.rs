use peerloom_shared::policy::{Held, Objection};

use super::*;

fn held(version: u64) -> Held {
    Held { version, ..Held::default() }
}

fn question<'a>(held: &'a Held, resource: &'a Resource, now_ms: u64) -> Question<'a> {
    Question { subject: &Subject::Local, action: Action::DhtPut, resource, held, now_ms }
}

fn ruling(id: &str) -> Ruling {
    Ruling::Allow([id.into()].into())
}

#[test]
fn a_decision_is_kept_for_its_question_and_its_time() {
    let kept = Decisions::default();
    let (one, two) = (Resource::Topic("one".into()), Resource::Topic("two".into()));
    kept.put(&question(&held(1), &one, 100), &ruling("a"), 200);
    assert_eq!(kept.get(&question(&held(1), &one, 100)), Some(ruling("a")));
    assert_eq!(kept.get(&question(&held(1), &one, 199)), Some(ruling("a")));
    assert_eq!(kept.get(&question(&held(1), &one, 200)), None);
    assert_eq!(kept.get(&question(&held(1), &one, 99)), None, "the clock was put back");
    assert_eq!(kept.get(&question(&held(2), &one, 100)), None);
    assert_eq!(kept.get(&question(&held(1), &two, 100)), None);
    let denial = Ruling::Deny(Objection::default());
    kept.put(&question(&held(1), &one, 150), &denial, 200);
    assert_eq!(kept.get(&question(&held(1), &one, 160)), Some(denial));
}

#[test]
fn the_table_is_bounded_and_the_newest_stay() {
    let kept = Decisions::default();
    let held = held(0);
    let many = DECISIONS_MAX * 4;
    for number in 0..many {
        let resource = Resource::Topic(number.to_string());
        kept.put(&question(&held, &resource, 0), &ruling("x"), 10);
    }
    let newest = Resource::Topic((many - 1).to_string());
    assert!(kept.get(&question(&held, &newest, 0)).is_some());
    let all: usize = kept
        .parts
        .iter()
        .map(|part| part.lock().expect("whole").sets.iter().flatten().flatten().count())
        .sum();
    assert!(all <= DECISIONS_MAX && all > DECISIONS_MAX / 2, "{all}");
}

#[test]
fn long_names_are_not_kept() {
    let kept = Decisions::default();
    let long = Resource::Key(vec![0; DECISION_NAME_BYTES_MAX + 1]);
    kept.put(&question(&held(0), &long, 0), &ruling("x"), 10);
    assert_eq!(kept.get(&question(&held(0), &long, 0)), None);
}
