//! The Management API's clients, grants, rules, actions, organizations, keys, and the feed of events.

use serde_json::json;

use super::management_api::{Api, NEW};
use super::*;

#[tokio::test]
async fn what_is_created_serves_at_once() {
    let api = Api::open().await;
    let server = api
        .post(
            "/resource-servers",
            201,
            json!({"identifier": "https://new.api/", "name": "New", "scopes": [{"value": "a"}]}),
        )
        .await;
    assert_eq!((&server["token_lifetime"], &server["signing_alg"]), (&json!(86_400), &json!("RS256")));
    assert_eq!(
        api.call("POST", "/resource-servers", json!({"identifier": "https://new.api/"})).await.status,
        409
    );
    let client = api.post("/clients", 201, json!({"name": "Job", "app_type": "non_interactive"})).await;
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let token = async |secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("audience", "https://new.api/"),
        ];
        api.tenant.token(&form).await
    };
    assert_eq!(token(secret).await.status, 403);
    let grant = api
        .post("/client-grants", 201, json!({"client_id": id, "audience": "https://new.api/", "scope": ["a"]}))
        .await;
    assert_eq!(token(secret).await.json()["scope"], "a");
    let again = |subject: Option<&str>| {
        let mut grant = json!({"client_id": id, "audience": "https://new.api/", "scope": ["a"]});
        if let Some(subject) = subject {
            grant["subject_type"] = json!(subject);
        }
        grant
    };
    assert_eq!(api.call("POST", "/client-grants", again(None)).await.status, 409);
    assert_eq!(api.call("POST", "/client-grants", again(Some("client"))).await.status, 409, "the default");
    assert_eq!(api.get("/client-grants?audience=https%3A%2F%2Fnew.api%2F").await, json!([grant]));
    let page = api.get("/client-grants?take=1").await;
    let rest = api.get(&format!("/client-grants?take=100&from={}", page["next"].as_str().unwrap())).await;
    assert!(rest.get("next").is_none() && !rest["client_grants"].as_array().unwrap().is_empty());
    let grant_path = format!("/client-grants/{}", grant["id"].as_str().unwrap());
    assert_eq!(api.patch(&grant_path, 200, json!({"scope": []})).await["scope"], json!([]));
    api.get(&grant_path).await;

    let path = format!("/clients/{id}");
    let rotated = api.post(&format!("{path}/rotate-secret"), 200, Value::Null).await;
    assert_eq!(
        (token(secret).await.status, token(rotated["client_secret"].as_str().unwrap()).await.status),
        (401, 200)
    );
    let changed = api
        .patch(&path, 200, json!({"client_metadata": {"k": "v"}, "callbacks": ["http://localhost/cb"]}))
        .await;
    assert_eq!(changed["client_metadata"], json!({"k": "v"}));
    let clients = api
        .get("/clients?include_totals=true&is_global=false&fields=client_id,name&include_fields=true")
        .await;
    assert!(
        clients["clients"].as_array().unwrap().iter().all(|client| client.as_object().unwrap().len() == 2)
    );
    assert_eq!(
        api.get("/clients?app_type=non_interactive,spa").await.as_array().unwrap().len(),
        clients["total"].as_u64().unwrap() as usize
    );
    api.delete(&grant_path, 204, Value::Null).await;
    api.delete(&path, 204, Value::Null).await;
    assert_eq!(token(secret).await.status, 401);
    let server_path = format!("/resource-servers/{}", server["id"].as_str().unwrap());
    assert_eq!(api.patch(&server_path, 201, json!({"token_lifetime": 60})).await["token_lifetime"], 60);
    api.delete(&server_path, 204, Value::Null).await;
    let listed = api.get("/resource-servers?include_totals=true").await;
    assert!(listed["resource_servers"][0]["is_system"] == true, "{listed}");
}

#[tokio::test]
async fn rules_actions_and_settings_change() {
    let api = Api::open().await;
    let rule = api
        .post("/rules", 201, json!({"name": "r", "script": "function (u, c, cb) { cb(null, u, c); }"}))
        .await;
    assert_eq!(
        (&rule["enabled"], &rule["stage"], &rule["order"]),
        (&json!(true), &json!("login_success"), &json!(1))
    );
    let path = format!("/rules/{}", rule["id"].as_str().unwrap());
    assert_eq!(api.patch(&path, 200, json!({"enabled": false})).await["enabled"], false);
    assert_eq!(api.get("/rules?enabled=true").await, json!([]));
    assert_eq!(api.call("POST", "/rules", json!({"name": "s", "script": "x", "order": 1})).await.status, 409);
    assert_eq!(api.get("/rules?include_totals=true").await["total"], 1);
    api.delete(&path, 204, Value::Null).await;
    let put = api.call("PUT", "/rules-configs/KEY", json!({"value": "v"})).await;
    assert_eq!(put.json(), json!({"key": "KEY", "value": "v"}));
    assert!(api.get("/rules-configs").await.as_array().unwrap().contains(&json!({"key": "KEY"})));
    api.delete("/rules-configs/KEY", 204, Value::Null).await;

    let new = json!({"name": "enrich", "supported_triggers": [{"id": "post-login", "version": "v3"}], "code": "1",
        "secrets": [{"name": "S", "value": "hidden"}]});
    let action = api.post("/actions/actions", 201, new.clone()).await;
    assert_eq!((&action["status"], &action["all_changes_deployed"]), (&json!("pending"), &json!(false)));
    assert_eq!(action["secrets"], json!([{"name": "S"}]));
    assert_eq!(api.call("POST", "/actions/actions", new).await.status, 400);
    let id = action["id"].as_str().unwrap();
    let bind =
        json!({"bindings": [{"ref": {"type": "action_name", "value": "enrich"}, "display_name": "Enrich"}]});
    let bindings = "/actions/triggers/post-login/bindings";
    assert_eq!(api.call("PATCH", bindings, bind.clone()).await.status, 400, "not deployed");
    let version = api.post(&format!("/actions/actions/{id}/deploy"), 202, Value::Null).await;
    assert_eq!(
        (&version["number"], &version["deployed"], &version["action"]["name"]),
        (&json!(1), &json!(true), &json!("enrich"))
    );
    let changed = api.patch(&format!("/actions/actions/{id}"), 200, json!({"code": "2"})).await;
    assert_eq!(
        (&changed["all_changes_deployed"], &changed["deployed_version"]["code"]),
        (&json!(false), &json!("1"))
    );
    api.post(&format!("/actions/actions/{id}/deploy"), 202, Value::Null).await;
    let versions = api.get(&format!("/actions/actions/{id}/versions")).await;
    assert_eq!((&versions["total"], &versions["versions"][0]["number"]), (&json!(2), &json!(2)));
    let first = versions["versions"][1]["id"].as_str().unwrap();
    api.get(&format!("/actions/actions/{id}/versions/{first}")).await;
    let back = api
        .post(&format!("/actions/actions/{id}/versions/{first}/deploy"), 202, json!({"update_draft": true}))
        .await;
    assert_eq!((&back["number"], &back["code"]), (&json!(3), &json!("1")));
    let built = api.get(&format!("/actions/actions/{id}")).await;
    assert_eq!((&built["code"], &built["status"]), (&json!("1"), &json!("built")));
    assert_eq!(api.patch(bindings, 200, bind).await["bindings"][0]["action"]["name"], "enrich");
    assert_eq!(api.get(bindings).await["bindings"][0]["display_name"], "Enrich");
    assert_eq!(api.get("/actions/actions?triggerId=post-login&deployed=true").await["total"], 1);
    assert_eq!(api.get("/actions/triggers").await["triggers"][0]["id"], "post-login");
    assert_eq!(api.call("DELETE", &format!("/actions/actions/{id}"), Value::Null).await.status, 400);
    api.patch(bindings, 200, json!({"bindings": []})).await;
    api.delete(&format!("/actions/actions/{id}"), 204, Value::Null).await;
    let missing = api.call("GET", &format!("/actions/actions/{id}"), Value::Null).await;
    assert_eq!(
        (missing.status, missing.json()["message"].clone()),
        (404, json!("That action does not exist."))
    );

    let settings = api
        .patch("/tenants/settings", 200, json!({"friendly_name": "F", "session_lifetime_in_minutes": 120}))
        .await;
    assert_eq!((&settings["friendly_name"], &settings["session_lifetime"]), (&json!("F"), &json!(2.0)));
    assert_eq!(api.get("/tenants/settings").await, settings);
}

#[tokio::test]
async fn organizations_connections_and_identities() {
    let api = Api::open().await;
    let connection = api.post("/connections", 201, json!({"name": "people", "strategy": "auth0"})).await;
    let (id, path) =
        (connection["id"].as_str().unwrap(), format!("/connections/{}", connection["id"].as_str().unwrap()));
    assert_eq!(api.patch(&path, 200, json!({"options": {"a": 1}})).await["options"], json!({"a": 1}));
    api.call("PATCH", &format!("{path}/clients"), json!([{"client_id": "spa", "status": true}])).await;
    assert_eq!(api.get(&path).await["enabled_clients"], json!(["spa"]));
    assert_eq!(api.get(&format!("{path}/clients")).await["clients"][0]["client_id"], "spa");
    assert_eq!(api.get("/clients/spa/connections").await["connections"][0]["name"], "people");
    assert_eq!(api.get("/connections?strategy=auth0&name=people").await[0]["id"], connection["id"]);

    let organization = api.post("/organizations", 201, json!({"name": "acme", "metadata": {"k": "v"}})).await;
    let org = format!("/organizations/{}", organization["id"].as_str().unwrap());
    api.post(&format!("{org}/members"), 204, json!({"members": ["auth0|ada"]})).await;
    assert_eq!(api.get(&format!("{org}/members")).await[0]["user_id"], "auth0|ada");
    assert_eq!(api.get("/users/auth0%7Cada/organizations").await[0]["name"], "acme");
    let role = api.get("/roles").await[0]["id"].clone();
    let roles = format!("{org}/members/auth0%7Cada/roles");
    api.post(&roles, 204, json!({"roles": [role]})).await;
    assert_eq!(api.get(&roles).await[0]["id"], role);
    api.delete(&roles, 204, json!({"roles": [role]})).await;
    api.post(
        &format!("{org}/enabled_connections"),
        201,
        json!({"connection_id": id, "assign_membership_on_login": true}),
    )
    .await;
    let enabled = api.get(&format!("{org}/enabled_connections")).await;
    assert_eq!(
        (&enabled[0]["connection"]["name"], &enabled[0]["assign_membership_on_login"]),
        (&json!("people"), &json!(true))
    );
    api.delete(&format!("{org}/enabled_connections/{id}"), 204, Value::Null).await;
    assert_eq!(api.get("/organizations/name/acme").await["id"], organization["id"]);
    api.delete(&format!("{org}/members"), 204, json!({"members": ["auth0|ada"]})).await;
    assert_eq!(api.get(&format!("{org}/members?include_totals=true")).await["total"], 0);
    api.delete(&org, 204, Value::Null).await;
    api.delete(&path, 202, Value::Null).await;

    let linked = api
        .post("/users/auth0%7Cada/identities", 201, json!({"provider": "auth0", "user_id": "grace"}))
        .await;
    assert_eq!(
        (linked[1]["user_id"].clone(), linked[1]["profileData"]["email"].clone()),
        (json!("grace"), json!("grace@example.com"))
    );
    assert_eq!(api.call("GET", "/users/auth0%7Cgrace", Value::Null).await.status, 404);
    assert_eq!(api.get("/users/auth0%7Cada").await["identities"], linked);
    let left = api.delete("/users/auth0%7Cada/identities/auth0/grace", 200, Value::Null).await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(api.get("/users/auth0%7Cgrace").await["email"], "grace@example.com");
    assert_eq!(api.call("DELETE", "/users/auth0%7Cada/identities/auth0/ada", Value::Null).await.status, 400);
}

#[tokio::test]
async fn keys_rotate_and_a_revoked_one_verifies_no_more() {
    let api = Api::open().await;
    let old = api.tenant.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
    let keys = api.get("/keys/signing").await;
    let flags: Vec<_> =
        keys.as_array().unwrap().iter().map(|key| (key["next"] == true, key["current"] == true)).collect();
    assert_eq!(flags, [(true, false), (false, true)]);
    let (next, current) = (keys[0]["kid"].as_str().unwrap(), keys[1]["kid"].as_str().unwrap());
    let refused = api.call("PUT", &format!("/keys/signing/{current}/revoke"), Value::Null).await;
    assert_eq!(refused.status, 403);
    let rotated = api.post("/keys/signing/rotate", 201, Value::Null).await;
    assert_eq!(rotated["kid"], next);
    let new = api.tenant.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
    let (header, _) = api.tenant.decode(new["access_token"].as_str().unwrap());
    assert_eq!(header.kid.as_deref(), Some(next));
    assert_eq!(
        api.get(&format!("/keys/signing/{current}")).await["previous"],
        true,
        "and its token still serves"
    );
    let jwks = api.tenant.get("/.well-known/jwks.json", &[]).await.json();
    assert_eq!((jwks["keys"].as_array().unwrap().len(), &jwks["keys"][0]["kid"]), (2, &json!(next)));
    Api::ok(api.call("PUT", &format!("/keys/signing/{current}/revoke"), Value::Null).await, 200);
    let with = async |token: &Value| {
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        api.tenant.get("/api/v2/roles", &[("authorization", &bearer)]).await.status
    };
    assert_eq!((with(&old).await, with(&new).await), (401, 200));
}

/// Reads the feed until it has `count` events; their texts.
async fn events(api: &Api, query: &str, headers: &[(&str, &str)], count: usize) -> Vec<String> {
    let headers = [&[("authorization", api.bearer.as_str())], headers].concat();
    let request = with_headers(warp::http::Request::get(format!("/api/v2/events{query}")), &headers);
    let filter = api.tenant.tenant.filter(Duration::from_secs(60));
    let service = TowerToHyperService::new(warp::service(filter));
    let response = service.call(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut body, mut text) = (Box::pin(response.into_body()), String::new());
    while text.matches("\ndata:").count() < count {
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(text.starts_with(":connected") && text.contains("retry:2000"), "{text}");
    text.split("\n\n").filter(|event| event.contains("data:")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_feed_of_users_is_in_order_and_resumes_after_an_offset() {
    let api = Api::open().await;
    let ada = "/users/auth0%7Cada";
    api.patch(ada, 200, json!({"nickname": "a"})).await;
    let body = json!({"connection": NEW, "email": "e@example.com", "password": "long enough"});
    let id = api.post("/users", 201, body).await["user_id"].as_str().unwrap().to_owned();
    api.delete(&format!("/users/{}", id.replace('|', "%7C")), 204, Value::Null).await;
    let since = "?from_timestamp=2020-01-01T00%3A00%3A00Z";
    let all = events(&api, since, &[], 3).await;
    let line = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {event}")).to_owned()
    };
    let kinds: Vec<_> = all.iter().map(|event| line(event, "event:")).collect();
    assert_eq!(kinds, ["user.updated", "user.created", "user.deleted"]);
    let data: Value = serde_json::from_str(&line(&all[1], "data:")).unwrap();
    assert_eq!(
        (&data["type"], &data["event"]["data"]["object"]["user_id"]),
        (&json!("user.created"), &json!(id))
    );
    assert_eq!(data["offset"], line(&all[1], "id:"));

    let offset = line(&all[1], "id:");
    assert_eq!(events(&api, &format!("?from={offset}"), &[], 1).await, all[2..]);
    assert_eq!(events(&api, "", &[("last-event-id", &line(&all[0], "id:"))], 2).await, all[1..]);
    let deleted =
        events(&api, &format!("{since}&event_type=user.deleted&event_type=user.created"), &[], 2).await;
    assert_eq!(deleted, all[1..]);
    // A stream without an offset begins now.
    let live = events(&api, "", &[], 1);
    let change = async {
        // The stream is open once it is counted.
        while api.tenant.tenant.0.load().db.events.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        api.patch(ada, 200, json!({"nickname": "live"})).await
    };
    let (live, _) = tokio::join!(live, change);
    assert!(live[0].contains("\"nickname\":\"live\""), "{live:?}");
    for query in ["?from=x", "?from_timestamp=x", "?from=evo_1&from_timestamp=2020-01-01T00%3A00%3A00Z"] {
        assert_eq!(api.call("GET", &format!("/events{query}"), Value::Null).await.status, 400, "{query}");
    }
}
