//! The kinds of objects that a bundle holds and the Management API serves, and how they get their ids.

use aws_lc_rs::digest;
use serde_json::{Map, Value};

/// An object as the Management API writes it.
pub type Object = Map<String, Value>;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is Auth0's own term")]
pub enum Kind {
    Client,
    ResourceServer,
    ClientGrant,
    Role,
    Rule,
    RuleConfig,
    ActionModule,
    Action,
    Connection,
    Organization,
    TokenExchangeProfile,
}

impl Kind {
    /// All kinds; one that refers to another comes after it.
    pub const ALL: [Self; 11] = [
        Self::Client,
        Self::ResourceServer,
        Self::ClientGrant,
        Self::Role,
        Self::Rule,
        Self::RuleConfig,
        Self::ActionModule,
        Self::Action,
        Self::Connection,
        Self::Organization,
        Self::TokenExchangeProfile,
    ];

    /// Its folder in the directory layout.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Client => "clients",
            Self::ResourceServer => "resource-servers",
            Self::ClientGrant => "grants",
            Self::Role => "roles",
            Self::Rule => "rules",
            Self::RuleConfig => "rules-configs",
            Self::ActionModule => "action-modules",
            Self::Action => "actions",
            Self::Connection => "connections",
            Self::Organization => "organizations",
            Self::TokenExchangeProfile => "token-exchange-profiles",
        }
    }

    /// Its section in the YAML layout.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::ResourceServer => "resourceServers",
            Self::ClientGrant => "clientGrants",
            Self::RuleConfig => "rulesConfigs",
            Self::ActionModule => "actionModules",
            Self::TokenExchangeProfile => "tokenExchangeProfiles",
            other => other.folder(),
        }
    }

    /// The member that holds its id.
    pub fn id_member(self) -> &'static str {
        match self {
            Self::Client => "client_id",
            Self::RuleConfig => "key",
            _ => "id",
        }
    }

    /// An id of Auth0's form for this kind, made of `entropy`, at least 16 bytes.
    pub fn format_id(self, entropy: &[u8]) -> String {
        let hex: String = entropy.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
        let prefix = match self {
            Self::Client | Self::RuleConfig => return part(0..32).to_owned(),
            Self::ResourceServer => return part(0..24).to_owned(),
            Self::Action | Self::ActionModule => {
                return [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-");
            }
            Self::ClientGrant => "cgr",
            Self::Role => "rol",
            Self::Rule => "rul",
            Self::Connection => "con",
            Self::Organization => "org",
            Self::TokenExchangeProfile => "tep",
        };
        format!("{prefix}_{}", part(0..16))
    }

    /// The id of an object that has none of its own: the same at every start.
    pub(super) fn derived_id(self, members: &Object) -> String {
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let seed = ["name", "identifier", "client_id", "audience", "subject_type"].map(text).join("\n");
        let hash = digest::digest(&digest::SHA256, format!("{self:?}\n{seed}").as_bytes());
        self.format_id(hash.as_ref())
    }
}
