//! The tenant's two pages: login, and what went wrong. Self-contained: no script, no font, no image from elsewhere.

use serde_json::{Map, Value, json};
use url::Origin;

use super::answer::Answer;
use super::people::Account;
use super::state;

const STYLE: &str = include_str!("page.css");

/// What the login page shows.
pub(super) struct Login<'a> {
    pub(super) tenant: &'a str,
    pub(super) application: &'a str,
    /// Where the form's answer leads: browsers hold a form's redirects to its `form-action`.
    pub(super) redirect_uri: &'a str,
    /// Names the login under way.
    pub(super) state: &'a str,
    pub(super) cards: &'a [Card],
    pub(super) problem: Option<&'a str>,
    /// An email to begin with.
    pub(super) hint: &'a str,
    /// Whether whoever opened this page waits for its message.
    pub(super) has_opener: bool,
}

/// A person to log in as.
pub(super) struct Card {
    user_id: String,
    name: String,
    email: String,
    is_verified: bool,
    roles: Vec<String>,
    note: String,
}

impl Card {
    pub(super) fn new(account: &Account, note: Option<&str>) -> Self {
        Self {
            user_id: account.user_id().to_owned(),
            name: account.name().to_owned(),
            email: account.email().to_owned(),
            is_verified: account.user.get("email_verified").is_some_and(|verified| verified == true),
            roles: account.roles.clone(),
            note: note.unwrap_or_default().to_owned(),
        }
    }
}

/// The login page.
pub(super) fn login(status: u16, page: &Login<'_>) -> Answer {
    let mut main = String::new();
    let state = escape(page.state);
    let mut put = |html: String| main.push_str(&html);
    put(format!("<h1>Log in to {}</h1>", escape(page.application)));
    if let Some(problem) = page.problem {
        put(format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(problem)));
    }
    if !page.cards.is_empty() {
        put("<h2>As one of the bundle’s people</h2>".to_owned());
        put(format!("<form method=\"post\" action=\"/u/login\" class=\"people\">{}", hidden(&state)));
        page.cards.iter().map(card).for_each(&mut put);
        put("</form>".to_owned());
    }
    put(format!(
        "<h2>With email and password</h2>\
         <form method=\"post\" action=\"/u/login\" class=\"password\">{}\
         <label>Email<input name=\"email\" type=\"email\" autocomplete=\"username\" required value=\"{}\"></label>\
         <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
         <button class=\"go\">Log in</button></form>",
        hidden(&state),
        escape(page.hint)
    ));
    let title = format!("Log in · {}", page.tenant);
    let answer = document(status, &title, page.tenant, &main, form_action(page.redirect_uri));
    // `same-origin` would cut the page off from its opener, for good.
    if page.has_opener { answer.header("cross-origin-opener-policy", "unsafe-none") } else { answer }
}

/// Tells the application by a message to the window around this page (a silent login's frame), or to the one that opened it
/// (a login in a popup), as Auth0's page does: the target is the callback's origin and nobody else.
pub(super) fn message<'a>(to: &Origin, response: impl Iterator<Item = (&'a str, &'a str)>) -> Answer {
    if !to.is_tuple() {
        return error(400, "response_mode=web_message needs a callback of a web page.");
    }
    let Ok(nonce) = state::random() else { return Answer::text(500, "No random numbers.") };
    let to = to.ascii_serialization();
    let response: Map<String, Value> =
        response.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let message = json!({"type": "authorization_response", "response": response});
    // Inside a script no `<` may begin an element.
    let [message, target] =
        [message, Value::from(to.clone())].map(|json| json.to_string().replace('<', "\\u003c"));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Logged in</title></head><body>\
         <script nonce=\"{nonce}\">(window.opener || window.parent).postMessage({message}, {target});</script>\
         </body></html>"
    );
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; form-action 'none'; base-uri 'none'; frame-ancestors {to}"
    );
    Answer::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .header("content-security-policy", &policy)
        .header("referrer-policy", "no-referrer")
        .body(html)
}

/// Something is wrong, and there is nowhere safe to send the browser.
pub(super) fn error(status: u16, problem: &str) -> Answer {
    let main = format!("<h1>This login can not go on</h1><p class=\"problem\">{}</p>", escape(problem));
    document(status, "Login error", "Dev tenant", &main, None)
}

fn hidden(state: &str) -> String {
    format!("<input type=\"hidden\" name=\"state\" value=\"{state}\">")
}

fn card(card: &Card) -> String {
    let initials: String = card
        .name
        .split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .collect::<String>()
        .to_uppercase();
    let mut tags = String::new();
    for role in &card.roles {
        tags.push_str(&format!("<span class=\"tag\">{}</span>", escape(role)));
    }
    if !card.is_verified {
        tags.push_str("<span class=\"tag warn\">email not verified</span>");
    }
    format!(
        "<button name=\"user\" value=\"{}\"><span class=\"face\" aria-hidden=\"true\">{}</span>\
         <span class=\"who\"><strong>{}</strong>{tags}<br>{}<br><small>{}</small></span></button>",
        escape(&card.user_id),
        escape(&initials),
        escape(&card.name),
        escape(&card.email),
        escape(&card.note)
    )
}

fn document(status: u16, title: &str, tenant: &str, main: &str, form_action: Option<String>) -> Answer {
    let Ok(nonce) = state::random() else { return Answer::text(500, "No random numbers.") };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{}</title><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <p class=\"banner\"><strong>Development tenant</strong> on this machine only. Nobody is asked for a real \
         password.</p><main><p class=\"tenant\">{}</p>{main}</main></body></html>",
        escape(title),
        escape(tenant)
    );
    let form_action = form_action.unwrap_or_else(|| "'none'".to_owned());
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    Answer::new(status)
        .header("content-type", "text/html; charset=utf-8")
        .header("content-security-policy", &policy)
        .header("x-frame-options", "DENY")
        // The form's POST must say where it comes from; `no-referrer` would make its Origin `null`.
        .header("referrer-policy", "same-origin")
        .header("cross-origin-opener-policy", "same-origin")
        .header("cross-origin-resource-policy", "same-origin")
        .body(html)
}

/// The tenant itself and the callback's origin, or its scheme where it has no origin of its own.
fn form_action(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    let origin = url.origin();
    let callback =
        if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) };
    Some(format!("'self' {callback}"))
}

/// Text as HTML shows it, in elements and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_profile_says_stays_text() {
        let evil = "\"><script>alert('x')</script>&";
        let account = Account {
            user: json!({"user_id": evil, "name": evil, "email": evil}).as_object().unwrap().clone(),
            roles: vec![evil.to_owned()],
        };
        let answer = login(
            200,
            &Login {
                tenant: evil,
                application: evil,
                redirect_uri: "http://127.0.0.1:3000/cb?x=;script-src *",
                state: evil,
                cards: &[Card::new(&account, Some(evil))],
                problem: Some(evil),
                hint: evil,
                has_opener: false,
            },
        );
        assert!(!answer.body.contains("<script") && !answer.body.contains("alert('"));
        assert!(answer.body.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' http://127.0.0.1:3000; base-uri"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("script-src"));
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(answer.body.contains(&format!("<style nonce=\"{nonce}\">")));
        assert!(!error(400, evil).body.contains("<script"));
    }

    #[test]
    fn a_message_is_for_the_callback_s_origin_and_stays_text() {
        let origin = url::Url::parse("http://127.0.0.1:3000/cb?x").unwrap().origin();
        let answer = message(&origin, [("state", "</script><script>alert(1)</script>\u{2028}")].into_iter());
        assert_eq!(answer.body.matches("<script").count(), 1, "{}", answer.body);
        assert!(answer.body.contains("}, \"http://127.0.0.1:3000\");</script>"), "{}", answer.body);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("frame-ancestors http://127.0.0.1:3000"), "{policy}");
        let app = url::Url::parse("com.example.app://cb").unwrap().origin();
        assert_eq!(message(&app, [("code", "c")].into_iter()).status, 400);
    }

    #[test]
    fn an_apps_own_scheme_is_named_as_such() {
        assert_eq!(form_action("com.example.app://cb/x").as_deref(), Some("'self' com.example.app:"));
    }
}
