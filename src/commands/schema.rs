//! `ledgerbell schema`: the public contract, printed from the code.

use std::process::ExitCode;

use clap::Args;

use crate::graphql;

use super::{Ending, say};

/// Print the GraphQL schema.
#[derive(Debug, Args)]
pub(super) struct Schema {}

pub(super) fn run(_: &Schema) -> Ending {
    say(graphql::sdl().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
