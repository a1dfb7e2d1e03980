//! The tenant's HTML pages: login, web message and error. Self-contained: no script, font or image from elsewhere.

use serde_json::{Map, Value, json};
use url::Origin;

use super::super::response::HttpResponse;
use super::super::tickets;
use super::super::users::TenantUser;

const STYLE: &str = include_str!("login.css");

/// The contents of the login page.
pub(super) struct LoginPage<'a> {
    pub(super) tenant: &'a str,
    pub(super) application: &'a str,
    /// The callback: browsers apply `form-action` to the redirects of a form too.
    pub(super) redirect_uri: &'a str,
    /// The ticket of the pending login.
    pub(super) state: &'a str,
    /// Users with a one-click button, each with a note.
    pub(super) users: &'a [(TenantUser, String)],
    pub(super) problem: Option<&'a str>,
    /// Prefills the email.
    pub(super) email: &'a str,
    /// The script that denied the last login to the application.
    pub(super) denied_by: Option<&'a str>,
    /// Whether the sign-up form is shown.
    pub(super) is_sign_up: bool,
    /// Whether there is a sign-up form.
    pub(super) can_sign_up: bool,
    /// Whether the window that opened this page waits for its message.
    pub(super) has_opener: bool,
}

/// The login page.
pub(super) fn login(status: u16, page: &LoginPage<'_>) -> HttpResponse {
    let state = hidden([("state", page.state)].into_iter());
    let (verb, action, other) = if page.is_sign_up {
        ("Sign up", "/u/signup", "Log in instead")
    } else {
        ("Log in", "/u/login", "Sign up instead")
    };
    let mut main = format!("<h1>{verb} to {}</h1>", escape(page.application));
    if let Some(problem) = page.problem {
        main += &format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(problem));
    }
    if let Some(script) = page.denied_by {
        let script = escape(script);
        main += &format!(
            "<p class=\"problem\">The script <strong>{script}</strong> denied the last login here. Its console is in the \
             <a href=\"/\">login log</a>.</p>"
        );
    }
    if !page.users.is_empty() && !page.is_sign_up {
        let buttons: String = page.users.iter().map(|(user, note)| button(user, note)).collect();
        main += &format!(
            "<h2>With a test user of the bundle</h2>\
             <form method=\"post\" action=\"/u/login\" class=\"people\">{state}{buttons}</form>"
        );
    }
    let complete = if page.is_sign_up { "new" } else { "current" };
    let other_path = if page.is_sign_up { "/u/login" } else { "/u/signup" };
    let other = format!("<p><a href=\"{other_path}?state={}\">{other}</a></p>", escape(page.state));
    main += &format!(
        "<h2>With email and password</h2>\
         <form method=\"post\" action=\"{action}\" class=\"password\">{state}\
         <label>Email<input name=\"email\" type=\"{}\" inputmode=\"email\" autocomplete=\"username\" required value=\"{}\"></label>\
         <label>Password<input name=\"password\" type=\"password\" autocomplete=\"{complete}-password\" required></label>\
         <button class=\"go\">{verb}</button></form>{}",
        if page.is_sign_up { "email" } else { "text" },
        escape(page.email),
        if page.can_sign_up { &other } else { "" }
    );
    let response = document(status, verb, page.tenant, &main, form_action(page.redirect_uri));
    // `same-origin` would cut the page off from its opener for good.
    if page.has_opener { response.header("cross-origin-opener-policy", "unsafe-none") } else { response }
}

/// Posts the response to the parent window (a silent login's frame) or the opener (a login in a popup), as Auth0's page
/// does. The target is the callback's origin only.
pub(super) fn web_message<'a>(
    to: &Origin,
    response: impl Iterator<Item = (&'a str, &'a str)>,
) -> HttpResponse {
    if !to.is_tuple() {
        return error(400, "response_mode=web_message needs the callback of a web page.");
    }
    let Ok(nonce) = tickets::random() else { return no_random_numbers() };
    let to = to.ascii_serialization();
    let response: Map<String, Value> =
        response.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let message = json!({"type": "authorization_response", "response": response});
    // A `<` could end the script element.
    let [message, target] =
        [message, Value::from(to.clone())].map(|json| json.to_string().replace('<', "\\u003c"));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Logged in</title></head><body>\
         <script nonce=\"{nonce}\">(window.opener || window.parent).postMessage({message}, {target});</script>\
         </body></html>"
    );
    let policy =
        format!("script-src 'nonce-{nonce}'; form-action 'none'; base-uri 'none'; frame-ancestors {to}");
    page(200, html, &policy).header("referrer-policy", "no-referrer")
}

/// A page that posts the response to the callback at once; without scripts, by a button.
pub(super) fn form_post<'a>(
    redirect_uri: &str,
    response: impl Iterator<Item = (&'a str, &'a str)>,
) -> HttpResponse {
    let Ok(nonce) = tickets::random() else { return no_random_numbers() };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Logged in</title></head><body>\
         <form method=\"post\" action=\"{}\">{}<noscript><button>Continue</button></noscript></form>\
         <script nonce=\"{nonce}\">document.forms[0].submit()</script></body></html>",
        escape(redirect_uri),
        hidden(response),
    );
    let action = form_action(redirect_uri).unwrap_or_default();
    let policy =
        format!("script-src 'nonce-{nonce}'; form-action {action}; base-uri 'none'; frame-ancestors 'none'");
    page(200, html, &policy).header("referrer-policy", "no-referrer")
}

/// A page that asks whether to log out. `fields` are sent again; `to` is where the logout redirects to.
pub(super) fn confirm_logout<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    to: Option<&str>,
) -> HttpResponse {
    let main = format!(
        "<h1>Log out?</h1><form method=\"post\" action=\"/oidc/logout\" class=\"password\">{}\
         <button class=\"go\">Log out</button></form>",
        hidden(fields)
    );
    document(200, "Log out", "Dev tenant", &main, to.map_or_else(|| Some("'self'".to_owned()), form_action))
}

/// Hidden fields.
pub(super) fn hidden<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let field = |(name, value): (&str, &str)| {
        format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
    };
    fields.map(field).collect()
}

/// A form for a new password.
pub(super) fn reset_password(ticket: &str, problem: Option<&str>) -> HttpResponse {
    let problem =
        problem.map(|problem| format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(problem)));
    let main = format!(
        "<h1>Change your password</h1>{}<form method=\"post\" action=\"/u/reset-password\" class=\"password\">{}\
         <label>New password<input name=\"password\" type=\"password\" autocomplete=\"new-password\" required></label>\
         <button class=\"go\">Change</button></form>",
        problem.unwrap_or_default(),
        hidden([("ticket", ticket)].into_iter())
    );
    document(200, "Change your password", "Dev tenant", &main, Some("'self'".to_owned()))
}

/// A page that says what was done.
pub(super) fn notice(text: &str) -> HttpResponse {
    document(200, "Done", "Dev tenant", &format!("<h1>{}</h1>", escape(text)), None)
}

/// An error page, for errors that cannot go to a callback.
pub(super) fn error(status: u16, problem: &str) -> HttpResponse {
    let main = format!("<h1>This login cannot continue</h1><p class=\"problem\">{}</p>", escape(problem));
    document(status, "Login error", "Dev tenant", &main, None)
}

/// A page that goes to another site at once, where a redirect is not possible: browsers apply `form-action` to the redirects
/// of a form.
pub(super) fn leave(url: &str) -> HttpResponse {
    let main = format!("<h1>Going on</h1><p><a href=\"{0}\">{0}</a></p>", escape(url));
    document(200, "Going on", "Dev tenant", &main, None).header("refresh", &format!("0;url={url}"))
}

fn button(user: &TenantUser, note: &str) -> String {
    let words = user.name().split_whitespace();
    let initials: String = words.filter_map(|word| word.chars().next()).take(2).collect();
    let mut tags: String =
        user.roles.iter().map(|role| format!("<span class=\"tag\">{}</span>", escape(role))).collect();
    if user.user.get("email_verified") != Some(&Value::Bool(true)) {
        tags += "<span class=\"tag warn\">email not verified</span>";
    }
    // A user without a name is shown by their email.
    let email =
        if user.name() == user.email() { String::new() } else { format!("<br>{}", escape(user.email())) };
    format!(
        "<button name=\"user\" value=\"{}\"><span class=\"face\" aria-hidden=\"true\">{}</span>\
         <span class=\"who\"><strong>{}</strong>{tags}{email}<br><small>{}</small></span></button>",
        escape(user.user_id()),
        escape(&initials.to_uppercase()),
        escape(user.name()),
        escape(note)
    )
}

/// The login log: a page with a script of ours that follows the log. `last` changes with the log.
pub(super) fn following(tenant: &str, main: &str, last: u64, script: &str) -> HttpResponse {
    let Ok(nonce) = tickets::random() else { return no_random_numbers() };
    let main = format!(
        "<main class=\"log\" data-last=\"{last}\">{main}</main><script nonce=\"{nonce}\">{script}</script>"
    );
    let policy = format!(
        "style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    page(200, skeleton("Login log", tenant, &main, &nonce), &policy)
}

/// A page without scripts.
pub(super) fn document(
    status: u16,
    title: &str,
    tenant: &str,
    main: &str,
    form_action: Option<String>,
) -> HttpResponse {
    let Ok(nonce) = tickets::random() else { return no_random_numbers() };
    let main = format!("<main><p class=\"tenant\">{}</p>{main}</main>", escape(tenant));
    let html = skeleton(title, tenant, &main, &nonce);
    let form_action = form_action.unwrap_or_else(|| "'none'".to_owned());
    let policy = format!(
        "style-src 'nonce-{nonce}'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    page(status, html, &policy)
        .header("x-frame-options", "DENY")
        // The form's POST needs its Origin; `no-referrer` would make it `null`.
        .header("referrer-policy", "same-origin")
        .header("cross-origin-opener-policy", "same-origin")
        .header("cross-origin-resource-policy", "same-origin")
}

fn page(status: u16, html: String, policy: &str) -> HttpResponse {
    HttpResponse::new(status)
        .header("content-type", "text/html; charset=utf-8")
        .header("content-security-policy", &format!("default-src 'none'; {policy}"))
        .body(html)
}

fn no_random_numbers() -> HttpResponse {
    HttpResponse::text(500, "The system has no random numbers.")
}

/// The tenant itself and the callback's origin, or the scheme of a callback without an origin.
pub(super) fn form_action(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    let origin = url.origin();
    let callback =
        if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) };
    Some(format!("'self' {callback}"))
}

fn skeleton(title: &str, tenant: &str, main: &str, nonce: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{} · {}</title><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <p class=\"banner\"><strong>Development tenant</strong>, on this machine only. Do not enter a real password.</p>\
         {main}</body></html>",
        escape(title),
        escape(tenant)
    )
}

/// Text for HTML elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_values_are_escaped() {
        let evil = "\"><script>alert('x')</script>&";
        let user = TenantUser {
            user: json!({"user_id": evil, "name": evil, "email": evil}).as_object().unwrap().clone(),
            roles: vec![evil.to_owned()],
            ..TenantUser::default()
        };
        let response = login(
            200,
            &LoginPage {
                tenant: evil,
                application: evil,
                redirect_uri: "http://127.0.0.1:3000/cb?x=;script-src *",
                state: evil,
                users: &[(user, evil.to_owned())],
                problem: Some(evil),
                email: evil,
                denied_by: Some(evil),
                is_sign_up: false,
                can_sign_up: true,
                has_opener: false,
            },
        );
        assert!(!response.body.contains("<script") && !response.body.contains("alert('"));
        assert!(response.body.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        let policy = response.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' http://127.0.0.1:3000; base-uri"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("script-src"));
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(response.body.contains(&format!("<style nonce=\"{nonce}\">")));
        assert!(!error(400, evil).body.contains("<script"));
    }

    #[test]
    fn a_web_message_goes_to_the_callbacks_origin_only_and_is_escaped() {
        let origin = url::Url::parse("http://127.0.0.1:3000/cb?x").unwrap().origin();
        let response =
            web_message(&origin, [("state", "</script><script>alert(1)</script>\u{2028}")].into_iter());
        assert_eq!(response.body.matches("<script").count(), 1, "{}", response.body);
        assert!(response.body.contains("}, \"http://127.0.0.1:3000\");</script>"), "{}", response.body);
        let policy = response.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("frame-ancestors http://127.0.0.1:3000"), "{policy}");
        let app = url::Url::parse("com.example.app://cb").unwrap().origin();
        assert_eq!(web_message(&app, [("code", "c")].into_iter()).status, 400);
    }

    #[test]
    fn a_native_apps_scheme_is_allowed_as_form_action() {
        assert_eq!(form_action("com.example.app://cb/x").as_deref(), Some("'self' com.example.app:"));
    }
}
