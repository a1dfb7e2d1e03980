//! Which layer wins, what is refused, and that each diagnostic names the key, its source and the fix.

mod bounds;
mod forge;
mod profiles;
mod secrets;
mod targets;

use std::path::Path;
use std::time::Duration;

use super::*;

/// A minimal valid configuration for production.
fn sources() -> Sources {
    let flags = [
        ("auth0.issuer", "https://team.eu.auth0.com/"),
        ("public.audience", "https://public.team.example/"),
        ("internal.audience", "https://internal.team.example/"),
    ];
    Sources {
        dir: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("config")),
        flags: flags.map(owned).to_vec(),
        ..Sources::new(PRODUCTION)
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn with(flags: &[(&str, &str)]) -> Sources {
    let mut sources = sources();
    sources.flags.extend(flags.iter().copied().map(owned));
    sources
}

fn with_env(env: &[(&str, &str)]) -> Sources {
    Sources { env: env.iter().copied().map(owned).collect(), ..sources() }
}

fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("production.toml"), text).unwrap();
    let sources = Sources { dir: Some(dir.path().to_owned()), ..sources() };
    (dir, sources)
}

/// The problems, in order.
fn problems(sources: Sources) -> Vec<Diagnostic> {
    load(sources).unwrap_err().problems
}

/// The one problem.
#[track_caller]
fn problem(sources: Sources) -> Diagnostic {
    let mut problems = problems(sources);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

fn entry(sources: Sources, key: &str) -> Entry {
    read(sources).entries.into_iter().find(|entry| entry.key == key).unwrap()
}

#[test]
fn only_the_public_door_has_origins_and_only_valid_ones() {
    for origin in
        ["*", "null", "app.example", "https://app.example/path", "https://*.example", "ftp://app.example"]
    {
        let found = problem(with(&[("public.origins", &format!("[\"{origin}\"]"))]));
        assert_eq!(found.key, "public.origins", "{origin}");
    }
    let header = problem(with(&[("public.headers", "[\"x-ok\", \"x-bad: 1\"]")]));
    assert_eq!(header.key, "public.headers");
    let any_port = ("public.origins", "http://localhost:*");
    assert_eq!(problem(with(&[any_port])).key, "public.origins", "in development only");
    let internal = problem(with(&[("internal.origins", "[\"https://app.example\"]")]));
    assert_eq!(internal.key, "internal.origins");
    assert!(
        load(with(&[("public.origins", "[\"https://app.example\", \"http://localhost:3000\"]")])).is_ok()
    );
}

#[test]
fn the_defaults_are_those_of_default_toml() {
    let config = load(sources()).unwrap();
    assert_eq!(config.profile, "production");
    assert_eq!(config.public.listen.to_string(), "127.0.0.1:4000");
    assert_eq!(config.internal.need.to_string(), "users:read");
    assert_eq!((config.public.limits.body, config.internal.limits.body), (64 * 1024, 256 * 1024));
    assert_eq!(config.claims.leeway, Duration::from_secs(5));
    assert_eq!(config.claims.max_lifetime, Duration::from_secs(30 * 24 * 60 * 60));
    assert_eq!((config.auth0.jwks_uri, config.auth0.client_id), (None, None));
    assert!(config.roles.permissions(["admin"]).has("users:erase"));
}

#[test]
fn every_default_has_a_comment() {
    let defaults = include_str!("../../../config/default.toml");
    let mut above = "";
    // A list may take several lines.
    for line in defaults.lines().filter(|line| !line.starts_with([' ', ']'])) {
        let is_comment = |line: &str| line.starts_with("# ");
        assert!(line.is_empty() || is_comment(line) || is_comment(above), "no comment above `{line}`");
        above = line;
    }
}

#[test]
fn the_development_profile_needs_nothing_else() {
    let config =
        load(Sources { flags: Vec::new(), ..Sources { default_profile: DEVELOPMENT.into(), ..sources() } });
    let config = config.unwrap();
    assert_eq!(config.auth0.issuer, "http://localhost:4002/");
    assert_eq!(config.tenant.keywords["SIGNUP_URL"], "");
    // The client is one of the bundle that the dev tenant serves.
    let client = include_str!("../../../fixtures/tenant/clients/vestibule.json");
    let client: serde_json::Value = serde_json::from_str(client).unwrap();
    assert_eq!(client["client_id"], config.auth0.client_id.unwrap());
    assert_eq!(client["client_secret"], config.auth0.client_secret.unwrap().expose());
}

#[test]
fn later_layers_win_and_are_named_as_the_source() {
    let (_dir, mut sources) = with_file("[pool]\nthreads = 2\nqueue = 3\n[http]\nconnections = 9");
    sources.env = vec![owned(("VESTIBULE_POOL__QUEUE", "5")), owned(("VESTIBULE_HTTP__CONNECTIONS", "6"))];
    sources.flags.push(owned(("http.connections", "7")));
    sources = sources.with_override("store.path", "elsewhere.db");
    let config = load(sources.clone()).unwrap();
    assert_eq!((config.pool.threads, config.pool.queue, config.http.connections), (2, 5, 7));
    assert_eq!(config.store.path, Path::new("elsewhere.db"));
    let origin = |key| entry(sources.clone(), key).origin.to_string();
    assert!(origin("pool.threads").starts_with("file /"), "{}", origin("pool.threads"));
    assert_eq!(origin("pool.queue"), "env VESTIBULE_POOL__QUEUE");
    assert_eq!(origin("http.connections"), "--set http.connections");
    assert_eq!(origin("store.path"), "the command");
    assert_eq!(origin("store.readers"), "default");
}

#[test]
fn a_list_is_accepted_as_people_type_it() {
    let origins = |text: &str| load(with(&[("public.origins", text)])).map(|config| config.public.origins);
    let expected = ["http://a.example", "http://b.example"].map(str::to_owned);
    for text in ["http://a.example,http://b.example", " http://a.example , http://b.example,"] {
        assert_eq!(origins(text).unwrap(), expected, "{text}");
    }
    let need =
        load(with_env(&[("VESTIBULE_INTERNAL__NEED", "users:read,audit:read")])).unwrap().internal.need;
    assert_eq!(need.to_string(), "audit:read users:read");
}

#[test]
fn the_fix_of_a_list_is_the_value_as_it_should_be_written() {
    let (_dir, in_file) = with_file("public.origins = \"http://a.example\"");
    for (sources, list) in [
        (in_file, "[\"http://a.example\"]"),
        (with(&[("public.origins", "[http://a.example, b]")]), "[\"http://a.example\",\"b\"]"),
    ] {
        let found = problem(sources);
        assert_eq!(found.fix, format!("write it like `origins = {list}`, or remove it"));
    }
}

#[test]
fn a_variable_with_one_underscore_is_given_its_name() {
    let found = problem(with_env(&[("VESTIBULE_PUBLIC_LISTEN", "127.0.0.1:1")]));
    assert!(found.fix.starts_with("write VESTIBULE_PUBLIC__LISTEN, with two underscores"), "{found}");
}

#[test]
fn placeholders_of_examples_are_refused() {
    for (key, value) in [
        ("auth0.issuer", "https://TENANT.eu.auth0.com/"),
        ("auth0.issuer", "https://YOUR-TENANT.eu.auth0.com/"),
        ("public.audience", "https://…/"),
        ("auth0.client_id", "YOUR_CLIENT_ID"),
    ] {
        let found = problems(with(&[(key, value)]));
        let placeholder = found.iter().find(|found| found.key == key).unwrap();
        assert_eq!(placeholder.what, "is the placeholder of an example", "{value}");
    }
}

#[test]
fn a_certificate_file_that_is_missing_is_reported() {
    let found = problem(with(&[("auth0.ca_file", "/no/such/ca.pem")]));
    assert_eq!(found.key, "auth0.ca_file");
}

#[test]
fn text_is_parsed_as_the_type_of_its_key() {
    let config = load(with_env(&[
        ("VESTIBULE_AUTH0__CLIENT_ID", "12345"),
        ("VESTIBULE_AUTH0__CLIENT_SECRET", "[\"true\"]"),
        ("VESTIBULE_PUBLIC__ANONYMOUS", "true"),
        ("VESTIBULE_INTERNAL__NEED", "[\"users:read\", \"audit:read\"]"),
        ("VESTIBULE_SCRIPT__MEMORY_MIB", "32"),
        ("VESTIBULE_ROLES__AUDITOR", "[\"audit:read\"]"),
        ("VESTIBULE_TENANT__KEYWORDS__Signup_URL", "1.5"),
        ("VESTIBULE_LINK", "{ email = \"never\" }"),
        ("VESTIBULE_AUTH0__ALSO", "[{ issuer = \"https://other.eu.auth0.com/\" }]"),
    ]))
    .unwrap();
    assert_eq!(config.auth0.client_id.as_deref(), Some("12345"));
    assert_eq!(config.auth0.client_secret.unwrap().expose(), "[\"true\"]");
    assert!(config.public.anonymous);
    assert_eq!(config.internal.need.to_string(), "audit:read users:read");
    assert_eq!(config.script.memory_mib, 32);
    assert!(config.roles.permissions(["auditor"]).has("audit:read"));
    assert_eq!(config.tenant.keywords["Signup_URL"], "1.5");
    assert_eq!(format!("{:?}", config.link.email), "Never");
    assert_eq!(config.auth0.also[0].issuer, "https://other.eu.auth0.com/");
}

#[test]
fn unrelated_variables_are_ignored() {
    let env = [
        "VESTIBULE_VECTORS",
        "VESTIBULE_PORT",
        "VESTIBULE_PORT_80_TCP_ADDR",
        "VESTIBULE_SERVICE_HOST",
        "HOME",
    ];
    assert!(load(with_env(&env.map(|name| (name, "tcp://10.0.0.1:80")))).is_ok());
}

#[test]
fn a_mistyped_key_is_refused_with_its_source_and_the_nearest_key() {
    for (name, key, near) in [
        ("VESTIBULE_PUBLIC__LISTN", "public.listn", "`public.listen`?"),
        ("VESTIBULE_AUDIENCE", "audience", "`internal.audience` or `public.audience`?"),
        ("VESTIBULE_PUBLIK__LISTEN", "publik", "`public`?"),
        ("VESTIBULE_STORE__THREADS", "store.threads", "`pool.threads`?"),
    ] {
        let problem = problem(with_env(&[(name, "x")]));
        assert_eq!((problem.key.as_str(), problem.source), (key, format!("env {name}")));
        assert!(problem.fix.ends_with(near), "{}", problem.fix);
    }
}

#[test]
fn a_wrong_type_is_refused_with_an_example() {
    for (key, value, what) in [
        ("pool.threads", "many", "is text, expected a whole number"),
        ("public.listen", "", "is not set"),
        ("pool.threads", "-1", "is a negative number, expected a whole number"),
        ("public.anonymous", "yes", "is text, expected true or false"),
        ("internal.need", "[users:read", "is text, expected a list"),
        ("public.listen", "localhost:4000", "cannot be read: invalid socket address syntax"),
        ("link.email", "always", "is not one of `verified`, `never`"),
        ("pool", "4", "is a section and cannot be given a value"),
    ] {
        let problem = problem(with(&[(key, value)]));
        assert_eq!((problem.key.as_str(), problem.source), (key, format!("--set {key}")));
        assert_eq!(problem.what, what);
    }
    assert_eq!(problem(with(&[("pool.threads", "x")])).fix, "write it like `threads = 4`, or remove it");
}

#[test]
fn all_problems_are_reported_at_once() {
    let (_dir, mut sources) =
        with_file("[public]\nlisten = 4000\ncolour = \"red\"\n[claims]\nleeway = \"2m\"\n[nothing]");
    sources.flags.retain(|(key, _)| key != "auth0.issuer");
    let mut keys: Vec<String> = problems(sources).into_iter().map(|problem| problem.key).collect();
    keys.sort();
    assert_eq!(keys, ["auth0.issuer", "claims.leeway", "nothing", "public.colour", "public.listen"]);
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line_but_not_its_text() {
    let (_dir, sources) = with_file("[auth0]\nclient_secret = \"hunter2\n");
    let problem = problem(sources);
    assert!(problem.key.ends_with("production.toml"));
    assert!(problem.what.starts_with("is not TOML: line 2: "), "{}", problem.what);
    assert!(!problem.to_string().contains("hunter2"));
}

#[test]
fn the_config_folder_must_exist() {
    let missing = Sources { dir: Some("/nowhere/at/all".into()), ..sources() };
    assert_eq!(problem(missing).key, "--config");
}

#[test]
fn contradictions_are_refused() {
    let id = [("auth0.client_id", "https://public.team.example/"), ("auth0.client_secret", "s")];
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("internal.listen", &[("public.listen", "0.0.0.0:4001")]),
        ("internal.audience", &[("internal.audience", "https://public.team.example/")]),
        ("public.audience", &id),
        ("public.audience", &[("public.audience", "https://team.eu.auth0.com/api/v2/")]),
        ("claims.leeway", &[("claims.leeway", "61s")]),
        ("claims.keys_max_age", &[("claims.keys_max_age", "0s")]),
        ("claims.keys_max_age", &[("claims.keys_max_age", "599s")]),
        ("claims.algorithms", &[("claims.algorithms", "[\"RS256\", \"HS256\"]")]),
        ("claims.algorithms", &[("claims.algorithms", "[\"none\"]")]),
        ("claims.algorithms", &[("claims.algorithms", "[]")]),
        ("claims.namespace", &[("claims.namespace", "http://team.example/")]),
        ("claims.namespace", &[("claims.namespace", "https://team.example")]),
        ("claims.namespace", &[("claims.namespace", "https://team.eu.auth0.com/")]),
        ("claims.namespace", &[("claims.namespace", "https://webtask.io/")]),
        ("auth0.issuer", &[("auth0.issuer", "https://team.eu.auth0.com")]),
        ("auth0.issuer", &[("auth0.issuer", "team.eu.auth0.com/")]),
        ("auth0.also.0.issuer", &[("auth0.also", "[{ issuer = \"https://team.eu.auth0.com/\" }]")]),
        ("auth0.client_id", &[("auth0.client_id", "abc")]),
        ("auth0.client_secret", &[("auth0.client_secret", "abc")]),
        ("internal.need", &[("internal.need", "[]")]),
        ("internal.anonymous", &[("internal.anonymous", "true")]),
        ("public.limits.depth", &[("public.graphiql", "true"), ("public.introspection", "true")]),
        (
            "internal.graphiql_client_id",
            &[
                ("internal.graphiql_client_id", "abc"),
                ("auth0.client_id", "abc"),
                ("auth0.client_secret", "secret"),
            ],
        ),
        ("pool.threads", &[("pool.threads", "0")]),
        ("public.limits.time", &[("public.limits.time", "0s")]),
        ("internal.limits.depth", &[("internal.limits.depth", "65")]),
        ("tenant.http", &[("tenant.http", "0.0.0.0:4002")]),
        ("tenant.https", &[("tenant.https", "0.0.0.0:4003")]),
        ("tenant.issuer", &[("tenant.issuer", "http://localhost:4003/")]),
        ("tenant.issuer", &[("tenant.issuer", "https://localhost:4002/")]),
        ("tenant.issuer", &[("tenant.issuer", "http://localhost:4002")]),
        ("tenant.issuer", &[("tenant.issuer", "http://tenant.example:4002/")]),
        ("tenant.issuer", &[("tenant.issuer", "http://192.168.0.1:4002/")]),
        ("tenant.data", &[("tenant.data", "vestibule.db")]),
        ("tenant.allow_fetch", &[("tenant.allow_fetch", "[\"https://team.example/path\"]")]),
        ("log.filter", &[("log.filter", "vestibule=loud")]),
    ];
    for (key, flags) in cases {
        let problem = problem(with(flags));
        assert_eq!((&problem.key.as_str(), problem.source.is_empty()), (key, false), "{flags:?}");
        assert!(!problem.fix.is_empty());
    }
}
