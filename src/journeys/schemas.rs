//! The SDL files in `schema/` match the schemas of the doors.

use std::path::Path;

use vestibule::app::Vestibule;

use crate::executable::{output, vestibule};

fn run(args: &[&str]) -> (Option<i32>, String) {
    let output = output(vestibule(args, &[]), "");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn sdl_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_sdl_files_match_the_schemas() {
    let ours = Vestibule::default();
    for (door, served) in [("public", ours.public_sdl()), ("internal", ours.internal_sdl())] {
        let name = format!("{door}.graphql");
        assert_eq!(
            sdl_file(&name).trim_end(),
            served.trim_end(),
            "schema/{name} is out of date: update it with `cargo run -- schema {door} > schema/{name}`, check the \
             diff for breaking changes, and add a line to CHANGELOG.md"
        );
    }
}

#[test]
fn the_schema_command_prints_the_sdl() {
    let (code, printed) = run(&["schema", "public"]);
    assert_eq!((code, printed.trim_end()), (Some(0), Vestibule::default().public_sdl().trim_end()));
}

#[test]
fn descriptions_name_the_required_permission() {
    let sdl = Vestibule::default().internal_sdl();
    let fields = [
        ("auditTrail(", "audit:read"),
        ("auth0Profile:", "users:read"),
        ("auditEvents(", "audit:read"),
        ("deployments(", "deploy:read"),
        ("users(", "users:read"),
        ("createUser(", "users:write"),
        ("eraseUser(", "users:erase"),
        ("refreshKeys(", "deploy:write"),
        ("userChanged(", "users:read"),
        ("auditEventAdded(", "audit:read"),
    ];
    for (field, permission) in fields {
        let at = sdl.find(&format!("\n  {field}")).unwrap_or_else(|| panic!("{field}"));
        // A description is one line in quotes, or several in triple quotes.
        let above: Vec<&str> = sdl[..at].lines().rev().collect();
        let lines = match above[0].trim() {
            "\"\"\"" => above.iter().skip(1).position(|line| line.trim() == "\"\"\"").unwrap() + 1,
            _ => 1,
        };
        let description = above[..lines].join(" ");
        assert!(description.contains(&format!("`{permission}`")), "{field}: {description}");
    }
}
