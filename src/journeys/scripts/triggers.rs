//! Every trigger: its handler runs, and `api` has Auth0's members.

use serde_json::json;
use vestibule::script::{
    ActionsInput, ActionsOutput, ApiFacts, Denied, Effects, ExchangeUser, Notification, Outcome, Suspension,
    TargetScopes, Trigger,
};

use super::script_host::{ScriptHost, action, event, post_login, settings};

async fn run(host: &ScriptHost, trigger: Trigger, body: &str) -> Result<ActionsOutput, Denied> {
    let code = format!("exports.{} = async (event, api) => {{ {body} }};", trigger.handler());
    let facts = ApiFacts {
        can_redirect: true,
        executed_rules: vec!["rul_1".to_owned()],
        groups: vec![json!({"id": "grp_1", "name": "staff"})],
        roles: (1..=3).map(|n| json!({"id": format!("rol_{n}"), "name": format!("role {n}")})).collect(),
    };
    let input = ActionsInput { trigger, facts, ..post_login(&[action("one", &code)], event()) };
    host.scripts.run_actions(input).await
}

#[tokio::test]
async fn the_handler_of_every_trigger_runs_with_a_cache() {
    let host = ScriptHost::open(&settings(), &[]);
    for trigger in Trigger::all() {
        let output =
            run(&host, trigger, "if (api.cache.get('x') !== undefined) throw new Error('cached');").await;
        assert_eq!(output.unwrap().outcome, Outcome::Finished, "{trigger:?}");
    }
}

#[tokio::test]
async fn each_member_of_api_becomes_its_effect() {
    use Trigger::*;
    let host = ScriptHost::open(&settings(), &[]);
    type Check = fn(&Effects, &Outcome) -> bool;
    let cases: &[(Trigger, &str, Check)] = &[
        (PostLogin, "api.multifactor.enable('any', { allowRememberBrowser: true })", |e, _| {
            e.multifactor.as_ref().is_some_and(|asked| asked.provider == "any" && asked.allow_remember_browser)
        }),
        (PostLogin, "api.authentication.setPrimaryUser('auth0|b')", |e, _| e.primary_user.as_deref() == Some("auth0|b")),
        (PostLogin, "api.authentication.enrollWithAny([{ type: 'otp' }])", |_, o| {
            matches!(o, Outcome::Suspended { suspension: Suspension::Enroll { choose: true, .. }, .. })
        }),
        (PostLogin, "api.prompt.render('ap_1', { fields: { a: 1 }, vars: { b: 2 } })", |_, o| {
            matches!(o, Outcome::Suspended { suspension: Suspension::Prompt { id, fields, vars }, .. }
                if id == "ap_1" && fields["a"] == 1 && vars["b"] == 2)
        }),
        (PostLogin, "api.validation.error('code', 'message')", |_, o| {
            matches!(o, Outcome::Denied { denial, .. } if denial.code.as_deref() == Some("code") && denial.reason == "message")
        }),
        (PostLogin, "api.session.revoke('out', { preserveRefreshTokens: true })", |e, o| {
            e.session.revoked && e.session.preserve_refresh_tokens && matches!(o, Outcome::Denied { .. })
        }),
        (PostLogin, "api.session.setExpiresAt(20.5).session.setExpiresAt(10).session.setIdleExpiresAt(5)", |e, _| {
            (e.session.expires_at, e.session.idle_expires_at) == (Some(10), Some(5))
        }),
        (PostLogin, "api.session.setCookieMode('non-persistent')", |e, _| e.ignored.contains("session.setCookieMode")),
        (PostLogin, "api.session.setMetadata('a', '1'); api.session.evictMetadata(); api.session.setMetadata('b', '2'); api.session.deleteMetadata('c')", |e, _| {
            e.session.evict_metadata && json!(e.session.metadata) == json!({"b": "2", "c": null})
        }),
        (PostLogin, "api.refreshToken.setMetadata('a', null); api.refreshToken.setExpiresAt(7)", |e, _| {
            e.refresh_token.expires_at == Some(7) && json!(e.refresh_token.metadata) == json!({"a": null})
        }),
        (PostLogin, "api.samlResponse.setAttribute('a', 'b').samlResponse.setSignResponse(true)", |e, _| e.ignored.len() == 2),
        (PostLogin, "api.idToken.setCustomClaim('a', 1); api.idToken.setCustomClaim('a', undefined)", |e, _| e.id_token.is_empty()),
        (PostLogin, "if (!api.rules.wasExecuted('rul_1') || api.rules.wasExecuted('rul_2')) throw new Error('rules')", |_, o| *o == Outcome::Finished),
        (PostLogin, "const { roles, next } = await api.roles.getUserEffectiveRoles({ take: 2 });
            const rest = await api.roles.getUserEffectiveRoles({ from: next });
            const named = await api.roles.getUserEffectiveRolesByNames(['role 2', 'none']);
            const member = await api.groups.hasGroupMembership(['staff']);
            api.idToken.setCustomClaim('r', [roles.length, next, rest.roles.length, rest.next, named.roles.length, member, (await api.groups.getUserGroups()).groups.length])", |e, _| {
            e.id_token["r"] == json!([2, "rol_2", 1, null, 1, true, 1])
        }),
        (CredentialsExchange, "api.access.deny('invalid_scope', 'no')", |_, o| {
            matches!(o, Outcome::Denied { denial, .. } if denial.code.as_deref() == Some("invalid_scope"))
        }),
        (CredentialsExchange, "api.transaction.setTargetScopes(['a']).transaction.addTargetScope('b').transaction.removeTargetScope('a').transaction.clearTargetScopes()", |e, _| {
            e.target_scopes == [TargetScopes::Set(vec!["a".into()]), TargetScopes::Add("b".into()), TargetScopes::Remove("a".into()), TargetScopes::Clear]
        }),
        (PreUserRegistration, "api.user.setUserMetadata('a', 1); api.access.deny('for the log', 'for the user')", |e, o| {
            e.user_metadata["a"] == 1 && matches!(o, Outcome::Denied { denial, .. }
                if denial.reason == "for the log" && denial.user_message.as_deref() == Some("for the user"))
        }),
        (CustomTokenExchange, "api.authentication.setUserById('auth0|a'); api.authentication.setOrganization('org'); api.authentication.setActor({ sub: 'x' })", |e, _| {
            e.user == Some(ExchangeUser::ById("auth0|a".into())) && e.organization.as_deref() == Some("org") && e.actor == Some(json!({"sub": "x"}))
        }),
        (CustomTokenExchange, "api.authentication.setUserByConnection('people', { user_id: '1' }, { creationBehavior: 'create_if_not_exists', updateBehavior: 'none' })", |e, _| {
            matches!(&e.user, Some(ExchangeUser::ByConnection { connection, create: true, update: false, .. }) if connection == "people")
        }),
        (CustomTokenExchange, "api.access.rejectInvalidSubjectToken('bad')", |_, o| {
            matches!(o, Outcome::Denied { denial, .. } if denial.kind == vestibule::script::DenialKind::InvalidSubjectToken)
        }),
        (PasswordResetPostChallenge, "api.transaction.setResultUrl('https://a.example/', { query: { b: 'c d' } })", |e, _| {
            e.result_url.as_deref() == Some("https://a.example/?b=c+d")
        }),
        (PasswordResetPostChallenge, "api.redirect.sendUserTo('https://a.example/')", |_, o| matches!(o, Outcome::Suspended { .. })),
        (CustomPhoneProvider, "api.notification.drop('spam')", |e, _| e.notification == Some(Notification::Dropped("spam".into()))),
        (CustomEmailProvider, "api.notification.retry('later')", |e, _| e.notification == Some(Notification::Retry("later".into()))),
    ];
    for (trigger, body, check) in cases {
        let output = run(&host, *trigger, body).await.unwrap_or_else(|denied| panic!("{body}: {denied}"));
        assert!(check(&output.effects, &output.outcome), "{body}: {:?} {:?}", output.effects, output.outcome);
    }
}

#[tokio::test]
async fn auth0s_limits_are_errors_that_the_action_can_catch() {
    use Trigger::*;
    let host = ScriptHost::open(&settings(), &[]);
    for (trigger, call, problem) in [
        (PostLogin, "idToken.setCustomClaim('a', 'x'.repeat(103000))", "more than 102400 bytes"),
        (PostLogin, "idToken.setCustomClaim('a', 'x'.repeat(140000))", "over 131072 bytes"),
        (PostLogin, "user.setUserMetadata('a', 'x'.repeat(33000))", "more than 32768 bytes"),
        (PostLogin, "transaction.setMetadata('k'.repeat(65), 1)", "`key` is over 64"),
        (PostLogin, "transaction.setMetadata('k', 'x'.repeat(8193))", "`value` is over 8192"),
        (PostLogin, "session.setMetadata('k', 'x'.repeat(256))", "`value` is over 255"),
        (PostLogin, "session.setExpiresAt('soon')", "must be a number"),
        (PostLogin, "session.setCookieMode('x')", "persistent or non-persistent"),
        (PostLogin, "redirect.sendUserTo('javascript:alert(1)')", "must be http or https"),
        (PostLogin, "redirect.sendUserTo('/local')", "not an absolute URL"),
        (PostLogin, "redirect.encodeToken({})", "`secret` must be a string"),
        (PostLogin, "authentication.challengeWith('otp')", "must be an object with a `type`"),
        (PostLogin, "authentication.setPrimaryUser('x'.repeat(129))", "over 128 bytes"),
        (CredentialsExchange, "access.deny('nope', 'x')", "must be invalid_scope"),
        (CustomTokenExchange, "authentication.setUserByConnection('c', {}, {})", "must have a `user_id`"),
        (
            CustomTokenExchange,
            "authentication.setUserByConnection('c', { user_id: '1' }, {})",
            "must be create_if_not_exists",
        ),
    ] {
        let body = format!(
            "let caught; try {{ api.{call}; }} catch (error) {{ caught = error; }}
             if (!caught) throw new Error('accepted');
             console.log(caught instanceof TypeError, caught.message);"
        );
        let output = run(&host, trigger, &body).await.unwrap_or_else(|denied| panic!("{call}: {denied}"));
        let line = &output.trace.console[0].text;
        assert!(line.starts_with("true api.") && line.contains(problem), "{call}: {line}");
        assert_eq!((output.effects, output.outcome), (Effects::default(), Outcome::Finished), "{call}");
    }
    let many = "for (let n = 0; n < 1001; n++) api.user.setAppMetadata('n', n);";
    let denied = run(&host, PostLogin, many).await.unwrap_err();
    assert!(denied.message.contains("more than 1000 calls"), "{denied}");
}

#[tokio::test]
async fn a_member_of_another_trigger_names_where_it_is() {
    let host = ScriptHost::open(&settings(), &[]);
    for (trigger, call, problem) in [
        (
            Trigger::CredentialsExchange,
            "api.idToken.setCustomClaim('a', 1)",
            "api.idToken is not in credentials-exchange; it is in post-login",
        ),
        (
            Trigger::PostUserRegistration,
            "api.user.setAppMetadata('a', 1)",
            "api.user is not in post-user-registration; it is in post-login, pre-user-registration",
        ),
        (
            Trigger::PostLogin,
            "api.access.rejectInvalidSubjectToken('x')",
            "is not in post-login; it is in custom-token-exchange",
        ),
    ] {
        let denied = run(&host, trigger, call).await.unwrap_err();
        assert!(denied.message.contains(problem), "{call}: {denied}");
        assert_eq!(denied.message.contains("it threw TypeError"), denied.description() != denied.message);
    }
    // Looking for a member is no call.
    for look in [
        "if ('message' in api || (await api) !== api || JSON.stringify(api) === '') throw new Error();",
        "const noop = api.noop || (() => 7); if (noop('x') !== 7 || api.session.other) throw new Error();",
        "api.noop = api.noop || (() => 7); if (api.noop('x') !== 7) throw new Error();",
    ] {
        run(&host, Trigger::PostLogin, look).await.unwrap();
    }
    let own = "api.noop = api.noop || (() => 7); null.x";
    let denied = run(&host, Trigger::PostLogin, own).await.unwrap_err();
    assert!(!denied.message.contains("noop"), "{denied}");
}
