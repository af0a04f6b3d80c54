//! The settings of a test.

use ledgerbell::config::Settings;

use super::TestDatabase;

/// Reads the settings of a test as those of an operator.
pub(crate) fn load_settings(database: &TestDatabase, settings: &[(&'static str, &str)]) -> Settings {
    let accounts = std::env::var("LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION").ok();
    let mut flags = vec![
        ("mode", Some("development".to_owned())),
        ("listen", Some("127.0.0.1:0".to_owned())),
        ("data_dir", Some(database.directory.path().display().to_string())),
        ("database.url", Some(database.url.clone())),
        ("database.max_connections", Some("5".to_owned())),
        ("engine.accounts_per_transaction", accounts),
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
