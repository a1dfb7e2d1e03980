//! Where settings come from: the layers of what was written, in the order they win.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::problem::Diagnostic;
use super::written::{Origin, Written, literal};
use super::{DEVELOPMENT, PRODUCTION};

/// `config/default.toml`.
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What a variable of ours begins with.
const PREFIX: &str = "VESTIBULE_";

/// Variables of ours that are not settings: the profile, and a test's folder of sample tokens.
const NOT_SETTINGS: [&str; 2] = ["PROFILE", "VECTORS"];

/// Where to read from. [`Sources::new`] reads nothing but files; tests need no environment.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `--profile`.
    pub profile: Option<String>,
    /// The profile when neither `--profile` nor `VESTIBULE_PROFILE` names one.
    pub default_profile: String,
    /// `--config`: the folder of `<profile>.toml`. By default `config`, which need not exist.
    pub dir: Option<PathBuf>,
    /// The environment; variables that are not ours are ignored.
    pub env: Vec<(String, String)>,
    /// The folder of systemd's credentials (`CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// `--set`, in order.
    pub flags: Vec<(String, String)>,
    /// What the command itself decides; wins over all else.
    pub overrides: Vec<(String, String)>,
    /// Whether the command runs the embedded dev tenant, so that its address (`tenant.http`) is the issuer. In
    /// development it is that for the other commands too, as long as nobody names another.
    /// With port 0 the issuer has port 0 too: who binds it corrects it.
    pub tenant: bool,
}

impl Sources {
    /// The defaults and `config/<profile>.toml`, without flags or environment.
    pub fn new(profile: &str) -> Self {
        Self {
            profile: None,
            default_profile: profile.to_owned(),
            dir: None,
            env: Vec::new(),
            credentials: None,
            flags: Vec::new(),
            overrides: Vec::new(),
            tenant: false,
        }
    }

    /// Takes in the process's environment, as far as it is ours.
    #[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
    pub fn with_environment(mut self) -> Self {
        self.env = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        self.env.sort();
        self.credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        self
    }

    /// Decides a key, whatever was written.
    pub fn with_override(mut self, key: &str, value: impl Into<String>) -> Self {
        self.overrides.push((key.to_owned(), value.into()));
        self
    }

    /// The profile these sources ask for.
    pub(super) fn profile(&self) -> String {
        self.named().unwrap_or(&self.default_profile).to_owned()
    }

    /// The profile that somebody named, if anybody did.
    pub(super) fn named(&self) -> Option<&str> {
        let from_env =
            || self.env.iter().find(|(name, value)| name == "VESTIBULE_PROFILE" && !value.is_empty());
        self.profile.as_ref().or_else(|| from_env().map(|(_, value)| value)).map(String::as_str)
    }

    /// Lays the layers one over the other.
    pub(super) fn write(&self, profile: &str) -> (Written, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let defaults = match parse(DEFAULTS) {
            Ok(dict) => dict,
            Err(what) => {
                problems.push(not_toml("default.toml", what));
                Dict::new()
            }
        };
        let mut written = Written::new(defaults);
        if let Some((path, dict)) = self.file(profile, &mut problems) {
            written.lay(Origin::file(&path), dict, &mut problems);
        }
        for (name, value) in &self.env {
            let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| !is_foreign(rest)) else { continue };
            let key = key_of_variable(rest);
            written.lay_text(Origin::env(name), &key, value, &mut problems);
        }
        for (key, value) in &self.flags {
            written.lay_text(Origin::flag(key), key, value, &mut problems);
        }
        let unsaid = written.text("auth0.issuer").is_some_and(str::is_empty);
        if self.tenant || (profile == DEVELOPMENT && unsaid) {
            trust_the_tenant(&mut written, &mut problems);
        }
        for (key, value) in &self.overrides {
            written.lay_text(Origin::command(), key, value, &mut problems);
        }
        (written, problems)
    }

    /// Reads `<dir>/<profile>.toml`. A folder that was named must exist; the file need not.
    fn file(&self, profile: &str, problems: &mut Vec<Diagnostic>) -> Option<(PathBuf, Dict)> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if profile.is_empty() || !profile.chars().all(plain) {
            problems.push(Diagnostic {
                key: "profile".to_owned(),
                source: "--profile or VESTIBULE_PROFILE".to_owned(),
                what: "is not a name of letters, digits, `-` and `_`".to_owned(),
                fix: "name a profile, such as `development` or `production`".to_owned(),
            });
            return None;
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("config"));
        if self.dir.is_some() && !dir.is_dir() {
            problems.push(Diagnostic {
                key: "--config".to_owned(),
                source: "flag".to_owned(),
                what: format!("`{}` is not a folder", dir.display()),
                fix: "name the folder that holds the profiles' files".to_owned(),
            });
            return None;
        }
        let path = dir.join(format!("{profile}.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Those two mean something by themselves; any other name is what its file says.
                if self.named().is_some() && ![DEVELOPMENT, PRODUCTION].contains(&profile) {
                    problems.push(Diagnostic {
                        key: "profile".to_owned(),
                        source: "--profile or VESTIBULE_PROFILE".to_owned(),
                        what: format!("is `{profile}`, and there is no file {}", path.display()),
                        fix: "write that file, or name a profile that has one".to_owned(),
                    });
                }
                return None;
            }
            Err(error) => {
                problems.push(Diagnostic {
                    key: path.display().to_string(),
                    source: "file".to_owned(),
                    what: format!("can not be read: {error}"),
                    fix: "let this user read it, or remove it".to_owned(),
                });
                return None;
            }
        };
        match parse(&text) {
            Ok(dict) => Some((path, dict)),
            Err(what) => {
                problems.push(not_toml(&path.display().to_string(), what));
                None
            }
        }
    }
}

/// Makes the embedded tenant the issuer, wherever it listens.
fn trust_the_tenant(written: &mut Written, problems: &mut Vec<Diagnostic>) {
    let http = written.text("tenant.http").unwrap_or_default().to_owned();
    written.lay_text(Origin::tenant(), "auth0.issuer", &format!("http://{http}/"), problems);
    written.lay_text(Origin::tenant(), "auth0.jwks_uri", "", problems);
}

/// `VESTIBULE_AUTH0__CLIENT_ID` → `auth0.client_id`. A keyword of the bundle keeps its case.
fn key_of_variable(rest: &str) -> String {
    let key = rest.replace("__", ".");
    match key.get(..KEYWORDS.len()) {
        Some(start) if start.eq_ignore_ascii_case(KEYWORDS) => {
            format!("{KEYWORDS}{}", key.get(KEYWORDS.len()..).unwrap_or_default())
        }
        _ => key.to_ascii_lowercase(),
    }
}

const KEYWORDS: &str = "tenant.keywords.";

/// Whether a variable is not a setting. Kubernetes gives every pod `VESTIBULE_PORT…` and `VESTIBULE_SERVICE_…`
/// when a service is called `vestibule`; all of our keys have a level, and so two underscores.
fn is_foreign(rest: &str) -> bool {
    let of_kubernetes = rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
    NOT_SETTINGS.contains(&rest) || (of_kubernetes && !rest.contains("__"))
}

/// Reads a file. The error tells the place and what is wrong there, but does not quote the line: it may hold a secret.
fn parse(text: &str) -> Result<Dict, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, error.message().replace('\n', ", "))
    })
}

fn not_toml(path: &str, what: String) -> Diagnostic {
    Diagnostic {
        key: path.to_owned(),
        source: "file".to_owned(),
        what: format!("is not TOML: {what}"),
        fix: "correct that line; `config/default.toml` shows how each key is written".to_owned(),
    }
}

impl Written {
    /// Lays one key over what is there. The text stays a string here; where its key wants another type,
    /// it is read as TOML writes it (`meaning`).
    fn lay_text(&mut self, origin: Origin, key: &str, text: &str, problems: &mut Vec<Diagnostic>) {
        if key.split('.').any(str::is_empty) || text.contains('\u{fffd}') {
            problems.push(Diagnostic {
                key: key.to_owned(),
                source: origin.to_string(),
                what: "is not a key, or its value is not UTF-8".to_owned(),
                fix: "write it like `VESTIBULE_PUBLIC__LISTEN=…` or `--set public.listen=…`".to_owned(),
            });
            return;
        }
        // A whole section can be given as an inline table.
        let table = text.starts_with('{').then(|| literal(text)).flatten().and_then(Value::into_dict);
        let value = match table {
            Some(dict) if self.is_section(key) => Value::from(dict),
            _ => Value::from(text),
        };
        if let Some(dict) = figment::util::nest(key, value).into_dict() {
            self.lay(origin, dict, problems);
        }
    }
}
