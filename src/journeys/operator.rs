//! The `users` and `audit` commands.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::executable::{output, run_on, vestibule};

const ADA: &str = "ada@example.com";

struct Shell(TempDir);

impl Shell {
    fn open() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.0.path().join("vestibule.db").display().to_string()
    }

    fn run(&self, line: &str) -> Output {
        run_on(Path::new(&self.path()), &line.split(' ').collect::<Vec<_>>())
    }

    /// What it prints, when it ends well.
    fn says(&self, line: &str) -> String {
        let output = self.run(line);
        let (said, complaint) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line}: {said}{complaint}");
        said
    }

    /// Its exit code and what it complains.
    fn fails(&self, line: &str) -> (i32, String) {
        let output = self.run(line);
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned()
}

#[test]
fn a_secret_on_the_command_line_causes_a_warning() {
    let warnings = |set: &str| {
        let output = output(vestibule(&["config"], &[set.to_owned()]), "");
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let warned = warnings("auth0.client_secret=hunter2");
    assert!(warned.len() == 1 && warned[0].contains("VESTIBULE_AUTH0__CLIENT_SECRET"), "{warned:?}");
    assert!(!warned[0].contains("hunter2"));
    assert!(warnings("tenant.keywords.API_KEY=hunter2")[0].contains("VESTIBULE_TENANT__KEYWORDS__API_KEY"));
    assert_eq!(warnings("auth0.client_id=abc"), [""; 0]);
}

#[test]
fn user_commands_work_and_are_audited() {
    let shell = Shell::open();
    let id = shell.says("users create --email Ada@Example.com --verified --role support --name Ada");
    assert_eq!(shell.fails(&format!("users create --email {ADA}")).0, 1, "twice");
    for who in [ADA, &id] {
        let shown: Value = serde_json::from_str(&shell.says(&format!("users show {who} --json"))).unwrap();
        assert_eq!((&shown["email"], &shown["roles"][0]), (&ADA.into(), &"support".into()));
    }
    assert_eq!(shell.says(&format!("users roles {ADA} --add admin --remove support")), "admin");
    assert!(
        shell
            .says(&format!("users roles {ADA} --add nonsense"))
            .contains("note: nonsense has no permissions")
    );
    assert_eq!(shell.says(&format!("users block {ADA}")), format!("{id} is blocked"));
    assert!(shell.says("users list").contains("blocked"));
    assert_eq!(shell.says(&format!("users unblock {ADA}")), format!("{id} is active"));
    let export: Value = serde_json::from_str(&shell.says(&format!("users export {ADA}"))).unwrap();
    assert_eq!(export["user"]["name"], "Ada");

    let (code, complaint) = shell.fails(&format!("users erase {ADA}"));
    assert!(code == 1 && complaint.contains("--yes") && !complaint.contains(ADA), "{complaint}");
    assert_eq!(shell.says(&format!("users erase {ADA} --yes")), format!("{id} is erased"));
    assert_eq!(shell.fails(&format!("users unblock {id}")).0, 1, "a tombstone stays one");

    let backup = format!("{}.monday", shell.path());
    shell.says(&format!("backup {backup}"));
    shell.says(&format!("restore {backup}"));
    let bob = shell.says("users create --email bob@example.com");
    let said = shell.says(&format!("users erase {bob} --yes"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, format!("{bob} is erased").as_str()));
    assert!(lines[1].contains("remove them") && lines[1].contains("vestibule.db.replaced-"), "{said}");

    let lines = shell.says(&format!("audit list --user {id} --json"));
    let actions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&str> = actions.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "user.status_set",
            "user.exported",
            "user.status_set",
            "user.status_set",
            "user.roles_set",
            "user.roles_set",
            "user.created"
        ]
    );
    assert!(!lines.contains(ADA) && lines.lines().all(|line| line.contains(r#""kind":"cli""#)), "{lines}");
}

#[test]
fn a_missing_user_or_database_has_its_own_exit_code_and_no_email_is_printed() {
    let shell = Shell::open();
    // Without a database the path is probably mistyped, so no empty one is created.
    for line in [
        "users list",
        "users show ada@example.com",
        "audit list",
        "audit verify",
        "users roles ada@example.com",
    ] {
        let (code, complaint) = shell.fails(line);
        assert!(code == 66 && complaint.contains("store.path"), "{line}: {complaint}");
    }
    assert!(!Path::new(&shell.path()).exists());
    shell.says("migrate");
    for who in [ADA, "auth0|nobody", "01890000-0000-7000-8000-000000000001"] {
        let (code, complaint) = shell.fails(&format!("users show {who}"));
        assert!(code == 67 && complaint.contains("users list") && !complaint.contains(who), "{complaint}");
    }
    assert_eq!(shell.fails("users show ada").0, 2);
}

#[test]
fn lists_are_printed_page_by_page() {
    let shell = Shell::open();
    let ids: Vec<String> =
        (0..3).map(|i| shell.says(&format!("users create --email u{i}@example.com"))).collect();
    let first = shell.says("users list --first 2");
    assert!(first.contains(&ids[0]) && first.contains(&format!("--after {}", ids[1])), "{first}");
    let rest = shell.says(&format!("users list --json --after {}", ids[1]));
    assert_eq!(serde_json::from_str::<Value>(&rest).unwrap()["id"], ids[2].as_str());
    assert_eq!(shell.says("users list --all --json").lines().count(), 3);
    let unknown = "users list --json --after 01890000-0000-7000-8000-000000000000";
    assert_eq!(shell.says(unknown).lines().count(), 3, "an id without a row is a position too");
    assert!(shell.says("audit list --first 1").contains("--before 3"));
    assert_eq!(shell.says("audit list --before 3 --json").lines().count(), 2);
    shell.says(&format!("users block {}", ids[0]));
    let blocked = shell.says("audit list --action user.status_set --json");
    assert_eq!(serde_json::from_str::<Value>(&blocked).unwrap()["user"], ids[0].as_str());
    assert_eq!(shell.says("audit list --action user.exported"), "");
}

#[test]
fn a_tampered_audit_log_fails_verification_at_the_changed_line() {
    let shell = Shell::open();
    for i in 0..3 {
        shell.says(&format!("users create --email u{i}@example.com"));
    }
    let whole = shell.says("audit verify");
    let head = whole.rsplit(' ').next().unwrap().to_owned();
    assert!(whole.starts_with("intact: 3 lines"), "{whole}");
    shell.says("users create --email u3@example.com");
    shell.says(&format!("audit verify --head {head}"));
    let (code, complaint) = shell.fails(&format!("audit verify --head {}", "0".repeat(64)));
    assert!(code == 65 && complaint.starts_with("CUT"), "{complaint}");
    let database = rusqlite::Connection::open(shell.path()).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER audit_is_never_updated; UPDATE audit SET actor_kind = 'gate' WHERE id = 2",
        )
        .unwrap();
    let (code, complaint) = shell.fails("audit verify");
    assert!(code == 65 && complaint.starts_with("BROKEN at line 2"), "{complaint}");
    assert!(shell.fails("audit verify --json").1.contains(r#""broken":2"#));
}

#[test]
fn the_first_admin_is_made_by_one_command() {
    let shell = Shell::open();
    let by_id = shell.says("users roles auth0|first --add admin");
    assert!(by_id.starts_with("note: created ") && by_id.ends_with("\nadmin"), "{by_id}");
    let by_email = shell.says("users roles second@example.com --add admin --set link.privileged=false");
    assert!(by_email.contains("vestibule users link"), "{by_email}");
    assert_eq!(shell.says("users link second@example.com auth0|second"), "auth0|second");
    assert_eq!(shell.says("users link auth0|second google-oauth2|1").lines().count(), 2);
    assert_eq!(shell.says("users unlink auth0|second google-oauth2|1"), "auth0|second");
    assert_eq!(shell.fails("users unlink auth0|second auth0|second").0, 1, "the only identity");
    assert_eq!(shell.says("users roles auth0|first --add support"), "admin\nsupport");
    assert_eq!(shell.fails("users roles auth0|unknown --remove admin").0, 67);
    assert_eq!(shell.fails("users roles 01890000-0000-7000-8000-000000000001 --add admin").0, 67);
    for command in ["users roles auth0|first --none", "users create --email x@example.com --role admin"] {
        let (code, complaint) = shell.fails(&format!("{command} --set claims.roles_from=token"));
        assert!(code == 1 && complaint.contains("Assign them at Auth0"), "{complaint}");
    }
    assert_eq!(shell.says("users roles auth0|first --set claims.roles_from=token"), "admin\nsupport");
}
