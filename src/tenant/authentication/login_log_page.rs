//! `/`: the login log as a page that follows the log, and `/dev/logins`: the same as JSON.

use serde_json::{Value, json};

use super::super::Inner;
use super::super::response::HttpResponse;
use super::html::{self, escape};
use super::login_log::LoginStory;

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
        story.denied_by.as_ref().map(|rule| format!(" (the rule \"{rule}\")")).unwrap_or_default();
    let mut rows = String::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            rows += &format!("<dt>{name}</dt><dd>{}</dd>", escape(&value));
        }
    };
    row("User", story.user_id.clone());
    row("Connection", story.connection.clone());
    row("Organization", story.organization.clone());
    row("Protocol", story.protocol.map(str::to_owned));
    let took = story.milliseconds.map(|took| format!(", {took} ms")).unwrap_or_default();
    row("Rules", (!story.scripts.is_empty()).then(|| format!("{}{took}", story.scripts.join(", "))));
    let text = |value: &Value, name: &str| value.get(name).map_or(String::new(), plain);
    for line in &story.console {
        let name = format!("{} console.{}", text(line, "script"), text(line, "level"));
        row(&escape(&name), Some(text(line, "text")));
    }
    for fetch in &story.fetches {
        let status = text(fetch, "status");
        let request = format!("{} {} → {status}", text(fetch, "method"), text(fetch, "url"));
        row(&escape(&format!("{} fetched", text(fetch, "script"))), Some(request));
    }
    for (name, claims) in [("Access token", &story.access_token), ("ID token", &story.id_token)] {
        for (claim, value) in claims {
            row(name, Some(format!("{claim} = {value}")));
        }
    }
    if let Some(mail) = &story.mail {
        row("Mail to", Some(mail.to.clone()));
        rows +=
            &format!("<dt>{}</dt><dd><a href=\"{1}\">{1}</a></dd>", escape(mail.subject), escape(&mail.link));
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

/// A text without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
