//! Texts and challenges of refusals.

use std::time::Duration;

use crate::auth::Refusal;
use crate::scope::Permissions;

/// One refusal of each kind.
fn one_of_each() -> Vec<Refusal> {
    let missing = Permissions::from_scope("users:read");
    vec![
        Refusal::MalformedRequest("Two tokens were sent."),
        Refusal::NoToken,
        Refusal::MalformedToken("The token has no three parts."),
        Refusal::BadHeader("The header of the token has a member that is not supported: zip."),
        Refusal::UnknownKey,
        Refusal::BadSignature,
        Refusal::BadAlgorithm("The algorithm is not allowed here."),
        Refusal::WrongIssuer,
        Refusal::WrongAudience,
        Refusal::Expired { ago: Duration::from_secs(12) },
        Refusal::NotYetValid,
        Refusal::BoundToken,
        Refusal::AgentRefused,
        Refusal::BadClaims("The claim exp is missing."),
        Refusal::BadPayload("The user in the payload of the token is another one."),
        Refusal::TokenRevoked,
        Refusal::NotPermitted { missing },
        Refusal::Blocked,
        Refusal::Erased,
        Refusal::NoSuchUser,
        Refusal::EmailConflict,
        Refusal::KeysUnavailable,
        Refusal::ProfileUnavailable { retry_after: Duration::from_secs(2) },
        Refusal::Busy,
    ]
}

#[test]
fn every_message_is_valid_in_a_header() {
    for refusal in one_of_each() {
        let message = refusal.message();
        assert!(
            message.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{}: {message}",
            refusal.code()
        );
    }
}

#[test]
fn every_text_in_the_source_of_the_stages_is_valid_in_a_header() {
    let mut texts = 0;
    for source in [
        include_str!("../bearer.rs"),
        include_str!("../header.rs"),
        include_str!("../claims.rs"),
        include_str!("../policy.rs"),
        include_str!("../caller.rs"),
    ] {
        let code = source.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.map(|line| line.trim_start().trim_end_matches('\\')).collect::<String>();
        // Every second part is between quotes; of those, sentences are sent to clients.
        for text in code.split('"').skip(1).step_by(2).filter(|text| text.ends_with('.')) {
            texts += 1;
            assert!(text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'\\'), "{text}");
        }
    }
    assert!(texts >= 25, "only {texts} were found");
}

#[test]
fn challenges_are_those_of_rfc_6750() {
    assert_eq!(Refusal::NoToken.challenge("public").unwrap(), "Bearer realm=\"public\"");
    assert_eq!(
        Refusal::Expired { ago: Duration::from_secs(12) }.challenge("public").unwrap(),
        "Bearer realm=\"public\", error=\"invalid_token\", \
         error_description=\"The token expired 12 s ago; log in again.\""
    );
    let missing = Permissions::from_scope("users:write users:read");
    assert!(
        Refusal::NotPermitted { missing }
            .challenge("internal")
            .unwrap()
            .ends_with(", scope=\"users:read users:write\"")
    );
    let missing = Permissions::from_scope("a\"b\\ é\n");
    let challenge = Refusal::NotPermitted { missing }.challenge("internal").unwrap();
    assert!(challenge.ends_with(", scope=\"a?b? ??\""), "{challenge}");
    for refusal in one_of_each() {
        assert_eq!(refusal.challenge("x").is_some(), refusal.status() != 503, "{}", refusal.code());
        assert_eq!(refusal.retry_seconds().is_some(), refusal.status() == 503, "{}", refusal.code());
    }
}

#[test]
fn no_retry_after_is_zero() {
    let seconds = |millis| {
        let retry_after = Duration::from_millis(millis);
        Refusal::ProfileUnavailable { retry_after }.retry_seconds()
    };
    assert_eq!([0, 1, 1000, 1001].map(seconds), [Some(1), Some(1), Some(1), Some(2)]);
}
