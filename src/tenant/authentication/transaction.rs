//! A login in progress: what its scripts get, and what came of them so far. A ticket holds it while it waits for the browser.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Inner;
use super::super::error::Result;
use super::super::tickets;
use super::super::users::TenantUser;
use super::authorization_request::AuthorizationRequest;
use super::login_result::LoginResult;
use super::sessions::{BrowserSession, Method};
use crate::script::{Effects, Resume};

/// A user's login with a client, from authentication to tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) id: String,
    /// Who authenticated.
    pub(super) user_id: String,
    pub(super) client_id: String,
    /// Auth0's name: `oidc-basic-profile`, `oauth2-password`, ….
    pub(super) protocol: String,
    /// Whether the user authenticated just now. A login by an existing session is not counted.
    pub(super) is_fresh: bool,
    /// The organization's id.
    pub(super) organization: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) scope: Option<String>,
    /// The request of `/authorize`, where there was one: such a login has a browser that can be sent elsewhere.
    pub(super) authorization: Option<AuthorizationRequest>,
    pub(super) session: Option<BrowserSession>,
    /// `event.refresh_token`, where one is exchanged.
    pub(super) refresh_token: Option<Value>,
    /// The members of `event.transaction` that only a token exchange has.
    pub(super) exchange: Map<String, Value>,
    /// The methods by which the user authenticated in this session.
    pub(super) methods: Vec<Method>,
    /// What runs next.
    pub(super) step: Step,
    /// The ids of the rules that ran.
    pub(super) executed_rules: Vec<String>,
    /// Whether a rule asked for a second factor.
    pub(super) is_factor_wanted: bool,
    /// `event.prompt`, after a form.
    pub(super) prompt: Option<Value>,
    /// What the actions asked for so far.
    pub(super) effects: Effects,
    pub(super) login: LoginResult,
}

/// The next step of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// The login is counted.
    Count,
    /// The rules run; after a redirect all of them again.
    Rules { is_redirect_callback: bool },
    /// The actions run, from the first or from where they were suspended.
    Actions(Option<Resume>),
    /// The second factor that the scripts asked for, if they did.
    SecondFactor,
    /// The effects are applied.
    Finish,
    /// It is no login: the actions of a password reset run, from the first or from where they were suspended.
    PasswordReset(Option<Resume>),
}

/// Who logs in, with what, for what.
pub(super) struct NewLogin<'a> {
    pub(super) user: &'a TenantUser,
    pub(super) client_id: &'a str,
    pub(super) protocol: &'a str,
    pub(super) is_fresh: bool,
    pub(super) organization: Option<&'a str>,
    pub(super) audience: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
}

impl Transaction {
    /// A login that begins.
    pub(super) fn new(tenant: &Inner, login: &NewLogin<'_>, session: Option<BrowserSession>) -> Result<Self> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let methods = match &session {
            Some(session) => session.methods.clone(),
            None => vec![Method::first(login.user, tenant.clock.now())],
        };
        Ok(Self {
            id: tickets::random()?,
            user_id: login.user.user_id().to_owned(),
            client_id: login.client_id.to_owned(),
            protocol: login.protocol.to_owned(),
            is_fresh: login.is_fresh,
            organization: owned(login.organization),
            audience: owned(login.audience),
            scope: owned(login.scope),
            authorization: None,
            session,
            refresh_token: None,
            exchange: Map::new(),
            methods,
            step: if login.is_fresh { Step::Count } else { Step::Rules { is_redirect_callback: false } },
            executed_rules: Vec::new(),
            is_factor_wanted: false,
            prompt: None,
            effects: Effects::default(),
            login: LoginResult::default(),
        })
    }

    /// A login of `/authorize` that begins.
    pub(super) fn authorize(
        tenant: &Inner,
        authorization: AuthorizationRequest,
        user: &TenantUser,
        session: BrowserSession,
        is_fresh: bool,
    ) -> Result<Self> {
        let login = NewLogin {
            user,
            client_id: &authorization.client_id,
            protocol: authorization.response_type.protocol(),
            is_fresh,
            organization: authorization.organization.as_deref(),
            audience: authorization.audience.as_deref(),
            scope: authorization.scope.as_deref(),
        };
        let transaction = Self::new(tenant, &login, Some(session))?;
        Ok(Self { authorization: Some(authorization), ..transaction })
    }

    /// Whether the browser can be sent elsewhere.
    pub(super) fn can_redirect(&self) -> bool {
        self.authorization.as_ref().is_some_and(|request| request.prompt.as_deref() != Some("none"))
    }
}
