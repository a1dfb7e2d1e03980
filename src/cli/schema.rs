//! `vestibule schema`: the schema of each door as SDL.

use super::out;
use crate::app::Vestibule;

/// Print a door's GraphQL schema as SDL.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    door: SchemaOf,
}

#[derive(Debug, clap::Subcommand)]
enum SchemaOf {
    /// Print the Public API's schema.
    Public,
    /// Print the Internal API's schema.
    Internal,
}

pub(super) fn run(args: &Args, vestibule: &Vestibule) -> anyhow::Result<()> {
    let sdl = match args.door {
        SchemaOf::Public => vestibule.public_sdl(),
        SchemaOf::Internal => vestibule.internal_sdl(),
    };
    Ok(out::line(sdl.trim_end())?)
}
