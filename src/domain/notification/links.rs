//! Links from alerts to the operator's application.

use super::model::{Alert, NextStep};

/// The operator's own application, where members act on alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    app_url: Option<String>,
}

impl Links {
    /// Links to pages of the application at this address. Without an address there are no links.
    pub fn new(app_url: Option<String>) -> Self {
        Self { app_url }
    }

    /// Returns the link where a member acts on an alert. The query names the action and the alert; the application opens the right page.
    pub fn action(&self, alert: &Alert) -> Option<String> {
        let step = alert.next_step();
        let url = self.with_query(&format!("action={}", step.as_str()))?;
        let id = alert.id.global(alert.account_id);
        (step != NextStep::None).then(|| format!("{url}&alert={id}"))
    }

    /// Returns the link where a member chooses notifications.
    pub fn settings(&self) -> Option<String> {
        self.with_query("action=NOTIFICATION_SETTINGS")
    }

    fn with_query(&self, query: &str) -> Option<String> {
        let url = self.app_url.as_ref()?;
        let joint = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{joint}{query}"))
    }
}
