//! Mutations and lists of the Internal API over HTTP: permissions, results, audit events and the number of queries.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::store::{Actor, AuditFilter, PageArgs};
use vestibule::user::UserId;

use crate::auth0_stub::ProfileReply;
use crate::test_server::{INTERNAL, TestServer, error_code};

const ALL: &str = "users:read users:write users:erase audit:read deploy:write";

/// The newest audit event.
fn newest_event(server: &TestServer) -> Option<(i64, String, String, Option<String>)> {
    let page = server.store().list_audit(&AuditFilter::default(), &PageArgs::first(1)).unwrap();
    let line = page.items.into_iter().next()?;
    Some((line.id, line.action, line.actor_kind, line.request_id))
}

/// A mutation, its input, the permission it needs and the audit action it records.
struct Mutation {
    name: &'static str,
    input: Value,
    needs: &'static str,
    action: Option<&'static str>,
}

fn mutations(server: &TestServer) -> Vec<Mutation> {
    let (ada, bob, gone) =
        (server.insert_person("ada").id, server.insert_person("bob").id, server.insert_person("gone").id);
    let mutation = |name, input, needs, action| Mutation { name, input, needs, action };
    vec![
        mutation(
            "createUser",
            json!({"email": "New@Example.com", "name": "New", "roles": ["support"]}),
            "users:write",
            Some("user.created"),
        ),
        mutation(
            "updateUser",
            json!({"id": ada, "name": null, "nickname": "countess"}),
            "users:write",
            Some("user.updated"),
        ),
        mutation(
            "setRoles",
            json!({"id": ada, "roles": ["support", "admin"]}),
            "users:write",
            Some("user.roles_set"),
        ),
        mutation("signOutUser", json!({"id": ada}), "users:write", Some("user.signed_out")),
        mutation("blockUser", json!({"id": bob}), "users:write", Some("user.status_set")),
        mutation("unblockUser", json!({"id": bob}), "users:write", Some("user.status_set")),
        mutation(
            "linkIdentity",
            json!({"id": ada, "auth0Id": "google-oauth2|1"}),
            "users:write",
            Some("identity.linked"),
        ),
        mutation(
            "unlinkIdentity",
            json!({"id": ada, "auth0Id": "google-oauth2|1"}),
            "users:write",
            Some("identity.unlinked"),
        ),
        mutation(
            "mergeUsers",
            json!({"keptId": ada, "goneId": gone}),
            "users:write users:erase",
            Some("user.merged"),
        ),
        mutation("exportUser", json!({"id": ada}), "audit:read", Some("user.exported")),
        mutation("eraseUser", json!({"id": bob}), "users:erase", Some("user.status_set")),
        mutation("refreshKeys", json!({}), "deploy:write", None),
    ]
}

#[test]
fn each_mutation_needs_its_permission_and_is_audited() {
    let server = TestServer::open(&[]);
    let (reader, staff) = (server.machine_token("users:read"), server.machine_token(ALL));
    for Mutation { name, mut input, needs, action } in mutations(&server) {
        input["clientMutationId"] = json!(format!("m-{name}"));
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let document =
            format!("mutation M($input: {kind}!) {{ {name}(input: $input) {{ clientMutationId }} }}");
        let before = newest_event(&server);
        let refused = server.ask_internal(&reader, &document, json!({"input": input})).json();
        assert_eq!(error_code(&refused), Some("NOT_PERMITTED"), "{name}: {refused}");
        assert_eq!(refused["errors"][0]["extensions"]["missing"], json!([needs.split(' ').next()]), "{name}");
        assert_eq!(newest_event(&server), before, "{name}: a refused mutation was recorded");

        let done = server.ask_internal(&staff, &document, json!({"input": input})).json();
        assert_eq!(done, json!({"data": {name: {"clientMutationId": format!("m-{name}")}}}), "{name}");
        if let Some(expected) = action {
            let (id, action, actor, request) = newest_event(&server).unwrap();
            assert!(id > before.map_or(0, |line| line.0), "{name}");
            assert_eq!((action.as_str(), actor.as_str()), (expected, "machine"), "{name}");
            assert!(request.is_some(), "{name}: the event has no request id");
        }

        // Repeated, it changes and records nothing. Signing out and exporting are recorded each time.
        let before = newest_event(&server);
        let again = server.ask_internal(&staff, &document, json!({"input": input})).json();
        assert_eq!(again, done, "{name}: repeated");
        if !matches!(name, "signOutUser" | "exportUser") {
            assert_eq!(newest_event(&server), before, "{name}: repeated");
        }
    }
}

#[test]
fn a_mutation_returns_the_new_state() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    let create = "mutation($input: CreateUserInput!) { createUser(input: $input) {
        user { id email emailVerified name roles status auth0Id identities { auth0Id } } } }";
    let input = |email: &str| json!({"input": {"email": email, "name": "", "roles": ["b", "a", "b"], "clientMutationId": "1"}});
    let made = server.ask_internal(&staff, create, input("Ada@Example.com")).json();
    let user = &made["data"]["createUser"]["user"];
    assert_eq!((&user["email"], &user["name"]), (&json!("ada@example.com"), &Value::Null), "{made}");
    assert_eq!((&user["roles"], &user["identities"]), (&json!(["a", "b"]), &json!([])));
    assert_eq!(server.ask_internal(&staff, create, input("ada@example.COM")).json(), made, "repeated");
    assert_eq!(
        error_code(&server.ask_internal(&staff, create, input("bob@example.com")).json()),
        Some("BAD_INPUT"),
        "another user"
    );
    let other = server.token_for(
        INTERNAL,
        "m2@clients",
        json!({"gty": "client-credentials", "azp": "m2", "scope": ALL}),
    );
    let theirs = server.ask_internal(&other, create, input("ada@example.com")).json();
    assert_eq!(error_code(&theirs), Some("EMAIL_CONFLICT"), "an idempotency key belongs to its caller");

    for (document, expected) in [
        ("mutation { setRoles(input: {id: \"nobody\", roles: []}) { user { id } } }", "NOT_FOUND"),
        ("mutation { createUser(input: {name: \"x\"}) { user { id } } }", "BAD_INPUT"),
        (
            "mutation { createUser(input: {email: \"a@b.example\", picture: \"javascript:1\"}) { user { id } } }",
            "BAD_INPUT",
        ),
        (
            "mutation { createUser(input: {email: \"a@b.example\", roles: [\"a b\"]}) { user { id } } }",
            "BAD_INPUT",
        ),
    ] {
        assert_eq!(
            error_code(&server.ask_internal(&staff, document, Value::Null).json()),
            Some(expected),
            "{document}"
        );
    }
}

#[test]
fn a_user_has_the_values_of_their_row() {
    let server = TestServer::open(&[]);
    let ada = json!({"email": "ada@example.com", "emailVerified": true, "name": "Ada L", "givenName": "Ada",
        "familyName": "L", "nickname": "a", "picture": "https://x.example/a.png", "phone": "+420 1", "roles": ["support"]});
    server.seed(ada.clone());
    let list = "{ users(first: 9) { nodes { email emailVerified name givenName familyName nickname picture phone roles } } }";
    let answer = server.ask_internal(&server.machine_token(ALL), list, Value::Null).json();
    assert_eq!(answer["data"]["users"]["nodes"], json!([ada]), "{answer}");
}

/// The gate admits a request once; each of its transactions checks the caller again.
#[test]
fn a_caller_revoked_during_a_request_changes_nothing_more() {
    let server = TestServer::open(&[]);
    let ada = server.insert_person("ada").id;
    for (name, first) in [
        ("blocked", "blockUser(input: {id: $me})"),
        ("demoted", "setRoles(input: {id: $me, roles: [\"none\"]})"),
        ("gone", "signOutUser(input: {id: $me})"),
    ] {
        let me = server.insert_person(name).id;
        let permissions = json!({"permissions": ["users:read", "users:write"]});
        let token = server.token_for(INTERNAL, &format!("auth0|{name}"), permissions);
        let document = format!(
            "mutation($me: ID!, $ada: ID!) {{
                first: {first} {{ user {{ id }} }}
                second: updateUser(input: {{id: $ada, nickname: \"{name}\"}}) {{ user {{ nickname }} }} }}"
        );
        let answer = server.ask_internal(&token, &document, json!({"me": me, "ada": ada})).json();
        assert_eq!(error_code(&answer), Some("TOKEN_REVOKED"), "{name}: {answer}");
        assert_eq!(answer["data"]["first"]["user"]["id"], json!(me), "{name}: the first mutation succeeds");
        let nickname = server.store().user(ada).unwrap().unwrap().person.nickname;
        assert_eq!(nickname, None, "{name}");
    }
}

#[test]
fn a_list_costs_the_same_number_of_queries_for_one_user_as_for_many() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    for i in 0..12 {
        let user = server.insert_person(&format!("p{i}")).id;
        server
            .store()
            .link_identity(user, &format!("github|{i}").parse().unwrap(), &Actor::User(user))
            .unwrap();
        server.store().accept_terms(user, "v1", &Actor::User(user)).unwrap();
    }
    let document = "query($first: Int!) { users(first: $first) {
        totalCount
        edges { node { id identities { auth0Id provider } acceptedTerms { version }
            auditTrail(first: 2) { totalCount nodes {
                action actor { kind user { id identities { auth0Id } } } user { id acceptedTerms { version } } } } } } } }";
    let cost = |first: i32| {
        let before = server.store().queries();
        let answer = server.ask_internal(&staff, document, json!({"first": first})).json();
        let cost = server.store().queries() - before;
        let edges = answer["data"]["users"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        assert_eq!(edges.len(), usize::try_from(first).unwrap());
        for edge in edges {
            let node = &edge["node"];
            assert_eq!(node["identities"].as_array().unwrap().len(), 2, "{node}");
            assert_eq!(node["auditTrail"]["totalCount"], 3, "{node}");
            assert_eq!(node["auditTrail"]["nodes"][0]["action"], "user.terms_accepted");
            assert_eq!(node["auditTrail"]["nodes"][0]["actor"]["user"]["id"], node["id"]);
            assert_eq!(node["auditTrail"]["nodes"][1]["user"]["acceptedTerms"][0]["version"], "v1");
        }
        assert_eq!(answer["data"]["users"]["totalCount"], 12);
        cost
    };
    // The minimum of three runs: the doors query the outbox in the background now and then.
    let least = |first: i32| (0..3).map(|_| cost(first)).min().unwrap();
    assert_eq!(
        (least(1), least(12)),
        (9, 9),
        "page, count, identities, terms, audit events and their count, actors, and the identities and terms of actors"
    );

    let before = server.store().queries();
    server
        .ask_internal(
            &staff,
            "{ users(first: 12) { edges { node { email } } pageInfo { hasNextPage } } }",
            Value::Null,
        )
        .json();
    assert_eq!(server.store().queries() - before, 1, "the total is counted only if it is selected");
}

#[test]
fn pages_can_be_read_in_both_directions() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    for name in ["cleo", "ada", "bob", "dora", "Eve"] {
        server.insert_person(name);
    }
    let document = "query($order: UserOrder, $first: Int, $after: String, $last: Int, $before: String) {
        users(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
            nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let names = |answer: &Value| {
        let nodes = answer.pointer("/data/users/nodes").and_then(Value::as_array);
        let nodes = nodes.unwrap_or_else(|| panic!("{answer}"));
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let order = json!({"field": "NAME", "direction": "DESC"});
    let first = server.ask_internal(&staff, document, json!({"order": order, "first": 2})).json();
    assert_eq!(names(&first), ["Eve", "dora"]);
    let info = &first["data"]["users"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    let next = server
        .ask_internal(&staff, document, json!({"order": order, "first": 2, "after": info["endCursor"]}))
        .json();
    assert_eq!(names(&next), ["cleo", "bob"]);
    let last = server.ask_internal(&staff, document, json!({"order": order, "last": 2})).json();
    assert_eq!(names(&last), ["bob", "ada"]);
    let start = &last["data"]["users"]["pageInfo"]["startCursor"];
    let previous =
        server.ask_internal(&staff, document, json!({"order": order, "last": 9, "before": start})).json();
    assert_eq!(names(&previous), ["Eve", "dora", "cleo"]);
    let cursor = &info["endCursor"];
    for bad in [
        json!({"first": 1, "after": cursor}),
        json!({"order": order, "first": 1, "last": 1}),
        json!({"first": 101}),
        json!({"first": 1, "after": "x"}),
    ] {
        assert_eq!(
            error_code(&server.ask_internal(&staff, document, bad.clone()).json()),
            Some("BAD_INPUT"),
            "{bad}"
        );
    }
}

#[test]
fn users_and_audit_events_are_found_by_filter_and_id() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    let (ada, _) = (server.insert_person("ada").id, server.insert_person("adam").id);
    let answer = server.ask_internal(&staff, "query($ada: ID!) {
            searched: users(filter: {search: \"ADA\"}) { totalCount }
            exact: users(filter: {email: \"ADA@example.com\", status: ACTIVE}) { nodes { id } }
            later: users(filter: {createdAt: {from: \"2999-01-01T00:00:00Z\"}}) { totalCount }
            auditEvents(filter: {userId: $ada, action: \"user.inserted\"}) { totalCount nodes { id user { id } changes } }
            node(id: $ada) { id ... on User { email profile } }
            nothing: node(id: \"nothing\") { id }
            viewer { kind clientId permissions user { id } } }", json!({"ada": ada})).json();
    let data = &answer["data"];
    assert_eq!(data["searched"]["totalCount"], 2, "{answer}");
    assert_eq!(data["exact"]["nodes"], json!([{"id": ada}]));
    assert_eq!(data["later"]["totalCount"], 0);
    assert_eq!(data["auditEvents"]["totalCount"], 1);
    assert_eq!(data["auditEvents"]["nodes"][0]["changes"]["email"], "redacted");
    assert_eq!(data["node"], json!({"id": ada, "email": "ada@example.com", "profile": null}));
    assert_eq!(data["nothing"], Value::Null);
    assert_eq!(data["viewer"]["kind"], "MACHINE");
    assert_eq!((&data["viewer"]["clientId"], &data["viewer"]["user"]), (&json!("m1"), &Value::Null));

    let event = &data["auditEvents"]["nodes"][0]["id"];
    let document =
        "query($id: ID!) { node(id: $id) { id ... on AuditEvent { action actor { kind user { id } } } } }";
    let found = server.ask_internal(&staff, document, json!({"id": event})).json();
    assert_eq!(
        found["data"]["node"],
        json!({"id": event, "action": "user.inserted", "actor": {"kind": "GATE", "user": null}})
    );
    let reader = server.machine_token("users:read");
    assert_eq!(
        error_code(&server.ask_internal(&reader, document, json!({"id": event})).json()),
        Some("NOT_PERMITTED")
    );
    for document in ["{ auditEvents { totalCount } }", "{ users { nodes { auditTrail { totalCount } } } }"] {
        let refused = server.ask_internal(&reader, document, Value::Null).json();
        assert_eq!(refused["errors"][0]["extensions"]["missing"], json!(["audit:read"]), "{document}");
    }
}

#[test]
fn auth0_profile_can_be_selected_for_one_user_only() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    let ada = server.insert_person("ada").id;
    let profile = json!({"user_id": "auth0|ada", "app_metadata": {"plan": {"seats": 3}}, "logins_count": 4});
    server.auth0.set_profile("auth0|ada", ProfileReply::Json(profile.clone()));
    let one = server
        .ask_internal(&staff, "query($id: ID!) { user(id: $id) { auth0Profile } }", json!({"id": ada}))
        .json();
    assert_eq!(one["data"]["user"]["auth0Profile"], profile, "{one}");
    server.insert_person("bob");
    let calls = server.auth0.calls("/api/v2/users/");
    let many = server.ask_internal(&staff, "{ users { nodes { auth0Profile } } }", Value::Null).json();
    assert_eq!(error_code(&many), Some("BAD_INPUT"));
    assert_eq!(server.auth0.calls("/api/v2/users/"), calls, "a profile was fetched");
}

#[test]
fn a_user_whom_auth0_does_not_know_is_not_asked_for_again() {
    let server = TestServer::open(&[]);
    let (staff, ada) = (server.machine_token(ALL), server.insert_person("ada").id);
    let document = "query($id: ID!) { user(id: $id) { auth0Profile } }";
    for _ in 0..2 {
        let answer = server.ask_internal(&staff, document, json!({"id": ada})).json();
        assert!(answer["data"]["user"]["auth0Profile"].is_null(), "{answer}");
        assert_eq!(server.auth0.calls("/api/v2/users/"), 1, "the first answer is remembered");
    }
}

#[test]
fn auth0_profiles_share_a_fetch_and_the_breaker() {
    let server = TestServer::open(&[]);
    let staff = server.machine_token(ALL);
    let (ada, bob) = (server.insert_person("ada").id, server.insert_person("bob").id);
    let document = "query($id: ID!) { user(id: $id) { auth0Profile } }";
    let fetch = |id: UserId| server.ask_internal(&staff, document, json!({"id": id})).json();
    let profile = json!({"user_id": "auth0|ada"});
    server.auth0.set_profile("auth0|ada", ProfileReply::Json(profile.clone()));
    server.auth0.delay_replies(Duration::from_millis(500));
    let many = "query($id: ID!) { a: user(id: $id) { auth0Profile } b: user(id: $id) { auth0Profile } }";
    let both = server.ask_internal(&staff, many, json!({"id": ada})).json();
    let expected = json!({"auth0Profile": profile});
    assert_eq!(both, json!({"data": {"a": expected, "b": expected}}));
    assert_eq!(server.auth0.calls("/api/v2/users/"), 1, "one fetch for both");
    server.auth0.delay_replies(Duration::ZERO);

    // Auth0's rate limit holds for every user and every purpose.
    server.auth0.set_profile("auth0|bob", ProfileReply::Status(429, vec![("retry-after", "40".to_owned())]));
    let before = server.auth0.calls("/api/v2/users/");
    assert_eq!(fetch(ada)["data"]["user"], expected, "a profile is fresh for ten seconds");
    for answer in [fetch(bob), fetch(bob)] {
        assert_eq!(error_code(&answer), Some("PROFILE_UNAVAILABLE"), "{answer}");
        let seconds = answer["errors"][0]["extensions"]["retryAfter"].as_u64().unwrap();
        assert!((1..=40).contains(&seconds), "{answer}");
    }
    let new = server.me(&server.token("auth0|new", json!({})));
    assert_eq!(new.code().as_deref(), Some("PROFILE_UNAVAILABLE"), "{}", new.body);
    assert_eq!(server.auth0.calls("/api/v2/users/"), before + 1);
}
