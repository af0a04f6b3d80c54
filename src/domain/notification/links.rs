//! Where alerts lead.

use super::model::{Alert, NextStep};

/// The operator's own application, where members act on alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    app_url: Option<String>,
}

impl Links {
    /// To pages of the application at this address; without one there are no links.
    pub fn new(app_url: Option<String>) -> Self {
        Self { app_url }
    }

    /// Where to act on an alert. The query says which action and which alert; the application leads on.
    pub fn action(&self, alert: &Alert) -> Option<String> {
        let step = alert.next_step();
        let url = self.with_query(&format!("action={}", step.as_str()))?;
        let id = alert.id.global(alert.account_id);
        (step != NextStep::None).then(|| format!("{url}&alert={id}"))
    }

    /// Where to choose what one is told of.
    pub fn settings(&self) -> Option<String> {
        self.with_query("action=NOTIFICATION_SETTINGS")
    }

    fn with_query(&self, query: &str) -> Option<String> {
        let url = self.app_url.as_ref()?;
        let joint = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{joint}{query}"))
    }
}
