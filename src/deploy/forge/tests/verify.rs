//! Tests of `verify`. The signatures are those of `openssl dgst -hmac`.

use super::*;
use crate::deploy::forge::tests::settings;
use crate::telemetry::Secret;

const NOW: i64 = 1_800_000_000;
const BODY: &[u8] = b"{\"ref\":\"refs/heads/main\"}";
/// The base64 of 32 bytes from 0 to 31.
const SIGNING: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn verifier(kind: ForgeKind, signing: Option<&str>, token: Option<&str>) -> Verifier {
    let secrets = (signing.map(Secret::new), token.map(Secret::new));
    let settings = ForgeSettings { kind, signing_token: secrets.0, webhook_token: secrets.1, ..settings() };
    Verifier::new(&settings).unwrap()
}

fn verify(verifier: &Verifier, headers: &[(&str, &str)], body: &[u8]) -> Result<Delivery, VerifyError> {
    let header = |name: &str| headers.iter().find(|(sent, _)| *sent == name).map(|(_, value)| *value);
    verifier.headers(header, Timestamp::from_second(NOW).unwrap())?.body(body.to_vec())
}

fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &(0..32).collect::<Vec<u8>>());
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)))
}

#[test]
fn without_a_secret_there_is_no_verifier() {
    assert!(Verifier::new(&ForgeSettings { webhook_token: None, ..settings() }).is_none());
}

#[test]
fn a_gitlab_token_is_accepted_only_whole() {
    let verifier = verifier(ForgeKind::Gitlab, None, Some("glwt-0123456789"));
    let with = |token| verify(&verifier, &[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", token)], BODY);
    assert_eq!(with("glwt-0123456789").unwrap().event, "Push Hook");
    for wrong in ["", "glwt-012345678", "glwt-01234567890", "GLWT-0123456789", "glwt-0123456780"] {
        assert_eq!(with(wrong).unwrap_err(), VerifyError::Wrong, "{wrong}");
    }
    assert_eq!(
        verify(&verifier, &[("x-gitlab-event", "Push Hook")], BODY).unwrap_err(),
        VerifyError::Missing
    );
    let no_event = verify(&verifier, &[("x-gitlab-token", "glwt-0123456789")], BODY);
    assert_eq!(no_event.unwrap_err(), VerifyError::NoEvent);
}

#[test]
fn a_signing_token_makes_the_signature_necessary() {
    let verifier = verifier(ForgeKind::Gitlab, Some(SIGNING), Some("glwt-0123456789"));
    let now = NOW.to_string();
    let good = sign("msg_1", &now, BODY);
    // printf 'msg_1.1800000000.{"ref":"refs/heads/main"}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f -binary | base64
    assert_eq!(good, "v1,DxTvNPV4EQgCGExblRU6DBqEkOY3PhwX4ZRtUr0e6D0=");
    let with = |id, timestamp: &str, signature: &str, body| {
        let headers = [
            ("x-gitlab-event", "Push Hook"),
            ("x-gitlab-token", "glwt-0123456789"),
            ("idempotency-key", "unsigned"),
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        verify(&verifier, &headers, body)
    };
    assert_eq!(with("msg_1", &now, &good, BODY).unwrap().id.as_deref(), Some("msg_1"));
    let several = format!("v1a,{} v1,AAAA {good}", "A".repeat(88));
    assert!(with("msg_1", &now, &several, BODY).is_ok());
    for (id, signature, body) in [
        ("msg_2", good.as_str(), BODY),
        ("msg_1", good.as_str(), b"{}".as_slice()),
        ("msg_1", "", BODY),
        ("msg_1", "v1,", BODY),
        ("msg_1", good.trim_start_matches("v1,"), BODY),
        ("msg_1", &good[..good.len() - 4], BODY),
        ("msg_1", &format!("{}{good}", "v1,AAAA ".repeat(SIGNATURES_MAX)), BODY),
    ] {
        assert_eq!(with(id, &now, signature, body).unwrap_err(), VerifyError::Wrong, "{id} {signature}");
    }
    for seconds in [-301, -300, 0, 300, 301] {
        let timestamp = (NOW + seconds).to_string();
        let sent = with("msg_1", &timestamp, &sign("msg_1", &timestamp, BODY), BODY);
        assert_eq!(sent.is_ok(), (-300..=300).contains(&seconds), "{seconds} s");
    }
    for timestamp in ["", "now", "1e9", " 1800000000", "99999999999999999999"] {
        let sent = with("msg_1", timestamp, &sign("msg_1", timestamp, BODY), BODY);
        assert_eq!(sent.unwrap_err(), VerifyError::WrongTime, "{timestamp:?}");
    }
    let token = [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "glwt-0123456789")];
    assert_eq!(verify(&verifier, &token, BODY).unwrap_err(), VerifyError::Missing, "no downgrade");
}

#[test]
fn github_gitea_and_forgejo_sign_the_body() {
    // The example of GitHub's "Validating webhook deliveries".
    let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!".as_slice());
    let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let github = verifier(ForgeKind::Github, None, Some(secret));
    let prefixed = format!("sha256={hex}");
    let github_with = |signature: &str, body| {
        let headers =
            [("x-github-event", "push"), ("x-github-delivery", "d-1"), ("x-hub-signature-256", signature)];
        verify(&github, &headers, body)
    };
    assert_eq!(github_with(&prefixed, body).unwrap().id.as_deref(), Some("d-1"));
    for (signature, body) in [(hex, body), (&prefixed, b"Hello, World?".as_slice()), ("sha256=", body)] {
        assert!(github_with(signature, body).is_err(), "{signature}");
    }
    let gitea = verifier(ForgeKind::Gitea, None, Some(secret));
    for (event, signature) in
        [("x-gitea-event", "x-gitea-signature"), ("x-forgejo-event", "x-forgejo-signature")]
    {
        assert!(verify(&gitea, &[(event, "push"), (signature, hex)], body).is_ok());
        let upper = hex.to_uppercase();
        assert!(verify(&gitea, &[(event, "push"), (signature, &upper)], body).is_err());
        assert!(verify(&gitea, &[(event, "push")], body).is_err());
    }
}
