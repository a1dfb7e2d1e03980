//! Whole bundles: the one in `fixtures/tenant`, both layouts, and invalid ones.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

#[test]
fn the_fixture_bundle_reads_and_is_consistent() {
    let keywords: BTreeMap<String, String> = [
        ("ISSUER", "http://127.0.0.1:4002/"),
        ("INTERNAL_API", "http://127.0.0.1:4001/graphql"),
        ("TOKEN_URL", "http://127.0.0.1:4002/oauth/token"),
        ("SIGNUP_URL", ""),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
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
    let client = ("clients/a.json", r#"{"client_id":"a","name":"A"}"#);
    for (files, path, problem) in [
        (vec![("clients/x.json", "{")], "clients/x.json", "EOF"),
        (vec![("clients/x.json", r#"{"client_id":"x"}"#)], "clients/x.json", "missing field `name`"),
        (vec![("rules/x.json", "{}")], "rules/x.json", "does not exist"),
        (vec![("rules/x.json", r#"{"script":"../../etc/passwd"}"#)], "rules/x.json", "outside the bundle"),
        (vec![("rules/x.json", r#"{"script":"/etc/passwd"}"#)], "rules/x.json", "outside the bundle"),
        (vec![("rules/x_y.js", "")], "rules/x_y.js", "letters, digits, spaces"),
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
        (vec![("rules-configs/x.json", r#"{"value":1}"#)], "rules-configs/x.json", "expected a string"),
        (
            vec![("grants/x.json", r#"{"client_id":"unknown","audience":"u"}"#)],
            "grants/x.json",
            "\"unknown\"",
        ),
        (vec![client, ("clients/b.json", client.1)], "clients/b.json", "another client"),
        (
            vec![("resource-servers/x.json", r#"{"identifier":"u","token_dialect":"klingon"}"#)],
            "resource-servers/x.json",
            "klingon",
        ),
        (vec![("people.json", r#"[{"email":"a@x","roles":["king"]}]"#)], "people.json", "\"king\""),
        (vec![("people.json", r#"[{"email":"a@x"},{"email":"A@x"}]"#)], "people.json", "another user"),
    ] {
        let error = read_files(&files).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains(problem), "{error}");
    }
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
    assert!(matches!(error, BundleError::NotAFolder { .. }), "{error}");
    let huge = "x".repeat(1024 * 1024 + 1);
    assert!(matches!(read_files(&[("rules/a.js", &huge)]), Err(BundleError::Unreadable { .. })));
}
