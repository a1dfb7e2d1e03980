//! Writes a bundle in the directory layout of the deploy CLI.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Bundle, Kind, Object};

/// See [`Bundle::write`].
pub(super) fn bundle(bundle: &Bundle, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let objects = &bundle.objects;
    write(&folder.join("tenant.json"), &json!(objects.tenant))?;
    if !objects.triggers.is_empty() {
        fs::create_dir_all(folder.join("triggers"))?;
        write(&folder.join("triggers/triggers.json"), &json!(objects.triggers))?;
    }
    for kind in Kind::ALL {
        let mut taken = BTreeSet::new();
        for object in objects.list(kind) {
            // The tenant's own API is no part of a bundle.
            if object.get("is_system") == Some(&Value::Bool(true)) {
                continue;
            }
            let dir = folder.join(kind.folder());
            fs::create_dir_all(&dir)?;
            let name = file_name(kind, object, &mut taken);
            let mut object = object.clone();
            let source = match kind {
                Kind::Rule => Some(("script", dir.join(format!("{name}.js")), format!("./{name}.js"))),
                Kind::ActionModule | Kind::Action => {
                    fs::create_dir_all(dir.join(&name))?;
                    Some((
                        "code",
                        dir.join(&name).join("code.js"),
                        format!("./{}/{name}/code.js", kind.folder()),
                    ))
                }
                _ => None,
            };
            if let Some((member, file, reference)) = source {
                let text = object.insert(member.to_owned(), reference.into());
                fs::write(file, text.as_ref().and_then(Value::as_str).unwrap_or_default())?;
            }
            write(&dir.join(format!("{name}.json")), &object.into())?;
        }
    }
    let users = bundle.users.iter().map(|user| {
        let mut members = user.profile.clone();
        let password = user.password.as_ref().map(|password| password.expose());
        for (name, value) in [
            ("user_id", json!(user.user_id)),
            ("email", json!(user.email)),
            ("password", json!(password)),
            ("roles", json!(user.roles)),
            ("organizations", json!(user.organizations)),
            ("connection", json!(user.connection)),
            ("note", json!(user.note)),
        ] {
            if !value.is_null() && value != json!([]) && value != json!("") {
                members.insert(name.to_owned(), value);
            }
        }
        Value::Object(members)
    });
    write(&folder.join("people.json"), &users.collect())
}

/// A file's name of letters, digits, spaces, `-` and `_`, which no other object of the folder has.
fn file_name(kind: Kind, object: &Object, taken: &mut BTreeSet<String>) -> String {
    let text = |member: &str| object.get(member).and_then(Value::as_str).unwrap_or_default();
    let name = match kind {
        Kind::ClientGrant => format!("{} {} {}", text("client_id"), text("audience"), text("subject_type")),
        Kind::RuleConfig => text("key").to_owned(),
        _ => text("name").to_owned(),
    };
    let is_plain = |c: char| c.is_alphanumeric() || " -_".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches(['-', ' ']).to_owned();
    let mut unique = plain.clone();
    let mut number = 2_u32;
    while unique.is_empty() || !taken.insert(unique.to_lowercase()) {
        unique = format!("{plain} {number}");
        number = number.saturating_add(1);
    }
    unique
}

fn write(file: &Path, value: &Value) -> std::io::Result<()> {
    fs::write(file, format!("{value:#}\n"))
}
