//! The tenant's settings.

use serde_json::json;

use super::super::accounts::overlay;
use super::super::response::{HttpResponse, object};
use super::super::state::SETTINGS;
use super::call::{Answer, Call};
use super::schemas::{self, Use};
use crate::bundle::Object;

/// The durations that the deploy CLI sends in minutes, and their names in hours.
const MINUTES: [(&str, &str); 4] = [
    ("session_lifetime_in_minutes", "session_lifetime"),
    ("idle_session_lifetime_in_minutes", "idle_session_lifetime"),
    ("ephemeral_session_lifetime_in_minutes", "ephemeral_session_lifetime"),
    ("idle_ephemeral_session_lifetime_in_minutes", "idle_ephemeral_session_lifetime"),
];

/// `GET /tenants/settings`.
pub(super) fn get(call: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &call.select_fields(shown(&call.tenant.bundle.objects.tenant).into())))
}

/// `PATCH /tenants/settings`.
pub(super) fn update(call: &Call<'_>) -> Answer {
    let mut body = call.body()?;
    let mut hours = Object::new();
    for (minutes, name) in MINUTES {
        if let Some(value) = body.remove(minutes).and_then(|value| value.as_f64()) {
            hours.insert(name.to_owned(), json!(value / 60.0));
        }
    }
    schemas::check("tenant", &body, Use::Update)?;
    body.append(&mut hours);
    let next = overlay(call.tenant.bundle.objects.tenant.clone(), &body);
    call.tenant.change_object(SETTINGS, SETTINGS, body)?;
    Ok(HttpResponse::json(200, &shown(&next).into()))
}

fn shown(tenant: &Object) -> Object {
    let mut shown = object(json!({
        "flags": {}, "enabled_locales": ["en"], "sandbox_version": "22", "session_lifetime": 168,
        "idle_session_lifetime": 72, "default_directory": "", "default_audience": "",
    }));
    shown.extend(tenant.clone());
    shown.retain(|_, value| !value.is_null());
    schemas::project("tenant", &mut shown);
    shown
}
