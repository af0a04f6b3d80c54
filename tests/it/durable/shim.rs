//! Makes calls of the executable fail when a test requests it, by a small library that is loaded into it: `io_faults.c`.

use crate::harness::Place;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that fail. The numbers are those of `io_faults.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// `fsync` and `fdatasync`.
    Sync = 1,
    /// `pwrite`.
    Write = 2,
    /// `pwrite`: the first call writes a part, later calls write nothing.
    ShortWrite = 3,
}

/// The error that the system returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    Io = 5,
    NoSpace = 28,
}

/// The library, and the file that controls it.
pub(super) struct Shim {
    library: PathBuf,
    control: PathBuf,
    told: File,
}

impl Shim {
    /// Compiles the library in this directory. Returns `None` with a message if that is not possible.
    pub(super) fn build(directory: &Path) -> Option<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/durable/io_faults.c");
        let library = directory.join("io_faults.so");
        let control = directory.join("io_faults.control");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        let complaint = match compiled {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(format!("cc: {error}")),
        };
        if let Some(complaint) =
            complaint.or_else(|| (!cfg!(target_os = "linux")).then(|| "this is no Linux".to_owned()))
        {
            let text = format!("\n!!! SKIPPED: calls of the executable cannot be made to fail here: {complaint}\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
            return None;
        }
        std::fs::write(&control, [0; 36]).expect("a file");
        let told = File::options().read(true).write(true).open(&control).expect("the file");
        Some(Self { library, control, told })
    }

    /// Returns the same place with the library loaded, for files whose path begins with `files`.
    pub(super) fn loaded(&self, place: &Place, files: &Path) -> Place {
        let mut place = place.clone();
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        place.settings.extend([
            ("LD_PRELOAD", text(&self.library)),
            ("LEDGERBELL_TEST_FAULT_CONTROL", text(&self.control)),
            ("LEDGERBELL_TEST_FAULT_FILES", text(files)),
        ]);
        place
    }

    /// Makes the `nth` of these calls and the following ones fail, `lasts` in total.
    pub(super) fn arm(&self, calls: Calls, nth: i32, error: Errno, lasts: i32) {
        self.disarm();
        for (at, number) in [(1, nth), (2, error as i32), (3, lasts), (4, 0), (0, calls as i32)] {
            self.put(at, number);
        }
    }

    pub(super) fn disarm(&self) {
        self.put(0, 0);
    }

    /// Returns how many calls have failed since the library was armed.
    pub(super) fn fired(&self) -> i32 {
        self.get(4)
    }

    /// Makes the next reading of a clock fail. No code expects that.
    pub(super) fn stop_a_clock(&self) {
        self.put(5, 1);
    }

    /// Returns whether that has happened.
    pub(super) fn was_clock_read(&self) -> bool {
        self.get(5) == 0
    }

    /// Sets how many seconds the machine's clock is ahead, as seen by the executable.
    pub(super) fn set_clock_ahead(&self, seconds: i32) {
        self.put(6, seconds);
    }

    /// Makes the next thread that reads the machine's clock hang forever.
    pub(super) fn hang_at_the_clock(&self) {
        self.put(7, 1);
    }

    /// Returns whether a thread hangs.
    pub(super) fn has_hung(&self) -> bool {
        self.get(7) == 0
    }

    /// Sets how many additional seconds of running time the executable sees.
    pub(super) fn set_later(&self, seconds: i32) {
        self.put(8, seconds);
    }

    fn put(&self, at: u64, number: i32) {
        self.told.write_all_at(&number.to_ne_bytes(), at * 4).expect("written");
    }

    fn get(&self, at: u64) -> i32 {
        let mut bytes = [0; 4];
        self.told.read_exact_at(&mut bytes, at * 4).expect("read");
        i32::from_ne_bytes(bytes)
    }
}
