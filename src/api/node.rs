//! Global ids: what every `id` holds, and `node(id)` takes.
//!
//! A user's is their UUID as it stands in the token's payload, in the audit trail and on the command line, so that
//! one spelling serves everywhere. Every other kind is typed: `Kind:key` in base64url. Clients keep them as they are.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::user::UserId;

/// What a global id leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeId {
    /// A user.
    User(UserId),
    /// A line of the audit trail, by its number.
    AuditEvent(i64),
    /// A deployment, by its number.
    Deployment(i64),
}

/// The text is the id of nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this API")]
pub struct NotANode;

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::AuditEvent(line) => f.write_str(&URL_SAFE_NO_PAD.encode(format!("AuditEvent:{line}"))),
            Self::Deployment(number) => f.write_str(&URL_SAFE_NO_PAD.encode(format!("Deployment:{number}"))),
        }
    }
}

impl FromStr for NodeId {
    type Err = NotANode;

    fn from_str(text: &str) -> Result<Self, NotANode> {
        if let Ok(id) = text.parse() {
            return Ok(Self::User(id));
        }
        let typed = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match typed.as_deref().and_then(|typed| typed.split_once(':')) {
            Some(("AuditEvent", line)) => line.parse().map(Self::AuditEvent).map_err(|_| NotANode),
            Some(("Deployment", number)) => number.parse().map(Self::Deployment).map_err(|_| NotANode),
            _ => Err(NotANode),
        }
    }
}

impl From<NodeId> for juniper::ID {
    fn from(id: NodeId) -> Self {
        id.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_what_they_are_of() {
        let user: UserId = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(NodeId::User(user).to_string(), user.to_string(), "as the payload has it");
        for id in [NodeId::User(user), NodeId::AuditEvent(42), NodeId::Deployment(42)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for other in ["", "42", "AuditEvent:42", "VXNlcjo0Mg", "QXVkaXRFdmVudDp4", "é"] {
            assert_eq!(other.parse::<NodeId>(), Err(NotANode), "{other}");
        }
    }
}
