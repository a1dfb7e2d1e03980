//! What people type: the commands, one file each.
//!
//! Owns arguments, printing and exit codes. Leans on `config`, `app` and what a command needs. Never handles requests.
//!
//! A command's file has its `Args` and a `run`; here it gets a line in `Command` and one in [`run`].

mod dev;
mod demo;
mod serve;
mod token;
mod explain;
mod config;
mod migrate;
mod backup;
mod restore;
mod check;
mod users;
mod audit;
mod schema;

mod signals;
mod out;
mod pages;
mod exit;
pub mod http_client;
mod frontend;

pub use exit::{exit_code, print_error};

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::Vestibule;
use crate::config::Sources;
use crate::script;

/// The hall between Auth0 and your two GraphQL APIs: one executable, SQLite inside.
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
    /// Opens the dev tenant and both doors on this machine, seeded, with people to log in as.
    Dev,
    /// Walks the seven steps and tells what goes over the wire; fails if one of them does not hold.
    Demo(demo::Args),
    /// Opens both doors in front of a tenant and serves until told to stop (Ctrl-C or SIGTERM). SIGHUP fetches
    /// the signing keys at once.
    Serve,
    /// Prints an access token, from a running dev tenant or by a machine's own credentials.
    Token(token::Args),
    /// Tells what a door makes of a token, stage by stage, and what to do about it.
    Explain(explain::Args),
    /// Shows the configuration in force, and where each value comes from.
    Config(config::Args),
    /// Brings the database to the schema this executable knows.
    Migrate,
    /// Copies the database while servers go on, with a checksum.
    Backup(backup::Args),
    /// Puts a backup in the place of the database; refuses while a server runs on it, and what is damaged.
    Restore(restore::Args),
    /// Tells whether the database is sound: pages, constraints, references, audit trail (exit code 65 if not).
    Check(check::Args),
    /// The people in the database.
    #[command(subcommand)]
    Users(users::Command),
    /// UserRef changed what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Print a door's GraphQL schema as SDL.
    Schema(schema::Args),
    /// A process that scripts run in; started by `vestibule` itself.
    #[command(hide = true)]
    ScriptWorker,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The profile, and so which NAME.toml is read [env: VESTIBULE_PROFILE] [default: the command's].
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// The folder of the profiles' files [default: config].
    #[arg(long = "config", id = "dir", global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// `--set`, in order; see [`parse`].
    #[arg(skip)]
    set: Vec<(String, String)>,
}

/// The whole executable: every command, with `vestibule` behind the doors. Gives the exit code; what went wrong is on
/// standard error.
///
/// A team's own `main` is this call with a [`Vestibule`] of theirs.
pub fn main(vestibule: Vestibule) -> ExitCode {
    match run(std::env::args_os(), vestibule) {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            exit_code(&error)
        }
    }
}

/// Runs what `args` (the program's name first) ask for.
///
/// # Errors
/// Whatever the command failed with. [`print_error`] and [`exit_code`] know what to make of it.
pub fn run(args: impl IntoIterator<Item = OsString>, vestibule: Vestibule) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = parse(args)?;
    match command {
        Command::Dev => dev::run(&global, vestibule)?,
        Command::Demo(args) => demo::run(&global, &args)?,
        Command::Serve => serve::run(&global, vestibule)?,
        Command::Token(args) => token::run(&global, &args)?,
        Command::Explain(args) => return explain::run(&global, &args),
        Command::Config(args) => config::run(&global, &args)?,
        Command::Migrate => migrate::run(&global)?,
        Command::Backup(args) => backup::run(&global, &args)?,
        Command::Restore(args) => restore::run(&global, &args)?,
        Command::Check(args) => return check::run(&global, &args),
        Command::Users(command) => return users::run(&global, &command),
        Command::Audit(command) => return audit::run(&global, &command),
        Command::Schema(args) => schema::run(&args, &vestibule)?,
        Command::ScriptWorker => return Ok(script::worker_main()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Global {
    /// Where the configuration is read from; `default_profile` when nobody names one.
    fn sources(&self, default_profile: &str) -> Sources {
        Sources {
            profile: self.profile.clone(),
            dir: self.dir.clone(),
            flags: self.set.clone(),
            ..Sources::new(default_profile).with_environment()
        }
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches = with_set(Cli::command()).try_get_matches_from(args)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.global.set = settings(&matches);
    Ok(cli)
}

/// Gives `--set` to a command and all below it. clap's own `global` would forget what stands before a subcommand
/// when more stands after it: a setting that is silently not in force.
fn with_set(command: clap::Command) -> clap::Command {
    let set = Arg::new("set")
        .long("set")
        .value_name("KEY=VALUE")
        .help("Sets one key, such as `public.listen=127.0.0.1:8000`; may be repeated")
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
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        super::parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn verify_cli() {
        with_set(Cli::command()).debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "vestibule --profile p --config d --set a.b=c=d config",
            "vestibule config --set a.b=c=d --config d --profile p",
        ] {
            let sources = parse(line).unwrap().global.sources("production");
            assert_eq!(sources.profile.as_deref(), Some("p"));
            assert_eq!(sources.dir, Some(PathBuf::from("d")));
            assert_eq!(sources.flags, [("a.b".to_owned(), "c=d".to_owned())]);
        }
    }

    #[test]
    fn settings_before_and_after_the_command_add_up() {
        let global = parse("vestibule --set a=1 config --set b=2 --set c=3").unwrap().global;
        let keys: Vec<&str> = global.set.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "c"]);
    }

    #[test]
    fn wrong_use_is_told_apart() {
        let code = |line: &str| parse(line).unwrap_err().exit_code();
        assert_eq!(code("vestibule fly"), 2);
        assert_eq!(code("vestibule config --set public.listen"), 2);
        assert_eq!(code("vestibule --version"), 0);
    }
}
