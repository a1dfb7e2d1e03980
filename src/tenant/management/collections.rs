//! The collections that all work alike: list, get, create, update, delete. `kinds.rs` holds what is particular to each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::accounts::overlay;
use super::super::response::{HttpResponse, object};
use super::super::state::has_id;
use super::call::{Answer, ApiError, Call, random};
use super::kinds;
use super::schemas::{self, Use};
use crate::bundle::{Kind, Object};

/// A collection of the API.
pub(super) struct Collection {
    pub(super) kind: Kind,
    /// Its path, also in `/{id}`.
    pub(super) path: &'static str,
    /// The name of the list in an answer with totals.
    key: &'static str,
    /// The scopes are `read:…`, `create:…`, `update:…`, `delete:…` of this.
    scope: &'static str,
    /// A missing object: the message and the code.
    missing: (&'static str, &'static str),
    /// The statuses of creation, update and deletion.
    statuses: [u16; 3],
}

/// All of them.
pub(super) const COLLECTIONS: [Collection; 10] = [
    Collection {
        kind: Kind::Client,
        path: "clients",
        key: "clients",
        scope: "clients",
        missing: ("The client does not exist", "inexistent_client"),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::ResourceServer,
        path: "resource-servers",
        key: "resource_servers",
        scope: "resource_servers",
        missing: ("The resource server does not exist", "inexistent_resource_server"),
        statuses: [201, 201, 204],
    },
    Collection {
        kind: Kind::ClientGrant,
        path: "client-grants",
        key: "client_grants",
        scope: "client_grants",
        missing: ("The client grant does not exist", "inexistent_client_grant"),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::Role,
        path: "roles",
        key: "roles",
        scope: "roles",
        missing: ("The role does not exist.", "inexistent_role"),
        statuses: [200, 200, 200],
    },
    Collection {
        kind: Kind::Rule,
        path: "rules",
        key: "rules",
        scope: "rules",
        missing: ("The rule does not exist.", "inexistent_rule"),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::ActionModule,
        path: "actions/modules",
        key: "modules",
        scope: "actions",
        missing: ("That action module does not exist.", ""),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::Action,
        path: "actions/actions",
        key: "actions",
        scope: "actions",
        missing: ("That action does not exist.", ""),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::Connection,
        path: "connections",
        key: "connections",
        scope: "connections",
        missing: ("The connection does not exist", "inexistent_connection"),
        statuses: [201, 200, 202],
    },
    Collection {
        kind: Kind::Organization,
        path: "organizations",
        key: "organizations",
        scope: "organizations",
        missing: ("No organization found by that id or name", "inexistent_organization"),
        statuses: [201, 200, 204],
    },
    Collection {
        kind: Kind::TokenExchangeProfile,
        path: "token-exchange-profiles",
        key: "token_exchange_profiles",
        scope: "token_exchange_profiles",
        missing: ("The token exchange profile does not exist.", "inexistent_token_exchange_profile"),
        statuses: [201, 204, 204],
    },
];

impl Collection {
    /// The collection of a kind; none for [`Kind::RuleConfig`], which has no ids.
    pub(super) fn of(kind: Kind) -> Option<&'static Self> {
        COLLECTIONS.iter().find(|collection| collection.kind == kind)
    }

    /// The scopes of a method, any of which is enough; `None` when the collection does not have the method.
    pub(super) fn scopes(&self, method: &str, has_id: bool) -> Option<Vec<String>> {
        let scope = |verb: &str| vec![format!("{verb}:{}", self.scope)];
        let mut scopes = match (method, has_id) {
            ("GET", _) => scope("read"),
            ("POST", false) => scope("create"),
            ("PATCH", true) => scope("update"),
            ("DELETE", true) => scope("delete"),
            _ => return None,
        };
        if self.kind == Kind::Client {
            match method {
                "GET" => scopes.push("read:client_keys".to_owned()),
                "PATCH" => scopes.push("update:client_keys".to_owned()),
                _ => {}
            }
        }
        Some(scopes)
    }

    /// Answers a call whose scopes were checked. `id`: of `/{id}`.
    pub(super) fn answer(&self, call: &Call<'_>, id: Option<&str>) -> Answer {
        let [created, updated, deleted] = self.statuses;
        match (call.request.method.as_str(), id) {
            ("GET", None) => self.list(call),
            ("GET", Some(id)) => self.reply(call, 200, self.find(call, id)?),
            ("POST", _) => {
                let object = self.create(call, call.body()?)?;
                self.reply(call, created, &object)
            }
            ("PATCH", Some(id)) => {
                let object = self.update(call, id, call.body()?)?;
                self.reply(call, updated, &object)
            }
            (_, id) => {
                self.delete(call, id.unwrap_or_default())?;
                Ok(if deleted == 204 {
                    HttpResponse::new(204)
                } else {
                    HttpResponse::json(deleted, &json!({}))
                })
            }
        }
    }

    /// An object by its id, or by what else identifies one of this kind.
    pub(super) fn find<'a>(&self, call: &'a Call<'_>, id: &str) -> Result<&'a Object, ApiError> {
        let list = call.tenant.bundle.objects.list(self.kind);
        let by_id = list.iter().find(|object| has_id(self.kind, object, id));
        let identifier = |object: &&Object| object.get("identifier").and_then(Value::as_str) == Some(id);
        let found =
            by_id.or_else(|| list.iter().filter(|_| self.kind == Kind::ResourceServer).find(identifier));
        found.ok_or_else(|| ApiError::new(404, self.missing.0, self.missing.1))
    }

    fn list(&self, call: &Call<'_>) -> Answer {
        let mut items: Vec<Value> = Vec::new();
        if self.kind == Kind::Client && call.flag("is_global")? == Some(true) {
            // Every tenant has it; only tools that export pages ask.
            items.push(json!({"client_id": "global", "name": "All Applications", "global": true}));
        }
        for object in call.tenant.bundle.objects.list(self.kind) {
            if kinds::is_listed(self.kind, call, object)? {
                let mut shown = self.shown(call, object);
                // Only the connection itself has it.
                if self.kind == Kind::Connection {
                    shown.remove("enabled_clients");
                }
                items.push(shown.into());
            }
        }
        if matches!(self.kind, Kind::ActionModule | Kind::Action) {
            return call.paged(self.key, items);
        }
        call.list(self.key, items)
    }

    /// Creates an object. Returns it whole.
    pub(super) fn create(&self, call: &Call<'_>, body: Object) -> Result<Object, ApiError> {
        schemas::check(self.kind.folder(), &body, Use::Create)?;
        let object = kinds::created(self.kind, call, body)?;
        if self.kind == Kind::Client {
            enable_connections(call, &object)?;
        }
        self.change(call, &object)?;
        Ok(object)
    }

    fn update(&self, call: &Call<'_>, id: &str, body: Object) -> Result<Object, ApiError> {
        let stored = self.find(call, id)?;
        schemas::check(self.kind.folder(), &body, Use::Update)?;
        let changes = kinds::updated(self.kind, call, stored, body)?;
        let object = overlay(stored.clone(), &changes);
        call.tenant.change_object(self.kind.folder(), self.id(stored), changes)?;
        Ok(object)
    }

    fn delete(&self, call: &Call<'_>, id: &str) -> Result<(), ApiError> {
        match self.find(call, id) {
            Ok(object) => {
                kinds::may_delete(self.kind, call, object)?;
                call.tenant.delete_object(self.kind, self.id(object))?;
            }
            // Most deletions at Auth0 succeed when there is nothing to delete.
            Err(error)
                if !matches!(self.kind, Kind::Role | Kind::ActionModule | Kind::Action)
                    && error.status == 404 => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Stores members of an object, which has its id.
    pub(super) fn change(&self, call: &Call<'_>, changes: &Object) -> Result<(), ApiError> {
        Ok(call.tenant.change_object(self.kind.folder(), self.id(changes), changes.clone())?)
    }

    fn id<'a>(&self, object: &'a Object) -> &'a str {
        object.get(self.kind.id_member()).and_then(Value::as_str).unwrap_or_default()
    }

    fn reply(&self, call: &Call<'_>, status: u16, object: &Object) -> Answer {
        Ok(HttpResponse::json(status, &call.select_fields(self.shown(call, object).into())))
    }

    /// An object as answers have it.
    pub(super) fn shown(&self, call: &Call<'_>, object: &Object) -> Object {
        let mut shown = kinds::shown(self.kind, call, object);
        shown.retain(|member, value| !member.starts_with('_') && !value.is_null());
        if self.kind != Kind::Client {
            schemas::project(self.kind.folder(), &mut shown);
        }
        shown
    }
}

/// A new client has all connections, unless the tenant's flag says otherwise. The change of the client reloads them.
fn enable_connections(call: &Call<'_>, client: &Object) -> Result<(), ApiError> {
    let objects = &call.tenant.bundle.objects;
    let flag = objects.tenant.get("flags").and_then(|flags| flags.get("enable_client_connections"));
    if flag == Some(&Value::Bool(false)) {
        return Ok(());
    }
    for connection in objects.list(Kind::Connection) {
        let Some(Value::Array(enabled)) = connection.get("enabled_clients") else { continue };
        let enabled: Vec<&Value> = enabled.iter().chain(client.get("client_id")).collect();
        let id = connection.get("id").and_then(Value::as_str).unwrap_or_default();
        let changes = object(json!({"enabled_clients": enabled}));
        call.tenant.db.change_object(Kind::Connection.folder(), id, changes)?;
    }
    Ok(())
}

/// `POST /clients/{id}/rotate-secret`.
pub(super) fn rotate_secret(call: &Call<'_>) -> Answer {
    let [collection, ..] = &COLLECTIONS;
    let mut client = collection.find(call, call.arg(0))?.clone();
    client.insert("client_secret".to_owned(), URL_SAFE_NO_PAD.encode(random::<48>()?).into());
    collection.change(call, &client)?;
    Ok(HttpResponse::json(200, &collection.shown(call, &client).into()))
}
