//! The list of settings.
//! Invariant: one row a setting; file key, environment variable and flag follow from it.
//! Not here: values and how they are checked.

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Folder of identity, token, database and rules.
    DataDir,
    /// Resource preset.
    Profile,
    /// Where page and API listen.
    Http,
    /// Where peers are listened for.
    Listen,
    /// Addresses to keep connected.
    Bootstrap,
    /// Name shown to others.
    Name,
    /// Rooms to join at the start.
    Rooms,
    /// Whether peers on the same LAN are looked for.
    Mdns,
    /// Address of the API for commands.
    Api,
    /// File of the API's token.
    TokenFile,
    /// How long commands wait.
    Timeout,
    /// How log lines are written.
    LogFormat,
    /// Which log lines are written.
    LogFilter,
    /// What strangers get.
    PolicyProfile,
    /// Until when denials are only observed.
    PolicyObserveUntil,
}

/// What form a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One text.
    Text,
    /// A list of texts.
    List,
    /// True or false.
    Switch,
}

impl Key {
    /// All settings, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::DataDir,
        Self::Profile,
        Self::Http,
        Self::Listen,
        Self::Bootstrap,
        Self::Name,
        Self::Rooms,
        Self::Mdns,
        Self::PolicyProfile,
        Self::PolicyObserveUntil,
        Self::Api,
        Self::TokenFile,
        Self::Timeout,
        Self::LogFormat,
        Self::LogFilter,
    ];

    /// The key in the configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DataDir => "data_dir",
            Self::Profile => "profile",
            Self::Http => "http",
            Self::Listen => "listen",
            Self::Bootstrap => "bootstrap",
            Self::Name => "name",
            Self::Rooms => "rooms",
            Self::Mdns => "mdns",
            Self::Api => "api",
            Self::TokenFile => "token_file",
            Self::Timeout => "timeout",
            Self::LogFormat => "log_format",
            Self::LogFilter => "log_filter",
            Self::PolicyProfile => "policy.profile",
            Self::PolicyObserveUntil => "policy.observe_until",
        }
    }

    /// The environment variable.
    #[must_use]
    pub fn env(self) -> String {
        format!("PEERLOOM_{}", self.name().to_ascii_uppercase().replace('.', "_"))
    }

    /// The flag.
    #[must_use]
    pub fn flag(self) -> String {
        match self {
            // Given once for each room.
            Self::Rooms => "--room".to_owned(),
            Self::PolicyProfile => "--policy".to_owned(),
            Self::PolicyObserveUntil => "--policy-observe-until".to_owned(),
            Self::DataDir
            | Self::Profile
            | Self::Http
            | Self::Listen
            | Self::Bootstrap
            | Self::Name
            | Self::Mdns
            | Self::Api
            | Self::TokenFile
            | Self::Timeout
            | Self::LogFormat
            | Self::LogFilter => format!("--{}", self.name().replace('_', "-")),
        }
    }

    /// The setting with this file key.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Whether settings with this word and a dot in front exist: a table of the file.
    #[must_use]
    pub fn is_section(word: &str) -> bool {
        Self::ALL.into_iter().any(|key| key.name().split_once('.').is_some_and(|it| it.0 == word))
    }

    /// The form of its value.
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::Listen | Self::Bootstrap | Self::Rooms => Form::List,
            Self::Mdns => Form::Switch,
            Self::DataDir
            | Self::Profile
            | Self::Http
            | Self::Name
            | Self::Api
            | Self::TokenFile
            | Self::Timeout
            | Self::LogFormat
            | Self::LogFilter
            | Self::PolicyProfile
            | Self::PolicyObserveUntil => Form::Text,
        }
    }
}
