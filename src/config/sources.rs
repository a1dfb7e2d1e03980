//! The layers of the configuration, and the order in which they win.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::layers::{Layers, Origin, keyword_section, literal};
use super::{DEVELOPMENT, PRODUCTION, TenantSettings};

/// `config/default.toml`.
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// `config/development.toml`, for folders without one.
const SAMPLE: &str = include_str!("../../config/development.toml");

/// The prefix of our environment variables.
const PREFIX: &str = "VESTIBULE_";

/// Variables with our prefix that are not settings: the profile, and what tests read.
const NOT_SETTINGS: [&str; 3] = ["PROFILE", "VECTORS", "OPENAPI"];

/// Where to read the configuration from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--profile`.
    pub profile: Option<String>,
    /// The profile when neither `--profile` nor `VESTIBULE_PROFILE` names one.
    pub default_profile: String,
    /// `--config`: the folder of `<profile>.toml`. By default `config`, which need not exist.
    pub dir: Option<PathBuf>,
    /// Environment variables; those without our prefix are ignored.
    pub env: Vec<(String, String)>,
    /// systemd's `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// `--set`, in order.
    pub flags: Vec<(String, String)>,
    /// Values set by the command itself; they win over all else.
    pub overrides: Vec<(String, String)>,
    /// Whether the command runs the embedded dev tenant, so that its address (`tenant.http`) is the issuer. In the
    /// `development` profile it is the issuer for other commands too, unless another is configured. With port 0 the
    /// issuer has port 0 too, until the port is bound.
    pub tenant: bool,
}

impl Sources {
    /// The defaults and `config/<profile>.toml`, without flags or environment.
    pub fn new(profile: &str) -> Self {
        Self { default_profile: profile.to_owned(), ..Self::default() }
    }

    /// Adds the variables of this process's environment that have our prefix.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    pub fn with_environment(mut self) -> Self {
        self.env = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        self.env.sort();
        self.credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        self
    }

    /// Sets a key, whatever other layers say.
    pub fn with_override(mut self, key: &str, value: impl Into<String>) -> Self {
        self.overrides.push((key.to_owned(), value.into()));
        self
    }

    /// The profile to read.
    pub(super) fn profile(&self) -> String {
        self.named().unwrap_or(&self.default_profile).to_owned()
    }

    /// The profile that the user named, if any.
    pub(super) fn named(&self) -> Option<&str> {
        let from_env =
            || self.env.iter().find(|(name, value)| name == "VESTIBULE_PROFILE" && !value.is_empty());
        self.profile.as_ref().or_else(|| from_env().map(|(_, value)| value)).map(String::as_str)
    }

    /// Merges all layers.
    pub(super) fn merge(&self, profile: &str) -> Layers {
        let defaults = parse(DEFAULTS);
        let mut layers = Layers::new(defaults.clone().unwrap_or_default());
        if let Err(what) = defaults {
            not_toml(&mut layers, "default.toml", &what);
        }
        if let Some((origin, dict)) = self.read_file(profile, &mut layers) {
            layers.merge(&origin, dict);
        }
        for (name, value) in &self.env {
            let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| !is_foreign(rest)) else { continue };
            merge_text(&mut layers, Origin::Env(name.clone()), &key_of_variable(rest), value);
        }
        for (key, value) in &self.flags {
            merge_text(&mut layers, Origin::Flag(key.clone()), key, value);
        }
        let unset = layers.text("auth0.issuer").is_some_and(str::is_empty);
        if self.tenant || (profile == DEVELOPMENT && unset) {
            // The issuer is the dev tenant, at the address where it listens.
            let text = |key| layers.text(key).unwrap_or_default().to_owned();
            let (set, http) = (text("tenant.issuer"), text("tenant.http"));
            let (issuer, origin) = if set.is_empty() {
                (TenantSettings::default_issuer(&http), "the dev tenant's address, tenant.http")
            } else {
                (set, "the dev tenant's issuer, tenant.issuer")
            };
            // The tenant's first start makes the file.
            let ca_file = TenantSettings::ca_file(Path::new(&text("tenant.data")));
            let is_needed = issuer.starts_with("https://") && ca_file.exists();
            let ca_file = is_needed.then(|| ("auth0.ca_file", ca_file.display().to_string()));
            let settings = [("auth0.issuer", issuer), ("auth0.jwks_uri", String::new())];
            for (key, value) in settings.into_iter().chain(ca_file) {
                merge_text(&mut layers, Origin::Command(origin), key, &value);
            }
        }
        for (key, value) in &self.overrides {
            merge_text(&mut layers, Origin::Command("the command"), key, value);
        }
        layers
    }

    /// Reads `<dir>/<profile>.toml`. A folder given with `--config` must exist; the file is optional. Without both, the
    /// executable has a development profile of its own.
    fn read_file(&self, profile: &str, layers: &mut Layers) -> Option<(Origin, Dict)> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if profile.is_empty() || !profile.chars().all(allowed) {
            let what = "is not a name of letters, digits, `-` and `_`";
            bad_profile(layers, what, "name a profile, such as `development` or `production`");
            return None;
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("config"));
        if self.dir.is_some() && !dir.is_dir() {
            let what = format!("`{}` is not a folder", dir.display());
            let fix = "give the folder with the profiles' files";
            layers.report_unread("--config", "flag", what, fix);
            return None;
        }
        let path = dir.join(format!("{profile}.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // These two need no file; any other profile is defined by its file.
                let needs_file = self.named().is_some() && ![DEVELOPMENT, PRODUCTION].contains(&profile);
                let near = nearest_file(dir, profile);
                if needs_file || near.is_some() {
                    let what = format!("is `{profile}`, and there is no file {}", path.display());
                    let fix = match near {
                        Some(near) => {
                            format!("there is a {near}.toml: rename it, or name the profile `{near}`")
                        }
                        None => "create that file, or name a profile that has one".to_owned(),
                    };
                    bad_profile(layers, what, &fix);
                }
                // `dev` needs no file at all.
                let is_embedded = profile == DEVELOPMENT && self.dir.is_none();
                return if is_embedded { Some((Origin::Embedded, parse(SAMPLE).ok()?)) } else { None };
            }
            Err(error) => {
                let (path, what) = (path.display().to_string(), format!("cannot be read: {error}"));
                let fix = "make it readable for this user, or remove it";
                layers.report_unread(path, "file", what, fix);
                return None;
            }
        };
        let parsed = parse(&text).map_err(|what| not_toml(layers, &path.display().to_string(), &what));
        parsed.ok().map(|dict| (Origin::File(path), dict))
    }
}

/// The profile with a file in `dir` whose name is almost `profile`: one of the two is misspelt. Not between the two
/// profiles that have a meaning of their own, and not a numbered one.
fn nearest_file(dir: &Path, profile: &str) -> Option<String> {
    let distance = |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &profile.to_lowercase());
    let files = std::fs::read_dir(dir).ok()?.flatten().map(|file| file.path());
    let names = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let names = names.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
    names
        .filter(|name| distance(name) <= 2 && !name.ends_with(|c: char| c.is_ascii_digit()))
        .min_by_key(|name| distance(name))
}

/// `AUTH0__CLIENT_ID` → `auth0.client_id`. A keyword of a bundle keeps its case.
fn key_of_variable(rest: &str) -> String {
    let key = rest.replace("__", ".");
    let (section, keyword) = key.split_at(keyword_section(&key).unwrap_or(key.len()));
    section.to_ascii_lowercase() + keyword
}

/// The environment variable of a key.
pub fn variable(key: &str) -> String {
    let (section, keyword) = key.split_at(keyword_section(key).unwrap_or(key.len()));
    format!("{PREFIX}{}{keyword}", section.to_ascii_uppercase()).replace('.', "__")
}

/// Whether a variable is not a setting. For a service called `vestibule`, Kubernetes sets `VESTIBULE_PORT…` and
/// `VESTIBULE_SERVICE_…` in every pod; our keys all have a section, and so two underscores.
fn is_foreign(rest: &str) -> bool {
    let of_kubernetes = rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
    NOT_SETTINGS.contains(&rest) || (of_kubernetes && !rest.contains("__"))
}

/// Parses a file. The error has the line's number but not its text, which may contain a secret.
fn parse(text: &str) -> Result<Dict, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, error.message().replace('\n', ", "))
    })
}

fn bad_profile(layers: &mut Layers, what: impl Into<String>, fix: &str) {
    layers.report_unread("profile", "--profile or VESTIBULE_PROFILE", what, fix);
}

fn not_toml(layers: &mut Layers, path: &str, what: &str) {
    let fix = "correct that line; `config/default.toml` shows how each key is written";
    layers.report_unread(path, "file", format!("is not TOML: {what}"), fix);
}

/// Merges one key. The value stays text; where its key needs another type, `resolve` parses it as TOML.
fn merge_text(layers: &mut Layers, origin: Origin, key: &str, text: &str) {
    if key.split('.').any(str::is_empty) || text.contains('\u{fffd}') {
        let fix = "write it like `VESTIBULE_PUBLIC__LISTEN=…` or `--set public.listen=…`";
        return layers.report(key, origin, "is not a key, or its value is not UTF-8", fix);
    }
    // A whole section can be given as an inline table.
    let table = text.starts_with('{').then(|| literal(text)).flatten().and_then(Value::into_dict);
    let value = match table {
        Some(dict) if layers.is_section(key) => Value::from(dict),
        _ => Value::from(text),
    };
    if let Some(dict) = figment::util::nest(key, value).into_dict() {
        layers.merge(&origin, dict);
    }
}
