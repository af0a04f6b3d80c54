//! The results of checks, as text and as JSON.

use serde_json::{Value, json};

/// The result of a check, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    name: &'static str,
    verdict: Verdict,
    message: String,
    /// What to do; `None` if there is no problem.
    advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            message: message.into(),
            advice: None,
        }
    }

    pub(super) fn warned(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, message)
        }
    }

    pub(super) fn failed(name: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            advice: Some(advice.into()),
            ..Self::ok(name, message)
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.verdict == Verdict::Ok
    }
}

/// All checks.
#[derive(Debug)]
pub(super) struct Report(Vec<Check>);

impl Report {
    pub(super) fn of(checks: Vec<Check>) -> Self {
        Self(checks)
    }

    fn worst(&self) -> Verdict {
        self.0.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// 0, 1 or 2.
    pub(super) fn exit_code(&self) -> u8 {
        self.worst() as u8
    }

    pub(super) fn to_text(&self) -> String {
        let width = self.0.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let mut lines = Vec::new();
        for check in &self.0 {
            let (verdict, name) = (check.verdict.as_str(), check.name);
            lines.push(format!("{verdict:<4}  {name:<width$}  {}", check.message));
            if let Some(advice) = &check.advice {
                lines.push(format!("{:<4}  {:<width$}  → {advice}", "", ""));
            }
        }
        let count = |verdict| self.0.iter().filter(|check| check.verdict == verdict).count();
        lines.push(format!(
            "{} checks: {} failed, {} warnings",
            self.0.len(),
            count(Verdict::Fail),
            count(Verdict::Warn)
        ));
        lines.join("\n")
    }

    pub(super) fn to_json(&self) -> String {
        let checks = self.0.iter().map(|check| {
            json!({
                "name": check.name,
                "status": check.verdict.as_str(),
                "message": check.message,
                "advice": check.advice,
            })
        });
        let checks: Vec<Value> = checks.collect();
        json!({ "status": self.worst().as_str(), "checks": checks }).to_string()
    }
}
