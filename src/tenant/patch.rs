//! `PATCH /api/v2/users/{id}`: `blocked` and the metadata, which is what the doors and scripts change. Everything else
//! is refused by name, so that nobody believes it was changed.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Inner;
use super::answer::Answer;
use super::http::Request;
use super::refusal::management as error;
use crate::script::{MetadataKind, MetadataUpdate};

/// What is to be changed.
struct Changes {
    blocked: Option<bool>,
    metadata: Vec<(MetadataKind, Map<String, Value>)>,
}

/// The whole user as they are then.
pub(super) async fn patch(tenant: &Arc<Inner>, request: &Request, id: String) -> Answer {
    let changes = match read(&request.body) {
        Ok(changes) => changes,
        Err(say) => return error(400, &say, Some("invalid_body")),
    };
    let (inner, now) = (Arc::clone(tenant), tenant.clock.now());
    let patched = tenant.in_pool(move || {
        if inner.people.find(&id)?.is_none() {
            return Ok(None);
        }
        if let Some(blocked) = changes.blocked {
            inner.state.set_blocked(&id, blocked, now)?;
        }
        for (kind, metadata) in changes.metadata {
            inner.people.update_metadata(MetadataUpdate { user_id: id.clone(), kind, metadata }, now)?;
        }
        inner.people.find(&id)
    });
    match patched.await {
        Ok(Some(account)) => Answer::json(200, &Value::Object(account.user)),
        Ok(None) => error(404, "The user does not exist.", Some("inexistent_user")),
        Err(failed) => super::refusal::Refusal::from(failed).answer(),
    }
}

fn read(body: &[u8]) -> Result<Changes, String> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| "Payload validation error: 'Expected type object'".to_owned())?;
    let mut changes = Changes { blocked: None, metadata: Vec::new() };
    for (member, value) in body {
        match (member.as_str(), value) {
            ("blocked", Value::Bool(blocked)) => changes.blocked = Some(blocked),
            ("app_metadata", Value::Object(metadata)) => changes.metadata.push((MetadataKind::App, metadata)),
            ("user_metadata", Value::Object(metadata)) => {
                changes.metadata.push((MetadataKind::User, metadata))
            }
            ("blocked" | "app_metadata" | "user_metadata", _) => {
                return Err(format!(
                    "Payload validation error: 'Expected another type' on property {member}"
                ));
            }
            _ => {
                return Err(format!(
                    "Payload validation error: 'Additional properties not allowed: {member}'; this dev tenant \
                     changes blocked, app_metadata and user_metadata"
                ));
            }
        }
    }
    Ok(changes)
}
