//! The `git` program, started without a shell, hooks, configuration, credential helpers, redirects or any protocol but the
//! configured one, and killed at its limits.
//!
//! The program instead of a library: what a hostile server sends is then parsed in another process, which is patched with
//! the system and can be killed at any moment, and not in the one that holds the tenants' secrets.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::error::ForgeError;
use super::settings::ForgeSettings;

/// How long one command may run.
const TIME_MAX: Duration = Duration::from_secs(60);
/// How many bytes a repository may take on the disk.
const REPOSITORY_MAX: u64 = 128 * 1024 * 1024;
/// How often that is measured.
const MEASURE_INTERVAL: Duration = Duration::from_millis(50);
/// How much of an error message is kept.
const MESSAGE_MAX: usize = 2000;
/// The environment of git, in place of that of this process: where programs are, and no configuration but ours.
pub const GIT_ENVIRONMENT: [(&str, &str); 12] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin"),
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_LITERAL_PATHSPECS", "1"),
];
/// The first file descriptor after the three standard ones.
const FIRST_OTHER: i32 = 3;

/// How git reaches one repository.
#[derive(Debug, Clone)]
pub(super) struct Git {
    /// Environment variables with the whole configuration: nothing of it can be seen in the list of processes.
    environment: Vec<(String, String)>,
}

/// What a command may use.
pub(super) struct Input<'a> {
    /// The folder it runs in. Its size is limited.
    pub(super) folder: &'a Path,
    pub(super) args: &'a [&'a str],
    pub(super) stdin: Vec<u8>,
    /// The most bytes of its output.
    pub(super) output_max: usize,
}

impl Git {
    /// For the forge's repository, which `https` reaches, or `http` if its address is one.
    pub(super) fn remote(settings: &ForgeSettings) -> Self {
        let scheme = if settings.url.starts_with("http://") { "http" } else { "https" };
        let mut config: Vec<(String, String)> = [
            (format!("protocol.{scheme}.allow"), "always".to_owned()),
            ("http.userAgent".to_owned(), "vestibule".to_owned()),
        ]
        .into();
        if let Some(token) = &settings.clone_token {
            let user = settings.clone_user.as_deref().unwrap_or("vestibule");
            let credentials = STANDARD.encode(format!("{user}:{}", token.expose()));
            let url = settings.url.trim_end_matches('/');
            config.push((format!("http.{url}/.extraHeader"), format!("Authorization: Basic {credentials}")));
        }
        if let Some(path) = &settings.ca_file {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            config.push(("http.sslCAInfo".to_owned(), path.display().to_string()));
        }
        Self::with_config(&config)
    }

    /// For a checkout on this machine, of any owner. Nothing is fetched.
    pub(super) fn local(folder: &Path) -> Self {
        Self::with_config(&[("safe.directory".to_owned(), folder.display().to_string())])
    }

    fn with_config(more: &[(String, String)]) -> Self {
        const CONFIG: [(&str, &str); 14] = [
            ("protocol.allow", "never"),
            ("http.followRedirects", "false"),
            ("http.proxy", ""),
            // Less than 1,000 bytes a second for ten seconds end a transfer.
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "10"),
            ("credential.helper", ""),
            ("core.askPass", ""),
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("submodule.recurse", "false"),
            // Packs are kept as they are: a file for each object would be more than is measured in time.
            ("transfer.unpackLimit", "1"),
            ("transfer.bundleURI", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ];
        let config = CONFIG.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config: Vec<_> = config.chain(more.iter().cloned()).collect();
        let mut environment: Vec<_> =
            GIT_ENVIRONMENT.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.push(("GIT_CONFIG_COUNT".to_owned(), config.len().to_string()));
        for (number, (key, value)) in config.into_iter().enumerate() {
            environment.push((format!("GIT_CONFIG_KEY_{number}"), key));
            environment.push((format!("GIT_CONFIG_VALUE_{number}"), value));
        }
        Self { environment }
    }

    /// The output of a command that must succeed.
    pub(super) async fn output(&self, input: Input<'_>) -> Result<Vec<u8>, ForgeError> {
        let is_command = |arg: &&&str| !arg.starts_with('-') && !arg.contains('/');
        let what = input.args.iter().find(is_command).map(|arg| (*arg).to_owned()).unwrap_or_default();
        let (status, output, message) = self.run(input).await?;
        if status.success() { Ok(output) } else { Err(ForgeError::Git { what, message }) }
    }

    async fn run(&self, input: Input<'_>) -> Result<(ExitStatus, Vec<u8>, String), ForgeError> {
        // As for script workers: descriptors that our parent left open must not reach the child.
        close_fds::set_fds_cloexec_threadsafe(FIRST_OTHER, &[]);
        let mut child = Command::new("git")
            .args(input.args)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(input.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(ForgeError::NoGit)?;
        let mut group = Group(child.id());
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(ForgeError::NoGit(std::io::Error::other("it has no pipes")));
        };
        let write = async move {
            // It fails when git ends before it has read everything; its exit code shows why.
            drop(stdin.write_all(&input.stdin).await);
        };
        let work = async {
            let (output, message, ()) =
                tokio::join!(read(stdout, input.output_max), read(stderr, 1 << 20), write);
            let (output, message) = (output?, message?);
            let status = child.wait().await.map_err(ForgeError::Files)?;
            let message: String = String::from_utf8_lossy(&message).chars().take(MESSAGE_MAX).collect();
            Ok((status, output, message.replace(char::is_control, " ").trim().to_owned()))
        };
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(TIME_MAX, work) => outcome.unwrap_or(Err(ForgeError::TooSlow(TIME_MAX.as_secs()))),
            () = grows_too_large(input.folder.to_owned()) => Err(ForgeError::TooLarge("the repository takes over 128 MiB")),
        };
        if outcome.is_ok() {
            group.0 = None;
        }
        outcome
    }
}

/// A process group that is killed when this is dropped before its work is done: git runs helpers that would outlive it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It fails when all of them have ended.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

async fn read(from: impl AsyncRead + Unpin, max: usize) -> Result<Vec<u8>, ForgeError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(&mut bytes).await.map_err(ForgeError::Files)?;
    if bytes.len() > max { Err(ForgeError::TooLarge("git writes more than was expected")) } else { Ok(bytes) }
}

/// Ends when the folder takes more than [`REPOSITORY_MAX`].
async fn grows_too_large(folder: PathBuf) {
    while size(&folder) <= REPOSITORY_MAX {
        tokio::time::sleep(MEASURE_INTERVAL).await;
    }
}

/// The bytes of all files in a folder. What vanishes meanwhile counts as nothing.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .fold(0, u64::saturating_add)
}
