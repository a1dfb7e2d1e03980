//! `vestibule tenant reset`, `export` and `import`: what changed in the dev tenant since its bundle.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::app::DevTenant;
use crate::cli::{Global, out};
use crate::tenant::Tenant;

/// Forget what changed in the dev tenant since its bundle: users, objects, sessions, logs.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResetArgs {}

/// Write the dev tenant as a bundle: its bundle with what changed since.
///
/// The files have the values of keywords in the place of the keywords. People who have a password of their own, set here,
/// are written without it. The folder must be empty or new.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExportArgs {
    /// Folder to write.
    #[arg(value_name = "DIR", default_value = "tenant-export")]
    folder: PathBuf,
}

/// Take the objects and people of a bundle into the dev tenant, over its own bundle, until `reset`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ImportArgs {
    /// Bundle to read: a folder, or a YAML file.
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
}

pub(super) fn reset(global: &Global, _: &ResetArgs) -> anyhow::Result<()> {
    let config = super::load(global, None)?;
    Tenant::reset(&config.tenant).context("cannot reset the dev tenant")?;
    Ok(out::line(format!("{} is reset: the bundle counts again. {RESTART}", config.tenant.data.display()))?)
}

pub(super) fn export(global: &Global, args: &ExportArgs) -> anyhow::Result<()> {
    let config = super::load(global, None)?;
    let dir = &args.folder;
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; name a new folder", dir.display());
    }
    let bundle =
        DevTenant::bundle(&config, &config.auth0.issuer, &config.auth0.issuer, config.internal.listen)?;
    let bundle =
        Tenant::current_bundle(&config.tenant, bundle).context("cannot read the dev tenant's file")?;
    bundle.write(dir).with_context(|| format!("cannot write {}", dir.display()))?;
    Ok(out::line(format!(
        "{} is written: start it with --set tenant.bundle={}",
        dir.display(),
        dir.display()
    ))?)
}

pub(super) fn import(global: &Global, args: &ImportArgs) -> anyhow::Result<()> {
    let mut config = super::load(global, None)?;
    let issuer = config.auth0.issuer.clone();
    let base = DevTenant::bundle(&config, &issuer, &issuer, config.internal.listen)?;
    config.tenant.bundle.clone_from(&args.bundle);
    let bundle = DevTenant::bundle(&config, &issuer, &issuer, config.internal.listen)?;
    for notice in &bundle.notices {
        out::line(format!("note: {notice}"))?;
    }
    let (objects, users) =
        Tenant::import(&config.tenant, &base, &bundle).context("cannot write the dev tenant's file")?;
    Ok(out::line(format!("imported {objects} objects and {users} users. {RESTART}"))?)
}

const RESTART: &str = "A running dev tenant sees it after a restart.";
