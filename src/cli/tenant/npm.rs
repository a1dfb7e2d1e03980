//! `vestibule tenant npm`: the npm packages that a bundle's scripts need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::app::DevTenant;
use crate::cli::{Global, out};
use crate::script::required_packages;

/// Print the `npm install` line for the packages that a bundle's rules and actions require.
///
/// What is built in is left out. The versions are those of `require('name@version')` and of the actions' dependencies.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Bundle: a folder, or a YAML file [default: the configured one].
    #[arg(value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Fail if one of them is not installed in the bundle's folder.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = super::load(global, args.bundle.as_deref())?;
    let issuer = config.auth0.issuer.clone();
    let bundle = DevTenant::bundle(&config, &issuer, &issuer, config.internal.listen)?;
    let path = &config.tenant.bundle;
    let folder = if path.is_dir() { path } else { path.parent().context("the bundle has no folder")? };
    let required = required_packages(&bundle, folder);
    let mut versions: BTreeMap<&str, (Option<&str>, &str)> = BTreeMap::new();
    for of in &required {
        let named = of.version.as_deref().filter(|version| *version != "latest");
        let (version, script) = versions.entry(&of.package).or_insert((named, &of.script));
        match (&version, named) {
            (Some(first), Some(other)) if *first != other => out::warn(format!(
                "{} needs {}@{other} and {script} needs {first}; only {first} is installed",
                of.script, of.package
            )),
            (None, Some(_)) => (*version, *script) = (named, &of.script),
            _ => {}
        }
    }
    if versions.is_empty() {
        out::line("The bundle's scripts need no npm packages.")?;
        return Ok(());
    }
    let mut line = format!("npm install --prefix {}", folder.display());
    for (package, (version, _)) in &versions {
        let version = version.map(|version| format!("@{version}")).unwrap_or_default();
        line.push_str(&format!(" {package}{version}"));
    }
    out::line(line)?;
    let missing: Vec<_> = required
        .iter()
        .filter_map(|of| Some(format!("{} requires {}: {}", of.script, of.specifier, of.problem.as_ref()?)))
        .collect();
    if args.check && !missing.is_empty() {
        bail!("not installed:\n  {}", missing.join("\n  "));
    }
    Ok(())
}
