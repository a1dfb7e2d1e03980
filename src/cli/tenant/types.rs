//! `vestibule tenant types`: declarations for editors and for `tsc --checkJs`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::{Global, out};
use crate::script::{has_named_function, type_declarations};

/// Write TypeScript declarations into a bundle, so that editors complete rules and actions and `tsc` checks them.
///
/// Writes `types/` and `jsconfig.json`; `tsc -p jsconfig.json` checks the scripts. An action's parameters
/// get their types from `@param {Event} event` and `@param {PostLoginAPI} api`, a rule's from `@type {Rule}`. A rule whose
/// function has no name is no JavaScript file of its own, so it is left out of the check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Folder of the bundle [default: the configured one].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let folder = super::load(global, args.folder.as_deref())?.tenant.bundle;
    let mut rules = Vec::new();
    for file in fs::read_dir(folder.join("rules")).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        if name.ends_with(".js") && has_named_function(&text) {
            rules.push(name);
        }
    }
    rules.sort();
    for (name, text) in type_declarations(&rules) {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        out::line(file.display())?;
    }
    Ok(())
}
