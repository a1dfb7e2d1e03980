//! One caller does not starve others: documents made to hurt end within their limits, and other callers are answered meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use juniper::{EmptyMutation, EmptySubscription, RootNode, graphql_object};
use serde_json::{Value, json};
use vestibule::api::{ApiError, Context};
use vestibule::app::Vestibule;
use vestibule::clock::Clock;
use vestibule::sqlite::DatabaseSchema;
use vestibule::sqlite::rusqlite::Connection;
use vestibule::store::{Actor, LinkEmail, NewIdentity};

use crate::test_server::{NAMESPACE, TestServer, identity};
use crate::waiting::wait_until;

/// Bytes of each stored profile: near the limit of 64 KiB.
const PROFILE: usize = 48 * 1024;
const USERS: usize = 100;

fn repeated(times: usize, item: impl Fn(usize) -> String) -> String {
    (0..times).map(item).collect::<Vec<_>>().join(" ")
}

/// `open` so many times, then `middle`, then `close` as many times.
fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("{} {middle} {}", open.repeat(times), close.repeat(times))
}

/// A door with users who have large profiles of many small values, and long names.
pub(crate) fn server(set: &[&str]) -> TestServer {
    let server = TestServer::open(set);
    for i in 0..USERS {
        let numbers = vec![json!({"a": [0]}); PROFILE / 12];
        let profile = json!({"user_id": format!("auth0|{i}"), "user_metadata": {"numbers": numbers}});
        let mut identity = NewIdentity { profile: Some(profile), ..identity(&format!("auth0|{i}"), None) };
        identity.person.name = Some("n".repeat(200));
        identity.person.picture = Some(format!("https://example.com/{}", "p".repeat(2_000)));
        server.store().provision(&identity, LinkEmail::Verified, &Actor::Gate).unwrap();
    }
    server
}

/// Documents for the internal door.
fn internal(server: &TestServer) -> Vec<String> {
    let users = |selection: &str| format!("{{ users(first: 100) {{ nodes {{ {selection} }} }} }}");
    let ids: Vec<_> = (0..USERS).map(|i| server.user(&format!("auth0|{i}")).id.to_string()).collect();
    let node = |i: usize| format!("a{i}: node(id: \"{}\")", ids[i]);
    let types = |open: &str, close: &str, times| {
        format!("{{ __schema {{ types {{ {} }} }} }}", nested(open, "name", close, times))
    };
    let mut all = vec![
        users("profile"),
        users(&repeated(60, |i| format!("p{i}: profile"))),
        users(&repeated(119, |i| format!("p{i}: profile"))),
        format!("{{ users(first: 100) {{ edges {{ node {{ profile }} }} nodes {{ profile }} }} }}"),
        format!("{{ user(auth0Id: \"auth0|1\") {{ {} }} }}", repeated(119, |i| format!("p{i}: profile"))),
        format!("{{ {} }}", repeated(80, |i| format!("{} {{ ... on User {{ profile }} }}", node(i)))),
        format!("{{ {} }}", repeated(80, |i| format!("{} {{ id }}", node(i)))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: users(first: 100) {{ nodes {{ id }} }}"))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: users(first: 100) {{ totalCount }}"))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: users(filter: {{search: \"n\"}}) {{ totalCount }}"))),
        format!(
            "{{ {} }}",
            repeated(80, |i| format!("a{i}: users(first: 100, filter: {{role: \"admin\"}}, orderBy: {{field: NAME}}) {{ totalCount }}"))
        ),
        users(&repeated(119, |i| format!("p{i}: picture"))),
        users(&repeated(119, |i| format!("p{i}: name"))),
        users("identities { auth0Id } acceptedTerms { version } roles status createdAt"),
        users("auditTrail(first: 100) { nodes { id } }"),
        users("auditTrail(first: 90) { nodes { changes } }"),
        users("auditTrail(first: 10) { nodes { user { profile } } }"),
        users("auditTrail(first: 2) { nodes { user { auditTrail(first: 20) { nodes { changes } } } } }"),
        "{ auditEvents(first: 100) { nodes { changes user { profile } } } }".to_owned(),
        "{ auditEvents(first: 100) { nodes { user { name picture } actor { __typename } } totalCount } }".to_owned(),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: auditEvents(first: 100) {{ nodes {{ changes }} }}"))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: auditEvents(first: 90) {{ totalCount }}"))),
        format!("{{ users(first: 100) {{ ...a }} }} fragment a on UserConnection {{ {} }}", repeated(100, |i| format!("n{i}: nodes {{ picture }}"))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: user(auth0Id: \"auth0|{i}\") {{ auth0Profile }}"))),
        format!("{{ {} }}", repeated(80, |i| format!("a{i}: user(auth0Id: \"auth0|{i}\") {{ profile }}"))),
        // Introspection.
        types("possibleTypes { interfaces {", "} }", 14),
        types("interfaces { possibleTypes {", "} }", 14),
        types("fields { type {", "} }", 14),
        types("fields { args { type {", "} } }", 10),
        types("inputFields { type {", "} }", 14),
        types("fields { type { ofType { fields { type {", "} } } } }", 6),
        "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }".to_owned(),
        "query ($n: String!) { __type(name: $n) { possibleTypes { interfaces { possibleTypes { interfaces { possibleTypes { name } } } } } } }".to_owned(),
        format!("{{ {} }}", repeated(79, |i| format!("a{i}: __schema {{ types {{ fields {{ name description }} }} }}"))),
        format!("{{ __schema {{ {} }} }}", repeated(119, |i| format!("a{i}: types {{ name description }}"))),
        format!("{{ __schema {{ types {{ ...a }} }} }} {} fragment f40 on __Type {{ name }} fragment a on __Type {{ ...f0 }}",
            repeated(40, |i| format!("fragment f{i} on __Type {{ ...f{n} ...f{n} }}", n = i + 1))),
        format!("{{ __schema {{ directives {{ {} }} }} }}", repeated(100, |i| format!("a{i}: args {{ type {{ ofType {{ name }} }} }}"))),
    ];
    for times in [7, 8, 9, 10] {
        all.push(types("possibleTypes { interfaces {", "} }", times));
        all.push(types("fields { type {", "} }", times));
    }
    all
}

/// Documents for the public door.
fn public() -> Vec<String> {
    let fields = "id auth0Id email emailVerified name givenName familyName nickname picture phone roles createdAt updatedAt";
    let mut all = vec![
        format!("{{ {} }}", repeated(20, |i| format!("a{i}: me {{ {fields} acceptedTerms {{ version }} }}"))),
        format!("{{ me {{ {} }} }}", repeated(29, |i| format!("a{i}: picture"))),
        format!(
            "{{ me {{ {} }} }}",
            repeated(29, |i| format!("a{i}: acceptedTerms {{ version acceptedAt }}"))
        ),
        format!("mutation {{ {} }}", repeated(20, |i| format!("a{i}: exportMe(input: {{}}) {{ data }}"))),
        format!(
            "mutation {{ {} }}",
            repeated(20, |i| format!("a{i}: refreshMe(input: {{}}) {{ user {{ name }} }}"))
        ),
        format!(
            "mutation {{ {} }}",
            repeated(20, |i| format!("a{i}: updateMe(input: {{name: \"n{i}\"}}) {{ user {{ name }} }}"))
        ),
        format!(
            "mutation {{ {} }}",
            repeated(20, |i| format!(
                "a{i}: acceptTerms(input: {{version: \"{i}\"}}) {{ user {{ acceptedTerms {{ version }} }} }}"
            ))
        ),
    ];
    for times in [5, 10, 14] {
        let types = |inner: String| format!("{{ __schema {{ types {{ {inner} }} }} }}");
        all.push(types(nested("possibleTypes { interfaces {", "name", "} }", times)));
        all.push(types(nested("fields { type {", "name", "} }", times)));
        all.push(types(nested("ofType {", "name", "}", times)));
    }
    all
}

/// Every document with the url of its door and a token that may send it.
pub(crate) fn documents(server: &TestServer) -> Vec<(String, String, String)> {
    let machine = server.machine_token("users:read audit:read deploy:read");
    let person = server.token("auth0|0", json!({}));
    let staff = |document| (server.internal(), machine.clone(), document);
    let own = |document| (server.public(), person.clone(), document);
    internal(server).into_iter().map(staff).chain(public().into_iter().map(own)).collect()
}

#[test]
fn other_callers_are_answered_while_a_document_made_to_hurt_runs() {
    let server = server(&["internal.limits.time=60s", "public.limits.time=60s"]);
    let documents = documents(&server);
    assert!(documents.len() >= 60, "{}", documents.len());
    let (neighbour, over) = (server.token("auth0|7", json!({})), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = server.me(&neighbour);
                assert_eq!(
                    (answer.status, answer.at("/data/me/auth0Id")),
                    (200, json!("auth0|7")),
                    "{}",
                    answer.body
                );
                answers += 1;
            }
            answers
        });
        for (url, token, document) in &documents {
            let variables = json!({"n": "Node"});
            let answer = server.http.graphql(url, Some(token), document, variables).unwrap();
            // Either a result within the limits, perhaps with failed fields, or an exceeded limit.
            let is_refused = answer.status == 400 && answer.code().as_deref() == Some("LIMIT_EXCEEDED");
            assert!(
                answer.status == 200 || is_refused,
                "{} {:.300}: {document:.200}",
                answer.status,
                answer.body
            );
        }
        over.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > documents.len(), "the neighbour waited for the documents");
    });
}

#[test]
fn large_json_fields_end_the_operation_before_they_are_made() {
    let server = server(&[]);
    let token = server.machine_token("users:read audit:read");
    let ask = |query: &str| server.ask_internal(&token, query, Value::Null);
    let one = ask("{ user(auth0Id: \"auth0|1\") { profile } }");
    assert_eq!(one.at("/data/user/profile/user_id"), "auth0|1", "{:.200}", one.body);
    assert!(one.body.len() > PROFILE / 2);
    for too_much in [
        "{ users(first: 100) { nodes { profile } } }".to_owned(),
        format!("{{ user(auth0Id: \"auth0|1\") {{ {} }} }}", repeated(100, |i| format!("p{i}: profile"))),
        "{ auditEvents(first: 100) { nodes { user { profile } } } }".to_owned(),
    ] {
        let refused = ask(&too_much);
        assert_eq!(
            (refused.status, refused.code().as_deref()),
            (400, Some("LIMIT_EXCEEDED")),
            "{:.200}",
            refused.body
        );
        assert!(refused.body.contains("limits.response"), "{}", refused.body);
    }
}

/// Jobs that hold their thread of the pool until they are released.
#[derive(Clone, Default)]
struct Held(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Held {
    fn hold(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().0 += 1;
        drop(changed.wait_while(state.lock().unwrap(), |(_, released)| !*released).unwrap());
    }

    fn started(&self) -> usize {
        self.0.0.lock().unwrap().0
    }

    fn release(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}

static NO_TABLES: DatabaseSchema = DatabaseSchema::new(&[]);

struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    async fn held(context: &Context) -> Result<bool, ApiError> {
        let held = context.state::<Held>()?.clone();
        let hold = move |_: &Connection| {
            held.hold();
            Ok(true)
        };
        context.read(hold).await
    }

    async fn quick(context: &Context) -> Result<bool, ApiError> {
        context.read(|_| Ok(true)).await
    }
}

#[test]
fn one_request_leaves_threads_of_the_pool_to_others() {
    let (held, schema) =
        (Held::default(), RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new()));
    let state = held.clone();
    let vestibule = Vestibule::new(schema, vestibule::api::internal::schema());
    let vestibule = vestibule.database("none.db", &NO_TABLES).state(|_| Ok(state));
    let server = TestServer::open_with(vestibule, Clock::system(), &["pool.threads=3"]);
    let token = server.public_machine_token();
    std::thread::scope(|scope| {
        let greedy = scope.spawn(|| {
            server.ask_public(token.as_str(), &format!("{{ {} }}", repeated(20, |i| format!("a{i}: held"))))
        });
        wait_until("the request has its share of the threads", || held.started() == 2);
        assert_eq!(server.ask_public(token.as_str(), "{ quick }").at("/data/quick"), true);
        assert_eq!(held.started(), 2);
        held.release();
        assert_eq!(greedy.join().unwrap().at("/data/a19"), true);
    });
}

/// Sends the first requests of so many users at once, and returns how long they took together. None may be refused.
pub(crate) fn admit_at_once(server: &TestServer, newcomers: usize) -> Duration {
    let newcomer = |i: usize| {
        let (sub, email) = (format!("auth0|new-{i}"), format!("new-{i}@example.com"));
        server.auth0.add_user(&sub, &email, true);
        let claims =
            json!({(format!("{NAMESPACE}email")): email, (format!("{NAMESPACE}email_verified")): true});
        server.token(&sub, claims)
    };
    let tokens: Vec<_> = (0..newcomers).map(newcomer).collect();
    let clock = Clock::system();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = tokens.iter().map(|token| scope.spawn(|| server.me(token))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let took = clock.elapsed();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(refused.is_empty(), "{} refused: {}", refused.len(), refused[0].body);
    assert_eq!(server.user_count(), newcomers);
    took
}

#[test]
fn three_hundred_newcomers_at_once_are_all_admitted() {
    admit_at_once(&TestServer::open(&[]), 300);
}

#[test]
fn profiles_that_staff_look_at_leave_half_of_the_quota_to_newcomers() {
    const USERS: u32 = 12;
    let server = TestServer::open(&[]);
    for i in 0..USERS {
        server.insert_user(&format!("auth0|{i}"));
        server.auth0.add_user(&format!("auth0|{i}"), &format!("{i}@example.com"), true);
    }
    server.auth0.limit_profiles(10);
    let staff = server.machine_token("users:read");
    let all: Vec<_> =
        (0..USERS).map(|i| format!("a{i}: user(auth0Id: \"auth0|{i}\") {{ auth0Profile }}")).collect();
    let answer = server.ask_internal(&staff, &format!("{{ {} }}", all.join(" ")), Value::Null);
    assert_eq!(answer.code().as_deref(), Some("PROFILE_UNAVAILABLE"), "{}", answer.body);
    let wait = answer.at("/errors/0/extensions/retryAfter").as_u64().unwrap();
    assert!((50..=61).contains(&wait), "{wait}: until the quota is full again");
    assert_eq!(server.auth0.profiles_left(), 5);
    let newcomer = |name: &str| {
        server.auth0.add_user(name, &format!("{}@example.com", &name[6..]), true);
        server.me(&server.token(name, json!({})))
    };
    for name in ["auth0|n1", "auth0|n2", "auth0|n3", "auth0|n4", "auth0|n5"] {
        assert_eq!(newcomer(name).status, 200);
    }
    assert_eq!(newcomer("auth0|n6").code().as_deref(), Some("PROFILE_UNAVAILABLE"), "the quota is used up");
}
