//! Queries for deployments at the Internal API.

use serde_json::{Value, json};
use vestibule::store::{Actor, DeploymentEnd, PlannedDeployment};

use crate::test_server::TestServer;

fn deploy(server: &TestServer, tenant: &str, actor: &Actor, ending: Option<DeploymentEnd<'_>>) {
    let (git_ref, commit) = (Some("main".to_owned()), Some("c0ffee".to_owned()));
    let planned = PlannedDeployment { tenant: tenant.to_owned(), git_ref, commit, changes: 3 };
    let id = server.store().begin_deployment(&planned, actor).unwrap();
    if let Some(ending) = ending {
        server.store().end_deployment(id, ending, actor).unwrap();
    }
}

#[test]
fn deployments_and_their_actors_are_listed_with_deploy_read_only() {
    let server = TestServer::open(&[]);
    let ada = server.insert_user("auth0|ada").id;
    deploy(&server, "a.example", &Actor::User(ada), Some(DeploymentEnd::Applied));
    deploy(&server, "b.example", &Actor::Webhook, Some(DeploymentEnd::Failed("a rule was refused: 400")));
    deploy(&server, "a.example", &Actor::Machine("ci".into()), None);

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
