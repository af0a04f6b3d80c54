//! The settings of a test.

use ledgerbell::config::Settings;

use super::TestDatabase;

/// Returns the number of accounts that may share a transaction, if one is set.
fn accounts_per_transaction() -> Option<String> {
    std::env::var("LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION").ok()
}

/// Returns the environment of a process that a test starts, beside what the test sets.
pub(crate) fn environment() -> impl Iterator<Item = (&'static str, String)> {
    let accounts = accounts_per_transaction().map(|accounts| ("LEDGERBELL_ENGINE_ACCOUNTS_PER_TRANSACTION", accounts));
    accounts.into_iter()
}

/// Reads the settings of a test as those of an operator.
pub(crate) fn load_settings(database: &TestDatabase, settings: &[(&'static str, &str)]) -> Settings {
    let mut flags = vec![
        ("mode", Some("development".to_owned())),
        ("listen", Some("127.0.0.1:0".to_owned())),
        ("data_dir", Some(database.directory.path().display().to_string())),
        ("database.url", Some(database.url.clone())),
        ("database.max_connections", Some("5".to_owned())),
        ("engine.accounts_per_transaction", accounts_per_transaction()),
        // Tests advance the clock by years.
        ("auth.max_token_lifetime", Some("3153600000".to_owned())),
    ];
    if let Some(pooled) = database.pooled_url() {
        flags.extend([
            ("database.url", Some(pooled)),
            ("bus.postgres_url", Some(database.url.clone())),
        ]);
    }
    flags.extend(settings.iter().map(|(path, value)| (*path, Some((*value).to_owned()))));
    Settings::load(None, [], flags).expect("the settings are valid")
}
