//! A plan as text for people: what is done with each object, diffs of scripts, and what is left alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use console::Style;
use serde_json::Value;

use crate::cli::out::plain;
use crate::deploy::{Change, ChangeKind, MemberChange, Plan, SecretChange, Verb};

/// The longest value of a member that is shown whole.
const VALUE_MAX: usize = 200;

/// Terminal colours, or none.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Colours(pub(in crate::cli) bool);

impl Colours {
    fn paint(self, style: Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }

    /// Green for what is added, red for what is removed, cyan for places.
    fn line(self, text: &str) -> String {
        let style = match text.as_bytes().first() {
            Some(b'+') => Style::new().green(),
            Some(b'-') => Style::new().red(),
            Some(b'@') => Style::new().cyan(),
            _ => return text.to_owned(),
        };
        self.paint(style, text)
    }
}

/// The plan, with `heading` above it.
pub(in crate::cli) fn text(plan: &Plan, heading: &str, colours: Colours) -> String {
    let mut text = format!("{}\n", colours.paint(Style::new().bold(), &plain(heading)));
    for change in &plan.changes {
        text.push('\n');
        write_change(&mut text, change, colours);
    }
    if !plan.not_in_bundle.is_empty() {
        text.push_str("\nAt the tenant and not in the bundle; kept, unless you add --prune:\n");
        for extra in &plan.not_in_bundle {
            let _ = writeln!(text, "  {} {}", extra.kind.noun(), plain(&extra.name));
        }
    }
    for (number, notice) in plan.notices.iter().enumerate() {
        let start = if number == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{start}note: {}", plain(notice));
    }
    text.push('\n');
    text.push_str(&summary(plan));
    text
}

/// How many changes of each sort.
pub(super) fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing to do.".to_owned();
    }
    let count = |verb| plan.changes.iter().filter(|change| change.action == verb).count();
    let verbs = [Verb::Create, Verb::Update, Verb::Deploy, Verb::Delete];
    let counts = verbs.map(|verb| (count(verb), verb)).into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, verb)| format!("{} {count}", verb.as_str())).collect();
    let all = plan.changes.len();
    format!("{all} change{}: {}.", if all == 1 { "" } else { "s" }, counts.join(", "))
}

fn write_change(text: &mut String, change: &Change, colours: Colours) {
    let (mark, style) = match change.action {
        Verb::Create => ("+", Style::new().green()),
        Verb::Delete => ("-", Style::new().red()),
        Verb::Update | Verb::Deploy => ("~", Style::new().yellow()),
    };
    let title = format!("{mark} {}", plain(&change.title()));
    let _ = writeln!(text, "{}", colours.paint(style, &title));
    let is_order = change.kind == ChangeKind::Bindings;
    write_members(text, &change.members, is_order, colours);
    for (name, secret) in &change.secrets {
        let how = match secret {
            SecretChange::Add => "+ added",
            SecretChange::Change => "another value",
            SecretChange::Set => "set; its value at the tenant is unknown",
            SecretChange::Remove => "- removed",
        };
        let _ = writeln!(text, "    secret {}: {}", plain(name), colours.line(how));
    }
    for line in change.diff.iter().flat_map(|diff| diff.lines()) {
        let _ = writeln!(text, "    {}", colours.line(&plain(&line.replace('\t', "    "))));
    }
}

fn write_members(
    text: &mut String,
    members: &BTreeMap<String, MemberChange>,
    is_order: bool,
    colours: Colours,
) {
    for (name, MemberChange { before, after }) in members {
        let name = plain(name);
        if let (Value::Array(before), Value::Array(after), false) = (before, after, is_order) {
            let _ = writeln!(text, "    {name}:");
            let mut listed = |mark, some: &[Value], others: &[Value]| {
                for value in some.iter().filter(|value| !others.contains(value)) {
                    let _ = writeln!(text, "      {}", colours.line(&format!("{mark} {}", shown(value))));
                }
            };
            listed("-", before, after);
            listed("+", after, before);
        } else if before.is_null() {
            let _ = writeln!(text, "    {name}: {}", shown(after));
        } else {
            let _ = writeln!(text, "    {name}: {} → {}", shown(before), shown(after));
        }
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cut: String = text.chars().take(VALUE_MAX).collect();
    plain(&if cut.len() < text.len() { format!("{cut}…") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan() -> Plan {
        serde_json::from_value(json!({
            "target": "staging", "tenant": "https://staging.example/",
            "changes": [
                {"action": "create", "kind": "roles", "name": "admin\u{1b}[0m",
                 "members": {"permissions": {"before": null, "after": ["read:x"]}}},
                {"action": "update", "kind": "actions", "name": "enrich",
                 "members": {"dependencies": {"before": ["a@1"], "after": ["a@2"]}},
                 "secrets": {"KEY": "add", "OLD": "remove"}, "diff": "--- tenant/enrich\n+++ bundle/enrich\n@@ -1 +1 @@\n-a\n+b\n"},
                {"action": "update", "kind": "bindings", "name": "post-login",
                 "members": {"actions": {"before": ["a", "b"], "after": ["b", "a"]}}},
            ],
            "notInBundle": [{"kind": "clients", "name": "old app"}], "notices": ["tenant: not deployed"],
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_shows_each_change_and_what_is_kept() {
        let text = text(&plan(), "Plan for staging", Colours(false));
        for expected in [
            "+ create role admin",
            "~ update action enrich\n    dependencies:\n      - a@1\n      + a@2\n    secret KEY: + added\n    secret OLD: - removed\n",
            "    @@ -1 +1 @@\n    -a\n    +b\n",
            "    actions: [\"a\",\"b\"] → [\"b\",\"a\"]\n",
            "kept, unless you add --prune:\n  client old app\n",
            "note: tenant: not deployed\n",
            "3 changes: create 1, update 2.",
        ] {
            assert!(text.contains(expected), "{expected}\n in \n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        let empty = Plan { changes: Vec::new(), ..plan() };
        assert_eq!(summary(&empty), "Nothing to do.");
    }

    #[test]
    fn a_terminal_gets_colours() {
        let text = text(&plan(), "Plan", Colours(true));
        assert!(text.contains("\u{1b}[32m+b\u{1b}[0m") && text.contains("\u{1b}[31m-a\u{1b}[0m"), "{text}");
    }
}
