//! `vestibule tenant plan`, `apply`, `rollback` and `drift`: a bundle at a tenant.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::deploy_config::load;
use super::deployments::deployment_json;
use super::plan_text::{self, Colours};
use crate::app::ScriptTests;
use crate::cli::dev::script_worker;
use crate::cli::{Global, out, signals};
use crate::clock::Clock;
use crate::config::Config;
use crate::deploy::forge::{self, Checkout};
use crate::deploy::{DeployError, Deployer, Options, Origin, Plan, Progress, TargetSettings};
use crate::store::{Actor, Deployment, Store};
use crate::telemetry;

/// The exit code of a plan with changes, and of a question without a terminal to ask on.
const CHANGES: u8 = 2;

/// What these commands have in common.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TargetArgs {
    /// Target: the NAME of [targets.NAME] in the configuration.
    #[arg(long, value_name = "TARGET")]
    pub(super) to: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// Show what a deployment would change at a tenant. Exit code 0: nothing; 2: changes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Bundle: a folder, or a YAML file [default: tenant.bundle].
    #[arg(value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Delete what the bundle has not, of the kinds of objects that it has.
    #[arg(long)]
    prune: bool,
}

/// Deploy a bundle to a tenant: test its scripts, show the plan, ask, make the changes, check them.
///
/// After an interruption, the same command goes on from what is there.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ApplyArgs {
    /// Target: the NAME of [targets.NAME] in the configuration.
    #[arg(long, value_name = "TARGET", required_unless_present = "branch")]
    to: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Bundle: a folder, or a YAML file [default: tenant.bundle].
    #[arg(value_name = "DIR", conflicts_with = "git")]
    bundle: Option<PathBuf>,
    /// Checkout whose commit is deployed, with the bundle in forge.folder. Refused with changes that are not committed.
    #[arg(long, value_name = "DIR")]
    git: Option<PathBuf>,
    /// Branch of the commit: selects the target that follows it.
    #[arg(long, requires = "git")]
    branch: Option<String>,
    /// Deploy the commit even if it is older than the deployed one.
    #[arg(long, requires = "git")]
    force: bool,
    /// Delete what the bundle has not, of the kinds of objects that it has.
    #[arg(long)]
    prune: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Deploy without testing the bundle's scripts. It is recorded.
    #[arg(long)]
    skip_tests: bool,
}

/// Restore the state that a deployment found.
///
/// Scripts get back their very versions, with their secrets. What the deployment created stays, unbound, unless you add
/// --prune.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RollbackArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Deployment, by its number [default: the last one that was not rolled back].
    #[arg(value_name = "DEPLOYMENT")]
    deployment: Option<i64>,
    /// Delete what the tenant did not have then.
    #[arg(long)]
    prune: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// List what was changed at a tenant since the last deployment. Exit code 0: nothing; 2: changes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DriftArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// A deployer, and what has to stay open with it.
pub(super) struct Opened {
    deployer: Deployer,
    store: Store,
    runtime: tokio::runtime::Runtime,
}

pub(super) fn plan(global: &Global, args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let config = load(global)?;
    let opened = Opened::open(&config)?;
    let options = Options { prune: args.prune, skip_tests: false };
    let bundle = args.bundle.as_ref().unwrap_or(&config.tenant.bundle);
    let plan = opened.deployer.plan(&args.target.to, bundle, options)?;
    show(&plan, "Plan for", args.target.json)?;
    Ok(exit_code(&plan))
}

pub(super) fn apply(global: &Global, args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let config = load(global)?;
    let opened = Opened::open(&config)?;
    let target = &TargetArgs { to: args.target(&config)?, json: args.json };
    let options = Options { prune: args.prune, skip_tests: args.skip_tests };
    let checkout =
        args.git.as_ref().map(|git| opened.checkout(&config, git, &target.to, args.force)).transpose()?;
    let folder = checkout.as_ref().map(Checkout::bundle).or(args.bundle.clone());
    let bundle = folder.as_ref().unwrap_or(&config.tenant.bundle);
    let commit = checkout.as_ref().map(|checkout| checkout.commit.to_string());
    let origin = Origin { actor: Actor::Cli, git_ref: args.branch.clone(), commit };
    let plan = opened.deployer.plan(&target.to, bundle, options)?;
    opened.approved(target, args.yes, "Plan for", &plan, |plan, progress| {
        opened.deployer.apply(&target.to, bundle, &origin, options, Some(plan), progress)
    })
}

impl ApplyArgs {
    /// The target that is named, or the one that follows the branch.
    fn target(&self, config: &Config) -> anyhow::Result<String> {
        let follows =
            |name: &str| config.targets.get(name).is_some_and(|target| target.branch == self.branch);
        match (&self.to, &self.branch) {
            (Some(to), None) => Ok(to.clone()),
            (Some(to), Some(branch)) if !follows(to) => {
                bail!("the target {to} does not follow the branch {branch}")
            }
            (Some(to), Some(_)) => Ok(to.clone()),
            (None, branch) => {
                let mut names = config.targets.keys().filter(|name| follows(name));
                let branch = branch.as_deref().unwrap_or_default();
                match (names.next(), names.next()) {
                    (Some(name), None) => Ok(name.clone()),
                    (None, _) => bail!("no target follows the branch {branch}; set targets.NAME.branch"),
                    (Some(_), Some(_)) => {
                        bail!("several targets follow the branch {branch}; name one by --to")
                    }
                }
            }
        }
    }
}

pub(super) fn rollback(global: &Global, args: &RollbackArgs) -> anyhow::Result<ExitCode> {
    let opened = Opened::open(&load(global)?)?;
    let (target, deployer) = (&args.target, &opened.deployer);
    let options = Options { prune: args.prune, skip_tests: false };
    let deployment = args.deployment.map_or_else(|| deployer.last_to_undo(&target.to), Ok)?;
    let origin = Origin { actor: Actor::Cli, git_ref: None, commit: None };
    let heading = format!("Rollback of deployment {deployment} to");
    let plan = deployer.plan_rollback(&target.to, deployment, options)?;
    opened.approved(target, args.yes, &heading, &plan, |plan, progress| {
        deployer.rollback(&target.to, deployment, &origin, options, Some(plan), progress)
    })
}

pub(super) fn drift(global: &Global, args: &DriftArgs) -> anyhow::Result<ExitCode> {
    let opened = Opened::open(&load(global)?)?;
    let (deployment, plan) = opened.deployer.drift(&args.target.to)?;
    if plan.is_empty() && !args.target.json {
        out::line(format!("Nothing was changed at {} since deployment {deployment}.", plan.target))?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&plan, &format!("Changed since deployment {deployment} to"), args.target.json)?;
    Ok(exit_code(&plan))
}

impl Opened {
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        telemetry::init(&config.log).map_err(|what| anyhow::anyhow!("`log.filter` is invalid: {what}"))?;
        let path = &config.store.path;
        let store = Store::open(&config.store, Clock::system())
            .with_context(|| format!("cannot open the database {}", path.display()))?;
        let runtime = signals::runtime()?;
        let tests = ScriptTests::for_deployments(config, script_worker()?, runtime.handle().clone());
        let deployer = Deployer::new(store.clone(), path, config.targets.clone(), tests, Clock::system());
        Ok(Self { deployer, store, runtime })
    }

    /// The bundle at the commit of a checkout, unless a newer commit is deployed.
    fn checkout(&self, config: &Config, git: &Path, target: &str, force: bool) -> anyhow::Result<Checkout> {
        let checkout = self.runtime.block_on(forge::local(git, config.forge.folder.as_deref()));
        let checkout = checkout.with_context(|| format!("cannot read the commit of {}", git.display()))?;
        let tenant = config.targets.get(target).map(TargetSettings::url).unwrap_or_default();
        if let Some(deployed) = self.store.last_commit(&tenant)?
            && !force
            && checkout.is_older_than(&deployed)
        {
            bail!(
                "{} is older than the deployed commit {deployed}; add --force, or roll back",
                checkout.commit
            );
        }
        Ok(checkout)
    }

    /// Shows a plan, asks, and deploys it.
    fn approved(
        &self,
        target: &TargetArgs,
        yes: bool,
        heading: &str,
        plan: &Plan,
        deploy: impl Fn(&Plan, &dyn Fn(Progress<'_>)) -> Result<Deployment, DeployError>,
    ) -> anyhow::Result<ExitCode> {
        if !target.json {
            show(plan, heading, false)?;
        }
        let is_asked = !yes && !plan.is_empty();
        if is_asked && (target.json || !std::io::stdin().is_terminal()) {
            out::warn(
                "nothing was changed: there is no terminal to ask at; add --yes to deploy without a question",
            );
            return Ok(ExitCode::from(CHANGES));
        }
        if is_asked && !asked(plan)? {
            out::line("Nothing was changed.")?;
            return Ok(ExitCode::FAILURE);
        }
        let bar = ProgressBar::new(u64::try_from(plan.changes.len()).unwrap_or(u64::MAX));
        bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}")?);
        let is_quiet = target.json;
        let progress = |progress: Progress<'_>| match progress {
            Progress::Begun(_) => {}
            Progress::Change(number, _, title) => {
                bar.set_position(u64::try_from(number.saturating_sub(1)).unwrap_or(0));
                bar.set_message(out::plain(title));
            }
            Progress::Line(line) if bar.is_hidden() && !is_quiet => drop(out::line(out::plain(line))),
            Progress::Line(line) => bar.println(out::plain(line)),
        };
        let deployed = deploy(plan, &progress);
        bar.finish_and_clear();
        let deployment = deployed?;
        if target.json {
            out::line(deployment_json(&deployment, &[("plan", json!(plan))]))?;
        } else {
            out::line(format!("Deployment {}: {}", deployment.id, done(plan)))?;
        }
        self.store.close()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn done(plan: &Plan) -> String {
    let count = plan.changes.len();
    let plural = if count == 1 { "" } else { "s" };
    format!("{} has {count} change{plural} and was checked.", plan.target)
}

fn show(plan: &Plan, heading: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return Ok(out::line(serde_json::to_string(plan)?)?);
    }
    let colours = Colours(console::colors_enabled());
    let heading = format!("{heading} {} ({})", plan.target, plan.tenant);
    Ok(out::line(plan_text::text(plan, &heading, colours))?)
}

fn exit_code(plan: &Plan) -> ExitCode {
    if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) }
}

/// Whether the person at the terminal agrees.
fn asked(plan: &Plan) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "\nMake these changes at {} ({})? [y/N] ", plan.target, plan.tenant)?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
