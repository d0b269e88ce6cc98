use peerloom_shared::policy::{Access, Action, Held, PolicySet, Question, Resource, Subject};

use super::*;

/// The example of the document, written down as it says.
fn example(folder: &Path) {
    let text = include_str!("../../../../docs/policy.md");
    std::fs::create_dir_all(folder).expect("a folder");
    let mut files = 0;
    for (file, kind) in
        [("garden.cedar", "cedar"), ("entities.toml", "toml"), ("tests.toml", "toml")]
    {
        let (_, behind) = text.split_once(&format!("`policy/{file}`")).expect("it is there");
        let (_, block) = behind.split_once(&format!("```{kind}\n")).expect("a block");
        let (block, _) = block.split_once("```").expect("its end");
        std::fs::write(folder.join(file), block).expect("written");
        files += 1;
    }
    assert_eq!(files, 3);
}

fn wanted() -> Wanted {
    let secret = libp2p::identity::ed25519::SecretKey::try_from_bytes([1; 32]).expect("32 bytes");
    let own = Key::of(&libp2p::identity::ed25519::Keypair::from(secret));
    Wanted { access: None, own: Some(own) }
}

#[test]
fn the_example_of_the_document_is_taken_and_does_what_it_says() {
    let dir = tempfile::tempdir().expect("a folder");
    example(dir.path());
    let loaded = load(dir.path(), &wanted(), 1_800_000_000_000).expect("good");
    assert_eq!((loaded.policies, loaded.tests), (1, 2));
    let set = PolicySet::from_rules(loaded.lists, 1)
        .with_engine(Arc::new(CedarEngine::new(loaded.compiled)));
    assert_eq!(set.access(), Access::Open);
    let guest = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
    let (subject, held) = (Subject::author(guest), Held::default());
    let on = |name: &str| {
        let resource = Resource::Topic(name.to_owned());
        let question = Question {
            subject: &subject,
            action: Action::TopicPublish,
            resource: &resource,
            held: &held,
            now_ms: 1_800_000_000_000,
        };
        set.authorize(&question).permit()
    };
    let denial = on("peerloom/open/lobby").expect_err("guests only read");
    assert!(denial.to_string().contains("ask a gardener"), "{denial}");
    assert!(on("peerloom/open/other").is_ok());
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_nothing_is_taken() {
    let good = |folder: &Path| example(folder);
    let replaced = |file: &str, from: &str, to: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        good(dir.path());
        let path = dir.path().join(file);
        let text = std::fs::read_to_string(&path).expect("written");
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let error = load(dir.path(), &wanted(), 1_800_000_000_000).expect_err("bad");
        (crate::error::Coded::code(&error).id, error.to_string())
    };
    for (file, from, to, code, names) in [
        ("garden.cedar", "forbid (", "forbid ((", "POL-005", "garden.cedar:"),
        ("garden.cedar", "Group::", "Groop::", "POL-006", "garden.quiet"),
        ("garden.cedar", "@reason", "@season", "POL-007", "`@reason`"),
        (
            "garden.cedar",
            "@id(\"garden.quiet\")",
            "@id(\"base.operator\")",
            "POL-008",
            "garden.cedar:",
        ),
        ("entities.toml", "[groups.", "[groops.", "POL-009", "entities.toml:1"),
        ("entities.toml", "12D3Koo", "12D3", "POL-009", "entities.toml:"),
        (
            "entities.toml",
            "members = [\"12D3KooWEv5D6GLmT6Gpe1ximReBZenLKCiy381wVkVjCkGseqkF\"]",
            "members = []",
            "POL-012",
            "gardeners write",
        ),
        ("tests.toml", "expect = \"allow\"", "expect = \"deny\"", "POL-011", "garden.quiet"),
        ("tests.toml", "by = \"garden.quiet\"", "by = \"other\"", "POL-012", "guests only read"),
        ("tests.toml", "who = \"anonymous\"", "whom = \"anonymous\"", "POL-009", "tests.toml:"),
    ] {
        let (found, text) = replaced(file, from, to);
        assert!(found == code && text.contains(names), "{file}: {to}: {found} {text}");
    }
}

#[test]
fn a_policy_without_tests_and_one_that_locks_out_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    example(dir.path());
    std::fs::remove_file(dir.path().join("tests.toml")).expect("ours");
    let error = load(dir.path(), &wanted(), 1).expect_err("untested");
    assert_eq!(crate::error::Coded::code(&error).id, "POL-011", "{error}");
    std::fs::remove_file(dir.path().join("garden.cedar")).expect("ours");
    let lock = "@id(\"no\") @reason(\"no\") forbid (principal, action, resource);";
    std::fs::write(dir.path().join("lock.cedar"), lock).expect("written");
    let error = load(dir.path(), &wanted(), 1).expect_err("nobody could undo it");
    assert_eq!(crate::error::Coded::code(&error).id, "POL-013", "{error}");
}
