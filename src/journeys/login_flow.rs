//! The whole login flow: the dev tenant, its rules and both doors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::app::{DevTenant, Development, TenantListeners, Vestibule};
use vestibule::clock::Clock;
use vestibule::store::{Actor, UserFilter};
use vestibule::tenant::{Direction, Settings as TenantSettings};
use vestibule::user::Status;

use crate::dev_server::{DevServer, bundle_with, worker};
use crate::test_server::{INTERNAL, PUBLIC};
use crate::waiting::{DEADLINE, wait_until};

#[test]
fn a_sign_up_inserts_a_row_and_the_next_token_carries_the_user() {
    let dev = DevServer::open(&[]);
    let rows = dev.user_count();
    let first = dev.me(&dev.log_in("ada"));
    assert_eq!(first.json()["data"]["me"]["email"], "ada@example.com", "{}", first.body);
    assert_eq!((dev.user_count(), dev.exchange_count(Direction::In, "/api/v2/users/")), (rows + 1, 1));
    let second = dev.me(&dev.log_in("ada"));
    assert_eq!(second.json(), first.json());
    assert_eq!((dev.user_count(), dev.exchange_count(Direction::In, "/api/v2/users/")), (rows + 1, 1));
}

/// The rule queries the Internal API for the user who is logging in. With one thread, a login that occupied it while it
/// waits would deadlock.
#[test]
fn rules_that_query_the_internal_api_do_not_deadlock() {
    let dev = DevServer::open(&["pool.threads=1", "script.workers=1"]);
    let statuses = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..8).map(|_| scope.spawn(|| dev.me(&dev.log_in("ada")).status)).collect();
        logins.into_iter().map(|login| login.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(dev.exchange_count(Direction::Out, "/graphql"), 8, "one query for each login");
    assert_eq!(dev.exchange_count(Direction::In, "/api/v2/users/"), 1);
}

#[test]
fn the_internal_door_admits_staff_by_role_only() {
    let dev = DevServer::open(&[]);
    let internal = format!("http://{}/graphql", dev.development().doors.internal());
    let ask = |name: &str| {
        let token = dev.token(name, INTERNAL).json()["access_token"].as_str().unwrap().to_owned();
        dev.http.graphql(&internal, Some(&token), "{ me { name } }", Value::Null).unwrap()
    };
    assert_eq!(ask("katherine").json(), json!({"data": {"me": {"name": "Katherine Johnson"}}}));
    assert_eq!(ask("ada").code().as_deref(), Some("NOT_PERMITTED"));
}

#[test]
fn a_blocked_user_can_log_in_but_is_refused_by_the_door() {
    let dev = DevServer::open(&[]);
    let answer = dev.me(&dev.log_in("mallory"));
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("BLOCKED")));
}

#[test]
fn a_block_propagated_to_auth0_prevents_logins_until_unblocked() {
    let dev = DevServer::open(&["store.block_at_auth0=true"]);
    assert_eq!(dev.me(&dev.log_in("ada")).status, 200);
    let store = &dev.development().doors.services().store;
    let ada = store.user_by_auth0_id(&"auth0|ada".parse().unwrap()).unwrap().unwrap();
    for (status, answer) in [(Status::Blocked, 401), (Status::Active, 200)] {
        store.set_status(ada.id, status, &Actor::Cli).unwrap();
        wait_until("the block is delivered", || store.pending_deliveries().unwrap().0 == 0);
        let login = dev.token("ada", PUBLIC);
        assert_eq!(login.status, answer, "{status:?}: {}", login.body);
    }
}

#[test]
fn new_users_are_refused_only_while_the_tenant_is_down() {
    let clock = Clock::manual(Clock::system().now());
    let mut dev = DevServer::open_with(Vestibule::default(), clock.clone(), &[]);
    let (ada, edsger) = (dev.log_in("ada"), dev.log_in("edsger"));
    assert_eq!(dev.me(&ada).status, 200);
    let rows = dev.user_count();

    // Stops the tenant, not the doors.
    let Development { tenant, doors } = dev.development.take().unwrap();
    let address = dev.issuer.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    dev.runtime.block_on(tenant.stop());
    let public = format!("http://{}/graphql", doors.public());
    let me = |token: &str| dev.http.graphql(&public, Some(token), "{ me { id } }", Value::Null).unwrap();
    assert_eq!(me(&ada).status, 200, "a known user is served");
    let refused = me(&edsger);
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("PROFILE_UNAVAILABLE")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let users = doors.services().store.count_users(&UserFilter::default()).unwrap();
    assert_eq!(usize::try_from(users).unwrap(), rows, "a user was inserted");

    // Starts it again with the same data.
    let internal = doors.internal();
    let tenant = dev.runtime.block_on(async {
        let settings = TenantSettings { http: address, ..dev.config.tenant.clone() };
        let bound = TenantListeners::bind(&settings).await.unwrap();
        DevTenant::start(&dev.config, bound, internal, worker(), clock.clone()).unwrap()
    });
    clock.advance(Duration::from_secs(wait));
    let recovered = me(&edsger);
    assert_eq!(recovered.status, 200, "{}", recovered.body);
    dev.development = Some(Development { tenant, doors });
}

#[test]
fn a_failed_rule_denies_the_login_and_is_named() {
    let failing = "function (user, context, callback) { callback(new Error('no luck')); }";
    let bundle = bundle_with("rules/track-sign-up.js", failing);
    let dev = DevServer::open(&[&format!("tenant.bundle={}", bundle.path().display())]);
    let answer = dev.token("ada", PUBLIC);
    assert_eq!(answer.status, 403, "{}", answer.body);
    let error = answer.json();
    assert_eq!((error.get("script"), &error["error_description"]), (None, &json!("no luck")));
    let log = dev.http.get(&format!("{}dev/logins", dev.issuer), &[]).unwrap();
    assert_eq!(log.at("/logins/0/denied_by"), "track-sign-up");
}

#[test]
fn the_tenant_times_out_an_incomplete_body() {
    let dev = DevServer::open(&["http.body=200ms"]);
    let host = dev.issuer.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = format!("POST /oauth/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\na");
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn graphiql_is_served_unless_disabled() {
    let dev = DevServer::open(&["internal.graphiql=false"]);
    let doors = &dev.development().doors;
    let get = |address, path| dev.http.get(&format!("http://{address}{path}"), &[]).unwrap();
    let page = get(doors.public(), "/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains(dev.issuer.trim_end_matches('/')), "{policy}");
    assert_eq!(get(doors.public(), "/graphiql/door.json").at("/issuer"), dev.issuer);
    for path in ["/", "/graphiql/door.json"] {
        assert_eq!(get(doors.internal(), path).status, 404, "{path}");
    }
}
