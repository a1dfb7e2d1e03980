//! What was done.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// The word in the audit log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

actions! {
    /// A user was created at their first request.
    Inserted = "user.inserted",
    /// A user was created from a seed.
    Seeded = "user.seeded",
    /// Staff created a user.
    Created = "user.created",
    /// A user was created or changed by an import.
    Imported = "user.imported",
    /// Personal fields or the email were changed.
    Updated = "user.updated",
    /// The profile was fetched again, and was different.
    Refreshed = "user.refreshed",
    /// A pre-provisioned user got their identity.
    Claimed = "user.claimed",
    /// A user got another identity.
    Linked = "identity.linked",
    /// An identity was removed from a user.
    Unlinked = "identity.unlinked",
    /// Two users became one. Both have a line.
    Merged = "user.merged",
    /// The status was set.
    StatusSet = "user.status_set",
    /// The roles were set.
    RolesSet = "user.roles_set",
    /// All tokens issued so far were revoked.
    SignedOut = "user.signed_out",
    /// A version of the terms was accepted.
    TermsAccepted = "user.terms_accepted",
    /// All data about the user was exported.
    Exported = "user.exported",
    /// Auth0 received that the user is blocked, or no longer.
    BlockSent = "user.block_sent",
    /// A backup replaced the database. About no user.
    Restored = "database.restored",
    /// A deployment to a tenant began. About no user.
    DeploymentBegun = "deployment.begun",
    /// A deployment ended. About no user.
    DeploymentEnded = "deployment.ended",
}
