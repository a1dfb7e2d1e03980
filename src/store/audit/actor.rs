//! Who makes a change.

use crate::user::UserId;

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A user, about themselves or as staff.
    User(UserId),
    /// An agent that acts for a user.
    Agent {
        /// The user.
        user: UserId,
        /// The agent's id.
        agent: String,
    },
    /// A machine, by its client id.
    Machine(String),
    /// The gate, at a user's first request.
    Gate,
    /// The command line.
    Cli,
    /// The seeds at start.
    Seed,
    /// A forge's webhook or CI job, with the name of the person who pushed, as the forge says.
    Webhook(Option<String>),
}

impl Actor {
    /// Its kind and its id, as the audit log stores them.
    pub(crate) fn parts(&self) -> (&'static str, Option<String>) {
        match self {
            Self::User(id) | Self::Agent { user: id, .. } => ("user", Some(id.to_string())),
            Self::Machine(client_id) => ("machine", Some(client_id.clone())),
            Self::Gate => ("gate", None),
            Self::Cli => ("cli", None),
            Self::Seed => ("seed", None),
            Self::Webhook(sender) => ("webhook", sender.clone()),
        }
    }

    /// The actor with these [parts](Self::parts). An agent is its user; what is unknown is the command line.
    pub(crate) fn from_parts(kind: &str, id: Option<String>) -> Self {
        match (kind, id) {
            ("user", Some(id)) => id.parse().map_or(Self::Cli, Self::User),
            ("machine", Some(id)) => Self::Machine(id),
            ("webhook", sender) => Self::Webhook(sender),
            ("gate", _) => Self::Gate,
            ("seed", _) => Self::Seed,
            _ => Self::Cli,
        }
    }
}
