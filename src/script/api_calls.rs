//! The members of `api` that ask for something: checked against Auth0's limits and added to the effects.
//!
//! The worker calls it to answer the script; the host calls it again for its own [`Effects`], since a worker is not trusted.

use serde_json::{Map, Value};

use super::action::Trigger;
use super::api_args::{Args, earliest, insert_within, url_with_query};
use super::api_members::members;
use super::effects::{
    Denial, DenialKind, Effects, ExchangeUser, LifetimeChanges, Multifactor, Notification, Suspension,
    TargetScopes,
};

/// Auth0's limit of a token's custom claims, in bytes of JSON.
const CLAIMS: usize = 100 * 1024;
/// Auth0's limit of a user's metadata, in bytes of JSON.
const METADATA: usize = 32 * 1024;
/// Auth0's limits of a transaction's metadata: characters of a key, bytes of a value, bytes of all.
const TRANSACTION: (usize, usize, usize) = (64, 8 * 1024, 16 * 1024);
/// Auth0's limits of a session's or refresh token's metadata: entries, characters of a key or value.
const LIFETIME: (usize, usize) = (25, 255);
/// The most bytes of JSON that the arguments of one call may have.
const ARGUMENTS: usize = 128 * 1024;
/// The longest id of a primary user.
const USER_ID: usize = 128;

/// The circumstances of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) trigger: Trigger,
    /// The action's continue handler runs.
    pub(super) is_continued: bool,
}

impl Effects {
    /// Adds a call.
    ///
    /// # Errors
    /// The text of the error that the script gets. The effects are unchanged then.
    pub(super) fn apply(&mut self, now: Circumstances, member: &str, args: &[Value]) -> Result<(), String> {
        let args = Args { member, args };
        if !members(now.trigger).contains(&member) {
            return Err(format!("api.{member} is not in {}", now.trigger.name()));
        }
        if serde_json::to_vec(args.args).map_or(true, |json| json.len() > ARGUMENTS) {
            return Err(args.error(&format!("its arguments are over {ARGUMENTS} bytes of JSON")));
        }
        match member {
            "access.deny" => self.deny(now.trigger, &args)?,
            "access.rejectInvalidSubjectToken" => {
                self.refuse(DenialKind::InvalidSubjectToken, None, args.text(0, "reason")?, None);
            }
            "validation.error" => {
                let (code, message) = (args.text(0, "errorCode")?, args.text(1, "errorMessage")?);
                self.refuse(DenialKind::Validation, Some(code), message, None);
            }
            "accessToken.setCustomClaim" => set_claim(&mut self.access_token, &args)?,
            "idToken.setCustomClaim" => set_claim(&mut self.id_token, &args)?,
            "accessToken.addScope" | "accessToken.removeScope" => {
                self.scopes.insert(args.text(0, "scope")?, member == "accessToken.addScope");
            }
            "user.setAppMetadata" => set_metadata(&mut self.app_metadata, &args)?,
            "user.setUserMetadata" => set_metadata(&mut self.user_metadata, &args)?,
            "multifactor.enable" => self.multifactor = Some(multifactor(&args)?),
            "transaction.setMetadata" => set_transaction(&mut self.transaction_metadata, &args)?,
            "transaction.setResultUrl" => self.result_url = Some(url_with_query(&args)?.into()),
            _ => self.apply_rest(now, &args)?,
        }
        Ok(())
    }

    fn apply_rest(&mut self, now: Circumstances, args: &Args<'_>) -> Result<(), String> {
        let (group, name) = args.member.split_once('.').unwrap_or_default();
        match (group, name) {
            ("authentication", _) => self.authentication(now, name, args)?,
            ("session", _) => self.lifetime(name, args, |effects| &mut effects.session)?,
            ("refreshToken", _) => self.lifetime(name, args, |effects| &mut effects.refresh_token)?,
            ("transaction", _) => self.target_scopes.push(target_scopes(name, args)?),
            ("redirect", "sendUserTo") => {
                let url = url_with_query(args)?;
                self.suspension = Some(Suspension::Redirect(url.into()));
            }
            ("prompt", _) => {
                let id = args.text(0, "promptId")?;
                let options = args.object(1)?;
                let part = |name| options.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
                let (fields, vars) = (part("fields"), part("vars"));
                self.suspension = Some(Suspension::Prompt { id, fields, vars });
            }
            ("notification", _) => {
                let reason = args.text(0, "reason")?;
                let dropped = name == "drop";
                self.notification =
                    Some(if dropped { Notification::Dropped(reason) } else { Notification::Retry(reason) });
            }
            ("samlResponse", _) => {
                self.ignored.insert(args.member.to_owned());
            }
            // `cache.set` and `cache.delete` change the cache, not the login.
            _ => {}
        }
        Ok(())
    }

    fn deny(&mut self, trigger: Trigger, args: &Args<'_>) -> Result<(), String> {
        match trigger {
            Trigger::CredentialsExchange | Trigger::CustomTokenExchange => {
                let code = args.text(0, "code")?;
                if trigger == Trigger::CredentialsExchange
                    && !matches!(code.as_str(), "invalid_scope" | "invalid_request" | "server_error")
                {
                    return Err(args.error("`code` must be invalid_scope, invalid_request or server_error"));
                }
                self.refuse(DenialKind::Access, Some(code), args.optional_text(1)?.unwrap_or_default(), None);
            }
            _ => {
                let user_message = args.optional_text(1)?;
                self.refuse(
                    DenialKind::Access,
                    None,
                    args.optional_text(0)?.unwrap_or_default(),
                    user_message,
                );
            }
        }
        Ok(())
    }

    /// The first denial counts.
    fn refuse(
        &mut self,
        kind: DenialKind,
        code: Option<String>,
        reason: String,
        user_message: Option<String>,
    ) {
        self.denial.get_or_insert(Denial { kind, code, reason, user_message });
    }

    fn authentication(&mut self, now: Circumstances, name: &str, args: &Args<'_>) -> Result<(), String> {
        match name {
            "challengeWith" | "enrollWith" => {
                let mut factors = vec![args.get(0).clone()];
                let more = args.object(1)?;
                factors.extend(
                    more.get("additionalFactors").and_then(Value::as_array).cloned().unwrap_or_default(),
                );
                self.suspension = Some(ask_factors(name == "challengeWith", factors, false, args)?);
            }
            "challengeWithAny" | "enrollWithAny" => {
                let factors = args.get(0).as_array().cloned();
                let factors = factors.ok_or_else(|| args.error("`factors` must be an array"))?;
                self.suspension = Some(ask_factors(name == "challengeWithAny", factors, true, args)?);
            }
            "recordMethod" => {
                if !now.is_continued {
                    return Err(args.error("it is only available in onContinuePostLogin"));
                }
                let method = args.text(0, "provider_url")?;
                if !method.starts_with("http:") && !method.starts_with("https:") {
                    return Err(args.error("`provider_url` must be an http: or https: URL"));
                }
                self.recorded_methods.push(method);
            }
            "setPrimaryUser" => {
                let id = args.text_up_to(0, "primary_user_id", USER_ID)?;
                if self.primary_user.is_some() {
                    return Err(args.error("the primary user can be set once in a login"));
                }
                self.primary_user = Some(id);
            }
            "setOrganization" => self.organization = Some(args.text(0, "organization")?),
            "setActor" => self.actor = Some(args.required(0, "actor")?),
            _ => {
                if self.user.is_some() {
                    return Err(args.error("the user can be set once"));
                }
                self.user = Some(exchange_user(name, args)?);
            }
        }
        Ok(())
    }

    fn lifetime(
        &mut self,
        name: &str,
        args: &Args<'_>,
        of: fn(&mut Self) -> &mut LifetimeChanges,
    ) -> Result<(), String> {
        match name {
            "revoke" => {
                let (reason, options) = (args.optional_text(0)?.unwrap_or_default(), args.object(1)?);
                of(self).revoked = true;
                of(self).preserve_refresh_tokens =
                    options.get("preserveRefreshTokens").and_then(Value::as_bool).unwrap_or(false);
                self.refuse(DenialKind::Revoked, None, reason, None);
            }
            "setExpiresAt" => earliest(&mut of(self).expires_at, args)?,
            "setIdleExpiresAt" => earliest(&mut of(self).idle_expires_at, args)?,
            "setCookieMode" => {
                if !matches!(args.text(0, "mode")?.as_str(), "persistent" | "non-persistent") {
                    return Err(args.error("`mode` must be persistent or non-persistent"));
                }
                self.ignored.insert(args.member.to_owned());
            }
            "evictMetadata" => {
                of(self).evict_metadata = true;
                of(self).metadata.clear();
            }
            "deleteMetadata" => {
                of(self).metadata.insert(args.text_up_to(0, "key", LIFETIME.1)?, Value::Null);
            }
            _ => {
                let key = args.text_up_to(0, "key", LIFETIME.1)?;
                let value = match args.get(1) {
                    Value::Null => Value::Null,
                    _ => args.text_up_to(1, "value", LIFETIME.1)?.into(),
                };
                let metadata = &mut of(self).metadata;
                if metadata.len() >= LIFETIME.0 && !metadata.contains_key(&key) {
                    return Err(args.error(&format!("metadata has at most {} entries", LIFETIME.0)));
                }
                metadata.insert(key, value);
            }
        }
        Ok(())
    }
}

fn ask_factors(
    is_challenge: bool,
    factors: Vec<Value>,
    choose: bool,
    args: &Args<'_>,
) -> Result<Suspension, String> {
    if factors.is_empty() || !factors.iter().all(|factor| factor.get("type").is_some_and(Value::is_string)) {
        return Err(args.error("each factor must be an object with a `type`"));
    }
    Ok(if is_challenge {
        Suspension::Challenge { factors, choose }
    } else {
        Suspension::Enroll { factors, choose }
    })
}

/// Sets a claim; without a value (`undefined`) it removes the one set before.
fn set_claim(claims: &mut Map<String, Value>, args: &Args<'_>) -> Result<(), String> {
    let name = args.text(0, "name")?;
    let Some(value) = args.args.get(1) else {
        claims.remove(&name);
        return Ok(());
    };
    insert_within(claims, name, value.clone(), CLAIMS, args)
}

fn set_metadata(metadata: &mut Map<String, Value>, args: &Args<'_>) -> Result<(), String> {
    insert_within(metadata, args.text(0, "key")?, args.get(1).clone(), METADATA, args)
}

fn set_transaction(metadata: &mut Map<String, Value>, args: &Args<'_>) -> Result<(), String> {
    let (key_limit, value_limit, limit) = TRANSACTION;
    let key = args.text_up_to(0, "key", key_limit)?;
    let value = args.get(1).clone();
    match &value {
        Value::String(text) if text.len() > value_limit => {
            return Err(args.error(&format!("`value` is over {value_limit} bytes")));
        }
        Value::Array(_) | Value::Object(_) => {
            return Err(args.error("`value` must be a string, a number, a boolean or null"));
        }
        _ => {}
    }
    insert_within(metadata, key, value, limit, args)
}

fn multifactor(args: &Args<'_>) -> Result<Multifactor, String> {
    let provider = args.text(0, "provider")?;
    if !["any", "none", "duo", "guardian", "google-authenticator"].contains(&provider.as_str()) {
        return Err(args.error("`provider` must be any, none, duo, guardian or google-authenticator"));
    }
    let options = args.object(1)?;
    let allow = options.get("allowRememberBrowser").and_then(Value::as_bool).unwrap_or(false);
    Ok(Multifactor { provider, allow_remember_browser: allow })
}

fn target_scopes(name: &str, args: &Args<'_>) -> Result<TargetScopes, String> {
    Ok(match name {
        "addTargetScope" => TargetScopes::Add(args.text(0, "scope")?),
        "removeTargetScope" => TargetScopes::Remove(args.text(0, "scope")?),
        "setTargetScopes" => {
            let scopes = serde_json::from_value(args.get(0).clone());
            TargetScopes::Set(scopes.map_err(|_| args.error("`scopes` must be an array of strings"))?)
        }
        _ => TargetScopes::Clear,
    })
}

fn exchange_user(name: &str, args: &Args<'_>) -> Result<ExchangeUser, String> {
    if name == "setUserById" {
        return Ok(ExchangeUser::ById(args.text(0, "user_id")?));
    }
    let (attributes, options) = (args.object(1)?, args.object(2)?);
    if !attributes.get("user_id").is_some_and(Value::is_string) {
        return Err(args.error("the user's attributes must have a `user_id`"));
    }
    let choice = |name: &str, yes: &str| match options.get(name).and_then(Value::as_str) {
        Some(text) if text == yes => Ok(true),
        Some("none") => Ok(false),
        _ => Err(args.error(&format!("`{name}` must be {yes} or none"))),
    };
    let (create, update) =
        (choice("creationBehavior", "create_if_not_exists")?, choice("updateBehavior", "replace")?);
    Ok(ExchangeUser::ByConnection {
        connection: args.text(0, "connection_name")?,
        attributes,
        create,
        update,
    })
}
