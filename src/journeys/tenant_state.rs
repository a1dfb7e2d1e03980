//! The dev tenant's state: it survives a kill, `reset` forgets it, `export` and `import` carry it.

use std::path::Path;

use serde_json::json;

use crate::dev_server::bundle_with;
use crate::executable::{output, vestibule};
use crate::running_tenant::{GRANT, RunningTenant, settings};

fn command(folder: &Path, bundle: &Path, args: &[&str]) -> String {
    let output = output(vestibule(&[&["tenant"], args].concat(), &settings(folder, bundle)), "");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn what_changed_survives_a_kill_and_reset_export_and_import_do_as_they_say() {
    let (folder, bundle) =
        (tempfile::tempdir().unwrap(), bundle_with("grants/vestibule-management.json", GRANT));
    let (folder, bundle) = (folder.path(), bundle.path());
    let user = json!({"connection": "Username-Password-Authentication", "email": "new@example.com", "password": "long enough"});
    let mut tenant = RunningTenant::start(folder, bundle);
    assert_eq!(tenant.post("users", &user).status, 201);
    let client = tenant.post("clients", &json!({"name": "Made here", "app_type": "spa"}));
    assert_eq!(client.status, 201, "{}", client.body);
    let id = client.json()["client_id"].as_str().unwrap().to_owned();
    tenant.process.stop("-KILL");

    let known = |tenant: &RunningTenant| {
        let users = tenant.get("users-by-email?email=new@example.com").json().as_array().unwrap().len();
        (users, tenant.get(&format!("clients/{id}")).status)
    };
    let mut tenant = RunningTenant::start(folder, bundle);
    assert_eq!(known(&tenant), (1, 200));
    assert_eq!(tenant.process.stop("-TERM"), Some(0));

    let exported = folder.join("exported");
    let text = command(folder, bundle, &["export", exported.to_str().unwrap()]);
    assert!(text.contains("is written"), "{text}");
    let people = std::fs::read_to_string(exported.join("people.json")).unwrap();
    assert!(people.contains("new@example.com") && exported.join("clients/Made here.json").is_file());
    command(folder, bundle, &["reset"]);
    let mut tenant = RunningTenant::start(folder, bundle);
    assert_eq!(known(&tenant), (0, 404), "the bundle counts again");
    tenant.process.stop("-TERM");

    let text = command(folder, bundle, &["import", exported.to_str().unwrap()]);
    assert!(text.contains("imported") && text.contains("7 users"), "{text}");
    let mut tenant = RunningTenant::start(folder, bundle);
    assert_eq!(known(&tenant), (1, 200));
    tenant.process.stop("-TERM");

    // An export is a bundle.
    command(folder, bundle, &["reset"]);
    let mut tenant = RunningTenant::start(folder, &exported);
    assert_eq!(known(&tenant), (1, 200));
    tenant.process.stop("-TERM");
}
