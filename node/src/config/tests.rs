use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::error::{Coded, Exit, Failure};

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

struct Scene {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl Scene {
    fn new(toml: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("config.toml");
        std::fs::write(&file, toml).expect("writable");
        let sources = Sources {
            flags: vec![(Key::DataDir, text("/data"))],
            config: Some(file),
            ..Sources::default()
        };
        Self { dir, sources }
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("config.toml")
    }

    fn load(&self) -> CheckedConfig {
        CheckedConfig::load(&self.sources).expect("valid settings")
    }

    fn errors(&self) -> Vec<ConfigError> {
        CheckedConfig::load(&self.sources).expect_err("invalid settings")
    }
}

#[test]
fn each_layer_beats_the_ones_below_it() {
    let toml =
        "name = \"file\"\nprofile = \"lan\"\nhttp = \"127.0.0.1:1\"\nrooms = [\"a\", \"b\"]\n";
    let mut scene = Scene::new(toml);
    scene.sources.env = env(&[
        ("PEERLOOM_NAME", "env"),
        ("PEERLOOM_PROFILE", "relay"),
        ("PEERLOOM_ROOMS", "c, d,"),
    ]);
    scene.sources.flags.push((Key::Name, text("flag")));
    let config = scene.load();
    assert_eq!(config.name.as_deref(), Some("flag"));
    assert_eq!(config.origin(Key::Name), Origin::Flag("--name".into()));
    assert_eq!(config.profile, Profile::Relay);
    assert_eq!(config.origin(Key::Profile).to_string(), "env PEERLOOM_PROFILE");
    assert_eq!(config.rooms, ["c", "d"]);
    assert_eq!(config.http.port(), 1);
    let origin = config.origin(Key::Http);
    assert_eq!(origin, Origin::File { path: scene.file(), line: 3 });
    assert!(origin.to_string().ends_with("config.toml:3"));
    assert_eq!(config.origin(Key::Mdns), Origin::Default);
    assert!(!config.mdns, "the profile decides");
}

#[test]
fn defaults_listen_everywhere_and_serve_pages_on_loopback() {
    let config = Scene::new("").load();
    assert_eq!(config.http.to_string(), "127.0.0.1:7070");
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(
        listen,
        [
            "/ip4/0.0.0.0/tcp/7072",
            "/ip6/::/tcp/7072",
            "/ip4/0.0.0.0/udp/7072/quic-v1",
            "/ip6/::/udp/7072/quic-v1",
            "/ip4/0.0.0.0/udp/7071/webrtc-direct",
            "/ip6/::/udp/7071/webrtc-direct",
            "/ip4/0.0.0.0/tcp/7073/ws",
            "/ip6/::/tcp/7073/ws",
        ]
    );
    assert!(config.listens_by_default() && config.mdns);
    assert_eq!(config.token_file, Path::new("/data/admin.token"));
    assert_eq!(config.profile, Profile::Edge);
    assert_eq!(config.entries().len(), Key::ALL.len());
}

#[test]
fn an_unknown_key_names_its_place_and_what_may_be_meant() {
    let scene = Scene::new("name = \"x\"\n\n  boostrap = []\nzzz = 1\n");
    let failures: Vec<_> = scene.errors().into_iter().map(Failure::from).collect();
    assert_eq!(failures.len(), 2);
    assert!(failures[0].message().ends_with("config.toml:3:3: unknown setting `boostrap`"));
    assert_eq!(failures[0].hint(), "did you mean `bootstrap`?");
    assert_eq!((failures[0].id(), failures[0].exit()), ("CFG-001", Exit::CONFIG));
    assert!(failures[1].message().ends_with(":4:1: unknown setting `zzz`"));
}

#[test]
fn broken_missing_and_large_files_are_named() {
    let broken = Scene::new("name = \n").errors();
    assert_eq!(broken[0].code().id, "CFG-004");
    assert!(broken[0].to_string().contains("config.toml:1:"));

    let mut missing = Scene::new("");
    missing.sources.config = Some("/nowhere/config.toml".into());
    assert_eq!(missing.errors()[0].code().id, "CFG-003");

    let large = "#".repeat(peerloom_shared::limits::CONFIG_FILE_BYTES_MAX as usize + 1);
    assert_eq!(Scene::new(&large).errors()[0].code().id, "CFG-003");
}

#[test]
fn every_wrong_value_is_reported_with_origin_and_advice() {
    let cases: [(&str, &str); 19] = [
        ("profile", "\"big\""),
        ("http", "\"localhost\""),
        ("http", "7070"),
        ("listen", "\"/ip4/0.0.0.0/tcp/1\""),
        ("listen", "[1]"),
        ("listen", "[\"0.0.0.0:7072\"]"),
        ("listen", "[\"/dns4/example.org/tcp/1\"]"),
        ("listen", "[\"/ip4/0.0.0.0/udp/1\"]"),
        ("bootstrap", "[\"/ip4/0.0.0.0/tcp/7072\"]"),
        ("bootstrap", "[\"/ip4/192.0.2.1\"]"),
        ("bootstrap", "[\"/ip4/192.0.2.1/tcp/1/p2p/nonsense\"]"),
        ("name", "\"\""),
        ("name", "\"a\\u202eb\""),
        ("rooms", "[\"Big Room\"]"),
        ("mdns", "\"yes\""),
        ("api", "\"https://example.org\""),
        ("token_file", "\"relative\""),
        ("timeout", "\"0s\""),
        ("log_filter", "\"=[[\""),
    ];
    for (key, value) in cases {
        let errors = Scene::new(&format!("{key} = {value}\n")).errors();
        assert_eq!(errors.len(), 1, "{key} = {value}: {errors:?}");
        let failure = Failure::from(errors.into_iter().next().expect("one"));
        assert_eq!((failure.id(), failure.exit()), ("CFG-002", Exit::CONFIG), "{key} = {value}");
        assert!(failure.message().contains(&format!("{key} = `")), "{}", failure.message());
        assert!(failure.message().contains("config.toml:1)"), "{}", failure.message());
        assert!(!failure.hint().is_empty());
    }
}

#[test]
fn wrong_flags_are_wrong_use_and_wrong_variables_are_wrong_configuration() {
    let mut scene = Scene::new("");
    scene.sources.flags.push((Key::Http, text("nonsense")));
    assert_eq!(scene.errors()[0].exit(), Exit::USAGE);

    let mut scene = Scene::new("");
    scene.sources.env = env(&[("PEERLOOM_MDNS", "maybe"), ("PEERLOOM_TIMEOUT", "5h")]);
    assert_eq!(scene.errors().len(), 1, "the layers come first");
    assert_eq!(scene.errors()[0].exit(), Exit::CONFIG);
    assert!(scene.errors()[0].to_string().contains("env PEERLOOM_MDNS"));
}

#[test]
fn unknown_variables_are_found_but_no_error() {
    let mut scene = Scene::new("");
    scene.sources.env = env(&[
        ("PEERLOOM_BOOTSTRAPS", "x"),
        ("PEERLOOM_CONFIG", "y"),
        ("PEERLOOM_PORT_7070_TCP", "tcp://10.0.0.1"),
        ("OTHER", "z"),
    ]);
    scene.load();
    let unknown = layers::unknown_variables(&scene.sources);
    assert_eq!(unknown[0], ("PEERLOOM_BOOTSTRAPS".into(), Some("PEERLOOM_BOOTSTRAP".into())));
    assert_eq!(unknown.len(), 2);
}

#[test]
fn a_variable_names_the_file_and_a_flag_beats_it() {
    let mut scene = Scene::new("name = \"from flag\"\n");
    let other = scene.dir.path().join("other.toml");
    std::fs::write(&other, "name = \"from variable\"\n").expect("writable");
    let other = other.to_str().expect("plain path").to_owned();
    scene.sources.env = env(&[("PEERLOOM_CONFIG", &other)]);
    assert_eq!(scene.load().name.as_deref(), Some("from flag"));
    scene.sources.config = None;
    assert_eq!(scene.load().name.as_deref(), Some("from variable"));
}

#[test]
fn the_first_candidate_that_exists_is_read() {
    let mut scene = Scene::new("name = \"user\"\n");
    scene.sources.config = None;
    scene.sources.candidates = vec!["/nowhere/config.toml".into(), scene.file()];
    assert_eq!(scene.load().name.as_deref(), Some("user"));
}

#[test]
fn listeners_must_not_share_a_port() {
    let clash = |listen: &str, http: &str| {
        let toml = format!("listen = [{listen}]\nhttp = \"{http}\"\n");
        CheckedConfig::load(&Scene::new(&toml).sources)
            .err()
            .map(|errors| errors.into_iter().map(|error| error.code().id).collect::<Vec<_>>())
    };
    let free = "127.0.0.1:7070";
    let quic_and_rtc = "\"/ip4/0.0.0.0/udp/9/quic-v1\", \"/ip4/127.0.0.1/udp/9/webrtc-direct\"";
    assert_eq!(clash(quic_and_rtc, free), Some(vec!["CFG-006"]));
    assert_eq!(
        clash("\"/ip4/0.0.0.0/tcp/9\", \"/ip4/0.0.0.0/tcp/9/ws\"", free),
        Some(vec!["CFG-006"])
    );
    assert_eq!(clash("\"/ip4/0.0.0.0/tcp/7070\"", free), Some(vec!["CFG-006"]));
    assert_eq!(clash("\"/ip4/0.0.0.0/tcp/9\", \"/ip4/0.0.0.0/udp/9/quic-v1\"", free), None);
    assert_eq!(clash("\"/ip4/0.0.0.0/tcp/9\", \"/ip6/::/tcp/9\"", free), None);
    assert_eq!(clash("\"/ip4/0.0.0.0/tcp/0\", \"/ip4/0.0.0.0/tcp/0/ws\"", "127.0.0.1:0"), None);
}

#[test]
fn every_setting_has_a_value_a_variable_and_a_flag() {
    let config = Scene::new("").load();
    for key in Key::ALL {
        assert_eq!(Key::find(key.name()), Some(key));
        assert!(key.env().starts_with("PEERLOOM_") && key.flag().starts_with("--"));
        let _value = config.value(key);
    }
}

#[test]
fn changed_settings_are_named() {
    let old = Scene::new("").load();
    let new = Scene::new("mdns = false\ntimeout = 3\n").load();
    assert_eq!(old.changed(&new), [Key::Mdns, Key::Timeout]);
    assert_eq!(new.value(Key::Timeout), json!("3s"));
    assert!(old.changed(&old).is_empty());

    let scene = Scene::new("mdns = false\n");
    let started = scene.load();
    assert_eq!(started.changed_since().expect("valid"), []);
    std::fs::write(scene.file(), "mdns = true\nname = \"x\"\n").expect("writable");
    assert_eq!(started.changed_since().expect("valid"), [Key::Name, Key::Mdns]);
    std::fs::write(scene.file(), "mdns = 1\n").expect("writable");
    assert_eq!(started.changed_since().expect_err("wrong")[0].code().id, "CFG-002");
}

#[test]
fn an_embedded_node_starts_from_its_folder() {
    let config = CheckedConfig::for_data_dir("/some/where").expect("absolute");
    assert_eq!(config.data_dir, Path::new("/some/where"));
    assert_eq!(config.token_file, Path::new("/some/where/admin.token"));
    assert!(config.changed_since().expect("nothing to read").is_empty());
}
