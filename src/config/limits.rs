//! Settings of limits: which operations are allowed, and how much they may cost.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::Mode;
use super::source::{ConfigError, Reader};

/// Limits on the cost of operations.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// The maximum cost of one operation.
    pub cost: u64,
    /// The cost per second that one caller may use; 0 means no limit.
    pub rate: u32,
    /// The cost that one caller may use at once.
    pub burst: NonZeroU32,
    /// The cost per second that one address may use without signing in; 0 means no limit.
    pub anonymous_rate: u32,
    /// The cost that one address may use at once without signing in.
    pub anonymous_burst: NonZeroU32,
}

/// Settings of operations that are requested by id.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// The file of trusted documents.
    pub trusted: Option<PathBuf>,
    /// Whether all other documents are refused.
    pub only_trusted: bool,
    /// Who may query the schema itself.
    pub introspection: IntrospectionSetting,
}

/// Limits of exports.
#[derive(Clone, Copy, Debug)]
pub struct ExportSettings {
    /// How often one link can be used.
    pub uses: u32,
    /// Concurrent downloads of the log of one account.
    pub per_account: usize,
    /// Parts of exports that are produced at the same time.
    pub at_a_time: usize,
}

/// Who may query the schema itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntrospectionSetting {
    /// Any client, also without signing in.
    Anyone,
    /// Signed-in callers only.
    Callers,
    /// No client.
    Off,
}

/// The default cost per second of one caller in production: about what one processor can answer. It prevents that one caller
/// uses the whole capacity. Development has no default limit, so that a trial measures the server and not this limit.
const RATE_IN_PRODUCTION: u32 = 100_000;

/// The default cost per second of one address without signing in, in production: enough to read the schema now and then.
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
            "limits.burst must be at least limits.cost, or the most expensive operations would always be refused"
                .to_owned(),
        ));
    }
    Ok(limits)
}

/// The largest burst that can be set.
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
            "documents.only_trusted needs documents.trusted, or all operations would be refused".to_owned(),
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
