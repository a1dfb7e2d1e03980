//! `/rules-configs`: the rules' `configuration`. Values are never returned but at their setting.

use serde_json::{Value, json};

use super::super::response::{HttpResponse, object};
use super::call::{Answer, ApiError, Call};
use crate::bundle::Kind;

/// `GET /rules-configs`: the keys.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let keys = call.tenant.bundle.rules_configs.keys().map(|key| json!({"key": key}));
    Ok(HttpResponse::json(200, &keys.collect::<Vec<_>>().into()))
}

/// `PUT /rules-configs/{key}`.
pub(super) fn set(call: &Call<'_>) -> Answer {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_-@*+:".contains(c);
    if !call.arg(0).chars().all(is_known) || call.arg(0).len() > 127 {
        return Err(ApiError::path(
            "'String does not match pattern: ^[A-Za-z0-9_\\-@*+:]*$' on property key",
        ));
    }
    let body = call.body()?;
    let Some(Value::String(value)) = body.get("value") else {
        return Err(ApiError::body("'Missing required property: value'"));
    };
    let config = json!({"key": call.arg(0), "value": value});
    call.tenant.change_object(Kind::RuleConfig.folder(), call.arg(0), object(config.clone()))?;
    Ok(HttpResponse::json(200, &config))
}

/// `DELETE /rules-configs/{key}`; no key counts as deleted.
pub(super) fn delete(call: &Call<'_>) -> Answer {
    call.tenant.delete_object(Kind::RuleConfig, call.arg(0))?;
    Ok(HttpResponse::new(204))
}
