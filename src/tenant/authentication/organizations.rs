//! Logins to an organization: which one, and who is a member.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Inner;
use super::super::accounts::Feed;
use super::super::oauth_error::OAuthError;
use super::super::response::object;
use super::super::users::{CONNECTION, TenantUser};
use crate::bundle::{Client, EnabledConnection, Kind, Organization};

/// The id of the organization that a request names, by id or, where the tenant allows it, by name.
///
/// # Errors
/// There is no such organization, or the client's `organization_usage` says otherwise.
pub(super) fn requested(
    tenant: &Inner,
    client: &Client,
    organization: Option<&str>,
) -> Result<Option<String>, OAuthError> {
    let usage = client.organization_usage.as_deref().unwrap_or("deny");
    let Some(wanted) = organization else {
        return match usage {
            "require" => {
                Err(OAuthError::invalid_request("parameter organization is required for this client"))
            }
            _ => Ok(None),
        };
    };
    if usage == "deny" {
        let problem =
            "parameter organization is not allowed for this client: its organization_usage is \"deny\"";
        return Err(OAuthError::invalid_request(problem));
    }
    let by_name = tenant.bundle.tenant.allow_organization_name_in_authentication_api;
    let is_wanted = |found: &&Organization| found.id == wanted || (by_name && found.name == wanted);
    let found = tenant.bundle.organizations.iter().find(is_wanted);
    let unknown = || OAuthError::invalid_request(format!("the organization {wanted} was not found"));
    found.map(|found| Some(found.id.clone())).ok_or_else(unknown)
}

/// The organization with this id.
pub(super) fn find<'a>(tenant: &'a Inner, id: Option<&str>) -> Option<&'a Organization> {
    let id = id?;
    tenant.bundle.organizations.iter().find(|organization| organization.id == id)
}

/// Whether a user may log in to an organization: a member, or one of a connection that makes members, by a connection that the
/// organization has. Without an organization, every user may.
pub(super) fn admits(tenant: &Inner, organization: Option<&str>, user: &TenantUser) -> bool {
    let Some(id) = organization else { return true };
    let Some(found) = find(tenant, organization) else { return false };
    let mut enabled = found.connections.iter().filter(|enabled| enabled.is_enabled != Some(false));
    let enabled = enabled.find(|enabled| connection(tenant, enabled) == user.connection());
    let is_member = is_member(user, id) || enabled.is_some_and(|enabled| enabled.assign_membership_on_login);
    is_member && (enabled.is_some() || found.connections.is_empty())
}

/// As [`admits`], with the error of a user who is not admitted. One who is becomes a member.
pub(super) async fn check(
    tenant: &Arc<Inner>,
    organization: Option<&str>,
    user: &TenantUser,
) -> Result<(), OAuthError> {
    let user_id = user.user_id().to_owned();
    if !admits(tenant, organization, user) {
        let organization = organization.unwrap_or_default();
        let problem = format!("user {user_id} is not part of the {organization} organization");
        return Err(OAuthError::access_denied(problem));
    }
    if let Some(id) = organization.filter(|id| !is_member(user, id)).map(str::to_owned) {
        let join = move |tenant: &Inner| {
            tenant.db.change_account(&user_id, Feed::Silent, |user| {
                let mut all = object(user.get("_organizations").cloned().unwrap_or_default());
                all.insert(id, json!([]));
                [("_organizations".to_owned(), Value::Object(all))].into_iter().collect()
            })
        };
        tenant.in_pool(join).await?;
    }
    Ok(())
}

fn is_member(user: &TenantUser, id: &str) -> bool {
    user.organizations.iter().any(|of_user| of_user == id)
}

/// The name of an organization's connection. Auth0's own database needs no object.
fn connection<'a>(tenant: &'a Inner, enabled: &EnabledConnection) -> &'a str {
    let found = tenant.bundle.objects.find(Kind::Connection, "id", &enabled.connection_id);
    found.and_then(|found| found.get("name")?.as_str()).unwrap_or(CONNECTION)
}
