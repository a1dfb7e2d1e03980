//! Queries for deployments at the Internal API.

use serde_json::{Value, json};

use crate::test_server::TestServer;

#[test]
fn deployments_and_their_actors_are_listed_with_deploy_read_only() {
    let server = TestServer::open(&[]);
    let ada = server.insert_user("auth0|ada").id;
    let sql = format!(
        "INSERT INTO deployments (id, tenant, git_ref, git_commit, actor_kind, actor_id, changes, begun_at, alive_until,
                                  ended_at, outcome, message)
         VALUES (1, 'a.example', 'main', 'c0ffee', 'user', '{ada}', 3, 1, 1, 2, 'applied', NULL),
                (2, 'b.example', NULL, NULL, 'webhook', NULL, 3, 1, 1, 2, 'failed', 'a rule was refused: 400'),
                (3, 'a.example', NULL, NULL, 'machine', 'ci', 3, 1, 9999999999999, NULL, NULL, NULL)"
    );
    rusqlite::Connection::open(&server.config.store.path).unwrap().execute_batch(&sql).unwrap();

    let document = "query($tenant: String, $outcome: DeploymentOutcome, $after: String) {
        deployments(tenant: $tenant, outcome: $outcome, first: 2, after: $after) {
            totalCount pageInfo { hasNextPage endCursor }
            nodes { id tenant gitRef commit plannedChanges outcome failure endedAt actor { kind clientId user { id } } } } }";
    let all =
        server.ask_internal(&server.machine_token("users:read deploy:read"), document, json!({})).json();
    let shown = &all["data"]["deployments"];
    assert_eq!((&shown["totalCount"], &shown["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)), "{all}");
    let (newest, failed) = (&shown["nodes"][0], &shown["nodes"][1]);
    assert_eq!((&newest["outcome"], &newest["endedAt"]), (&json!("RUNNING"), &Value::Null));
    assert_eq!(newest["actor"], json!({"kind": "MACHINE", "clientId": "ci", "user": null}));
    assert_eq!(
        (&failed["outcome"], &failed["failure"]),
        (&json!("FAILED"), &json!("a rule was refused: 400"))
    );
    let variables = json!({"after": shown["pageInfo"]["endCursor"]});
    let oldest =
        server.ask_internal(&server.machine_token("users:read deploy:read"), document, variables).json();
    let oldest = &oldest["data"]["deployments"]["nodes"][0];
    assert_eq!(
        (&oldest["outcome"], &oldest["gitRef"], &oldest["commit"], &oldest["plannedChanges"]),
        (&json!("APPLIED"), &json!("main"), &json!("c0ffee"), &json!(3))
    );
    assert_eq!(oldest["endedAt"], "1970-01-01T00:00:00.002Z");
    assert_eq!(oldest["actor"], json!({"kind": "USER", "clientId": null, "user": {"id": ada}}));
    let filtered = json!({"tenant": "a.example", "outcome": "APPLIED"});
    let filtered =
        server.ask_internal(&server.machine_token("users:read deploy:read"), document, filtered).json();
    assert_eq!(filtered["data"]["deployments"]["totalCount"], 1, "{filtered}");

    let by_id = "query($id: ID!) { node(id: $id) { id ... on Deployment { tenant } } }";
    let id = json!({"id": failed["id"]});
    let found =
        server.ask_internal(&server.machine_token("users:read deploy:read"), by_id, id.clone()).json();
    assert_eq!(found["data"]["node"], json!({"id": failed["id"], "tenant": "b.example"}));
    for (document, variables) in [(document, json!({})), (by_id, id)] {
        let refused =
            server.ask_internal(&server.machine_token("users:read audit:read"), document, variables).json();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "NOT_PERMITTED", "{refused}");
        assert_eq!(refused["errors"][0]["extensions"]["missing"], json!(["deploy:read"]));
    }
    let user_cursor = json!({"after": "bGluZTo0"});
    let refused =
        server.ask_internal(&server.machine_token("users:read deploy:read"), document, user_cursor).json();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_INPUT", "a cursor of another list");
}
