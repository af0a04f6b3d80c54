//! Opens a link in the browser of the user who started the program, if there is one.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

/// Returns whether a user works at this machine: no script, no continuous integration, and no ssh session.
pub(super) fn is_wanted() -> bool {
    std::io::stdout().is_terminal() && has_screen(|name| std::env::var_os(name))
}

fn has_screen(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    if ["CI", "SSH_CONNECTION", "SSH_TTY"].iter().any(is_set) {
        return false;
    }
    // Other systems always have a screen.
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(is_set)
}

/// Opens a link. A failure is ignored, because the link was also printed.
pub(super) fn open(link: &str) {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else {
        Command::new("xdg-open")
    };
    let opened = command
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opened {
        // A separate thread waits for the child, so that it does not remain as a zombie.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(reason) => tracing::debug!(%reason, "no browser was opened"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_here(set: &[&str]) -> bool {
        has_screen(|name| set.contains(&name).then(|| OsString::from("1")))
    }

    #[test]
    fn no_browser_is_opened_for_ci_nor_at_the_other_end_of_ssh() {
        assert!(is_here(&["DISPLAY"]));
        assert!(is_here(&["WAYLAND_DISPLAY", "HOME"]));
        for variable in ["CI", "SSH_CONNECTION", "SSH_TTY"] {
            assert!(!is_here(&["DISPLAY", variable]), "{variable}");
        }
        assert_eq!(is_here(&[]), !cfg!(target_os = "linux"));
    }
}
