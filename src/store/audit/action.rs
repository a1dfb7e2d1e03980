//! The actions of the audit log.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each word says what was done")]
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
    Seeded = "user.seeded",
    Created = "user.created",
    Imported = "user.imported",
    /// Personal fields or the email were changed.
    Updated = "user.updated",
    /// The profile was fetched again, and was different.
    Refreshed = "user.refreshed",
    /// A pre-provisioned user got their identity.
    Claimed = "user.claimed",
    Linked = "identity.linked",
    Unlinked = "identity.unlinked",
    /// A login with the verified email of a user with roles was refused. At most once a day.
    LinkRefused = "identity.link_refused",
    /// Two users became one. Both have a line.
    Merged = "user.merged",
    StatusSet = "user.status_set",
    RolesSet = "user.roles_set",
    /// All tokens issued so far were revoked.
    SignedOut = "user.signed_out",
    TermsAccepted = "user.terms_accepted",
    Exported = "user.exported",
    /// Auth0 received that the user is blocked, or no longer.
    BlockSent = "user.block_sent",
    /// About no user, like those below.
    DeploymentBegun = "deployment.begun",
    DeploymentEnded = "deployment.ended",
    /// A backup replaced the database. About no user.
    Restored = "database.restored",
}
