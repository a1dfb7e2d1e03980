//! Arguments and help texts.

mod records;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    super::parse(line.split(' ').map(OsString::from), None)
}

#[test]
fn the_commands_are_consistent() {
    with_set(Cli::command()).debug_assert();
}

#[test]
fn global_options_work_before_and_after_the_command() {
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
fn wrong_usage_has_exit_code_2() {
    let code = |line: &str| parse(line).unwrap_err().exit_code();
    assert_eq!(code("vestibule no-such-command"), 2);
    assert_eq!(code("vestibule config --set public.listen"), 2);
    assert_eq!(code("vestibule --version"), 0);
}

#[test]
fn the_version_is_that_of_the_team_and_names_ours() {
    let version = |name| {
        let args = ["x", "--version"].map(OsString::from);
        super::parse(args, name).unwrap_err().to_string()
    };
    let ours = env!("CARGO_PKG_VERSION");
    assert!(version(None).starts_with(&format!("vestibule {ours} (debug build, ")), "{}", version(None));
    let notes = version(Some(("notes", "2.0.1")));
    assert!(notes.starts_with(&format!("notes 2.0.1 (vestibule {ours}, debug build, ")), "{notes}");
    assert!(notes.contains(rusqlite::version()), "{notes}");
}

/// The help of `command` and its subcommands. The options of every command are shown once.
fn help(mut command: clap::Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or("vestibule").to_owned();
    text.push_str(&format!("$ {name} --help\n{}\n", command.render_long_help()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        let below = below.clone().bin_name(format!("{name} {}", below.get_name()));
        let is_common = |arg: &Arg| arg.get_help_heading() == Some(CONFIGURATION) || arg.get_id() == "help";
        help(below.mut_args(|arg| if is_common(&arg) { arg.hide(true) } else { arg }), text);
    }
}

#[test]
fn help_texts_match_their_snapshot() {
    // As where the output is no terminal.
    let mut command = with_set(Cli::command()).term_width(100);
    command.build();
    let mut text = String::new();
    help(command, &mut text);
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    if text.trim_end() != include_str!("help.txt").trim_end() {
        let new = concat!(env!("CARGO_MANIFEST_DIR"), "/target/help.txt");
        std::fs::write(new, &text).unwrap();
        panic!("the help texts changed: read {new}, then copy it to src/cli/tests/help.txt");
    }
}

#[test]
fn every_command_and_option_has_a_description() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{} {} has no description", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    check(&with_set(Cli::command()));
}
