//! The whole house: the dev tenant with its rules, and both doors, as `dev` opens them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vestibule::app::{Bound, DevTenant, Development, Vestibule};
use vestibule::cli::http_client::{Answer, Wire};
use vestibule::clock::Clock;
use vestibule::config::Config;
use vestibule::script::WorkerCommand;
use vestibule::store::Actor;
use vestibule::tenant::Direction;
use vestibule::user::Status;

use crate::yard::{INTERNAL, PUBLIC, config_in};

pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) wire: Wire,
    config: Config,
    development: Option<Development>,
    issuer: String,
    _dir: TempDir,
}

fn worker() -> WorkerCommand {
    WorkerCommand { program: env!("CARGO_BIN_EXE_vestibule").into(), args: vec!["script-worker".to_owned()] }
}

/// The fixtures' bundle with one file that says something else.
pub(crate) fn bundle_with(file: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tenant/.");
    assert!(Command::new("cp").args(["-r", fixtures]).arg(dir.path()).status().unwrap().success());
    let file = dir.path().join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    dir
}

impl House {
    pub(crate) fn open(set: &[&str]) -> Self {
        Self::with(Vestibule::default(), set)
    }

    /// With other schemas behind the doors.
    pub(crate) fn with(vestibule: Vestibule, set: &[&str]) -> Self {
        let (runtime, dir) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let config = config_in(dir.path(), "http://127.0.0.1:1/", set);
        let opening = Development::open(vestibule, &config, worker(), Clock::system());
        let development = runtime.block_on(opening).unwrap();
        let issuer = development.tenant.issuer().to_owned();
        Self { runtime, wire: Wire::new(), config, development: Some(development), issuer, _dir: dir }
    }

    pub(crate) fn development(&self) -> &Development {
        self.development.as_ref().unwrap()
    }

    pub(crate) fn token(&self, name: &str, audience: &str) -> Answer {
        let login = json!({
            "grant_type": "http://auth0.com/oauth/grant-type/password-realm",
            "realm": "Username-Password-Authentication",
            "client_id": "spa",
            "username": format!("{name}@example.com"),
            "password": format!("dev-only-{name}"),
            "audience": audience,
            "scope": "openid profile email",
        });
        self.wire.post_json(&format!("{}oauth/token", self.issuer), &[], &login).unwrap()
    }

    pub(crate) fn log_in(&self, name: &str) -> String {
        let answer = self.token(name, PUBLIC);
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
    }

    fn me(&self, token: &str) -> Answer {
        let public = format!("http://{}/graphql", self.development().doors.public());
        self.wire.graphql(&public, Some(token), "{ me { id email name } }", Value::Null).unwrap()
    }

    fn rows(&self) -> usize {
        self.development().doors.services().store.users(1000, None).unwrap().users.len()
    }

    /// How many of the tenant's exchanges, in or out, had this in their path.
    fn seen(&self, direction: Direction, part: &str) -> usize {
        let all = self.development().tenant.tenant().exchanges();
        all.iter().filter(|exchange| exchange.direction == direction && exchange.path.contains(part)).count()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(development) = self.development.take() {
            self.runtime.block_on(development.stop());
        }
    }
}

#[test]
fn a_sign_up_becomes_a_row_and_the_next_login_a_payload() {
    let house = House::open(&[]);
    let rows = house.rows();
    let first = house.me(&house.log_in("ada"));
    assert_eq!(first.json()["data"]["me"]["email"], "ada@example.com", "{}", first.body);
    assert_eq!((house.rows(), house.seen(Direction::In, "/api/v2/users/")), (rows + 1, 1));
    let second = house.me(&house.log_in("ada"));
    assert_eq!(second.json(), first.json());
    assert_eq!((house.rows(), house.seen(Direction::In, "/api/v2/users/")), (rows + 1, 1));
}

/// The rule asks the Internal API for the user who is logging in. With one thread everywhere, whoever held it while
/// waiting would wait for ever.
#[test]
fn a_rule_that_asks_the_internal_api_for_its_own_user_can_not_deadlock_it() {
    let house = House::open(&["pool.threads=1", "script.workers=1"]);
    let asked = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..8).map(|_| scope.spawn(|| house.me(&house.log_in("ada")).status)).collect();
        logins.into_iter().map(|login| login.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(asked.iter().all(|status| *status == 200), "{asked:?}");
    assert_eq!(house.seen(Direction::Out, "/graphql"), 8, "each login asked");
    assert_eq!(house.seen(Direction::In, "/api/v2/users/"), 1);
}

#[test]
fn staff_come_in_by_their_role_and_others_do_not() {
    let house = House::open(&[]);
    let internal = format!("http://{}/graphql", house.development().doors.internal());
    let ask = |name: &str| {
        let token = house.token(name, INTERNAL).json()["access_token"].as_str().unwrap().to_owned();
        house.wire.graphql(&internal, Some(&token), "{ me { name } }", Value::Null).unwrap()
    };
    assert_eq!(ask("katherine").json(), json!({"data": {"me": {"name": "Katherine Johnson"}}}));
    assert_eq!(ask("ada").code().as_deref(), Some("NOT_PERMITTED"));
}

#[test]
fn a_blocked_user_logs_in_at_the_tenant_and_is_turned_away_at_the_door() {
    let house = House::open(&[]);
    let answer = house.me(&house.log_in("mallory"));
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("BLOCKED")));
}

#[test]
fn somebody_blocked_at_auth0_too_can_not_log_in_there_until_they_are_unblocked() {
    let house = House::open(&["store.block_at_auth0=true"]);
    assert_eq!(house.me(&house.log_in("ada")).status, 200);
    let store = &house.development().doors.services().store;
    let ada = store.user_by_auth0_id(&"auth0|ada".parse().unwrap()).unwrap().unwrap();
    for (status, answer) in [(Status::Blocked, 401), (Status::Active, 200)] {
        store.set_status(ada.id, status, &Actor::Cli).unwrap();
        while store.pending_deliveries().unwrap().0 > 0 {
            std::thread::yield_now();
        }
        let login = house.token("ada", PUBLIC);
        assert_eq!(login.status, answer, "{status:?}: {}", login.body);
    }
}

#[test]
fn the_tenant_s_end_and_return_are_survived_and_healed() {
    let mut house = House::open(&[]);
    let (ada, edsger) = (house.log_in("ada"), house.log_in("edsger"));
    assert_eq!(house.me(&ada).status, 200);
    let rows = house.rows();

    // The tenant goes, the doors stay.
    let Development { tenant, doors } = house.development.take().unwrap();
    let address = house.issuer.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    house.runtime.block_on(tenant.stop());
    let public = format!("http://{}/graphql", doors.public());
    let me = |token: &str| house.wire.graphql(&public, Some(token), "{ me { id } }", Value::Null).unwrap();
    assert_eq!(me(&ada).status, 200, "a known user goes on being served");
    let refused = me(&edsger);
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("PROFILE_UNAVAILABLE")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(doors.services().store.users(1000, None).unwrap().users.len(), rows, "nothing was inserted");

    // It comes back, over the same state.
    let internal = doors.internal();
    let tenant = house.runtime.block_on(async {
        let bound = Bound::to(address, "tenant.http").await.unwrap();
        DevTenant::start(&house.config, bound, internal, worker(), Clock::system()).unwrap()
    });
    house.runtime.block_on(async { tokio::time::sleep(Duration::from_secs(wait)).await });
    let healed = me(&edsger);
    assert_eq!(healed.status, 200, "{}", healed.body);
    house.development = Some(Development { tenant, doors });
}

#[test]
fn a_rule_that_fails_denies_the_login_by_its_name() {
    let failing = "function (user, context, callback) { callback(new Error('no luck')); }";
    let bundle = bundle_with("rules/track-sign-up.js", failing);
    let house = House::open(&[&format!("tenant.bundle={}", bundle.path().display())]);
    let answer = house.token("ada", PUBLIC);
    assert_eq!(answer.status, 403, "{}", answer.body);
    let said = answer.json()["error_description"].as_str().unwrap().to_owned();
    assert!(said.contains("track-sign-up") && said.contains("no luck"), "{said}");
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for_at_the_tenant() {
    let house = House::open(&["http.body=200ms"]);
    let host = house.issuer.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = format!("POST /oauth/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\na");
    stream.write_all(head.as_bytes()).unwrap();
    // Far more than it takes: without a limit nothing would come at all.
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn each_door_has_a_page_to_try_it_on_and_without_the_setting_none() {
    let house = House::open(&["internal.graphiql=false"]);
    let doors = &house.development().doors;
    let get = |address, path| house.wire.get(&format!("http://{address}{path}"), &[]).unwrap();
    let page = get(doors.public(), "/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains(house.issuer.trim_end_matches('/')), "{policy}");
    assert_eq!(get(doors.public(), "/graphiql/door.json").at("/issuer"), house.issuer);
    for path in ["/", "/graphiql/door.json"] {
        assert_eq!(get(doors.internal(), path).status, 404, "{path}");
    }
}
