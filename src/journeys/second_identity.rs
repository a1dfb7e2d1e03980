//! One person with two identities, at the dev tenant with its rules: every identity keeps its access, however it was
//! linked, from its first login on, at both doors.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule::app::Vestibule;
use vestibule::clock::Clock;
use vestibule::store::{Actor, Store};
use vestibule::user::{Auth0Id, User};

use crate::dev_server::{DevServer, bundle_with};
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC};
use crate::tokens::payload;

const RULE: &str = include_str!("../../fixtures/tenant/rules/user-in-token.js");
const ACTION: &str = include_str!("../../docs/actions/user-in-token.js");

/// The Action as a rule, with Auth0's `event` and `api`: the dev tenant runs no actions.
fn action_as_rule() -> String {
    format!(
        "async function action(user, context, callback) {{
            const exports = {{}}, entries = {{}}, AbortSignal = {{ timeout: () => undefined }};
            {ACTION}
            const secrets = Object.assign({{}}, configuration,
                {{ CLIENT_ID: configuration.RULES_CLIENT_ID, CLIENT_SECRET: configuration.RULES_CLIENT_SECRET }});
            const setCustomClaim = (name, value) => {{ context.accessToken[name] = value; }};
            const cache = {{ get: (key) => entries[key], set: (key, value) => {{ entries[key] = {{ value }}; }}, delete() {{}} }};
            await exports.onExecutePostLogin(
                {{ user, secrets, authorization: context.authorization }}, {{ accessToken: {{ setCustomClaim }}, cache }});
            callback(null, user, context);
        }}"
    )
}

/// A bundle with `script` and two accounts: Ada's and another with the same email, verified or not.
fn bundle(script: &str, verified: bool) -> TempDir {
    let account = |id: &str, password: &str| {
        json!({"user_id": id, "email": "ada@example.com", "email_verified": verified, "name": "Ada", "roles": ["admin"],
               "password": password})
    };
    let people = json!([account("auth0|ada", "a"), account("google-oauth2|ada", "g")]);
    let bundle = bundle_with("people.json", &people.to_string());
    std::fs::write(bundle.path().join("rules/user-in-token.js"), script).unwrap();
    bundle
}

struct Logins {
    dev: DevServer,
    clock: Clock,
    _bundle: TempDir,
}

const ADA: (&str, &str) = ("auth0|ada", "a");
const GOOGLE: (&str, &str) = ("google-oauth2|ada", "g");

impl Logins {
    fn open(script: &str, verified: bool) -> Self {
        let (bundle, clock) = (bundle(script, verified), Clock::manual(Clock::system().now()));
        let folder = format!("tenant.bundle={}", bundle.path().display());
        let dev = DevServer::open_with(Vestibule::default(), clock.clone(), &[&folder, "store.seed="]);
        Self { dev, clock, _bundle: bundle }
    }

    fn store(&self) -> &Store {
        &self.dev.development().doors.services().store
    }

    fn user(&self, sub: &str) -> User {
        self.store().user_by_auth0_id(&id(sub)).unwrap().unwrap()
    }

    /// Logs in at a door. Returns the token and our id of the current user.
    fn log_in(&self, (sub, password): (&str, &str), audience: &str) -> (String, String) {
        // A token of the second of a revocation is revoked.
        self.clock.advance(Duration::from_secs(2));
        let login = json!({"grant_type": "password", "client_id": "spa", "username": "ada@example.com",
            "password": password, "audience": audience, "scope": "openid"});
        let answer =
            self.dev.http.post_json(&format!("{}oauth/token", self.dev.issuer), &[], &login).unwrap();
        let token =
            answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned();
        assert_eq!(payload(&token)["sub"], sub);
        let doors = &self.dev.development().doors;
        let door = if audience == PUBLIC { doors.public() } else { doors.internal() };
        let url = format!("http://{door}/graphql");
        let answer = self.dev.http.graphql(&url, Some(&token), "{ me { id } }", Value::Null).unwrap();
        assert_eq!(answer.status, 200, "{sub}: {}", answer.body);
        (token, answer.at("/data/me/id").as_str().unwrap().to_owned())
    }

    /// Asserts that each identity is `user` at three logins, at both doors.
    fn assert_access(&self, identities: &[(&str, &str)], user: &User) {
        for login in 1..=3 {
            for &identity in identities {
                for audience in [PUBLIC, INTERNAL] {
                    let (token, me) = self.log_in(identity, audience);
                    assert_eq!(me, user.id.to_string(), "{} at login {login}", identity.0);
                    let claim = &payload(&token)[format!("{NAMESPACE}user")];
                    assert_eq!(claim["id"], me, "the script knows {} by now", identity.0);
                }
            }
        }
    }
}

fn id(sub: &str) -> Auth0Id {
    sub.parse().unwrap()
}

/// Runs `test` with the rule, with the Action, and with the rule of a team that copied an earlier version, which puts the
/// primary Auth0 id of the row into the claim.
fn with_each_script(verified: bool, test: impl Fn(&Logins)) {
    let earlier = RULE.replace("auth0Id: user.user_id", "auth0Id: found.auth0Id");
    assert_ne!(earlier, RULE);
    for script in [RULE, &action_as_rule(), &earlier] {
        test(&Logins::open(script, verified));
    }
}

fn make_admin(logins: &Logins, sub: &str) {
    logins.store().set_roles(logins.user(sub).id, &["admin".to_owned()], &Actor::Cli).unwrap();
}

#[test]
fn an_identity_linked_by_verified_email_keeps_its_access() {
    with_each_script(true, |logins| {
        logins.log_in(ADA, PUBLIC);
        logins.log_in(GOOGLE, PUBLIC);
        make_admin(logins, ADA.0);
        logins.assert_access(&[GOOGLE, ADA], &logins.user(ADA.0));
    });
}

#[test]
fn an_identity_linked_by_staff_keeps_its_access_and_loses_it_when_unlinked() {
    with_each_script(false, |logins| {
        logins.log_in(ADA, PUBLIC);
        make_admin(logins, ADA.0);
        let ada = logins.user(ADA.0);
        logins.store().link_identity(ada.id, &id(GOOGLE.0), &Actor::Cli).unwrap();
        logins.assert_access(&[GOOGLE, ADA], &ada);
        logins.store().unlink_identity(ada.id, &id(GOOGLE.0), &Actor::Cli).unwrap();
        let (_, other) = logins.log_in(GOOGLE, PUBLIC);
        assert_ne!(other, ada.id.to_string());
        make_admin(logins, GOOGLE.0);
        logins.assert_access(&[GOOGLE], &logins.user(GOOGLE.0));
        logins.assert_access(&[ADA], &ada);
        // The primary one is unlinked, so that the other replaces it.
        logins.store().link_identity(ada.id, &id("auth0|other"), &Actor::Cli).unwrap();
        logins.store().unlink_identity(ada.id, &id(ADA.0), &Actor::Cli).unwrap();
        logins.store().link_identity(ada.id, &id(ADA.0), &Actor::Cli).unwrap();
        logins.assert_access(&[ADA], &ada);
    });
}

#[test]
fn the_identities_of_merged_users_keep_their_access() {
    with_each_script(false, |logins| {
        logins.log_in(ADA, PUBLIC);
        logins.log_in(GOOGLE, PUBLIC);
        make_admin(logins, GOOGLE.0);
        let (kept, gone) = (logins.user(GOOGLE.0), logins.user(ADA.0));
        assert_ne!(kept.id, gone.id);
        logins.store().merge(kept.id, gone.id, &Actor::Cli).unwrap();
        logins.assert_access(&[ADA, GOOGLE], &kept);
    });
}
