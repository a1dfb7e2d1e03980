//! A call of the Management API: its arguments, and the error that answers it.

use aws_lc_rs::rand;
use serde_json::{Map, Value, json};
use warp::http::StatusCode;

use super::super::db::timestamp;
use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::request::HttpRequest;
use super::super::response::{HttpResponse, object};
use super::super::{Inner, TenantError};

/// A call whose token and scopes were checked.
pub(super) struct Call<'a> {
    pub(super) tenant: &'a Inner,
    pub(super) request: &'a HttpRequest,
    /// The path's parameters, decoded.
    pub(super) args: Vec<String>,
    pub(super) query: Params,
    /// The token's scopes.
    pub(super) scopes: String,
}

/// What a handler returns.
pub(super) type Answer = Result<HttpResponse, ApiError>;

/// Method, path (`{}` is a parameter), scopes of which any is enough, handler.
pub(super) type Pattern = (&'static str, &'static str, &'static str, fn(&Call<'_>) -> Answer);

/// An error in the Management API's shape; without `errorCode` when `code` is empty.
#[derive(Debug, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) code: &'static str,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageArgs {
    pub(super) start: usize,
    pub(super) limit: usize,
    style: PageStyle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageStyle {
    Bare,
    Totals,
    Checkpoint,
}

impl Call<'_> {
    /// A parameter of the path.
    pub(super) fn arg(&self, position: usize) -> &str {
        self.args.get(position).map_or("", String::as_str)
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.split(' ').any(|granted| granted == scope)
    }

    /// The body, a JSON object or a form. No body counts as an empty object.
    pub(super) fn body(&self) -> Result<Map<String, Value>, ApiError> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        if content_type.starts_with("application/x-www-form-urlencoded") {
            let fields = url::form_urlencoded::parse(&self.request.body);
            return Ok(fields.map(|(name, value)| (name.into_owned(), Value::from(value))).collect());
        }
        if self.request.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.request.body) {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(ApiError::body("'Expected type object'")),
            Err(error) => {
                Err(ApiError::new(400, format!("Invalid request payload JSON format: {error}"), ""))
            }
        }
    }

    /// The texts of a list in the body.
    pub(super) fn texts(&self, member: &str) -> Result<Vec<String>, ApiError> {
        let body = self.body()?;
        let Some(value) = body.get(member) else {
            return Err(ApiError::body(format!("'Missing required property: {member}'")));
        };
        let list = value.as_array().filter(|list| !list.is_empty() && list.iter().all(Value::is_string));
        let list =
            list.ok_or_else(|| ApiError::body(format!("'Expected a list of strings' on property {member}")))?;
        Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.query.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::query(format!(
                "'Expected type boolean but found type string' on property {name}"
            ))),
        }
    }

    fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.query.get(name) else { return Ok(default) };
        let number: usize = text.parse().map_err(|_| {
            ApiError::query(format!("'Expected type integer but found type string' on property {name}"))
        })?;
        if number > max {
            return Err(ApiError::query(format!(
                "'Value {number} is greater than maximum {max}' on property {name}"
            )));
        }
        Ok(number)
    }

    pub(super) fn page(&self) -> Result<PageArgs, ApiError> {
        if self.query.get("from").is_some() || self.query.get("take").is_some() {
            let start = match self.query.get("from") {
                Some(from) => from
                    .strip_prefix("at")
                    .and_then(|at| at.parse().ok())
                    .ok_or_else(|| ApiError::query("'Invalid checkpoint' on property from"))?,
                None => 0,
            };
            let limit = self.number("take", 50, 100)?;
            return Ok(PageArgs { start, limit, style: PageStyle::Checkpoint });
        }
        let limit = self.number("per_page", 50, 100)?;
        let start = self.number("page", 0, 1_000_000)?.saturating_mul(limit);
        let style =
            if self.flag("include_totals")? == Some(true) { PageStyle::Totals } else { PageStyle::Bare };
        Ok(PageArgs { start, limit, style })
    }

    /// A page of a list that is in memory, in the shape that the call asks for. `key` names the list in it.
    pub(super) fn list(&self, key: &str, items: Vec<Value>) -> Answer {
        let page = self.page()?;
        let total = items.len();
        let items = items.into_iter().skip(page.start).take(page.limit).collect();
        self.listed(key, page, total, items)
    }

    /// `items` are the page itself.
    pub(super) fn listed(&self, key: &str, page: PageArgs, total: usize, items: Vec<Value>) -> Answer {
        let items: Vec<Value> = items.into_iter().map(|item| self.select_fields(item)).collect();
        let end = page.start.saturating_add(items.len());
        let body = match page.style {
            PageStyle::Bare => json!(items),
            PageStyle::Totals => {
                json!({"start": page.start, "limit": page.limit, "total": total, key: items})
            }
            PageStyle::Checkpoint if end < total => json!({key: items, "next": format!("at{end}")}),
            PageStyle::Checkpoint => json!({key: items}),
        };
        Ok(HttpResponse::json(200, &body))
    }

    /// A page of the lists of actions, versions and bindings: always with totals.
    pub(super) fn paged(&self, key: &str, items: Vec<Value>) -> Answer {
        let page = self.page()?;
        let total = items.len();
        let items: Vec<Value> = items.into_iter().skip(page.start).take(page.limit).collect();
        let number = page.start.checked_div(page.limit).unwrap_or(0);
        let body = json!({key: items, "total": total, "page": number, "per_page": page.limit});
        Ok(HttpResponse::json(200, &body))
    }

    /// The time in Auth0's format.
    pub(super) fn now(&self) -> Value {
        timestamp(self.tenant.clock.now()).into()
    }

    /// Applies `fields` and `include_fields`: the members to return, or to leave out.
    pub(super) fn select_fields(&self, mut item: Value) -> Value {
        if let (Some(fields), Some(members)) = (self.query.get("fields"), item.as_object_mut()) {
            let named: Vec<&str> = fields.split(',').map(str::trim).collect();
            let include = self.query.get("include_fields") != Some("false");
            members.retain(|member, _| named.contains(&member.as_str()) == include);
        }
        item
    }
}

impl ApiError {
    pub(super) fn new(status: u16, message: impl Into<String>, code: &'static str) -> Self {
        Self { status, message: message.into(), code }
    }

    /// The body does not fit.
    pub(super) fn body(problem: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Payload validation error: {problem}."), "invalid_body")
    }

    pub(super) fn query(problem: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Query validation error: {problem}."), "invalid_query_string")
    }

    pub(super) fn path(problem: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Path validation error: {problem}."), "invalid_uri")
    }

    pub(super) fn no_user() -> Self {
        Self::new(404, "The user does not exist.", "inexistent_user")
    }

    pub(super) fn response(&self) -> HttpResponse {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut body = object(json!({
            "statusCode": self.status, "error": reason, "message": self.message, "errorCode": self.code,
        }));
        body.retain(|_, value| value != "");
        HttpResponse::json(self.status, &body.into())
    }
}

impl From<TenantError> for ApiError {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Full(what) => Self::new(
                403,
                format!("You reached the limit of {what} of this tenant."),
                "too_many_entities",
            ),
            other => {
                let error = OAuthError::from(other);
                Self::new(error.status, error.description, "")
            }
        }
    }
}

/// A member's text; empty when it is absent or no text.
pub(super) fn text<'a>(members: &'a Map<String, Value>, member: &str) -> &'a str {
    members.get(member).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], TenantError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| TenantError::Crypto("no random numbers"))?;
    Ok(bytes)
}
