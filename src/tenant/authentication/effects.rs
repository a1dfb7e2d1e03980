//! Applies what the actions of a login asked for.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::Inner;
use super::super::accounts::{Feed, overlay};
use super::super::error::Result;
use super::super::oauth_error::OAuthError;
use super::super::users::merge_metadata;
use super::sessions::Method;
use super::transaction::Transaction;

/// Applies the effects of a login that was accepted.
pub(super) async fn apply(tenant: &Arc<Inner>, transaction: &mut Transaction) -> Result<(), OAuthError> {
    save_metadata(tenant, transaction).await?;
    let Transaction { user_id, client_id, effects, login, methods, session, .. } = transaction;
    login.access.extend(effects.access_token.clone());
    login.id.extend(effects.id_token.clone());
    login.scopes.clone_from(&effects.scopes);
    login.refresh_token_metadata = overlay(Map::new(), &effects.refresh_token.metadata);
    let now = tenant.clock.now();
    for url in &effects.recorded_methods {
        methods.retain(|method| method.name != *url);
        methods.push(Method::new(url, now));
    }
    let is_further = |method: &&Method| method.name == "mfa" || method.name.starts_with("http");
    login.amr = methods.iter().filter(is_further).map(|method| method.name.clone()).collect();
    if let Some(primary) = &effects.primary_user {
        let user = tenant.users.find(primary)?;
        let user = user.filter(|user| user.has_identity(user_id)).ok_or_else(|| {
            OAuthError::access_denied(
                "The user who logged in is not among the identities of the primary user",
            )
        })?;
        (login.user_id, login.user) = (primary.clone(), user.for_rules());
    }
    if let Some(session) = session {
        session.user_id.clone_from(&login.user_id);
        session.methods.clone_from(methods);
        if !session.clients.contains(client_id) {
            session.clients.push(client_id.clone());
        }
        let kept =
            if effects.session.evict_metadata { Map::new() } else { std::mem::take(&mut session.metadata) };
        session.metadata = overlay(kept, &effects.session.metadata);
        let ends = [effects.session.expires_at, effects.session.idle_expires_at].into_iter().flatten();
        session.ends_at = ends.map(|milliseconds| milliseconds / 1000).chain(session.ends_at).min();
    }
    Ok(())
}

/// Applies the effects of a login that an action denied: Auth0 saves metadata all the same.
pub(super) async fn apply_denied(tenant: &Arc<Inner>, transaction: &Transaction) -> Result<(), OAuthError> {
    save_metadata(tenant, transaction).await?;
    let effects = &transaction.effects;
    let sid =
        transaction.session.as_ref().map(|session| session.sid.clone()).filter(|_| effects.session.revoked);
    let token =
        transaction.refresh_token.as_ref().and_then(|token| token.get("id")?.as_str().map(str::to_owned));
    let (token, keeps_tokens) =
        (token.filter(|_| effects.refresh_token.revoked), effects.session.preserve_refresh_tokens);
    if sid.is_none() && token.is_none() {
        return Ok(());
    }
    let revoke = move |tenant: &Inner| {
        if let Some(sid) = &sid {
            tenant.tickets.end_session(sid)?;
            if !keeps_tokens {
                tenant.refresh_tokens.revoke_session(sid)?;
            }
        }
        token.map_or(Ok(()), |id| tenant.refresh_tokens.revoke_family(&id))
    };
    Ok(tenant.in_pool(revoke).await?)
}

async fn save_metadata(tenant: &Arc<Inner>, transaction: &Transaction) -> Result<(), OAuthError> {
    let Transaction { user_id, effects, .. } = transaction;
    save_user_metadata(tenant, user_id, effects.app_metadata.clone(), effects.user_metadata.clone()).await
}

/// Changes both metadata of a user at once.
pub(super) async fn save_user_metadata(
    tenant: &Arc<Inner>,
    user_id: &str,
    app: Map<String, Value>,
    user: Map<String, Value>,
) -> Result<(), OAuthError> {
    let changes: Vec<_> = [("app_metadata", app), ("user_metadata", user)]
        .into_iter()
        .filter(|(_, changes)| !changes.is_empty())
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let user_id = user_id.to_owned();
    let save = move |tenant: &Inner| {
        tenant.db.change_account(&user_id, Feed::Event("user.updated"), |doc| {
            let merged = changes
                .iter()
                .map(|(member, changes)| ((*member).to_owned(), merge_metadata(doc.get(*member), changes)));
            merged.collect()
        })
    };
    tenant.in_pool(save).await?;
    Ok(())
}
