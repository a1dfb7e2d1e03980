//! The whole Management API; every answer is validated against Auth0's document, if there is one.

use serde_json::json;

use super::openapi::OpenApi;
use super::*;

/// A tenant whose client `vestibule` has every scope.
pub(super) struct Api {
    pub(super) tenant: TestTenant,
    pub(super) bearer: String,
    document: OpenApi,
}

impl Api {
    pub(super) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Bundle)) -> Self {
        let grant = |bundle: &mut Bundle| {
            let grant = bundle.client_grants.iter_mut().find(|grant| grant.client_id == "vestibule").unwrap();
            grant.allow_all_scopes = true;
            // The typed list is made anew from the objects after a change.
            for grant in bundle.objects.lists.get_mut(&crate::bundle::Kind::ClientGrant).unwrap() {
                if grant["client_id"] == "vestibule" {
                    grant.insert("allow_all_scopes".to_owned(), true.into());
                }
            }
            change(bundle);
        };
        let tenant = TestTenant::with(grant, accept);
        let token = tenant.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        Self { tenant, bearer, document: OpenApi::open() }
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> TestResponse {
        let request = warp::http::Request::builder().method(method).uri(format!("/api/v2{path}"));
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.tenant.send(with_headers(request, &headers), &body).await;
        self.document.check(method, path, response.status, &response.text);
        for header in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
            assert!(!response.header(header).is_empty(), "{method} {path}: {header}");
        }
        response
    }

    /// The body, after a check of the status.
    #[track_caller]
    pub(super) fn ok(response: TestResponse, status: u16) -> Value {
        assert_eq!(response.status, status, "{}", response.text);
        if response.text.is_empty() { Value::Null } else { response.json() }
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        Self::ok(self.call("GET", path, Value::Null).await, 200)
    }

    pub(super) async fn post(&self, path: &str, status: u16, body: Value) -> Value {
        Self::ok(self.call("POST", path, body).await, status)
    }

    pub(super) async fn patch(&self, path: &str, status: u16, body: Value) -> Value {
        Self::ok(self.call("PATCH", path, body).await, status)
    }

    pub(super) async fn delete(&self, path: &str, status: u16, body: Value) -> Value {
        Self::ok(self.call("DELETE", path, body).await, status)
    }
}

pub(super) const NEW: &str = "Username-Password-Authentication";

#[tokio::test]
async fn users_are_created_changed_searched_and_deleted() {
    let api = Api::open().await;
    let body = json!({"connection": NEW, "email": "New@Example.com", "password": "long enough", "user_metadata": {"a": 1, "b": 2}});
    let user = api.post("/users", 201, body.clone()).await;
    let id = user["user_id"].as_str().unwrap();
    assert!(
        id.starts_with("auth0|") && user["email"] == "new@example.com" && user["name"] == "new@example.com"
    );
    assert_eq!((&user["nickname"], &user["email_verified"]), (&json!("new"), &json!(false)));
    assert_eq!(
        user["identities"][0],
        json!({"connection": NEW, "provider": "auth0", "user_id": &id[6..], "isSocial": false})
    );
    assert!(user.get("app_metadata").is_none() && user.get("password").is_none());
    let again = api.call("POST", "/users", body).await;
    assert_eq!((again.status, again.json()["errorCode"].clone()), (409, json!("auth0_idp_error")));

    let path = format!("/users/{}", id.replace('|', "%7C"));
    let changed = api
        .patch(
            &path,
            200,
            json!({"user_metadata": {"a": null, "c": {"d": 1}}, "name": "N", "nickname": null}),
        )
        .await;
    assert_eq!(changed["user_metadata"], json!({"b": 2, "c": {"d": 1}}));
    assert!(changed["name"] == "N" && changed.get("nickname").is_none());
    assert_eq!(api.get(&path).await, changed);
    assert_eq!(api.get("/users-by-email?email=new%40example.com").await, json!([changed]));

    let total = api.get("/users?include_totals=true&per_page=2&page=1").await;
    assert_eq!((&total["start"], &total["limit"], &total["length"]), (&json!(2), &json!(2), &json!(2)));
    let all = api.get("/users?per_page=100").await.as_array().unwrap().len();
    assert_eq!(total["total"], all);
    let found =
        api.get("/users?q=name%3AN%20AND%20email%3A*%40example.com&search_engine=v3&fields=user_id").await;
    assert_eq!(found, json!([{"user_id": id}]));
    let sorted = api.get("/users?sort=email%3A-1&fields=email").await;
    let emails: Vec<_> =
        sorted.as_array().unwrap().iter().filter_map(|user| user["email"].as_str()).collect();
    assert!(emails.is_sorted_by(|a, b| a >= b), "{emails:?}");

    // The password that was set logs in, a new one replaces it.
    let login = async |password: &str| {
        let form = [
            ("grant_type", "http://auth0.com/oauth/grant-type/password-realm"),
            ("realm", NEW),
            ("client_id", "spa"),
            ("username", "new@example.com"),
            ("password", password),
        ];
        api.tenant.token(&form).await.status
    };
    assert_eq!(login("long enough").await, 200);
    api.patch(&path, 200, json!({"password": "another one"})).await;
    assert_eq!((login("long enough").await, login("another one").await), (403, 200));
    api.patch(&path, 200, json!({"blocked": true})).await;
    assert_ne!(login("another one").await, 200);

    api.delete(&path, 204, Value::Null).await;
    assert_eq!(api.call("GET", &path, Value::Null).await.status, 404);
    api.delete(&path, 204, Value::Null).await;
    for (body, message) in [
        (json!({}), "Missing required property: connection"),
        (json!({"connection": "nowhere", "email": "a@b"}), "The connection does not exist."),
        (json!({"connection": NEW, "email": "a@b"}), "Missing required property: password"),
        (json!({"connection": NEW, "email": "ab", "password": "long enough"}), "format email"),
        (json!({"connection": NEW, "email": "a@b", "password": "short"}), "PasswordStrengthError"),
        (
            json!({"connection": NEW, "email": 1}),
            "Expected type string but found type integer' on property email",
        ),
        (json!({"connection": NEW, "evil": 1}), "Additional properties not allowed: evil"),
    ] {
        let refused = api.call("POST", "/users", body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.json()["message"].as_str().unwrap().contains(message), "{}", refused.text);
    }
    for query in ["per_page=101", "page=x", "q=name%3A", "include_totals=maybe", "page=20&per_page=100"] {
        assert_eq!(api.call("GET", &format!("/users?{query}"), Value::Null).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn roles_and_permissions_reach_the_tokens() {
    let api = Api::open().await;
    let role = api.post("/roles", 200, json!({"name": "reader", "description": "d"})).await;
    assert_eq!(role.as_object().unwrap().len(), 3);
    let id = role["id"].as_str().unwrap();
    assert!(id.starts_with("rol_"));
    assert_eq!(api.call("POST", "/roles", json!({"name": "Reader"})).await.status, 409);
    let scope =
        api.get(&format!("/resource-servers/{}", urlencoded(INTERNAL))).await["scopes"][0]["value"].clone();
    let permissions =
        json!({"permissions": [{"resource_server_identifier": INTERNAL, "permission_name": scope}]});
    api.post(&format!("/roles/{id}/permissions"), 201, permissions.clone()).await;
    let listed = api.get(&format!("/roles/{id}/permissions?include_totals=true")).await;
    assert_eq!((&listed["total"], &listed["permissions"][0]["permission_name"]), (&json!(1), &scope));
    assert_eq!(
        api.call(
            "POST",
            &format!("/roles/{id}/permissions"),
            json!({"permissions": [{"resource_server_identifier": "x", "permission_name": "y"}]})
        )
        .await
        .status,
        400
    );

    api.post("/users/auth0%7Cgrace/roles", 204, json!({"roles": [id]})).await;
    assert!(api.get("/users/auth0%7Cgrace/roles").await.as_array().unwrap().contains(&role));
    assert_eq!(api.get(&format!("/roles/{id}/users")).await[0]["user_id"], "auth0|grace");
    let held = api.get("/users/auth0%7Cgrace/permissions?include_totals=true").await;
    let source = json!({"source_id": id, "source_name": "reader", "source_type": "ROLE"});
    let of_role = |held: &Value| {
        held["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["sources"].as_array().unwrap().contains(&source))
    };
    assert!(of_role(&held), "{held}");
    api.post("/users/auth0%7Cada/permissions", 201, permissions.clone()).await;
    let direct = api.get("/users/auth0%7Cada/permissions").await;
    assert_eq!(direct[0]["sources"][0]["source_type"], "DIRECT");
    api.delete("/users/auth0%7Cada/permissions", 204, permissions.clone()).await;
    assert_eq!(api.get("/users/auth0%7Cada/permissions").await, json!([]));

    api.post(&format!("/roles/{id}/users"), 200, json!({"users": ["auth0|ada"]})).await;
    api.delete("/users/auth0%7Cada/roles", 204, json!({"roles": [id]})).await;
    api.delete(&format!("/roles/{id}/permissions"), 200, permissions).await;
    assert_eq!(api.patch(&format!("/roles/{id}"), 200, json!({"name": "r2"})).await["name"], "r2");
    assert_eq!(api.get("/roles?name_filter=R2").await.as_array().unwrap().len(), 1);
    api.delete(&format!("/roles/{id}"), 200, Value::Null).await;
    assert_eq!(api.call("GET", &format!("/roles/{id}"), Value::Null).await.status, 404);
    assert_eq!(
        api.call("POST", "/users/auth0%7Cada/roles", json!({"roles": ["rol_none"]})).await.status,
        400
    );
}

#[tokio::test]
async fn jobs_import_and_export_users() {
    let api = Api::open().await;
    let connection =
        api.post("/connections", 201, json!({"name": "people", "strategy": "auth0"})).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
    let import = async |users: Value, upsert: &str| {
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = part("connection_id", &connection)
            + &part("upsert", upsert)
            + &part("users", &users.to_string())
            + "--b--\r\n";
        let request = warp::http::Request::post("/api/v2/jobs/users-imports");
        let headers =
            [("authorization", api.bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
        let job = Api::ok(api.tenant.send(with_headers(request, &headers), &body).await, 201);
        assert_eq!((&job["status"], &job["type"]), (&json!("pending"), &json!("users_import")));
        let path = format!("/jobs/{}", job["id"].as_str().unwrap());
        (api.get(&path).await, api.call("GET", &format!("{path}/errors"), Value::Null).await)
    };
    let users = json!([{"email": "i@example.com", "app_metadata": {"a": 1}}, {"name": "no email"}]);
    let (job, errors) = import(users.clone(), "false").await;
    assert_eq!(job["status"], "completed");
    assert_eq!(job["summary"], json!({"failed": 1, "updated": 0, "inserted": 1, "total": 2}));
    assert_eq!(errors.json()[0]["user"], json!({"name": "no email"}));
    let (job, errors) = import(json!([{"email": "I@example.com", "app_metadata": {"b": 2}}]), "true").await;
    assert_eq!((&job["summary"]["updated"], errors.status), (&json!(1), 204));
    assert_eq!(
        api.get("/users-by-email?email=i%40example.com").await[0]["app_metadata"],
        json!({"a": 1, "b": 2})
    );

    let fields = json!([{"name": "email"}, {"name": "app_metadata.a", "export_as": "a"}]);
    for (format, expected) in [
        ("csv", "\"email\",\"a\"\n\"i@example.com\",\"1\"\n"),
        ("json", "{\"a\":1,\"email\":\"i@example.com\"}\n"),
    ] {
        let job = api
            .post(
                "/jobs/users-exports",
                201,
                json!({"format": format, "connection_id": connection, "fields": fields}),
            )
            .await;
        let done = api.get(&format!("/jobs/{}", job["id"].as_str().unwrap())).await;
        let location = done["location"].as_str().unwrap().strip_prefix(ISSUER).unwrap();
        assert_eq!(api.tenant.get(&format!("/{location}"), &[]).await.text, expected);
        assert_eq!(
            api.tenant.get(&format!("/{}", location.split('?').next().unwrap()), &[]).await.status,
            403
        );
    }
}

#[tokio::test]
async fn scopes_are_enforced_everywhere_and_the_rest_is_empty() {
    let api = Api::open().await;
    let weak = TestTenant::with(
        |bundle| {
            bundle.client_grants.iter_mut().for_each(|grant| grant.scope = vec!["read:nothing".to_owned()])
        },
        accept,
    );
    let token = weak.machine_tokens("vestibule", &format!("{ISSUER}api/v2/")).await.json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    for path in [
        "users",
        "clients",
        "roles",
        "rules",
        "connections",
        "organizations",
        "actions/actions",
        "logs",
        "keys/signing",
        "tenants/settings",
        "branding",
        "emails/provider",
        "events",
        "client-grants",
        "resource-servers",
        "rules-configs",
        "users/x/roles",
    ] {
        let refused = weak.get(&format!("/api/v2/{path}"), &[("authorization", &bearer)]).await;
        assert_eq!(
            (refused.status, &refused.json()["errorCode"]),
            (403, &json!("insufficient_scope")),
            "{path}"
        );
    }
    for path in [
        "log-streams",
        "custom-domains",
        "hooks",
        "guardian/factors",
        "forms",
        "flows",
        "email-templates/verify_email",
        "branding",
        "prompts",
        "prompts/login/partials",
        "attack-protection/captcha",
        "self-service-profiles",
        "emails/provider",
    ] {
        let response = api.call("GET", &format!("/{path}"), Value::Null).await;
        let unset = path.starts_with("email");
        assert_eq!(response.status, if unset { 404 } else { 200 }, "{path}");
    }
    let branding = api.patch("/branding", 200, json!({"logo_url": "https://x/"})).await;
    assert_eq!(api.get("/branding").await, branding);
    assert_eq!(api.get("/custom-domains?include_totals=true").await["custom_domains"], json!([]));

    api.tenant.user_tokens("ada", &[("audience", PUBLIC)]).await;
    let logs = api.get("/logs?include_totals=true").await;
    assert!(logs["total"].as_u64().unwrap() >= 2, "{logs}");
    let edit = |entry: &&Value| entry["description"].as_str().unwrap_or_default().starts_with("PATCH /");
    let edit = logs["logs"].as_array().unwrap().iter().find(edit).unwrap();
    assert_eq!(edit["ip"], "127.0.0.1", "{edit}");
    let login = api.get("/users/auth0%7Cada/logs").await;
    assert_eq!(login[0]["type"], "s");
    api.get(&format!("/logs/{}", login[0]["log_id"].as_str().unwrap())).await;
    for (path, key) in [("sessions", "sessions"), ("refresh-tokens", "tokens")] {
        assert_eq!(api.get(&format!("/users/auth0%7Cada/{path}")).await[key], json!([]));
        api.delete(&format!("/users/auth0%7Cada/{path}"), 202, Value::Null).await;
    }
    for path in ["enrollments", "authentication-methods", "groups"] {
        assert_eq!(api.get(&format!("/users/auth0%7Cada/{path}")).await, json!([]));
    }
    assert_eq!(api.get("/user-blocks/auth0%7Cada").await, json!({"blocked_for": []}));
}

#[tokio::test]
async fn a_user_reads_and_changes_their_own_account_only() {
    let api = Api::open().await;
    let audience = format!("{ISSUER}api/v2/");
    let scope = "openid read:current_user update:current_user_metadata read:users";
    let token =
        api.tenant.user_tokens("ada", &[("audience", audience.as_str()), ("scope", scope)]).await.json();
    assert_eq!(token["scope"], "openid read:current_user update:current_user_metadata");
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let send = async |method: &str, path: &str, body: &str| {
        let request = warp::http::Request::builder().method(method).uri(format!("/api/v2/users/{path}"));
        api.tenant.send(with_headers(request, &[("authorization", &bearer)]), body).await.status
    };
    assert_eq!(send("GET", "auth0%7Cada", "").await, 200);
    assert_eq!(send("GET", "auth0%7Cgrace", "").await, 403);
    assert_eq!(send("PATCH", "auth0%7Cada", r#"{"user_metadata":{"a":1}}"#).await, 200);
    assert_eq!(send("PATCH", "auth0%7Cada", r#"{"app_metadata":{"a":1}}"#).await, 403);
    assert_eq!(send("PATCH", "auth0%7Cgrace", r#"{"user_metadata":{"a":1}}"#).await, 403);
}

fn urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
