//! Log lines: to standard error, for people or as JSON.
//! Invariant: standard output is never touched; it belongs to the data.
//! Not here: what is logged; metrics.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::LogFormat;

/// How much is logged, and how it looks.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// Filter in the syntax of `tracing`; `None` follows `level`.
    pub filter: Option<String>,
    /// How much, unless `filter` says it.
    pub level: LogLevel,
    /// Whether lines for people may have colours.
    pub colour: bool,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Broken promises only.
    Errors,
    /// What an operator should look at.
    Warnings,
    /// Steps of the node's life.
    Steps,
    /// Details of our own code.
    Details,
    /// Everything of our own code, details of the libraries.
    Everything,
}

impl LogLevel {
    const fn filter(self) -> &'static str {
        match self {
            Self::Errors => "error",
            Self::Warnings => "warn",
            // Libraries report what remote peers do wrong as warnings; that is noise to an operator.
            Self::Steps => "error,peerloom=info,peerloom_node=info,peerloom_shared=info",
            Self::Details => "warn,peerloom=debug,peerloom_node=debug,peerloom_shared=debug",
            Self::Everything => "debug,peerloom=trace,peerloom_node=trace,peerloom_shared=trace",
        }
    }
}

/// Starts logging for this process.
///
/// # Errors
/// When logging was started before.
pub fn start(settings: &LogSettings) -> Result<(), TryInitError> {
    let directives = settings.filter.as_deref().unwrap_or(settings.level.filter());
    // The filter was checked with the settings; a wrong one here would only mean the default.
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(settings.colour);
    match settings.format {
        LogFormat::Human => builder.compact().finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_filters_are_valid() {
        for level in [
            LogLevel::Errors,
            LogLevel::Warnings,
            LogLevel::Steps,
            LogLevel::Details,
            LogLevel::Everything,
        ] {
            assert!(EnvFilter::try_new(level.filter()).is_ok(), "{level:?}");
        }
    }
}
