use std::fs;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

async fn next(watch: &mut FolderWatch) {
    tokio::time::timeout(DEADLINE, watch.next()).await.expect("in time").expect("still watching");
}

#[tokio::test]
async fn every_way_of_changing_is_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("policy");
    let mut watch = FolderWatch::start(&folder).expect("watching");
    for name in ["rules.toml", "entities.toml", "tests.toml", "own.cedar"] {
        fs::write(folder.join(name), "").expect("writable");
        next(&mut watch).await;
    }
    // An editor's way: a new file takes the old one's place.
    let draft = folder.join("rules.draft");
    fs::write(&draft, "# new").expect("writable");
    fs::rename(&draft, folder.join("rules.toml")).expect("same folder");
    next(&mut watch).await;
    fs::remove_file(folder.join("own.cedar")).expect("owner");
    next(&mut watch).await;
}

#[tokio::test]
async fn a_storm_of_writes_is_one_change_and_reading_is_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("own.cedar");
    let mut watch = FolderWatch::start(dir.path()).expect("watching");
    for number in 0..200 {
        fs::write(&path, format!("// {number}\n")).expect("writable");
    }
    next(&mut watch).await;
    assert!(fs::read_to_string(&path).expect("readable").contains("199"), "the last one is there");
    fs::read_to_string(&path).expect("readable");
    let quiet = Duration::from_millis(limits::RULES_DEBOUNCE_MS);
    let again = tokio::time::timeout(quiet, watch.next()).await;
    assert!(again.is_err(), "reading was taken for a change");
}
