//! Logins to an organization: which one, and who is a member.

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::users::TenantUser;
use crate::bundle::{Client, Organization};

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

/// Whether a user may log in to an organization: its members only. Without one, every user may.
pub(super) fn admits(tenant: &Inner, organization: Option<&str>, user: &TenantUser) -> bool {
    let Some(id) = organization else { return true };
    find(tenant, organization).is_some() && user.organizations.iter().any(|of_user| of_user == id)
}

/// As [`admits`], with the error of a user who is not a member.
pub(super) fn check(tenant: &Inner, organization: Option<&str>, user: &TenantUser) -> Result<(), OAuthError> {
    if admits(tenant, organization, user) {
        return Ok(());
    }
    let (organization, user_id) = (organization.unwrap_or_default(), user.user_id());
    Err(OAuthError::access_denied(format!("user {user_id} is not part of the {organization} organization")))
}
