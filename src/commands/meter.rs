//! Progress of a long command on standard error: in place on a terminal, otherwise as a line from time to time.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Shows the progress of a command.
pub(super) struct Meter {
    on_terminal: bool,
    every: Duration,
    shown_at: Instant,
}

impl Meter {
    pub(super) fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let every = if on_terminal {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(10)
        };
        Self {
            on_terminal,
            every,
            shown_at: Instant::now(),
        }
    }

    /// Shows the progress, unless the last one was shown a moment ago.
    pub(super) fn show(&mut self, progress: impl FnOnce() -> String) {
        if self.shown_at.elapsed() < self.every {
            return;
        }
        self.shown_at = Instant::now();
        let text = progress();
        if self.on_terminal {
            eprint!("\r{text}\u{1b}[K");
        } else {
            eprintln!("{text}");
        }
    }

    /// Removes what is shown.
    pub(super) fn clear(&self) {
        if self.on_terminal {
            eprint!("\r\u{1b}[K");
        }
    }
}
