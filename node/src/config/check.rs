//! From layers to checked settings.
//! Invariant: every wrong setting is reported, not only the first one.
//! Not here: reading the layers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use peerloom_shared::net::clock::unix_ms;
use peerloom_shared::policy::Access;
use peerloom_shared::wire::text::clean_name;
use peerloom_shared::{Multiaddr, limits};

use super::address::{self, Socket};
use super::key::Key;
use super::layers::{Given, Layers, Origin, Raw};
use super::{CheckedConfig, ConfigError, LogFormat, Profile};
use crate::paths::{self, DataFiles};
use crate::policy::time;
use crate::text;

/// Checks the layers and fills in the defaults.
///
/// # Errors
/// Every wrong setting.
pub fn check(layers: &Layers) -> Result<CheckedConfig, Vec<ConfigError>> {
    let mut reader = Reader { layers, errors: Vec::new(), origins: BTreeMap::new() };
    let config = reader.config();
    let Some(mut config) = config.filter(|_| reader.errors.is_empty()) else {
        return Err(reader.errors);
    };
    config.origins = reader.origins;
    let conflicts = conflicts(&config);
    if conflicts.is_empty() { Ok(config) } else { Err(conflicts) }
}

/// Why a text is no usable value, and what to do.
struct Wrong {
    why: String,
    hint: String,
}

fn wrong(why: impl Into<String>, hint: impl Into<String>) -> Wrong {
    Wrong { why: why.into(), hint: hint.into() }
}

struct Reader<'a> {
    layers: &'a Layers,
    errors: Vec<ConfigError>,
    origins: BTreeMap<Key, Origin>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<CheckedConfig> {
        let data_dir = self.data_dir();
        let profile = self.text(Key::Profile, profile).unwrap_or(Profile::Edge);
        let http = self.text(Key::Http, http).unwrap_or(DEFAULT_HTTP);
        let listen = self.list(Key::Listen, listen).unwrap_or_else(address::default_listen);
        let bootstrap = self.list(Key::Bootstrap, bootstrap).unwrap_or_default();
        let name = self.text(Key::Name, name);
        let rooms = self.list(Key::Rooms, room).unwrap_or_default();
        let mdns = self.switch(Key::Mdns).unwrap_or_else(|| profile.mdns());
        let access = self.text(Key::PolicyProfile, access);
        let observe_until_ms = self.text(Key::PolicyObserveUntil, observe_until);
        let api = self.text(Key::Api, api);
        let token_file = self.path(Key::TokenFile);
        let timeout = self.text(Key::Timeout, duration);
        let log_format = self.text(Key::LogFormat, log_format).unwrap_or(LogFormat::Human);
        let log_filter = self.text(Key::LogFilter, log_filter);
        self.bounded(Key::Bootstrap, bootstrap.len(), limits::LINKS_MAX);
        self.bounded(Key::Rooms, rooms.len(), limits::ROOMS_MAX);
        self.bounded(Key::Listen, listen.len(), limits::LISTEN_MAX);
        let data_dir = data_dir?;
        Some(CheckedConfig {
            token_file: token_file.unwrap_or_else(|| DataFiles::of(&data_dir).admin_token()),
            data_dir,
            profile,
            http,
            listen,
            bootstrap,
            name,
            rooms,
            mdns,
            access,
            observe_until_ms,
            api,
            timeout: timeout.unwrap_or(Duration::from_millis(limits::CLI_TIMEOUT_MS)),
            log_format,
            log_filter,
            origins: BTreeMap::new(),
            sources: None,
        })
    }

    fn given(&mut self, key: Key) -> Option<Given> {
        let given = self.layers.get(key).cloned()?;
        self.origins.insert(key, given.origin.clone());
        Some(given)
    }

    fn text<T>(&mut self, key: Key, parse: fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let Given { raw, origin } = self.given(key)?;
        let Raw::Text(value) = raw else {
            self.refuse(key, origin, shown(&raw), wrong("it must be one text", "give one value"));
            return None;
        };
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(wrong) => {
                self.refuse(key, origin, value, wrong);
                None
            }
        }
    }

    fn list<T: PartialEq>(
        &mut self,
        key: Key,
        parse: fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let Given { raw, origin } = self.given(key)?;
        let Raw::List(values) = raw else {
            self.refuse(key, origin, shown(&raw), wrong("it must be a list", "give a list"));
            return None;
        };
        let mut parsed = Vec::new();
        for value in values {
            match parse(&value) {
                Ok(item) if parsed.contains(&item) => {}
                Ok(item) => parsed.push(item),
                Err(wrong) => self.refuse(key, origin.clone(), value, wrong),
            }
        }
        Some(parsed)
    }

    fn switch(&mut self, key: Key) -> Option<bool> {
        let Given { raw, origin } = self.given(key)?;
        if let Raw::Switch(on) = raw {
            return Some(on);
        }
        self.refuse(
            key,
            origin,
            shown(&raw),
            wrong("it is neither true nor false", "use true or false"),
        );
        None
    }

    fn data_dir(&mut self) -> Option<PathBuf> {
        if self.layers.get(Key::DataDir).is_some() {
            return self.path(Key::DataDir);
        }
        let found = paths::default_data_dir();
        if found.is_none() {
            self.errors.push(ConfigError::NoHome);
        }
        found
    }

    /// A path, made absolute. A file's relative path is refused: relative to what, would be a guess.
    fn path(&mut self, key: Key) -> Option<PathBuf> {
        let Given { raw, origin } = self.given(key)?;
        let value = shown(&raw);
        let path = PathBuf::from(&value);
        let refused = if value.is_empty() {
            Some(wrong("it is empty", "name a path"))
        } else if matches!(origin, Origin::File { .. }) && !path.is_absolute() {
            Some(wrong("a path in the configuration file must be absolute", "begin it with /"))
        } else {
            None
        };
        match refused.map_or_else(|| std::path::absolute(&path).map_err(no_folder), Err) {
            Ok(path) => Some(path),
            Err(wrong) => {
                self.refuse(key, origin, value, wrong);
                None
            }
        }
    }

    fn bounded(&mut self, key: Key, count: usize, max: usize) {
        if count > max {
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
            let why = format!("at most {max} are possible");
            self.refuse(key, origin, format!("{count} values"), wrong(why, "give fewer"));
        }
    }

    fn refuse(&mut self, key: Key, origin: Origin, value: String, wrong: Wrong) {
        // A value may come from a file of unknown making: it must not steer the terminal.
        let value = text::one_line(&value);
        let Wrong { why, hint } = wrong;
        self.errors.push(ConfigError::Value { key, origin, value, why, hint });
    }
}

const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), limits::PORT_HTTP);

fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => text.clone(),
        Raw::List(texts) => texts.join(","),
        Raw::Switch(on) => on.to_string(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of map_err")]
fn no_folder(error: std::io::Error) -> Wrong {
    wrong(format!("it is relative, and the current folder is unknown: {error}"), "begin it with /")
}

fn profile(text: &str) -> Result<Profile, Wrong> {
    Profile::find(text).ok_or_else(|| wrong("there is no such profile", "use relay, lan or edge"))
}

fn access(text: &str) -> Result<Access, Wrong> {
    text.parse().map_err(|_| wrong("there is no such profile", "use open, friends or closed"))
}

fn observe_until(text: &str) -> Result<u64, Wrong> {
    let hint = "write it like 2026-05-01T12:00:00Z or as seconds since 1970";
    let until = time::parse(text).ok_or_else(|| wrong("it is no point in time", hint))?;
    if until > unix_ms().saturating_add(limits::POLICY_OBSERVE_MS_MAX) {
        let why = "it is more than seven days ahead, and would be forgotten";
        return Err(wrong(why, "name an earlier time, and move it on when it has come"));
    }
    Ok(until)
}

fn http(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        wrong("it is not an IP address with a port", "write it like 127.0.0.1:7070 or [::1]:7070")
    })
}

fn listen(text: &str) -> Result<Multiaddr, Wrong> {
    let hint = "write it like /ip4/0.0.0.0/tcp/7072 or /ip6/::/udp/7071/webrtc-direct";
    address::parse_listen(text).map_err(|why| wrong(why, hint))
}

fn bootstrap(text: &str) -> Result<Multiaddr, Wrong> {
    let hint = "write it like /ip4/192.0.2.7/tcp/7072/p2p/12D3KooW..., as `peerloom status` of the \
                other node shows it";
    address::parse_dial(text).map_err(|why| wrong(why, hint))
}

fn name(value: &str) -> Result<String, Wrong> {
    let max = limits::NAME_CHARS_MAX;
    if value.trim().is_empty() {
        Err(wrong("it is empty", "leave the setting out to have no name"))
    } else if value.chars().count() > max {
        Err(wrong(format!("it has more than {max} characters"), "choose a shorter name"))
    } else if clean_name(value) != value.trim() {
        Err(wrong(
            "it contains invisible characters or doubled spaces",
            "use visible characters and single spaces",
        ))
    } else {
        Ok(value.trim().to_owned())
    }
}

fn room(text: &str) -> Result<String, Wrong> {
    crate::text::room(text).map_err(|why| wrong(why, "choose a name such as lobby or team-7"))
}

fn api(text: &str) -> Result<String, Wrong> {
    let hint = "write it like http://127.0.0.1:7070";
    let rest = text.strip_prefix("http://").ok_or_else(|| {
        let why = if text.starts_with("https://") || text.starts_with("unix:") {
            "only plain http to this computer is supported"
        } else {
            "it does not begin with http://"
        };
        wrong(why, hint)
    })?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.is_empty()
        || host.contains(['/', '@', '?', '#'])
        || host.chars().any(char::is_whitespace)
    {
        return Err(wrong("it is not a host with a port", hint));
    }
    Ok(format!("http://{host}"))
}

fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(wrong("there is no such format", "use human or json")),
    }
}

fn log_filter(text: &str) -> Result<String, Wrong> {
    text.parse::<tracing_subscriber::EnvFilter>()
        .map(|_| text.to_owned())
        .map_err(|error| wrong(error.to_string(), "write it like info or warn,peerloom_node=debug"))
}

/// Parses `10s`, `500ms`, `2m` or a number of seconds.
fn duration(text: &str) -> Result<Duration, Wrong> {
    let hint = "write it like 10s, 500ms or 2m";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return Err(wrong("the unit is unknown", hint)),
    };
    let number: u64 = digits.parse().map_err(|_| wrong("it is not a whole number", hint))?;
    let millis = number.saturating_mul(unit_ms);
    if millis == 0 || millis > limits::CLI_TIMEOUT_MS_MAX {
        return Err(wrong("it must be more than nothing and at most one hour", hint));
    }
    Ok(Duration::from_millis(millis))
}

/// The same the other way round.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1_000) {
        format!("{}s", millis / 1_000)
    } else {
        format!("{millis}ms")
    }
}

fn conflicts(config: &CheckedConfig) -> Vec<ConfigError> {
    let http = Socket { ip: config.http.ip(), udp: false, port: config.http.port() };
    let mut taken = vec![(Key::Http, config.http.to_string(), http)];
    let mut errors = Vec::new();
    for listen in &config.listen {
        let Ok(socket) = address::socket(listen) else {
            continue;
        };
        if let Some((key, other, _)) = taken.iter().find(|(_, _, taken)| taken.collides(&socket)) {
            errors.push(ConfigError::Conflict {
                first: *key,
                first_origin: config.origin(*key),
                second: Key::Listen,
                second_origin: config.origin(Key::Listen),
                why: format!("{other} and {listen} both need port {}", socket.short()),
                hint: "give each listener a port of its own".to_owned(),
            });
        }
        taken.push((Key::Listen, listen.to_string(), socket));
    }
    errors
}
