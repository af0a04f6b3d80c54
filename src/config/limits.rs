//! What may be asked for, and how much of it.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::Mode;
use super::source::{ConfigError, Reader};

/// What may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// Cost of one operation.
    pub cost: u64,
    /// Cost a second of each caller; 0 is as much as they like.
    pub rate: u32,
    /// Cost that a caller may ask for at once.
    pub burst: NonZeroU32,
    /// Cost a second of each address without a caller; 0 is as much as they like.
    pub anonymous_rate: u32,
    /// Cost that an address may ask for at once.
    pub anonymous_burst: NonZeroU32,
}

/// Operations that are run by id.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// The file that has them.
    pub trusted: Option<PathBuf>,
    /// Whether nothing else is run.
    pub only_trusted: bool,
    /// Who may ask for the schema itself.
    pub introspection: IntrospectionSetting,
}

/// What exports may take.
#[derive(Clone, Copy, Debug)]
pub struct ExportSettings {
    /// How often a link may be followed.
    pub uses: u32,
    /// Downloads of one account's log at a time.
    pub per_account: usize,
    /// Pieces that are made at a time.
    pub at_a_time: usize,
}

/// Who may ask for the schema itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntrospectionSetting {
    /// Any client.
    Anyone,
    /// Signed-in callers.
    Callers,
    /// No client.
    Off,
}

/// What a caller may ask for each second when nothing is set: about what a processor can answer. It is there so that one caller
/// does not take all; whoever tries things out in development measures the server and not this.
const RATE_IN_PRODUCTION: u32 = 1_000_000;

/// What an address may ask for each second without signing in, when nothing is set: the schema once in a while.
const ANONYMOUS_RATE_IN_PRODUCTION: u32 = 200;

pub(super) fn read_limits(read: &Reader<'_>, mode: Mode) -> Result<LimitSettings, ConfigError> {
    let rate = |path, in_production| match read.text(path)? {
        Some(_) => read.number(path, 0, 100_000_000),
        None if mode == Mode::Development => Ok(0),
        None => Ok(in_production),
    };
    let limits = LimitSettings {
        cost: read.number("limits.cost", 1, 1_000_000_000)?,
        rate: rate("limits.rate", RATE_IN_PRODUCTION)?,
        burst: read.number("limits.burst", NonZeroU32::MIN, BURST_AT_MOST)?,
        anonymous_rate: rate("limits.anonymous_rate", ANONYMOUS_RATE_IN_PRODUCTION)?,
        anonymous_burst: read.number("limits.anonymous_burst", NonZeroU32::MIN, BURST_AT_MOST)?,
    };
    if u64::from(limits.burst.get()) < limits.cost {
        return Err(ConfigError::Together(
            "limits.burst must be at least limits.cost, or the dearest operations would never be answered".to_owned(),
        ));
    }
    Ok(limits)
}

/// What callers may ask for at once, at most.
const BURST_AT_MOST: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("above 0");

pub(super) fn read_documents(read: &Reader<'_>) -> Result<DocumentSettings, ConfigError> {
    let documents = DocumentSettings {
        trusted: read.text("documents.trusted")?.map(PathBuf::from),
        only_trusted: read.one_of("documents.only_trusted", &[("true", true), ("false", false)])?,
        introspection: read.one_of(
            "documents.introspection",
            &[
                ("anyone", IntrospectionSetting::Anyone),
                ("callers", IntrospectionSetting::Callers),
                ("off", IntrospectionSetting::Off),
            ],
        )?,
    };
    if documents.only_trusted && documents.trusted.is_none() {
        return Err(ConfigError::Together(
            "documents.only_trusted needs documents.trusted, or nothing at all would be answered".to_owned(),
        ));
    }
    Ok(documents)
}

pub(super) fn read_exports(read: &Reader<'_>) -> Result<ExportSettings, ConfigError> {
    Ok(ExportSettings {
        uses: read.number("exports.uses", 1, 1_000)?,
        per_account: read.number("exports.per_account", 1, 1_000)?,
        at_a_time: read.number("exports.at_a_time", 1, 1_000)?,
    })
}
