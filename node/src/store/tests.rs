use std::fs;

use super::*;

fn save(peer: u32, entry: &[u8]) -> Change {
    let (key, value) = (peer.to_be_bytes().to_vec(), Some(entry.to_vec()));
    Change { shelf: Shelf::Book, key, value }
}

fn scene() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("store.redb");
    (dir, path)
}

#[test]
fn entries_survive_a_reopening() {
    let (_dir, path) = scene();
    let store = Store::open(&path).expect("new");
    assert!(store.rows(Shelf::Book).expect("readable").is_empty());
    store.change(&[save(1, b"one"), save(2, b"two"), save(3, b"three")]).expect("written");
    store.change(&[save(2, b"TWO"), Change { value: None, ..save(1, b"") }]).expect("written");
    drop(store);
    let found = Store::open(&path).expect("again").rows(Shelf::Book).expect("readable");
    let entries: Vec<_> = found.iter().map(|(_, entry)| entry.as_slice()).collect();
    assert_eq!(entries, [&b"TWO"[..], b"three"]);
}

/// What a kill leaves behind: the file as it was on disk in the middle of work.
#[test]
fn a_copy_taken_in_the_middle_opens_with_all_committed_entries() {
    let (dir, path) = scene();
    let store = Store::open(&path).expect("new");
    for round in 0..20_u32 {
        store.change(&[save(round, &round.to_be_bytes())]).expect("written");
        let pending = store.db.begin_write().expect("a second write, never committed");
        pending
            .open_table(Shelf::Book.table())
            .expect("table")
            .insert(&b"pending"[..], &b"lost"[..])
            .expect("inserted");
        let copy = dir.path().join(format!("copy-{round}.redb"));
        fs::copy(&path, &copy).expect("copied");
        drop(pending);
        let found = Store::open(&copy).expect("opens").rows(Shelf::Book).expect("readable");
        assert_eq!(found.len() as u32, round + 1);
    }
}

#[test]
fn a_newer_layout_is_refused_and_left_alone() {
    let (_dir, path) = scene();
    let store = Store::open(&path).expect("new");
    let write = store.db.begin_write().expect("write");
    write.open_table(META).expect("table").insert(SCHEMA_KEY, SCHEMA + 1).expect("inserted");
    write.commit().expect("committed");
    drop(store);
    let error = Store::open(&path).expect_err("newer");
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
    assert_eq!(error.code().id, "DATA-004");
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { .. })), "still there");
}

#[test]
fn damaged_files_are_refused_and_left_alone() {
    let (_dir, path) = scene();
    drop(Store::open(&path).expect("new"));
    let good = fs::read(&path).expect("readable");
    let mut torn = good.clone();
    for byte in torn.iter_mut().take(512) {
        *byte ^= 0x55;
    }
    let cut: Vec<u8> = good.iter().copied().take(100).collect();
    for bytes in [b"this is no database".to_vec(), torn, cut] {
        fs::write(&path, &bytes).expect("owner");
        let error = Store::open(&path).expect_err("damaged");
        assert_eq!(error.code().id, "DATA-005", "{error}");
        assert!(error.to_string().contains("store.redb"));
        assert!(fs::read(&path).expect("kept") == bytes, "the file was changed");
    }
}

#[test]
fn two_openings_at_once_are_refused() {
    let (_dir, path) = scene();
    let _first = Store::open(&path).expect("new");
    assert!(matches!(Store::open(&path), Err(StoreError::Held { .. })));
}

#[cfg(unix)]
#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = scene();
    drop(Store::open(&path).expect("new"));
    assert_eq!(fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
}

/// Disks flip bits anywhere. Whatever comes of it, the node must not fall, nor work with nonsense.
#[test]
fn flipped_bits_anywhere_are_refused_or_harmless() {
    let (dir, path) = scene();
    let store = Store::open(&path).expect("new");
    let entries: Vec<_> = (0..200).map(|peer| save(peer, &[7; 100])).collect();
    store.change(&entries).expect("written");
    let book = store.rows(Shelf::Book).expect("readable");
    drop(store);
    let good = fs::read(&path).expect("readable");
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..60 {
        let mut bad = good.clone();
        for _ in 0..8 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = random as usize % bad.len();
            bad[at] ^= 1 << (random >> 61);
        }
        let path = dir.path().join(format!("flipped-{round}.redb"));
        fs::write(&path, &bad).expect("writable");
        match Store::open(&path) {
            Ok(store) => {
                assert!(store.rows(Shelf::Book).expect("readable") == book, "round {round}")
            }
            Err(error) => assert_eq!(error.code().id, "DATA-005", "round {round}: {error}"),
        }
        fs::remove_file(&path).expect("owner");
    }
}
