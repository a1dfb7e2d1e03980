//! Tests of `push`.

use serde_json::{Value, json};

use super::*;
use crate::deploy::forge::tests::settings;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn gitlab(changes: Value) -> Value {
    let mut push = json!({
        "object_kind": "push", "event_name": "push",
        "before": "1".repeat(40), "after": COMMIT, "ref": "refs/heads/staging", "checkout_sha": COMMIT,
        "user_username": "ada", "user_email": "ada@example.com", "project_id": 15,
        "project": {"path_with_namespace": "team/tenant", "git_http_url": "http://evil.example/x.git"},
        "repository": {"name": "tenant", "url": "ssh://evil.example/x"},
        "commits": [{"id": COMMIT, "added": ["tenant/actions/a.json"], "modified": [], "removed": []}],
        "total_commits_count": 1,
    });
    for (name, value) in changes.as_object().unwrap() {
        push[name] = value.clone();
    }
    push
}

fn read(kind: ForgeKind, event_name: &str, body: &Value, folder: Option<&str>) -> Result<Event, EventError> {
    let settings = ForgeSettings { kind, folder: folder.map(str::to_owned), ..settings() };
    let delivery = Delivery {
        kind,
        id: Some("d-1".to_owned()),
        event: event_name.to_owned(),
        body: body.to_string().into(),
    };
    event(delivery, &settings)
}

fn of_gitlab(changes: Value) -> Result<Event, EventError> {
    read(ForgeKind::Gitlab, "Push Hook", &gitlab(changes), Some("tenant"))
}

#[test]
fn a_push_is_its_branch_and_its_commit() {
    let push = Push {
        delivery: Some("d-1".to_owned()),
        branch: "staging".to_owned(),
        commit: COMMIT.parse().unwrap(),
        sender: Some("ada".to_owned()),
    };
    assert_eq!(of_gitlab(json!({})), Ok(Event::Push(push)));
    let github = json!({"ref": "refs/heads/staging", "after": COMMIT, "before": "1".repeat(40), "sender": {"login": "ada"},
        "repository": {"full_name": "Team/Tenant"}, "commits": []});
    for kind in [ForgeKind::Github, ForgeKind::Gitea] {
        assert_eq!(read(kind, "push", &github, None), of_gitlab(json!({})), "{kind:?}");
    }
    let long = "ab".repeat(32);
    assert!(
        matches!(of_gitlab(json!({"after": long})), Ok(Event::Push(push)) if push.commit.as_str() == long)
    );
    for sender in ["", "a\u{1b}[2J", &"a".repeat(101)] {
        let event = of_gitlab(json!({"user_username": sender})).unwrap();
        assert!(
            matches!(event, Event::Push(push) if push.sender.is_none() || sender.is_empty()),
            "{sender:?}"
        );
    }
}

#[test]
fn what_is_not_deployed_is_ignored_with_a_reason() {
    let elsewhere = json!([{"added": ["README.md", "tenant2/x", "tenant"]}]);
    for (changes, reason) in [
        (json!({"project": {"path_with_namespace": "team/other"}}), "another project"),
        (json!({"ref": "refs/tags/v1"}), "a tag"),
        (json!({"after": "0".repeat(40), "checkout_sha": null}), "was deleted"),
        (json!({"commits": elsewhere}), "none of its commits"),
    ] {
        let ignored = of_gitlab(changes);
        assert!(matches!(&ignored, Ok(Event::Ignored(why)) if why.contains(reason)), "{reason}: {ignored:?}");
    }
    for event in ["Tag Push Hook", "Merge Request Hook", "push"] {
        let ignored = read(ForgeKind::Gitlab, event, &gitlab(json!({})), None);
        assert!(matches!(ignored, Ok(Event::Ignored(_))), "{event}");
    }
    assert!(matches!(read(ForgeKind::Github, "ping", &json!({"zen": ""}), None), Ok(Event::Ignored(_))));
}

#[test]
fn a_push_that_may_change_the_bundle_is_not_ignored() {
    let elsewhere = json!([{"added": ["README.md"]}]);
    for changes in [
        json!({"commits": elsewhere, "total_commits_count": 21}),
        json!({"commits": elsewhere, "before": "0".repeat(40)}),
        json!({"commits": []}),
        json!({"commits": [{"removed": ["tenant/rules/a.js"]}]}),
    ] {
        assert!(matches!(of_gitlab(changes.clone()), Ok(Event::Push(_))), "{changes}");
    }
    let whole = gitlab(json!({"commits": elsewhere}));
    assert!(matches!(read(ForgeKind::Gitlab, "Push Hook", &whole, None), Ok(Event::Push(_))));
}

#[test]
fn hostile_names_are_refused() {
    for git_ref in [
        "staging",
        "refs/heads/",
        "refs/heads/--upload-pack=touch /tmp/x",
        "refs/heads/../../etc/passwd",
        "refs/heads/a b",
        "refs/heads/a\nb",
        "refs/heads/$(id)\u{0}",
        "refs/merge-requests/1/head",
    ] {
        assert_eq!(of_gitlab(json!({"ref": git_ref})), Err(EventError::Ref), "{git_ref:?}");
    }
    for commit in
        ["HEAD", "", "staging", "-q", "0123456789ABCDEF0123456789abcdef01234567", "0", "refs/heads/x"]
    {
        assert_eq!(of_gitlab(json!({"after": commit})), Err(EventError::Commit), "{commit:?}");
    }
    for project in ["../../team/tenant", "team/tenant/", "team/tenant\n", "team/tenant.git", ""] {
        let event = of_gitlab(json!({"project": {"path_with_namespace": project}}));
        assert!(matches!(event, Ok(Event::Ignored(_))), "{project:?}");
    }
    for body in [
        "",
        "[]",
        "{}",
        "payload=%7B%7D",
        "{\"ref\":\"refs/heads/a\",\"ref\":\"refs/heads/b\",\"after\":\"\"}",
    ] {
        let delivery =
            Delivery { kind: ForgeKind::Gitlab, id: None, event: "Push Hook".to_owned(), body: body.into() };
        assert_eq!(event(delivery, &settings()), Err(EventError::NotAPush), "{body}");
    }
    assert_eq!(of_gitlab(json!({"project": null})), Err(EventError::NotAPush));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!("{{\"ref\":\"refs/heads/a\",\"x\":{deep}}}").into_bytes();
    let delivery = Delivery { kind: ForgeKind::Gitlab, id: None, event: "Push Hook".to_owned(), body };
    assert_eq!(event(delivery, &settings()), Err(EventError::NotAPush));
}
