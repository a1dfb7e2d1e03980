//! `tenant convert` and `tenant types`: what they print and write.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::dev_server;
use crate::executable::{output, vestibule};

/// A copy of the sample bundle, without its actions.
fn bundle() -> tempfile::TempDir {
    let folder = dev_server::bundle();
    for part in ["actions", "triggers"] {
        fs::remove_dir_all(folder.path().join(part)).unwrap();
    }
    folder
}

fn tenant(command: &str, bundle: &Path, options: &[&str]) -> Output {
    output(vestibule(&[&["tenant", command, bundle.to_str().unwrap()], options].concat(), &[]), "")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn the_sample_rules_become_actions_that_do_the_same() {
    let folder = bundle();
    let rule = folder.path().join("rules/user-in-token.js");
    let script = fs::read_to_string(&rule).unwrap();
    fs::write(
        &rule,
        script.replace("const QUERY", "const issuer = '##ISSUER##', url = @@TOKEN_URL@@;\n  const QUERY"),
    )
    .unwrap();

    let done = tenant("convert", folder.path(), &["--verify", "--write"]);
    let summary = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{summary}{}", text(&done.stderr));
    for name in ["populate-profile", "track-sign-up", "user-in-token"] {
        assert!(summary.contains(&format!("{name}: readable; verified on ")), "{summary}");
        assert!(!summary.contains("differs"), "{summary}");
        let about = fs::read_to_string(folder.path().join(format!("actions/{name}.json"))).unwrap();
        assert!(about.contains(&format!("./actions/{name}/code.js")), "{about}");
        let code = fs::read_to_string(folder.path().join(format!("actions/{name}/code.js"))).unwrap();
        assert!(code.contains("exports.onExecutePostLogin"), "{code}");
    }
    let about = fs::read_to_string(folder.path().join("actions/user-in-token.json")).unwrap();
    assert!(about.contains("\"name\": \"NAMESPACE\""), "{about}");
    assert!(about.contains("\"value\": \"@@TOKEN_URL@@\""), "{about}");
    let code = fs::read_to_string(folder.path().join("actions/user-in-token/code.js")).unwrap();
    assert!(code.contains("const issuer = '##ISSUER##', url = @@TOKEN_URL@@;"), "keywords stay: {code}");
    let bindings = json(&folder.path().join("triggers/triggers.json"));
    let bound: Vec<_> =
        bindings["post-login"].as_array().unwrap().iter().map(|it| &it["action_name"]).collect();
    assert_eq!(
        bound,
        ["populate-profile", "track-sign-up", "user-in-token"].map(Value::from).iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_file_that_differs_is_replaced_only_with_force() {
    let folder = bundle();
    let options = ["--rule", "track-sign-up", "--write"];
    assert_eq!(tenant("convert", folder.path(), &options).status.code(), Some(0));
    let code = folder.path().join("actions/track-sign-up/code.js");
    fs::write(&code, "// mine\n").unwrap();
    let refused = tenant("convert", folder.path(), &options);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--force replaces it"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(&code).unwrap(), "// mine\n");
    assert_eq!(
        tenant("convert", folder.path(), &[&options[..], &["--force"]].concat()).status.code(),
        Some(0)
    );
    assert_ne!(fs::read_to_string(&code).unwrap(), "// mine\n");
}

#[test]
fn a_rule_that_no_action_can_replace_is_named_with_its_line() {
    let folder = bundle();
    let script = "function (user, context, callback) {\n  context.idToken.t = auth0.accessToken;\n  callback(null, user, context);\n}";
    fs::write(folder.path().join("rules/management.js"), script).unwrap();
    let done = tenant("convert", folder.path(), &["--rule", "management"]);
    assert_eq!(done.status.code(), Some(1));
    let summary = text(&done.stdout);
    assert!(summary.contains("management: refused\n  line 2: auth0.accessToken"), "{summary}");
    let unknown = tenant("convert", folder.path(), &["--rule", "none"]);
    assert!(text(&unknown.stderr).contains("no enabled rule \"none\""), "{}", text(&unknown.stderr));
}

#[test]
fn types_are_written_for_editors() {
    let folder = bundle();
    let done = tenant("types", folder.path(), &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let types = fs::read_to_string(folder.path().join("types/actions.d.ts")).unwrap();
    assert!(types.contains("interface PostLoginAPI {"), "{types}");
    let files = &json(&folder.path().join("jsconfig.json"))["files"];
    assert_eq!(files[0], "rules/populate-profile.js");
    // The bundle still reads, without a notice about the new files.
    let again = tenant("convert", folder.path(), &["--rule", "track-sign-up"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
}
