//! The Management API's action modules, and the objects that are only kept.

use serde_json::json;

use super::management_api::Api;
use super::*;

/// What the deploy CLI requests for a whole export.
const EXPORT_PATHS: &str = include_str!("export_paths.txt");

#[tokio::test]
async fn a_whole_export_finds_every_path() {
    let api = Api::open().await;
    for path in EXPORT_PATHS.lines() {
        let response = api.call("GET", &format!("/{path}"), Value::Null).await;
        let is_absent =
            ["email-templates/", "emails/", "branding/themes/"].iter().any(|start| path.starts_with(start));
        assert_eq!(response.status, if is_absent { 404 } else { 200 }, "{path}: {}", response.text);
        assert!(response.json().is_array() || response.json().is_object(), "{path}: {}", response.text);
        if is_absent {
            assert_eq!(response.json()["error"], "Not Found", "{path}");
        }
    }
}

#[tokio::test]
async fn objects_that_change_no_login_are_kept() {
    let api = Api::open().await;
    let stream = api
        .post(
            "/log-streams",
            201,
            json!({"name": "s", "type": "http", "sink": {"httpEndpoint": "https://x/"}}),
        )
        .await;
    let path = format!("/log-streams/{}", stream["id"].as_str().unwrap());
    assert_eq!(api.patch(&path, 200, json!({"name": "t", "sink": null})).await["name"], "t");
    assert_eq!(api.get("/log-streams").await, json!([{"id": stream["id"], "name": "t", "type": "http"}]));
    api.delete(&path, 204, Value::Null).await;
    assert_eq!(api.call("GET", &path, Value::Null).await.status, 404);
    assert_eq!(api.call("PATCH", &path, json!({})).await.status, 404);

    let template = json!({"template": "verify_email", "subject": "Verify", "enabled": true});
    assert_eq!(api.call("PATCH", "/email-templates/verify_email", json!({"subject": "x"})).await.status, 404);
    api.post("/email-templates", 201, template.clone()).await;
    assert_eq!(api.call("POST", "/email-templates", template.clone()).await.status, 409);
    assert_eq!(api.get("/email-templates/verify_email").await, template);
    let put = api.call("PUT", "/email-templates/verify_email", json!({"subject": "new"})).await;
    assert_eq!(put.json(), json!({"template": "verify_email", "subject": "new"}), "a PUT replaces");
    let theme = api.post("/branding/themes", 201, json!({"displayName": "dark"})).await;
    assert_eq!(api.get("/branding/themes/default").await, theme);
    api.patch("/branding/themes/default", 200, json!({"displayName": "light"})).await;
    let light = json!({"themeId": theme["themeId"], "displayName": "light"});
    assert_eq!(api.get("/branding/themes/default").await, light);
    api.post("/emails/provider", 201, json!({"name": "smtp"})).await;
    assert_eq!(api.get("/emails/provider").await["name"], "smtp");
    api.delete("/emails/provider", 204, Value::Null).await;
    assert_eq!(api.call("GET", "/emails/provider", Value::Null).await.status, 404);
    assert_eq!(api.call("PUT", "/guardian/policies", json!(["all-applications"])).await.status, 200);
    assert_eq!(api.get("/guardian/policies").await, json!(["all-applications"]));
    let wrong = api.call("DELETE", "/branding", Value::Null).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, PATCH, PUT"));

    let org = api.post("/organizations", 201, json!({"name": "acme"})).await;
    let org = format!("/organizations/{}", org["id"].as_str().unwrap());
    api.post(
        &format!("{org}/discovery-domains"),
        201,
        json!({"domain": "acme.example", "status": "verified"}),
    )
    .await;
    assert_eq!(
        api.get(&format!("{org}/discovery-domains?take=50")).await["domains"][0]["domain"],
        "acme.example"
    );
    assert_eq!(api.call("GET", "/organizations/org_x/discovery-domains", Value::Null).await.status, 404);
    let connection = api.post("/connections", 201, json!({"name": "staff", "strategy": "auth0"})).await;
    let enable = json!({"connection_id": connection["id"], "assign_membership_on_login": true});
    api.post(&format!("{org}/connections"), 201, enable).await;
    let enabled = api.get(&format!("{org}/connections?include_totals=true")).await["connections"][0].clone();
    assert_eq!(
        (&enabled["connection"]["name"], &enabled["assign_membership_on_login"]),
        (&json!("staff"), &json!(true))
    );
    let path = format!("{org}/enabled_connections/{}", connection["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await, enabled);
    assert_eq!(api.call("GET", &format!("{org}/connections/con_x"), Value::Null).await.status, 404);
    let client = api.post("/clients", 201, json!({"name": "New", "app_type": "spa"})).await;
    let clients = api.get(&format!("/connections/{}/clients", connection["id"].as_str().unwrap())).await;
    assert_eq!(
        clients["clients"][0],
        json!({"client_id": client["client_id"]}),
        "a new client has all connections"
    );
    let grant = api.get("/client-grants?client_id=reports").await[0].clone();
    let granted = api.post(&format!("{org}/client-grants"), 201, json!({"grant_id": grant["id"]})).await;
    assert_eq!((&granted, &api.get(&format!("{org}/client-grants")).await), (&grant, &json!([grant])));
    let id = grant["id"].as_str().unwrap();
    assert_eq!(api.get(&format!("/client-grants/{id}/organizations")).await[0]["name"], "acme");
    api.delete(&format!("{org}/client-grants/{id}"), 204, Value::Null).await;
    assert_eq!(api.get(&format!("{org}/client-grants")).await, json!([]));
}

#[tokio::test]
async fn deletions_leave_no_rows_and_a_full_tenant_keeps_what_it_has() {
    let api = Api::open().await;
    let state = api.tenant.tenant.0.load_full();
    let count = || {
        let sql = "SELECT count(*) FROM object";
        state.db.lock().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let role = api.post("/roles", 200, json!({"name": "short-lived"})).await;
    for path in ["/log-streams/absent", "/emails/provider", "/rules-configs/ABSENT"] {
        api.delete(path, 204, Value::Null).await;
    }
    api.delete(&format!("/roles/{}", role["id"].as_str().unwrap()), 200, Value::Null).await;
    assert_eq!(count(), 0);
    let bundled = api.get("/roles").await[0].clone();
    let bundled = format!("/roles/{}", bundled["id"].as_str().unwrap());
    api.delete(&bundled, 200, Value::Null).await;
    assert_eq!((count(), api.call("GET", &bundled, Value::Null).await.status), (1, 404));

    let path = "/email-templates/verify_email";
    let template = json!({"template": "verify_email", "subject": "Verify"});
    api.post("/email-templates", 201, template).await;
    state
        .db
        .lock()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO object (kind, id, changes) SELECT 'rest flows', i, '{}' FROM n",
        )
        .unwrap();
    assert!(api.call("POST", "/log-streams", json!({"name": "s", "type": "http"})).await.status >= 400);
    for (method, subject) in [("PUT", "put"), ("PATCH", "patched")] {
        assert_eq!(api.call(method, path, json!({"subject": subject})).await.status, 200);
        assert_eq!(api.get(path).await["subject"], subject);
    }
    api.delete(path, 204, Value::Null).await;
    assert_eq!(count(), 9_999);
    api.post("/log-streams", 201, json!({"name": "s", "type": "http"})).await;
}

#[tokio::test]
async fn a_module_is_published_used_and_rolled_back() {
    let api = Api::open().await;
    let new = json!({"name": "shared", "code": "1", "secrets": [{"name": "S", "value": "hidden"}]});
    let module = api.post("/actions/modules", 201, new.clone()).await;
    assert_eq!(
        (&module["latest_version_number"], &module["all_changes_published"], &module["secrets"]),
        (&json!(0), &json!(false), &json!([{"name": "S"}]))
    );
    assert_eq!(api.call("POST", "/actions/modules", new).await.status, 409);
    let path = format!("/actions/modules/{}", module["id"].as_str().unwrap());
    let first = api.post(&format!("{path}/versions"), 201, Value::Null).await;
    assert_eq!((&first["version_number"], &first["module_id"]), (&json!(1), &module["id"]));
    assert_eq!(api.get(&path).await["all_changes_published"], true);
    let changed = api.patch(&path, 200, json!({"code": "2"})).await;
    assert_eq!(
        (&changed["all_changes_published"], &changed["latest_version"]["code"]),
        (&json!(false), &json!("1"))
    );
    api.post(&format!("{path}/versions"), 201, Value::Null).await;
    let versions = api.get(&format!("{path}/versions")).await;
    assert_eq!((&versions["total"], &versions["versions"][0]["code"]), (&json!(2), &json!("2")));
    api.get(&format!("{path}/versions/{}", first["id"].as_str().unwrap())).await;
    let back = api.post(&format!("{path}/rollback"), 200, json!({"module_version_id": first["id"]})).await;
    assert_eq!((&back["code"], &back["latest_version_number"]), (&json!("1"), &json!(2)));
    assert_eq!(
        api.call("POST", &format!("{path}/rollback"), json!({"module_version_id": "x"})).await.status,
        404
    );

    let action = json!({"name": "a", "supported_triggers": [{"id": "post-login", "version": "v3"}], "code": "1",
        "modules": [{"module_id": module["id"], "module_name": "shared", "module_version_id": first["id"], "module_version_number": 1}]});
    let action = api.post("/actions/actions", 201, action).await;
    assert_eq!(action["modules"][0]["module_name"], "shared");
    assert_eq!(api.get(&format!("{path}/actions")).await["actions"][0]["action_name"], "a");
    assert_eq!(api.call("DELETE", &path, Value::Null).await.status, 412, "an action uses it");
    api.delete(&format!("/actions/actions/{}", action["id"].as_str().unwrap()), 204, Value::Null).await;
    api.delete(&path, 204, Value::Null).await;
    assert_eq!(api.get("/actions/modules").await["modules"], json!([]));
    let published =
        api.post("/actions/modules", 201, json!({"name": "p", "code": "1", "publish": true})).await;
    assert_eq!(published["latest_version"]["version_number"], 1);
}
