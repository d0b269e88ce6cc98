//! The newest decisions: what is kept of them, and that rules can be asked again.

use peerloom_shared::limits::AUDIT_RESOURCE_BYTES_MAX;

use super::*;
use crate::audit::recent::{FILE, Recent};

fn note(recent: &Recent, subject: &Subject, resource: &Resource, allowed: bool) {
    let held = Held::default();
    let action = Action::TopicPublish;
    recent.note(&Question { subject, action, resource, held: &held, now_ms: 9 }, allowed);
}

fn topic(number: usize) -> Resource {
    Resource::Topic(format!("room {number}"))
}

fn written(recent: &Recent, folder: &Path) -> Vec<Asked> {
    recent.write(folder).expect("written");
    read_recent(folder).expect("readable")
}

#[test]
fn decisions_are_kept_once_and_can_be_asked_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let rules = Rules::default();
    let set = PolicySet::from_rules(rules, 3);
    let subjects = [
        Subject::Local,
        Subject::author(peer(1)),
        Subject::Peer { id: peer(1), addr: Some([203, 0, 113, 9].into()), relayed: true },
        Subject::Address([203, 0, 113, 9].into()),
    ];
    let resources =
        [Resource::Node, topic(1), Resource::Key(vec![0, 255]), Resource::Peer(peer(2))];
    let held = Held::default();
    for _ in 0..5 {
        for subject in &subjects {
            for resource in &resources {
                for action in Action::ALL {
                    let question = Question { subject, action, resource, held: &held, now_ms: 9 };
                    audit.decided(&question, set.authorize(&question).permit().as_ref());
                }
            }
        }
    }
    finish(&audit, writer);
    let all = read_recent(folder.path()).expect("readable");
    assert_eq!(all.len(), subjects.len() * resources.len() * Action::ALL.len());
    for asked in &all {
        let (subject, action) = (asked.subject().expect("kept"), asked.action().expect("kept"));
        let resource = asked.resource().expect("kept");
        let question =
            Question { subject: &subject, action, resource: &resource, held: &held, now_ms: 9 };
        assert_eq!(set.authorize(&question).is_allowed(), asked.allowed, "{asked:?}");
        assert!(resources.contains(&resource));
    }
    assert!(all.iter().any(|asked| asked.allowed) && all.iter().any(|asked| !asked.allowed));
    assert!(!whole_folder(folder.path()).contains("203.0.113.9"));
}

#[test]
fn the_number_is_bounded_and_what_comes_again_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let recent = Recent::new(100);
    let (regular, subject) = (topic(0), Subject::author(peer(1)));
    for number in 0..1_000 {
        note(&recent, &subject, &regular, true);
        note(&recent, &subject, &topic(number), true);
    }
    let all = written(&recent, folder.path());
    assert_eq!(all.len(), 100);
    let kept: Vec<_> = all.iter().filter_map(Asked::resource).collect();
    assert!(kept.contains(&regular) && kept.contains(&topic(999)) && !kept.contains(&topic(1)));
    let none = Recent::new(0);
    note(&none, &subject, &regular, true);
    assert_eq!(written(&Recent::new(0), &folder.path().join("none")), []);
}

#[test]
fn only_what_changed_is_written_and_the_last_answer_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let recent = Recent::default();
    assert_eq!(written(&recent, folder.path()), []);
    assert!(!folder.path().join(FILE).exists(), "nothing to write");
    note(&recent, &Subject::Local, &topic(1), true);
    assert!(written(&recent, folder.path())[0].allowed);
    fs::remove_file(folder.path().join(FILE)).expect("there");
    note(&recent, &Subject::Local, &topic(1), true);
    assert_eq!(written(&recent, folder.path()), [], "nothing has changed");
    note(&recent, &Subject::Local, &topic(1), false);
    let all = written(&recent, folder.path());
    assert!(all.len() == 1 && !all[0].allowed);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft stays");
}

#[test]
fn long_names_are_cut_and_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let recent = Recent::default();
    let long = Resource::Topic("x".repeat(AUDIT_RESOURCE_BYTES_MAX + 1));
    note(&recent, &Subject::Local, &long, true);
    let fits = Resource::Topic("é".repeat(AUDIT_RESOURCE_BYTES_MAX / 2));
    note(&recent, &Subject::Local, &fits, true);
    let all = written(&recent, folder.path());
    assert_eq!((all[0].cut, all[0].resource()), (true, None));
    assert_eq!((all[1].cut, all[1].resource()), (false, Some(fits)));
}

#[test]
fn the_next_life_goes_on_with_them_and_bad_files_are_no_obstacle() {
    let folder = tempfile::tempdir().expect("a folder");
    let recent = Recent::default();
    for number in 0..10 {
        note(&recent, &Subject::author(peer(1)), &topic(number), true);
    }
    let before = written(&recent, folder.path());
    let next = Recent::default();
    next.seed(folder.path());
    note(&next, &Subject::author(peer(1)), &topic(3), false);
    let after = written(&next, folder.path());
    assert_eq!(after.len(), before.len());
    assert_eq!(after.iter().filter(|asked| !asked.allowed).count(), 1);

    for bad in ["", "{}", "rubbish", "{\"schema\":\"peerloom/novel/1\"}\n"] {
        fs::write(folder.path().join(FILE), bad).expect("a file");
        assert!(read_recent(folder.path()).is_err(), "{bad}");
        let next = Recent::default();
        next.seed(folder.path());
        note(&next, &Subject::Local, &topic(1), true);
        assert_eq!(written(&next, folder.path()).len(), 1);
    }
}
