//! What a traced run records: what each script read, and what a rule changed.

use serde_json::json;
use vestibule::script::Change;

use super::script_host::{ScriptHost, action, context, event, post_login, rule, settings, user};

#[tokio::test]
async fn a_traced_action_reports_what_it_read_of_its_event() {
    let host = ScriptHost::open(&settings(), &[]);
    let one = "exports.onExecutePostLogin = async (event, api) => {
        const { user, client: { name } } = event;
        if (user.app_metadata.plan !== 'free' || 'session' in event) return;
        const scopes = event.transaction.requested_scopes.filter((scope) => scope !== 'openid');
        api.idToken.setCustomClaim('all', [name, scopes, event.user === user, Array.isArray(scopes)]);
        Object.freeze(event.client);
        api.idToken.setCustomClaim('frozen', event.client.metadata);
      };";
    let whole = "exports.onExecutePostLogin = async (event, api) => {
        api.idToken.setCustomClaim('whole', JSON.parse(JSON.stringify(event)));
        api.user.setAppMetadata('at', event.user.email);
      };";
    let copies = "exports.onExecutePostLogin = async (event) => { const { ...rest } = event.request; };";
    let actions = [action("one", one), action("whole", whole), action("copies", copies)];
    let output = host.scripts.traced().run_actions(post_login(&actions, event())).await.unwrap();
    let reads: Vec<_> = output.trace.scripts.iter().map(|script| script.reads.clone()).collect();
    assert_eq!(
        reads[0],
        [
            "event.client.metadata",
            "event.client.name",
            "event.session",
            "event.transaction.requested_scopes[]",
            "event.user.app_metadata.plan",
        ]
    );
    assert_eq!(reads[1], ["event.*"]);
    let members = ["body", "hostname", "ip", "method", "query"].map(|name| format!("event.request.{name}"));
    assert_eq!(reads[2], members);
    assert_eq!(output.effects.id_token["all"], json!(["Frontend", [], true, true]));
    let mut seen = event();
    seen["secrets"] = json!({});
    assert_eq!(output.effects.id_token["whole"], seen);

    let plain = host.act(&actions, event()).await.unwrap();
    assert!(plain.trace.scripts.iter().all(|script| script.reads.is_empty()));
    assert_eq!(plain.effects, output.effects);
}

#[tokio::test]
async fn a_traced_rule_reports_what_it_read_and_changed() {
    let host = ScriptHost::open(&settings(), &[]).configured(&[("KEY", "very-secret-key")]);
    let first = "function (user, context, callback) {
        user.app_metadata = user.app_metadata || {};
        context.idToken['https://ns/name'] = user.name;
        context.idToken.key = configuration.KEY;
        context.connection = undefined;
        user.kept = context.stats;
        callback(null, user, context);
        user.email;
      }";
    let second =
        "async (user, context, callback) => callback(null, { ...user, list: [user.email] }, context)";
    let rules = [rule("first", 1, first), rule("second", 2, second)];
    let traced = host.log_in_with(&host.scripts.traced(), &rules, user(), context()).await.unwrap();
    let scripts = &traced.trace.scripts;
    assert_eq!(scripts[0].reads, ["context.idToken", "context.stats", "user.app_metadata", "user.name"]);
    let change = |member: &str, value: &str| Change { member: member.into(), value: value.into() };
    assert_eq!(
        scripts[0].changes,
        [
            change("user.app_metadata", "{}"),
            change("user.kept", "{\"loginsCount\":1}"),
            change("context.connection", ""),
            change("context.idToken[\"https://ns/name\"]", "\"ada.lovelace@example.com\""),
            change("context.idToken.key", "\"[configuration.KEY]\""),
        ]
    );
    assert_eq!(scripts[1].changes, [change("user.list", "[\"ada.lovelace@example.com\"]")]);
    assert!(scripts[1].reads.contains(&"user.kept".to_owned()), "{:?}", scripts[1].reads);
    let plain = host.run(&rules).await.unwrap();
    assert_eq!((plain.user, plain.context), (traced.user, traced.context));
}

#[tokio::test]
async fn a_script_that_reads_without_end_is_reported_in_few_lines() {
    let host = ScriptHost::open(&settings(), &[]);
    let code = "exports.onExecutePostLogin = async (event) => {
        for (let n = 0; n < 5000; n++) event.user.app_metadata['k' + n];
      };";
    let output =
        host.scripts.traced().run_actions(post_login(&[action("reads", code)], event())).await.unwrap();
    assert_eq!(output.trace.scripts[0].reads, ["event.user.app_metadata.*"]);
}
