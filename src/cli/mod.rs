//! The command line: one file for each command.
//!
//! Owns arguments, printing and exit codes. Uses `config`, `app` and what a command needs. Never handles requests.
//!
//! Each command has its `Args` and `run` in a file of its own, a line in `Command` and one in [`run`].

mod dev;
mod samples;
mod demo;
mod serve;
mod token;
mod explain;
mod config;
mod migrate;
mod backup;
mod check;
mod users;
mod audit;
mod schema;
mod tenant;

mod signals;
mod out;
mod pages;
mod exit;
pub mod http_client;
mod token_request;

pub use exit::{exit_code, print_error};
pub(crate) use samples::complete_samples;
pub(crate) use token::dev_tenant_token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::Vestibule;
use crate::config::{Config, PRODUCTION, Sources, load};
use crate::{script, telemetry};

/// Authenticates callers of your two GraphQL APIs against Auth0. One executable, with SQLite inside.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Args),
    Demo(demo::Args),
    /// Serve both APIs for an Auth0 tenant, until Ctrl-C or SIGTERM. SIGHUP reloads keys, roles, limits, origins, log level.
    Serve,
    Token(token::Args),
    Init(samples::Args),
    Explain(explain::Args),
    Config(config::Args),
    /// Upgrade the database to this version's schema.
    Migrate,
    Backup(backup::Args),
    Restore(backup::RestoreArgs),
    Check(check::Args),
    /// Manage users.
    #[command(subcommand)]
    Users(users::Command),
    /// Read and verify the audit log.
    #[command(subcommand)]
    Audit(audit::Command),
    Schema(schema::Args),
    /// Run the dev tenant alone, make it fail, or deploy a bundle to a tenant.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Run scripts; started by `vestibule` itself.
    #[command(hide = true)]
    ScriptWorker,
}

/// The heading of options that every command has.
const CONFIGURATION: &str = "Configuration";

/// Options of every command.
#[derive(Debug, clap::Args)]
struct Global {
    /// Profile: which NAME.toml to read. `dev`, `demo` and `token` default to `development`, other commands to
    /// `production` [env: VESTIBULE_PROFILE].
    #[arg(long, global = true, value_name = "NAME", help_heading = CONFIGURATION)]
    profile: Option<String>,
    /// Folder with the profiles' files [default: config].
    #[arg(long = "config", id = "dir", global = true, value_name = "DIR", help_heading = CONFIGURATION)]
    dir: Option<PathBuf>,
    /// `--set`, in order; see [`parse`].
    #[arg(skip)]
    set: Vec<(String, String)>,
}

/// One of the two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DoorArg {
    /// The Public API, for frontends.
    Public,
    /// The Internal API, for machines and staff.
    Internal,
}

/// Runs the executable: every command, with the schemas of `vestibule` at the doors. Prints errors to standard error and
/// returns the exit code.
///
/// A team with its own schemas calls this from its `main`.
pub fn main(vestibule: Vestibule) -> ExitCode {
    let outcome = run(std::env::args_os(), vestibule);
    telemetry::flush();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            exit_code(&error)
        }
    }
}

/// Runs the command in `args`; the first is the program's name. An error is for [`print_error`] and [`exit_code`].
pub fn run(args: impl IntoIterator<Item = OsString>, vestibule: Vestibule) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = parse(args, vestibule.name())?;
    for (key, _) in global.set.iter().filter(|(key, _)| crate::config::is_secret(key)) {
        out::warn(format_args!(
            "--set {} is a secret, and other users of this machine can read command lines; use {} or its _FILE form",
            out::plain(key),
            out::plain(&crate::config::variable(key))
        ));
    }
    match command {
        Command::Dev(args) => dev::run(&global, &args, vestibule)?,
        Command::Demo(args) => demo::run(&global, &args)?,
        Command::Serve => serve::run(&global, vestibule)?,
        Command::Token(args) => token::run(&global, &args)?,
        Command::Init(args) => samples::init(&args)?,
        Command::Explain(args) => return explain::run(&global, &args),
        Command::Config(args) => config::run(&global, &args)?,
        Command::Migrate => migrate::run(&global)?,
        Command::Backup(args) => backup::run(&global, &args)?,
        Command::Restore(args) => backup::restore(&global, &args)?,
        Command::Check(args) => return check::run(&global, &args),
        Command::Users(command) => return users::run(&global, &command),
        Command::Audit(command) => return audit::run(&global, &command),
        Command::Schema(args) => schema::run(&args, &vestibule)?,
        Command::Tenant(command) => return tenant::run(&global, &command),
        Command::ScriptWorker => return Ok(script::worker_main()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Global {
    /// The configuration, in the production profile unless another is named.
    fn config(&self) -> anyhow::Result<Config> {
        Ok(load(self.sources(PRODUCTION))?)
    }

    /// The same, for a command that may create the database.
    fn config_to_create(&self) -> anyhow::Result<Config> {
        let config = self.config()?;
        samples::create_state_folder(&config)?;
        Ok(config)
    }

    /// Where to read the configuration from, with the command's default profile.
    fn sources(&self, default_profile: &str) -> Sources {
        Sources {
            profile: self.profile.clone(),
            dir: self.dir.clone(),
            flags: self.set.clone(),
            ..Sources::new(default_profile).with_environment()
        }
    }
}

/// `name` is the team's own name and version, if it has one.
fn parse(
    args: impl IntoIterator<Item = OsString>,
    name: Option<(&'static str, &'static str)>,
) -> Result<Cli, clap::Error> {
    let build = format!("{}, {}, SQLite {}", env!("BUILD"), env!("TARGET"), rusqlite::version());
    let ours = env!("CARGO_PKG_VERSION");
    let command = with_set(Cli::command());
    let command = match name {
        None => command.long_version(format!("{ours} ({build})")),
        Some((name, version)) => {
            command.name(name).version(version).long_version(format!("{version} (vestibule {ours}, {build})"))
        }
    };
    let matches = command.try_get_matches_from(args)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.global.set = settings(&matches);
    Ok(cli)
}

/// Adds `--set` to a command and its subcommands. With clap's own `global`, a `--set` after a subcommand would silently
/// replace those before it.
fn with_set(command: clap::Command) -> clap::Command {
    let set = Arg::new("set")
        .long("set")
        .value_name("KEY=VALUE")
        .help_heading(CONFIGURATION)
        .help("Set a configuration key, such as `public.listen=127.0.0.1:8000`; repeatable")
        .action(ArgAction::Append)
        .value_parser(setting);
    command.arg(set).mut_subcommands(with_set)
}

fn settings(matches: &ArgMatches) -> Vec<(String, String)> {
    let here = matches.get_many("set").into_iter().flatten().cloned();
    let below = matches.subcommand().map(|(_, matches)| settings(matches)).unwrap_or_default();
    here.chain(below).collect()
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as public.listen=127.0.0.1:8000".to_owned()),
    }
}

#[cfg(test)]
mod tests;
