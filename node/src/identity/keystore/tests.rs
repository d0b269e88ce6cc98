use super::*;

fn scene() -> (tempfile::TempDir, DataFiles) {
    let dir = tempfile::tempdir().expect("a folder");
    let files = DataFiles::of(dir.path().join("data"));
    open_folder(&files).expect("a new folder");
    (dir, files)
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("owner");
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn the_identity_is_made_once_and_stays() {
    let (_dir, files) = scene();
    assert!(matches!(identity(&files), Err(SecretError::Missing { .. })));
    let first = identity_or_new(&files).expect("made");
    let second = identity_or_new(&files).expect("read");
    assert_eq!(first.public(), second.public());
    assert_eq!(identity(&files).expect("read").public(), first.public());
    #[cfg(unix)]
    assert_eq!((mode(files.dir()), mode(&files.identity_key())), (0o700, 0o600));
}

#[test]
fn the_key_file_is_the_plain_libp2p_form() {
    let (_dir, files) = scene();
    let key = identity_or_new(&files).expect("made");
    let bytes = fs::read(files.identity_key()).expect("readable");
    assert_eq!(bytes.len(), 68);
    // Field 1: type 1 (Ed25519). Field 2: 64 bytes, secret key and public key.
    assert_eq!(bytes.get(..4), Some(&[0x08, 0x01, 0x12, 0x40][..]));
    let public = key.public().try_into_ed25519().expect("ed25519").to_bytes();
    assert_eq!(bytes.get(36..), Some(&public[..]));
}

#[test]
fn a_damaged_key_is_refused_and_left_alone() {
    let (_dir, files) = scene();
    let path = files.identity_key();
    let good = encode(&Keypair::generate_ed25519()).expect("encodes");
    let mut flipped = good.to_vec();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    let cut = good.get(..40).expect("longer").to_vec();
    for bytes in [vec![], b"-----BEGIN PRIVATE KEY-----".to_vec(), cut, flipped, vec![0; 68]] {
        secret_file::create(&path, &bytes).expect("new");
        let error = identity_or_new(&files).expect_err("damaged");
        assert!(matches!(error, SecretError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("identity.key"), "{error}");
        assert_eq!(fs::read(&path).expect("kept"), bytes);
        fs::remove_file(&path).expect("owner");
    }
}

#[test]
fn the_token_is_random_and_hidden_from_logs() {
    let (_dir, files) = scene();
    let path = files.admin_token();
    assert!(matches!(token(&path), Err(SecretError::Missing { .. })));
    let made = token_or_new(&path).expect("made");
    assert_eq!(made.expose().len(), 64);
    assert_eq!(token(&path).expect("read").expose(), made.expose());
    assert_eq!(format!("{made:?}"), "Token(***)");
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);

    fs::remove_file(&path).expect("owner");
    assert_ne!(token_or_new(&path).expect("made").expose(), made.expose());

    for bad in ["short\n", &"g".repeat(64), &"é".repeat(32)] {
        fs::remove_file(&path).expect("owner");
        secret_file::create(&path, bad.as_bytes()).expect("new");
        assert!(matches!(token_or_new(&path), Err(SecretError::Damaged { .. })), "{bad}");
    }
}

#[test]
fn the_certificate_is_kept_and_a_bad_one_is_named() {
    let (_dir, files) = scene();
    let parse = |pem: &str| pem.strip_prefix("PEM ").map(str::to_owned).ok_or("no PEM".to_owned());
    let first = webrtc_certificate(&files, || Ok("PEM 1".into()), parse);
    assert_eq!(first.expect("made"), "1");
    let second = webrtc_certificate(&files, || Ok("PEM 2".into()), parse);
    assert_eq!(second.expect("read"), "1");
    fs::write(files.webrtc_pem(), "rubbish").expect("owner");
    let error = webrtc_certificate(&files, || Ok("PEM 3".into()), parse).expect_err("damaged");
    assert!(error.to_string().contains("webrtc.pem is damaged: no PEM"), "{error}");
}

#[test]
fn an_import_keeps_every_earlier_key() {
    let (_dir, files) = scene();
    let keys: Vec<_> = (0..3).map(|_| Keypair::generate_ed25519()).collect();
    let mut backups = Vec::new();
    for key in &keys {
        backups.push(replace_identity(&files, key).expect("replaced"));
        assert_eq!(identity(&files).expect("read").public(), key.public());
    }
    assert_eq!(backups.first(), Some(&None));
    for (backup, key) in backups.iter().skip(1).zip(&keys) {
        let path = backup.as_ref().expect("there was a key");
        assert_eq!(read_key(path).expect("private and whole").public(), key.public());
    }
}

#[cfg(unix)]
#[test]
fn folders_that_others_may_write_to_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = DataFiles::of(dir.path());
    chmod(dir.path(), 0o755);
    open_folder(&files).expect("empty");
    assert_eq!(mode(dir.path()), 0o700, "an empty folder is closed");

    identity_or_new(&files).expect("made");
    for bad in [0o720, 0o702] {
        chmod(dir.path(), bad);
        let error = open_folder(&files).expect_err("open to others");
        assert!(matches!(error, FolderError::Open { .. }), "{bad:o}");
    }
    chmod(dir.path(), 0o755);
    open_folder(&files).expect("others may only read");
    chmod(dir.path(), 0o700);

    let file = DataFiles::of(files.identity_key());
    assert!(matches!(open_folder(&file), Err(FolderError::Odd { .. })));
}
