//! Whatever somebody does to the files is found, and where.

use std::path::PathBuf;

use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use super::*;
use crate::audit::chain::HEAD;

fn broken(folder: &Path) -> Broken {
    match check(folder) {
        Err(CheckError::Broken(broken)) => broken,
        other => panic!("not found: {other:?}"),
    }
}

fn log_files(folder: &Path) -> Vec<PathBuf> {
    chain::files(folder).expect("a folder").into_iter().map(|file| file.path).collect()
}

/// A folder with five or more files of some lines each.
fn five_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_log(folder.path(), 60, SMALL);
    assert!(log_files(folder.path()).len() >= 5);
    folder
}

fn lines_of(file: &Path) -> Vec<String> {
    fs::read_to_string(file).expect("text").lines().map(str::to_owned).collect()
}

fn put_lines(file: &Path, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, text).expect("a file");
}

#[test]
fn a_thousand_flipped_bits_are_found_where_they_are() {
    let folder = five_files();
    let whole = check(folder.path()).expect("whole");
    assert_eq!((whole.lines, whole.first, whole.last), (60, 1, 60));
    let files = log_files(folder.path());
    let mut dice = StdRng::seed_from_u64(0x6175_6469);
    for round in 0..1_000 {
        let file = &files[dice.random_range(0..files.len())];
        let good = fs::read(file).expect("a file");
        let mut bad = good.clone();
        let at = dice.random_range(0..bad.len());
        bad[at] ^= 1 << dice.random_range(0..8);
        let line = good[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        fs::write(file, &bad).expect("a file");
        let found = broken(folder.path());
        assert_eq!((&found.file, found.line), (file, line), "round {round}, byte {at}: {found:?}");
        fs::write(file, &good).expect("a file");
    }
    assert_eq!(check(folder.path()).expect("whole again"), whole);
}

#[test]
fn every_flipped_bit_of_the_head_is_found() {
    let folder = five_files();
    let head = folder.path().join(HEAD);
    let good = fs::read(&head).expect("a file");
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        fs::write(&head, &bad).expect("a file");
        broken(folder.path());
    }
    fs::remove_file(&head).expect("there");
    assert_eq!(broken(folder.path()).wrong, Wrong::Head);
    fs::write(&head, &good).expect("a file");
    check(folder.path()).expect("whole again");
}

#[test]
fn a_removed_line_is_found_at_its_place() {
    let folder = five_files();
    let files = log_files(folder.path());
    for (number, file) in files.iter().enumerate() {
        let good = lines_of(file);
        for gone in 0..good.len() {
            let mut bad = good.clone();
            bad.remove(gone);
            put_lines(file, &bad);
            let found = broken(folder.path());
            // The last line of a file is missed where the next one begins.
            let (at, line) = if gone + 1 < good.len() || number + 1 == files.len() {
                (file, gone as u64 + 1)
            } else {
                (&files[number + 1], 1)
            };
            assert_eq!((&found.file, found.line), (at, line), "{found:?}");
        }
        put_lines(file, &good);
    }
    check(folder.path()).expect("whole again");
}

#[test]
fn swapped_doubled_and_forged_lines_are_found() {
    let folder = five_files();
    let file = &log_files(folder.path())[2];
    let good = lines_of(file);
    for at in 0..good.len() - 1 {
        let mut bad = good.clone();
        bad.swap(at, at + 1);
        put_lines(file, &bad);
        let found = broken(folder.path());
        assert_eq!((&found.file, found.line), (file, at as u64 + 1), "{found:?}");

        let mut bad = good.clone();
        bad.insert(at, good[at].clone());
        put_lines(file, &bad);
        let found = broken(folder.path());
        assert_eq!((&found.file, found.line), (file, at as u64 + 2), "{found:?}");
    }
    // A line in good form with other words.
    let mut bad = good.clone();
    let line = bad.iter().position(|line| line.contains("/api/v1/")).expect("one");
    bad[line] = bad[line].replace("/api/v1/", "/api/v2/");
    put_lines(file, &bad);
    let found = broken(folder.path());
    assert_eq!((found.line, found.wrong), (line as u64 + 1, Wrong::Changed));
}

#[test]
fn a_cut_log_is_found_at_every_byte() {
    let folder = five_files();
    let files = log_files(folder.path());
    for file in [&files[1], &files[files.len() - 1]] {
        let good = fs::read(file).expect("a file");
        for size in 0..good.len() {
            fs::write(file, &good[..size]).expect("a file");
            let found = broken(folder.path());
            let lines = good[..size].iter().filter(|byte| **byte == b'\n').count() as u64;
            let torn = good[..size].last().is_some_and(|byte| *byte != b'\n');
            if torn {
                let expected = (file, lines + 1, Wrong::Cut);
                assert_eq!((&found.file, found.line, found.wrong), expected);
            } else {
                assert!(matches!(found.wrong, Wrong::Missing { .. }), "{found:?}");
            }
        }
        fs::write(file, &good).expect("a file");
    }
}

#[test]
fn removed_renamed_and_swapped_files_are_found() {
    let folder = five_files();
    let files = log_files(folder.path());
    for file in &files {
        let away = folder.path().join("away");
        fs::rename(file, &away).expect("moved");
        let found = broken(folder.path());
        assert!(matches!(found.wrong, Wrong::Missing { .. }), "{found:?}");
        fs::rename(&away, file).expect("moved");
    }
    let [one, two] = [&files[1], &files[2]].map(|file| fs::read(file).expect("a file"));
    fs::write(&files[1], &two).expect("a file");
    fs::write(&files[2], &one).expect("a file");
    let found = broken(folder.path());
    assert_eq!((&found.file, found.line), (&files[1], 1));
    fs::write(&files[1], &one).expect("a file");
    fs::write(&files[2], &two).expect("a file");
    check(folder.path()).expect("whole again");
    fs::remove_dir_all(folder.path()).expect("ours");
    assert!(matches!(check(folder.path()), Err(CheckError::None { .. })));
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let folder = five_files();
    let file = &log_files(folder.path())[0];
    let mut bytes = fs::read(file).expect("a file");
    bytes.truncate(bytes.len() - 1);
    bytes.extend(vec![b'x'; 100_000]);
    fs::write(file, bytes).expect("a file");
    assert_eq!(broken(folder.path()).wrong, Wrong::Unreadable);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Appends, closes, half lines and the ends of files, in any order.
    #[test]
    fn whatever_is_written_is_whole(
        file_bytes in 300_u64..3_000,
        files in 2_usize..6,
        lives in prop::collection::vec((0_u64..25, 0_usize..300), 1..8),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds { file_bytes, files };
        let mut written = 0;
        let mut torn_before = false;
        for (lines, torn) in lives {
            write_log(folder.path(), lines, bounds);
            written += lines + u64::from(torn_before);
            let whole = check(folder.path()).expect("whole");
            prop_assert_eq!(whole.last, written);
            prop_assert!(whole.files <= files as u64);
            prop_assert_eq!(whole.lines, written + 1 - whole.first.max(1));
            prop_assert_eq!(whole.missing, 0);
            for file in chain::files(folder.path()).expect("files") {
                let size = fs::metadata(&file.path).expect("a file").len();
                prop_assert!(size <= file_bytes.max(400), "{} bytes", size);
            }
            // A life that ends in the middle of a line.
            let half = vec![b'{'; torn];
            let newest = chain::files(folder.path()).expect("files").pop().expect("a file");
            let mut bytes = fs::read(&newest.path).expect("a file");
            bytes.extend(&half);
            fs::write(&newest.path, bytes).expect("a file");
            prop_assert_eq!(check(folder.path()).expect("whole").torn, torn as u64);
            torn_before = torn > 0;
        }
    }
}
