//! `/`: the login log as a page that follows the log, and `/dev/logins`: the same as JSON.

use serde_json::{Value, json};

use super::super::Inner;
use super::super::response::HttpResponse;
use super::html::{self, escape};
use super::login_log::{LoginStory, ScriptStory};
use crate::script::ScriptKind;

/// Replaces the list when there is something new; open details stay as they are until then.
const FOLLOW: &str = "let last = document.querySelector('main').dataset.last; setInterval(async () => {\
    try { const page = new DOMParser().parseFromString(await (await fetch('/')).text(), 'text/html');\
    const main = page.querySelector('main');\
    if (main.dataset.last !== last) { last = main.dataset.last; document.querySelector('main').replaceWith(main); }\
    } catch {} }, 1500);";

pub(super) fn json(tenant: &Inner) -> HttpResponse {
    HttpResponse::json(200, &json!({"logins": tenant.log.all()}))
}

pub(super) fn page(tenant: &Inner) -> HttpResponse {
    let stories = tenant.log.all();
    let last = stories.first().map_or(0, |story| story.number);
    let mut main = format!(
        "<h1>Login log</h1><p>Issuer <code>{}</code> · <a href=\"/.well-known/openid-configuration\">discovery</a> · \
         <a href=\"/dev/logins\">as JSON</a></p>",
        escape(&tenant.issuer)
    );
    if stories.is_empty() {
        main += "<p>No logins yet. Point an application here and log in.</p>";
    }
    main.extend(stories.iter().map(story));
    html::following(
        tenant.bundle.tenant.friendly_name.as_deref().unwrap_or("Dev tenant"),
        &main,
        last,
        FOLLOW,
    )
}

fn story(story: &LoginStory) -> String {
    let who = story.email.as_deref().or(story.user_id.as_deref()).unwrap_or("no user");
    let class = if story.error.is_some() { "story refused" } else { "story" };
    let denied_by =
        story.denied_by.as_ref().map(|script| format!(" (the script \"{script}\")")).unwrap_or_default();
    let mut rows = Rows::default();
    rows.add("User", story.user_id.as_deref().unwrap_or_default());
    rows.add("Connection", story.connection.as_deref().unwrap_or_default());
    rows.add("Organization", story.organization.as_deref().unwrap_or_default());
    rows.add("Protocol", story.protocol.as_deref().unwrap_or_default());
    rows.add("Took", &story.milliseconds.map(|took| format!("{took} ms")).unwrap_or_default());
    story.scripts.iter().for_each(|script| add_script(&mut rows, script));
    for (name, claims) in [("Access token", &story.access_token), ("ID token", &story.id_token)] {
        for (claim, value) in claims {
            rows.add(name, &format!("{claim} = {value}"));
        }
    }
    rows.add("Dropped, reserved claims", &story.dropped_claims.join(", "));
    rows.add("Without effect here", &story.ignored.join(", "));
    let mut rows = rows.0;
    if let Some(mail) = &story.mail {
        rows += &format!(
            "<dt>To</dt><dd>{}</dd><dt>{}</dt><dd><a href=\"{2}\">{2}</a></dd>",
            escape(&mail.to),
            escape(mail.subject),
            escape(&mail.link)
        );
    }
    format!(
        "<details class=\"{class}\"><summary><time>{}</time> <strong>{}</strong> at {}: {}{}</summary><dl>{rows}</dl></details>",
        escape(&story.at),
        escape(who),
        escape(&story.client_id),
        escape(&story.outcome),
        escape(&denied_by)
    )
}

fn add_script(rows: &mut Rows, script: &ScriptStory) {
    let text = |value: &Value, name: &str| value.get(name).filter(|value| !value.is_null()).map(plain);
    let kind = if script.kind == ScriptKind::Rule { "Rule" } else { "Action" };
    rows.add(kind, &format!("{} ({}), {} ms", script.name, script.trigger, script.milliseconds));
    for line in &script.console {
        let name = format!("{} console.{}", script.name, text(line, "level").unwrap_or_default());
        rows.add(&name, &text(line, "text").unwrap_or_default());
    }
    for fetch in &script.fetches {
        let outcome =
            text(fetch, "refused").or(text(fetch, "status")).unwrap_or_else(|| "no response".to_owned());
        let request = [text(fetch, "method"), text(fetch, "url")].map(Option::unwrap_or_default).join(" ");
        rows.add(&format!("{} fetched", script.name), &format!("{request} → {outcome}"));
    }
    for call in &script.calls {
        let member = text(call, "member").unwrap_or_default();
        rows.add(
            &format!("{} called", script.name),
            &format!("api.{member} {}", text(call, "arguments").unwrap_or_default()),
        );
    }
}

/// The rows of a story, escaped.
#[derive(Default)]
struct Rows(String);

impl Rows {
    /// Adds a row, unless its text is empty.
    fn add(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.0 += &format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(text));
        }
    }
}

/// A text without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
