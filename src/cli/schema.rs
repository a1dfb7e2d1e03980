//! `vestibule schema`: the schema of each door as SDL.

use super::{DoorArg, out};
use crate::app::Vestibule;

/// Print a door's GraphQL schema as SDL.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Door whose schema to print.
    #[arg(value_enum, value_name = "DOOR")]
    door: DoorArg,
}

pub(super) fn run(args: &Args, vestibule: &Vestibule) -> anyhow::Result<()> {
    let sdl = match args.door {
        DoorArg::Public => vestibule.public_sdl(),
        DoorArg::Internal => vestibule.internal_sdl(),
    };
    Ok(out::line(sdl.trim_end())?)
}
