//! One login, for its trace.

use serde_json::Value;

use super::super::Tenant;
use super::super::authentication::test_input;
use super::subject::{Subject, SubjectNames};
use crate::script::Trigger;

/// Logs a person in as a browser would, but for pages, and returns the story as the login log has it.
///
/// # Errors
/// A sentence when there is no such person, client, API or organization.
pub async fn log_in(tenant: &Tenant, names: &SubjectNames<'_>) -> Result<Value, String> {
    let tenant = tenant.0.load_full();
    let subject = Subject::find(&tenant, names, Trigger::PostLogin)?;
    test_input::log_in(&tenant, &subject.login()).await
}
