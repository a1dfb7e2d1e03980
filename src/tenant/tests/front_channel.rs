//! Responses that do not pass the token endpoint alone: ID tokens by `form_post` and in fragments.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::authorize::{CALLBACK, param, request};
use super::*;

/// A tenant whose client `web` is as express-openid-connect's samples register it.
fn tenant() -> TestTenant {
    let change = |bundle: &mut Bundle| {
        let web = serde_json::json!({"client_id": "web", "name": "Web", "app_type": "regular_web",
            "client_secret": "web-secret", "callbacks": [CALLBACK], "grant_types": ["authorization_code", "implicit"]});
        bundle.clients.push(serde_json::from_value(web).unwrap());
    };
    TestTenant::with(change, accept)
}

/// The fields of a form that posts itself to the callback.
fn fields(response: &TestResponse) -> BTreeMap<String, String> {
    assert!(
        response.text.contains(&format!("<form method=\"post\" action=\"{CALLBACK}\">")),
        "{}",
        response.text
    );
    let parts = response.text.split("name=\"").skip(1);
    let field = |part: &str| {
        let mut quoted = part.split('"');
        let name = quoted.next().unwrap().to_owned();
        (name, quoted.nth(1).unwrap().replace("&amp;", "&"))
    };
    parts.map(field).collect()
}

const WEB: [(&str, &str); 3] = [("client_id", "web"), ("code_challenge", ""), ("code_challenge_method", "")];

#[tokio::test]
async fn an_id_token_is_posted_to_the_callback() {
    let tenant = tenant();
    let wanted = [&WEB[..], &[("response_type", "id_token"), ("response_mode", "form_post")]].concat();
    let posted = tenant.click(&tenant.begin(&wanted).await, "auth0|ada").await;
    let policy = posted.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:3000"), "{policy}");
    let fields = fields(&posted);
    assert_eq!((fields["state"].as_str(), fields.get("code")), ("s&t", None));
    let (_, claims) = tenant.decode(&fields["id_token"]);
    assert_eq!(
        (&claims["aud"], &claims["nonce"], &claims["name"]),
        (&"web".into(), &"n".into(), &"Ada Lovelace".into())
    );
    assert!(claims.get("c_hash").is_none() && claims["sid"].is_string());
}

#[tokio::test]
async fn a_hybrid_response_binds_its_id_token_to_the_code() {
    let tenant = tenant();
    let wanted = [&WEB[..], &[("response_type", "code id_token"), ("response_mode", "form_post")]].concat();
    let fields = fields(&tenant.click(&tenant.begin(&wanted).await, "auth0|ada").await);
    let (_, claims) = tenant.decode(&fields["id_token"]);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, fields["code"].as_bytes());
    assert_eq!(claims["c_hash"], URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
    let exchange = async |secret| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "web"),
            ("client_secret", secret),
            ("redirect_uri", CALLBACK),
            ("code", fields["code"].as_str()),
        ];
        tenant.token(&form).await
    };
    assert_eq!(exchange("wrong").await.error(), (401, "access_denied".to_owned(), "Unauthorized".to_owned()));
    assert_eq!(exchange("web-secret").await.status, 200);
}

#[tokio::test]
async fn an_id_token_is_in_the_fragment_by_default_and_never_in_the_query() {
    let tenant = tenant();
    let wanted = [&WEB[..], &[("response_type", "id_token")]].concat();
    let back = tenant.click(&tenant.begin(&wanted).await, "auth0|ada").await;
    assert!(
        back.header("location").starts_with(&format!("{CALLBACK}#id_token=ey")),
        "{}",
        back.header("location")
    );
    for refused in [("response_mode", "query"), ("nonce", "")] {
        let response = tenant.get(&request(&[&wanted[..], &[refused]].concat()), &[]).await;
        assert!(response.header("location").contains("error=invalid_request"), "{refused:?}");
    }
    // The fixtures' SPA has no grant `implicit`.
    let response = tenant.get(&request(&[("response_type", "code id_token")]), &[]).await;
    assert!(
        response.header("location").contains("#error=unauthorized_client"),
        "{}",
        response.header("location")
    );
}

#[tokio::test]
async fn a_downgraded_challenge_is_refused() {
    let tenant = tenant();
    let exchange = async |code: &str, verifier: &[(&str, &str)]| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "web"),
            ("client_secret", "web-secret"),
            ("redirect_uri", CALLBACK),
            ("code", code),
        ];
        tenant.token(&[&form, verifier].concat()).await
    };
    let verifier = [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")];
    // A challenge that an attacker removed, and one whose verifier is left out.
    for (change, sent, error) in
        [(&WEB[..], &verifier[..], "invalid_grant"), (&[WEB[0]], &[], "invalid_request")]
    {
        let back = tenant.click(&tenant.begin(change).await, "auth0|ada").await;
        let refused = exchange(&param(&back, "code").unwrap(), sent).await;
        assert_eq!(refused.error().1, error, "{change:?}");
    }
    let back = tenant.click(&tenant.begin(&[WEB[0]]).await, "auth0|ada").await;
    let accepted = exchange(&param(&back, "code").unwrap(), &verifier).await;
    assert_eq!(accepted.status, 200);
}
