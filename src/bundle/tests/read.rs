//! Whole bundles: the one in `fixtures/tenant`, both layouts, and invalid ones.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[test]
fn the_fixture_bundle_reads_and_is_consistent() {
    let keywords: BTreeMap<String, Value> = [
        ("ISSUER", "http://127.0.0.1:4002/"),
        ("INTERNAL_API", "http://127.0.0.1:4001/graphql"),
        ("TOKEN_URL", "http://127.0.0.1:4002/oauth/token"),
        ("SIGNUP_URL", ""),
    ]
    .map(|(key, value)| (key.to_owned(), value.into()))
    .into();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tenant");
    let bundle = Bundle::read(&folder, &keywords).unwrap();

    let clients: Vec<_> = bundle.clients.iter().map(|c| (c.client_id.as_str(), c.is_public())).collect();
    assert_eq!(clients, [("reports", false), ("rules", false), ("spa", true), ("vestibule", false)]);
    let management = bundle.client_grants.iter().find(|grant| grant.client_id == "vestibule").unwrap();
    assert_eq!(management.audience, "http://127.0.0.1:4002/api/v2/");
    assert_eq!(bundle.users.len(), 6);
    assert!(bundle.users.iter().all(|user| user.note.is_some() && user.password.is_some()));
    assert_eq!(bundle.rules_configs["SIGNUP_URL"], "");
    assert_eq!(bundle.rules_configs["INTERNAL_API"], "http://127.0.0.1:4001/graphql");
    let secret = bundle.clients.iter().find(|c| c.client_id == "rules").unwrap().client_secret.as_ref();
    assert_eq!(secret.unwrap().expose(), bundle.rules_configs["RULES_CLIENT_SECRET"]);

    let scopes: Vec<_> = bundle.resource_servers.iter().flat_map(|api| &api.scopes).collect();
    for grant in &bundle.client_grants {
        if !grant.audience.ends_with("/api/v2/") {
            assert!(grant.scope.iter().all(|scope| scopes.iter().any(|known| &known.value == scope)));
        }
    }
    let admin = bundle.permissions(&["admin".to_owned()], "https://internal.vestibule.example/");
    assert_eq!(admin.len(), scopes.len());
    assert!(bundle.permissions(&["admin".to_owned()], "https://public.vestibule.example/").is_empty());
}

#[test]
fn rules_of_both_layouts_are_read_in_order() {
    let bundle = read_files(&[
        ("rules/Late.json", r#"{"name":"Late rule","script":"./scripts/late.js","order":9,"enabled":false}"#),
        ("rules/scripts/late.js", "function late() {}"),
        ("rules/From root.json", r#"{"name":"From root","script":"./rules/root.js","order":5}"#),
        ("rules/root.js", "function root() {}"),
        ("rules/early.json", r#"{"enabled":true,"order":0,"stage":"login_success"}"#),
        ("rules/early.js", "function early() { return '##ENV##' + @@ENV@@ }"),
        ("rules/alone.js", "function alone() {}"),
        ("rules/README.md", "not a rule"),
        ("rules-configs/URL.json", r#"{"value":"a"}"#),
        ("rules-configs/other.json", r#"{"key":"KEY","value":"https://##ENV##.x/"}"#),
    ])
    .unwrap();
    let rules: Vec<_> =
        bundle.rules.iter().map(|r| (r.name.as_str(), r.order, r.enabled, r.script.as_str())).collect();
    assert_eq!(
        rules,
        [
            ("early", 0, true, "function early() { return 'dev' + \"dev\" }"),
            ("From root", 5, true, "function root() {}"),
            ("Late rule", 9, false, "function late() {}"),
            ("alone", 10, true, "function alone() {}"),
        ]
    );
    let configs: Vec<_> = bundle.rules_configs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(configs, [("KEY", "https://dev.x/"), ("URL", "a")]);
}

#[test]
fn an_export_reads_unchanged() {
    let bundle = read_files(&[
        ("tenant.json", r#"{"friendly_name":"T","flags":{"a":true},"session_lifetime":0.5}"#),
        (
            "clients/My M2M.json",
            r#"{"name":"My M2M","app_type":"non_interactive","callbacks":[],"refresh_token":{"leeway":0}}"#,
        ),
        ("clients/My M2M.meta.json", r#"{"not":"a client"}"#),
        (
            "grants/My M2M.json",
            r#"{"client_id":"My M2M","audience":"https://api","scope":["a"],"subject_type":"client"}"#,
        ),
        (
            "resource-servers/My API.json",
            r#"{"name":"My API","identifier":"https://api","scopes":[{"value":"a"}]}"#,
        ),
        ("actions/enrich.json", r#"{"name":"enrich","code":"./actions/enrich/code.js"}"#),
        ("actions/enrich/code.js", "exports.onExecutePostLogin = async () => {}"),
        (
            "triggers/triggers.json",
            r#"{"post-login":[{"action_name":"enrich","display_name":"Enrich"}],"post-change-password":[]}"#,
        ),
        ("connections/facebook.json", "{}"),
        ("people.json", r#"[{"email":"Ada@Example.com","family_name":"Lovelace"}]"#),
    ])
    .unwrap();
    assert_eq!(bundle.clients[0].client_id, "my-m2m");
    assert_eq!(bundle.client_grants[0].client_id, "my-m2m");
    assert_eq!(bundle.resource_servers[0].token_lifetime, 86_400);
    assert_eq!(bundle.triggers["post-login"][0].action_name, "enrich");
    assert_eq!(bundle.users[0].email, "ada@example.com");
    assert!(bundle.users[0].user_id.starts_with("auth0|") && bundle.users[0].user_id.len() == 30);
    assert!(read_files(&[]).unwrap().clients.is_empty());
}

#[test]
fn an_invalid_file_is_refused_with_its_path_and_the_fix() {
    for (files, path, problem) in [
        (vec![("clients/x.json", "{")], "clients/x.json", "EOF"),
        (vec![("clients/x.json", "[]")], "clients/x.json", "not a JSON object"),
        (vec![("tenant.yaml", "a: b: c")], "tenant.yaml", "compare it with an export"),
        (vec![("tenant.yaml", "clients: {}\nrules: no")], "tenant.yaml", "rules is not a list"),
        (vec![("rules/x.json", r#"{"script":"x.js"}"#)], "rules/x.json", "does not exist"),
        (vec![("rules/x.json", r#"{"script":"../../etc/passwd"}"#)], "rules/x.json", "outside the bundle"),
        (vec![("rules/x.json", r#"{"script":"/etc/passwd"}"#)], "rules/x.json", "outside the bundle"),
        (vec![("rules/x.js", "a @@NOPE@@")], "rules/x.js", "@@NOPE@@"),
        (vec![("tenant.json", "{\"friendly_name\":\"##NOPE##\"}")], "tenant.json", "##NOPE##"),
        (
            vec![
                ("rules/a.json", r#"{"order":1}"#),
                ("rules/a.js", ""),
                ("rules/b.json", r#"{"order":1}"#),
                ("rules/b.js", ""),
            ],
            "rules/b.json",
            "its order 1 is the order of \"a\" too",
        ),
        (vec![("people.json", r#"[{"email":"a@x","roles":["king"]}]"#)], "people.json", "\"king\""),
    ] {
        let error = read_files(&files).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains(problem), "{error}");
    }
}

#[test]
fn an_odd_object_is_left_out_with_a_notice_and_the_rest_serves() {
    let bundle = read_files(&[
        ("clients/a.json", r#"{"client_id":"a"}"#),
        ("clients/b.json", r#"{"client_id":"a","name":"B"}"#),
        ("clients/My App.json", r#"{"callbacks":null}"#),
        ("clients/My-App.json", "{\"name\":\"My-App\"}"),
        ("clients/jp.json", r#"{"name":"店"}"#),
        ("clients/par.json", r#"{"require_pushed_authorization_requests":true}"#),
        ("clients/odd.json", r#"{"callbacks":"x"}"#),
        ("clients/empty.json", "{}"),
        ("grants/x.json", r#"{"client_id":"unknown","audience":"u"}"#),
        ("grants/y.json", r#"{"audience":"u","default_for":"third_party_clients"}"#),
        ("resource-servers/old.json", r#"{"identifier":"old","signing_alg":"HS256"}"#),
        ("resource-servers/pop.json", r#"{"identifier":"pop","proof_of_possession":{"required":true}}"#),
        ("resource-servers/x.json", r#"{"identifier":"u","token_dialect":"klingon"}"#),
        ("resource-servers/good.json", r#"{"identifier":"good","proof_of_possession":null}"#),
        ("rules/authz.json", r#"{"enabled":true,"order":1}"#),
        ("rules/x_y.js", ""),
        (
            "people.json",
            r#"[{"email":"a@x"},{"email":"A@x","user_id":"auth0|2"},{"email":"a@x","user_id":"email|1"},{"name":"x"},
            {"user_id":"sms|1","email_verifed":true,"shoe_size":"43"}]"#,
        ),
        ("emails/welcome.json", "{}"),
        ("pages/login.html", ""),
    ])
    .unwrap();
    let ids: Vec<_> = bundle.clients.iter().map(|client| client.client_id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[1]), (4, "my-app", "7726f4778f493fe71206d09b2bad2374"));
    let apis: Vec<_> = bundle.resource_servers.iter().map(|api| api.identifier.as_str()).collect();
    assert_eq!(apis, ["good"]);
    assert_eq!(bundle.client_grants.len(), 0);
    assert_eq!(bundle.rules[0].name, "x_y");
    let users: Vec<_> = bundle.users.iter().map(|user| (user.email.as_str(), user.connection())).collect();
    assert_eq!(users, [("a@x", DEFAULT_CONNECTION), ("a@x", "email"), ("", "sms")]);
    let notices = bundle.notices.join("\n");
    for part in [
        "b.json: left out: another of clients has \"a\"",
        "clients par: left out: the dev tenant has no require_pushed_authorization_requests",
        "clients odd: left out: invalid type",
        "x.json: left out: no client has the id or name \"unknown\"",
        "y.json: left out: it is for no client",
        "resource-servers old: left out: its tokens are signed with HS256",
        "resource-servers pop: left out: the dev tenant has no proof_of_possession.required",
        "\"klingon\" is not a token_dialect",
        "authz.json: it has no script here",
        "Auth0 refuses the rule name \"x_y\"",
        "another user has the email a@x in Username-Password-Authentication",
        "people.json: left out: it has neither user_id nor email",
        "not used here: emails, pages",
        "people.json:2: sms|1: unknown member \"email_verifed\"; did you mean \"email_verified\"?",
    ] {
        assert!(notices.contains(part), "{part:?} is not in:\n{notices}");
    }
}

#[test]
fn the_yaml_layout_reads_like_the_folders_and_orders_the_rules() {
    let yaml = r##"
# ##COMMENT## needs no value
tenant: {friendly_name: ##ENV##}
clients:
  - name: Shop
    app_type: spa
    callbacks: @@LIST@@
resourceServers: [{name: API, identifier: https://api, scopes: [{value: a}]}]
clientGrants:
  - {client_id: Shop, audience: https://api, scope: [a], subject_type: user}
rules:
  - {name: second, script: ./rules/a.js, enabled: true, order: 20}
  - {name: first, script: ./rules/b.js, enabled: true, order: 10}
  - {name: disabled, script: ./rules/c.js, enabled: false, order: 5}
rulesConfigs: [{key: N, value: 42}]
actions: [{name: act, code: ./actions/act.js, supported_triggers: [{id: post-login, version: v3}]}]
triggers: {post-login: [{action_name: act, display_name: act}]}
databases: [{name: Users, strategy: auth0, enabled_clients: [Shop]}]
organizations: [{name: acme, display_name: Acme, connections: [{name: Users, assign_membership_on_login: true}]}]
roles: []
emailTemplates: [{template: verify_email}]
"##;
    let files = [
        ("tenant.yaml", yaml),
        ("rules/a.js", "a()"),
        ("rules/b.js", "b()"),
        ("rules/c.js", "c(@@MISSING@@)"),
        ("actions/act.js", "exports.x = '##ENV##'"),
        ("clients/web.json", r#"{"client_id":"web"}"#),
    ];
    let bundle = read_files(&files).unwrap();
    let rules: Vec<_> = bundle.rules.iter().map(|rule| (rule.name.as_str(), rule.enabled)).collect();
    assert_eq!(rules, [("disabled", false), ("first", true), ("second", true)]);
    assert_eq!(bundle.tenant.friendly_name.as_deref(), Some("dev"));
    assert_eq!(bundle.clients[0].callbacks, ["http://a/cb"]);
    assert_eq!(bundle.clients[1].client_id, "web");
    assert!(bundle.client_grants[0].client_id == "shop" && bundle.client_grants[0].is_for_users());
    assert_eq!(bundle.rules_configs["N"], "42");
    assert_eq!(bundle.objects.list(Kind::Action)[0]["code"], "exports.x = 'dev'");
    assert_eq!(bundle.triggers["post-login"][0].action_name, "act");
    let connection = &bundle.objects.list(Kind::Connection)[0];
    assert_eq!(connection["enabled_clients"], json!(["shop"]));
    let organization = &bundle.objects.list(Kind::Organization)[0];
    assert_eq!(organization["connections"][0]["connection_id"], connection["id"]);
    assert_eq!(bundle.organizations[0].display_name.as_deref(), Some("Acme"));
    assert!(bundle.notices.iter().any(|notice| notice.contains("emailTemplates")), "{:?}", bundle.notices);
}

#[test]
fn all_missing_keywords_are_reported_at_once_but_not_those_of_a_disabled_rule() {
    let error = read_files(&[
        ("clients/a.json", r###"{"callbacks": @@A@@, "web_origins": ["x##B##"]}"###),
        ("rules/x.js", "##C## @@A@@"),
        ("rules/y.js", "##D##"),
        ("rules/y.json", r#"{"enabled": false}"#),
    ])
    .unwrap_err()
    .to_string();
    for part in ["@@A@@ (", "clients/a.json", "##B##", "##C##", "rules/x.js"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("##D##"), "{error}");
}

#[test]
fn the_layout_of_the_older_extensions_reads() {
    let bundle = read_files(&[
        ("clients/job.json", "{\"client_secret\":\"s\"}"),
        ("clients/job.meta.json", r#"{"audience":"https://api","scope":["a"]}"#),
        ("clients/two.json", "{\"client_id\":\"two\"}"),
        ("clients/two.meta.json", r#"{"grants":[{"audience":"https://api"},{"scope":["x"]}]}"#),
        (
            "database-connections/users/settings.json",
            r#"{"options":{"customScripts":{"login":"./login.js"}}}"#,
        ),
        ("database-connections/users/login.js", "function login() {}"),
    ])
    .unwrap();
    let grants: Vec<_> = bundle.client_grants.iter().map(|g| (g.client_id.as_str(), g.scope.len())).collect();
    assert_eq!(grants, [("job", 1), ("two", 0)]);
    let database = &bundle.objects.list(Kind::Connection)[0];
    assert_eq!((&database["name"], &database["strategy"]), (&json!("users"), &json!("auth0")));
    assert_eq!(database["options"]["customScripts"]["login"], "function login() {}");
    assert_eq!(bundle.notices.len(), 2, "{:?}", bundle.notices);
}

#[test]
fn what_is_written_reads_as_the_same_bundle() {
    let bundle = read_files(&[
        ("tenant.json", r#"{"friendly_name":"T"}"#),
        ("clients/My App.json", r#"{"callbacks":["http://a/"]}"#),
        ("clients/my/app.json", "{}"),
        ("clients/jp.json", r#"{"name":"店/店"}"#),
        ("grants/x.json", r#"{"client_id":"My App","audience":"https://api","scope":["a"]}"#),
        ("rules/b.js", "b()"),
        ("rules/a.json", r#"{"order":3,"enabled":false}"#),
        ("rules/a.js", "a()"),
        ("rules-configs/K.json", r#"{"value":"v"}"#),
        ("actions/act.json", r#"{"name":"act","code":"./actions/act/code.js"}"#),
        ("actions/act/code.js", "exports.x = 1"),
        ("triggers/triggers.json", r#"{"post-login":[{"action_name":"act","display_name":"act"}]}"#),
        ("organizations/acme.json", r#"{"name":"acme"}"#),
        ("roles/r.json", r#"{"name":"r"}"#),
        (
            "people.json",
            r#"[{"email":"a@x","password":"p","roles":["r"],"organizations":["acme"],"nickname":"n"}]"#,
        ),
    ])
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    bundle.write(&folder.path().join("new")).unwrap();
    let again = Bundle::read(&folder.path().join("new"), &BTreeMap::new()).unwrap();
    for (kind, list) in &bundle.objects.lists {
        let sorted = |list: &[Object]| {
            let mut ids: Vec<String> = list.iter().map(|object| json!(object).to_string()).collect();
            ids.sort();
            ids
        };
        assert_eq!(sorted(again.objects.list(*kind)), sorted(list), "{kind:?}");
    }
    assert_eq!(
        (&again.objects.tenant, &again.objects.triggers),
        (&bundle.objects.tenant, &bundle.objects.triggers)
    );
    let user = |bundle: &Bundle| format!("{:?}", bundle.users);
    assert_eq!(user(&again), user(&bundle));
    assert_eq!(again.users[0].password.as_ref().unwrap().expose(), "p");
}

#[test]
fn a_link_to_outside_the_bundle_is_refused() {
    let (bundle, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(bundle.path().join("kept")).unwrap();
    for folder in [bundle.path().join("kept"), outside.path().to_owned()] {
        std::fs::write(folder.join("rule.js"), "function rule() {}").unwrap();
    }
    let read = |target: &Path| {
        let rules = bundle.path().join("rules");
        std::os::unix::fs::symlink(target, &rules).unwrap();
        let read = Bundle::read(bundle.path(), &BTreeMap::new());
        std::fs::remove_file(rules).unwrap();
        read
    };
    assert_eq!(
        read(&bundle.path().join("kept")).unwrap().rules.len(),
        1,
        "a link inside the bundle is followed"
    );
    let refused = read(outside.path()).unwrap_err().to_string();
    assert!(refused.contains("rules/rule.js") && refused.contains("outside the bundle"), "{refused}");
}

#[test]
fn an_absent_folder_and_a_huge_file_are_refused() {
    let error = Bundle::read(Path::new("/nowhere/at all"), &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
    let huge = "x".repeat(1024 * 1024 + 1);
    assert!(matches!(read_files(&[("rules/a.js", &huge)]), Err(BundleError::Unreadable { .. })));
}

#[test]
fn members_that_are_set_without_effect_are_named_once() {
    let client = |members: &str| format!(r#"{{"name":"A","app_type":"spa",{members}}}"#);
    let notices = |text: &str| {
        let bundle = read_files(&[("clients/a.json", text), ("tenant.json", r#"{"sandbox_version":"22"}"#)]);
        bundle.unwrap().notices
    };
    assert_eq!(
        notices(&client(
            r#""initiate_login_uri":"https://a/","token_exchange":{"allow_any_profile_of_type":["x"]}"#
        )),
        [
            "tenant: without effect here: sandbox_version",
            "clients: without effect here: initiate_login_uri (A)"
        ]
    );
    let defaults = r#""sso_disabled":false,"native_social_login":{"apple":{"enabled":false}},"addons":{},
        "organization_require_behavior":"no_prompt","default_organization":null"#;
    assert_eq!(notices(&client(defaults)), ["tenant: without effect here: sandbox_version"]);
}
