//! Tokens that are bound to a key, and tokens that an agent holds.

use serde_json::json;

use crate::test_server::{INTERNAL, TestServer};

const UPDATE: &str = "mutation { updateMe(input: {nickname: \"ada\"}) { me { nickname } } }";

#[test]
fn an_agent_with_a_users_token_is_refused_by_default_without_a_lookup() {
    let server = TestServer::open(&[]);
    server.auth0.add_user("auth0|1", "ada@example.com", true);
    for claims in [json!({"act": {"sub": "agt_1"}}), json!({"client_profile": "ai_agent"})] {
        let answer = server.ask_public(server.token("auth0|1", claims.clone()).as_str(), UPDATE);
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("AGENT_REFUSED")), "{claims}");
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
    }
    assert_eq!((server.user_count(), server.auth0.calls("/api/")), (0, 0));
}

#[test]
fn an_accepted_agent_is_named_in_the_audit_log() {
    let server = TestServer::open(&["claims.agents=as_user"]);
    let ada = server.insert_person("ada");
    for (claims, agent) in [
        (json!({"act": {"sub": "agt_1"}, "client_profile": "ai_agent"}), json!("agt_1")),
        (json!({"client_profile": "ai_agent", "azp": "travel"}), json!("travel")),
        // A person's id can contain an email, and audit lines outlive an erased user.
        (json!({"act": {"sub": "waad|eve@example.com"}}), json!("waad")),
        (json!({}), json!(null)),
    ] {
        let nickname = format!("by {agent}").replace('"', "");
        let update = UPDATE.replace("ada", &nickname);
        let answer = server.ask_public(server.token("auth0|ada", claims).as_str(), &update);
        assert_eq!(answer.json()["data"]["updateMe"]["me"]["nickname"], json!(nickname), "{}", answer.body);
        let line = server.newest_audit_lines(ada.id, 1).remove(0);
        assert_eq!((line.actor_kind.as_str(), line.actor_id), ("user", Some(ada.id.to_string())));
        assert_eq!(line.changes["agent"], agent, "{}", line.changes);
        assert_eq!(line.changes["nickname"], "redacted");
    }
}

#[test]
fn a_machine_of_an_api_with_agent_subject_claims_is_a_machine() {
    let server = TestServer::open(&[]);
    let claims = json!({"azp": "m1", "sub_profile": "service", "scope": "users:read"});
    let token = server.token_for(INTERNAL, "m1", claims);
    let answer = server.ask_internal(&token, "{ me { id } }", json!(null));
    assert_eq!((answer.status, &answer.json()["data"]["me"]), (200, &json!(null)), "{}", answer.body);
}
