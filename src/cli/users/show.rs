//! `vestibule users show` and `export`: one user's data.

use serde_json::{Value, json};

use super::super::{Global, out};
use super::{UserRef, with_store};
use crate::store::{AcceptedTerms, Actor, Export, Identity, user_json};

/// Show one user: data, identities, accepted terms.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
    /// Print one JSON object, with the profile.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.find(store)?;
        let (identities, terms) = (store.identities(user.id)?, store.accepted_terms(user.id)?);
        let record = user_json(&user);
        out::line(if args.json {
            as_json(record, &identities, &terms).to_string()
        } else {
            as_text(&record, &identities, &terms)
        })?;
        Ok(())
    })
}

/// Print all data about one user as JSON. The audit log records the export.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExportArgs {
    /// User: our id (a UUID), an Auth0 id or an email.
    #[arg(value_name = "USER")]
    user: UserRef,
}

pub(super) fn export(global: &Global, args: &ExportArgs) -> anyhow::Result<()> {
    with_store(global, |store, _| {
        let user = args.user.find(store)?;
        // serde_json escapes control characters, so the terminal cannot interpret any.
        let Export { mut data, mut next } = store.export(user.id, None, &Actor::Cli)?;
        while next.is_some() {
            let mut more = store.export(user.id, next, &Actor::Cli)?;
            let lines = data.get_mut("audit").and_then(Value::as_array_mut);
            let more_lines = more.data.get_mut("audit").and_then(Value::as_array_mut);
            if let (Some(lines), Some(more)) = (lines, more_lines) {
                lines.append(more);
            }
            next = more.next;
        }
        out::line(serde_json::to_string_pretty(&data)?)?;
        Ok(())
    })
}

fn as_json(mut record: Value, identities: &[Identity], terms: &[AcceptedTerms]) -> Value {
    let identities: Vec<_> = identities
        .iter()
        .map(|identity| json!({ "auth0Id": identity.auth0_id, "linkedAt": identity.linked_at }))
        .collect();
    let terms: Vec<_> = terms
        .iter()
        .map(|terms| json!({ "version": terms.version, "acceptedAt": terms.accepted_at }))
        .collect();
    if let Some(members) = record.as_object_mut() {
        members.insert("identities".to_owned(), identities.into());
        members.insert("acceptedTerms".to_owned(), terms.into());
    }
    record
}

/// One line for each value; of the profile, only its size.
fn as_text(record: &Value, identities: &[Identity], terms: &[AcceptedTerms]) -> String {
    let mut lines = Vec::new();
    for (name, value) in record.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            Value::Object(_) if name == "profile" => {
                format!("{} bytes (--json shows it)", value.to_string().len())
            }
            Value::String(text) => out::plain(text),
            other => out::plain(&other.to_string()),
        };
        lines.push(format!("{name:<17} {text}"));
    }
    for Identity { auth0_id, linked_at, .. } in identities {
        lines.push(format!("{:<17} {} since {linked_at}", "identity", out::plain(auth0_id.as_str())));
    }
    for AcceptedTerms { version, accepted_at, .. } in terms {
        lines.push(format!("{:<17} {} at {accepted_at}", "accepted terms", out::plain(version)));
    }
    lines.join("\n")
}
