//! Global ids: the `id` of nodes, and the argument of `node(id)`.
//!
//! A user's id is their UUID, as in the token's payload, in the audit log and on the command line. Other ids are `Kind:key` in
//! base64url. Clients treat them as opaque.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use juniper::ID;

use super::error::ApiError;
use crate::user::UserId;

/// A node of the schema, by its kind and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeId {
    /// A user.
    User(UserId),
    /// A line of the audit log, by its number.
    AuditEvent(i64),
    /// A deployment, by its number.
    Deployment(i64),
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::AuditEvent(line) => f.write_str(&URL_SAFE_NO_PAD.encode(format!("AuditEvent:{line}"))),
            Self::Deployment(number) => f.write_str(&URL_SAFE_NO_PAD.encode(format!("Deployment:{number}"))),
        }
    }
}

impl NodeId {
    /// Parses a global id; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(id) = text.parse() {
            return Some(Self::User(id));
        }
        let typed = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        match typed.split_once(':')? {
            ("AuditEvent", line) => line.parse().map(Self::AuditEvent).ok(),
            ("Deployment", number) => number.parse().map(Self::Deployment).ok(),
            _ => None,
        }
    }

    /// The user's id in a global id. Fails for ids of other nodes.
    pub(super) fn user(id: &ID) -> Result<UserId, ApiError> {
        match Self::parse(id) {
            Some(Self::User(id)) => Ok(id),
            _ => Err(ApiError::NO_SUCH_USER),
        }
    }
}

impl From<NodeId> for ID {
    fn from(id: NodeId) -> Self {
        id.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_parses_back_to_its_node() {
        let user: UserId = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(NodeId::User(user).to_string(), user.to_string(), "as the payload has it");
        for id in [NodeId::User(user), NodeId::AuditEvent(42), NodeId::Deployment(42)] {
            assert_eq!(NodeId::parse(&id.to_string()), Some(id));
        }
        for other in ["", "42", "AuditEvent:42", "VXNlcjo0Mg", "QXVkaXRFdmVudDp4", "é"] {
            assert_eq!(NodeId::parse(other), None, "{other}");
        }
    }
}
