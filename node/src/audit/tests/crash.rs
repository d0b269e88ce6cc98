//! Kills, full disks and full queues.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::audit::chain::HEAD;

const NOW: Duration = Duration::ZERO;

fn newest(folder: &Path) -> std::path::PathBuf {
    chain::files(folder).expect("a folder").pop().expect("a file").path
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[test]
fn half_a_line_is_set_aside_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("audit");
    write_log(&folder, 5, Bounds::default());
    let half = br#"{"n":6,"atMs":1,"prev":"00"#;
    OpenOptions::new().append(true).open(newest(&folder)).expect("a file").write_all(half).unwrap();
    assert_eq!(check(&folder).expect("whole").torn, half.len() as u64);

    write_log(&folder, 2, Bounds::default());
    let lines = all_lines(&folder);
    assert_eq!(lines.len(), 8);
    let told = &lines[5];
    assert_eq!((&told["kind"], &told["torn"]), (&"recovered".into(), &half.len().into()));
    assert_eq!((&told["lost"], &told["altered"]), (&0.into(), &false.into()));
    let aside = folder.join(told["aside"].as_str().expect("a name"));
    assert_eq!(fs::read(&aside).expect("a file"), half);
    let whole = check(&folder).expect("whole");
    assert_eq!((whole.lines, whole.recovered, whole.missing, whole.torn), (8, 1, 0, 0));
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn halves_do_not_pile_up() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..30 {
        write_log(folder.path(), 1, SMALL);
        let mut file = OpenOptions::new().append(true).open(newest(folder.path())).expect("a file");
        file.write_all(&vec![b'x'; 80_000]).expect("written");
    }
    write_log(folder.path(), 1, SMALL);
    let parts: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
        .map(|entry| entry.metadata().expect("a file").len())
        .collect();
    assert_eq!(parts, vec![65_536; 8]);
    assert_eq!(check(folder.path()).expect("whole").recovered, 30);
}

#[test]
fn a_kill_between_line_and_head_is_no_fault_and_lost_lines_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write_log(folder, 5, Bounds::default());
    let early = fs::read(folder.join(HEAD)).expect("a head");
    write_log(folder, 3, Bounds::default());
    let late = fs::read(folder.join(HEAD)).expect("a head");
    fs::write(folder.join(HEAD), early).expect("a file");
    assert_eq!(check(folder).expect("whole").last, 8);
    write_log(folder, 1, Bounds::default());
    assert_eq!(check(folder).expect("whole").recovered, 0, "nothing was missed");

    // A power cut: the head is on the disk, the last lines are not.
    let text = fs::read_to_string(newest(folder)).expect("text");
    let five: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    fs::write(newest(folder), five).expect("a file");
    fs::write(folder.join(HEAD), late).expect("a file");
    assert!(matches!(check(folder), Err(CheckError::Broken(_))), "seen before the next start");
    write_log(folder, 1, Bounds::default());
    let lines = all_lines(folder);
    assert_eq!((&lines[5]["kind"], &lines[5]["lost"]), (&"recovered".into(), &3.into()));
    let whole = check(folder).expect("whole, and it says what is missing");
    assert_eq!((whole.lines, whole.missing), (7, 3));
}

#[test]
fn a_start_after_tampering_goes_on_and_hides_nothing() {
    for what in ["last line", "rubbish", "head", "all files", "oldest file"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        write_log(folder, 40, SMALL);
        match what {
            "last line" => {
                let text = fs::read_to_string(newest(folder)).expect("text");
                let at = text.rfind("\"atMs\":1").expect("a time");
                let mut bytes = text.into_bytes();
                bytes[at + 7] = b'2';
                fs::write(newest(folder), bytes).expect("a file");
            }
            "rubbish" => {
                let mut file =
                    OpenOptions::new().append(true).open(newest(folder)).expect("a file");
                file.write_all(b"rubbish\n").expect("written");
            }
            "head" => fs::remove_file(folder.join(HEAD)).expect("there"),
            "all files" => {
                for file in chain::files(folder).expect("files") {
                    fs::remove_file(file.path).expect("there");
                }
            }
            _ => fs::remove_file(&chain::files(folder).expect("files")[0].path).expect("there"),
        }
        assert!(matches!(check(folder), Err(CheckError::Broken(_))), "{what}");
        write_log(folder, 3, SMALL);
        let told = of_kind(&all_lines(folder), "recovered");
        assert_eq!(told.len(), 1, "{what}");
        let after = check(folder);
        match what {
            "last line" | "rubbish" => {
                assert_eq!(told[0]["altered"], true, "{what}");
                assert!(
                    matches!(after, Err(CheckError::Broken(_))),
                    "{what}: it is found for ever"
                );
            }
            "head" => assert_eq!(told[0]["headless"], true),
            "all files" => {
                assert_eq!((after.expect("goes on").missing, &told[0]["n"]), (40, &41.into()))
            }
            _ => assert!(after.expect("goes on").missing > 0),
        }
    }
}

#[test]
fn a_rotation_that_was_interrupted_is_finished() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let bounds = Bounds { file_bytes: 1_000, files: 3 };
    write_log(folder, 30, bounds);
    let files = chain::files(folder).expect("files");
    assert_eq!(files.len(), 3);
    let first = check(folder).expect("whole").first;
    assert!(first > 1);
    // The note says that the oldest file goes, and it is still there.
    let mut head = chain::Head::read(folder).expect("a file").flatten().expect("a head");
    head.first = files[1].first;
    let mut file = OpenOptions::new().write(true).open(folder.join(HEAD)).expect("a file");
    head.write(&mut file).expect("written");
    check(folder).expect("no fault");
    write_log(folder, 0, bounds);
    assert_eq!(check(folder).expect("whole").first, files[1].first);
    // A new file that got no line.
    fs::write(chain::LogFile::new(folder, 31).path, "").expect("a file");
    check(folder).expect("no fault");
    write_log(folder, 2, bounds);
    let whole = check(folder).expect("whole");
    assert_eq!((whole.last, whole.recovered), (32, 0));
}

#[test]
fn a_full_queue_costs_lines_that_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let began = Instant::now();
    for epoch in 0..AUDIT_QUEUE_MAX as u64 + 500 {
        audit.reloaded(epoch);
    }
    // A denial that finds no place has no line that could be named, then or later.
    let question = Question {
        subject: &Subject::author(peer(1)),
        action: Action::ConnectIn,
        resource: &Resource::Node,
        held: &Held::default(),
        now_ms: 0,
    };
    let denial = denial(Action::ConnectIn, "deny.peers");
    assert_eq!(audit.denied(&question, &denial), None);
    assert_eq!(audit.reference(question.subject, &denial), None);
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits: {:?}", began.elapsed());
    let metrics = audit.shared.metrics.encode();
    assert!(metrics.contains("peerloom_audit_lost_total{reason=\"queue\"} 501"), "{metrics}");
    finish(&audit, writer);
    let lines = all_lines(folder.path());
    assert_eq!(of_kind(&lines, "reloaded").len(), AUDIT_QUEUE_MAX);
    let gaps = of_kind(&lines, "gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!((&gaps[0]["lines"], &gaps[0]["why"]), (&501.into(), &"queue".into()));
    assert_eq!(check(folder.path()).expect("whole").missing, 501);
}

#[test]
fn a_full_disk_costs_lines_that_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit");
    let (audit, mut writer) = parts(&path);
    audit.reloaded(1);
    assert!(writer.turn(NOW));
    // The real thing: every write says that there is no space left.
    let full = OpenOptions::new().append(true).open("/dev/full").expect("Linux");
    writer.log.as_mut().expect("open").file = full;
    audit.reloaded(2);
    assert!(writer.turn(NOW));
    assert!(writer.log.is_none(), "the file is given up");
    // And then the folder cannot be opened either.
    let away = folder.path().join("away");
    fs::rename(&path, &away).expect("moved");
    fs::write(&path, "in the way").expect("a file");
    for epoch in 3..10 {
        audit.reloaded(epoch);
        writer.try_again();
        assert!(writer.turn(NOW), "the writer lives on");
    }
    let metrics = audit.shared.metrics.encode();
    assert!(metrics.contains("peerloom_audit_lost_total{reason=\"disk\"} 8"), "{metrics}");
    fs::remove_file(&path).expect("ours");
    fs::rename(&away, &path).expect("moved");
    writer.try_again();
    audit.reloaded(10);
    finish(&audit, writer);
    let lines = all_lines(&path);
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["reloaded", "gap", "reloaded"]);
    assert_eq!((&lines[1]["lines"], &lines[1]["why"]), (&8.into(), &"disk".into()));
    assert_eq!(lines[2]["epoch"], 10);
    check(&path).expect("whole");
}

#[test]
fn a_thread_writes_all_before_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for life in 0..2 {
        let metrics = Metrics::new("0.1.0");
        let (audit, writing) = Audit::start(folder.path().to_owned(), metrics).expect("a thread");
        for epoch in 0..100 {
            audit.reloaded(life * 100 + epoch);
        }
        // By word, or because nobody is left.
        if life == 0 {
            audit.close();
            runtime.block_on(writing.ended());
            drop(audit);
        } else {
            drop(audit);
            runtime.block_on(writing.ended());
        }
        let whole = check(folder.path()).expect("whole");
        assert_eq!((whole.last, whole.recovered), ((life + 1) * 100, 0));
    }
}

#[test]
fn a_folder_that_is_removed_under_the_node_is_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit");
    let (audit, mut writer) = parts(&path);
    for epoch in 0..5 {
        audit.reloaded(epoch);
    }
    assert!(writer.turn(NOW));
    fs::remove_dir_all(&path).expect("ours");
    writer.look_again();
    audit.reloaded(6);
    writer.try_again();
    finish(&audit, writer);
    let lines = all_lines(&path);
    assert_eq!((&lines[0]["kind"], &lines[0]["lost"]), (&"recovered".into(), &5.into()));
    assert_eq!((&lines[0]["n"], &lines[0]["headless"]), (&6.into(), &true.into()));
    assert_eq!(lines[1]["epoch"], 6);
    assert_eq!(check(&path).expect("goes on").missing, 5);
}
