//! The members of `api` by trigger (Auth0, "Actions triggers: API object" of each).

use super::action::Trigger;

const USER_METADATA: &[&str] = &["user.setAppMetadata", "user.setUserMetadata"];
const CACHE: &[&str] = &["cache.delete", "cache.get", "cache.set"];
const REDIRECT: &[&str] =
    &["redirect.canRedirect", "redirect.encodeToken", "redirect.sendUserTo", "redirect.validateToken"];
const CHALLENGE: &[&str] =
    &["authentication.challengeWith", "authentication.challengeWithAny", "prompt.render"];
const POST_LOGIN: &[&str] = &[
    "access.deny",
    "accessToken.addScope",
    "accessToken.removeScope",
    "accessToken.setCustomClaim",
    "authentication.enrollWith",
    "authentication.enrollWithAny",
    "authentication.recordMethod",
    "authentication.setPrimaryUser",
    "groups.getUserGroups",
    "groups.hasGroupMembership",
    "idToken.setCustomClaim",
    "multifactor.enable",
    "refreshToken.deleteMetadata",
    "refreshToken.evictMetadata",
    "refreshToken.revoke",
    "refreshToken.setExpiresAt",
    "refreshToken.setIdleExpiresAt",
    "refreshToken.setMetadata",
    "roles.getUserEffectiveRoles",
    "roles.getUserEffectiveRolesByIds",
    "roles.getUserEffectiveRolesByNames",
    "rules.wasExecuted",
    "samlResponse.setAttribute",
    "samlResponse.setAudience",
    "samlResponse.setAuthnContextClassRef",
    "samlResponse.setCert",
    "samlResponse.setCreateUpnClaim",
    "samlResponse.setDestination",
    "samlResponse.setDigestAlgorithm",
    "samlResponse.setEncryptionAlgorithm",
    "samlResponse.setEncryptionCert",
    "samlResponse.setEncryptionPublicKey",
    "samlResponse.setIncludeAttributeNameFormat",
    "samlResponse.setIssuer",
    "samlResponse.setKey",
    "samlResponse.setLifetimeInSeconds",
    "samlResponse.setMapIdentities",
    "samlResponse.setMapUnknownClaimsAsIs",
    "samlResponse.setNameIdentifierFormat",
    "samlResponse.setNameIdentifierProbes",
    "samlResponse.setPassthroughClaimsWithNoMapping",
    "samlResponse.setRecipient",
    "samlResponse.setRelayState",
    "samlResponse.setSignResponse",
    "samlResponse.setSignatureAlgorithm",
    "samlResponse.setSigningCert",
    "samlResponse.setTypedAttributes",
    "session.deleteMetadata",
    "session.evictMetadata",
    "session.revoke",
    "session.setCookieMode",
    "session.setExpiresAt",
    "session.setIdleExpiresAt",
    "session.setMetadata",
    "transaction.setMetadata",
    "validation.error",
];

/// The members of `api` of each trigger (Auth0, "Actions triggers: API object" of each).
pub(super) fn members(trigger: Trigger) -> Vec<&'static str> {
    let own: &[&[&str]] = match trigger {
        Trigger::PostLogin => &[POST_LOGIN, CHALLENGE, REDIRECT, USER_METADATA],
        Trigger::CredentialsExchange => &[&[
            "access.deny",
            "accessToken.setCustomClaim",
            "transaction.addTargetScope",
            "transaction.clearTargetScopes",
            "transaction.removeTargetScope",
            "transaction.setTargetScopes",
        ]],
        Trigger::PreUserRegistration => &[&["access.deny", "validation.error"], USER_METADATA],
        Trigger::CustomTokenExchange => &[
            &[
                "access.deny",
                "access.rejectInvalidSubjectToken",
                "authentication.setActor",
                "authentication.setOrganization",
                "authentication.setUserByConnection",
                "authentication.setUserById",
            ],
            USER_METADATA,
        ],
        Trigger::PasswordResetPostChallenge => {
            &[&["access.deny", "transaction.setResultUrl"], CHALLENGE, REDIRECT]
        }
        Trigger::CustomPhoneProvider | Trigger::CustomEmailProvider => {
            &[&["notification.drop", "notification.retry"]]
        }
        Trigger::PostUserRegistration
        | Trigger::PostChangePassword
        | Trigger::SendPhoneMessage
        | Trigger::EventStream => &[],
    };
    own.iter().chain([&CACHE]).flat_map(|members| members.iter().copied()).collect()
}

/// Why `api` has no member `path` for a trigger.
pub(super) fn missing_member(trigger: Trigger, path: &str) -> String {
    let is_in = |trigger: &Trigger| {
        let group = format!("{path}.");
        members(*trigger).iter().any(|member| *member == path || member.starts_with(&group))
    };
    let others: Vec<_> = Trigger::all().filter(is_in).map(Trigger::name).collect();
    let name = trigger.name();
    match others.as_slice() {
        [] => format!("api.{path} is not in {name}, nor in any other trigger of Auth0's"),
        others => format!("api.{path} is not in {name}; it is in {}", others.join(", ")),
    }
}
