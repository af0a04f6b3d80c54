//! The one executable: every role of Ledgerbell is a command of it.

fn main() -> std::process::ExitCode {
    ledgerbell::commands::main()
}
