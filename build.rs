//! Names the commit in `vestibule --version`. Only in release builds: a debug build would compile anew at each commit.

use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "cargo gives build scripts their input so")]
fn main() {
    let env = |name| std::env::var(name).unwrap_or_default();
    let is_release = env("PROFILE") == "release";
    let commit = is_release.then(|| git(&["rev-parse", "--short=12", "HEAD"])).flatten();
    if let Some(log) = commit.as_ref().and_then(|_| git(&["rev-parse", "--git-path", "logs/HEAD"])) {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let build = if is_release { "unknown commit" } else { "debug build" };
    println!(
        "cargo::rustc-env=BUILD={}",
        commit.map_or(build.to_owned(), |commit| format!("commit {commit}"))
    );
    println!("cargo::rustc-env=TARGET={}", env("TARGET"));
}

/// The first line of git's output; `None` without git or a repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|line| !line.is_empty())
}
