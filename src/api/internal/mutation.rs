//! The mutation root of the Internal API: what staff and machines change of users.
//!
//! Each mutation checks its permission before it looks at its input. Each transaction checks again that the caller is still
//! active: see [`Context::change`].

use juniper::graphql_object;

use super::input::*;
use crate::api::context::EXPORT;
use crate::api::error::NullOnError;
use crate::api::mutation_types::new_person;
use crate::api::paging::write_number;
use crate::api::{ApiError, Context, Json, NodeId};
use crate::scope::{AUDIT_READ, DEPLOY_WRITE, USERS_ERASE, USERS_READ, USERS_WRITE};
use crate::store::{Export, NewUser};
use crate::user::{Auth0Id, Status, is_visible};

/// The most roles of a user, and the longest name of a role in bytes.
const ROLES_MAX: usize = 64;

/// The mutation root.
#[derive(Debug, Clone, Copy)]
pub struct Mutation;

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    /// Creates a user who has not logged in yet. Needs `users:write`.
    async fn create_user(context: &Context, mut input: CreateUserInput) -> NullOnError<CreateUserPayload> {
        context.require(USERS_WRITE)?;
        if input.roles.as_ref().is_some_and(|roles| !roles.is_empty()) {
            ensure_roles_set_here(context)?;
        }
        let expected = NewUser {
            person: new_person(input.update()?),
            auth0_id: input.auth0_id.as_deref().map(auth0_id).transpose()?,
            email: input.email.map(|email| email.0),
            email_verified: input.email_verified.unwrap_or_default(),
            roles: checked_roles(input.roles.unwrap_or_default())?,
        };
        let key = input.client_mutation_id.clone();
        let created = context.change(move |store, actor| match key {
            Some(key) => store.create_idempotent(&expected, &key, actor),
            None => store.create(&expected, actor),
        });
        Ok(CreateUserPayload::new(input.client_mutation_id, created.await?))
    }

    /// Updates a user's personal fields and email. Needs `users:write`.
    async fn update_user(context: &Context, mut input: UpdateUserInput) -> NullOnError<UpdateUserPayload> {
        context.require(USERS_WRITE)?;
        let mut update = input.update()?;
        update.email = input.email.explicit().map(|email| email.map(|email| email.0));
        update.email_verified = input.email_verified;
        let id = NodeId::user(&input.id)?;
        let user = context.change(move |store, actor| store.update(id, &update, actor)).await?;
        Ok(UpdateUserPayload::new(input.client_mutation_id, user))
    }

    /// Fetches a user's profile from Auth0, at most once in ten seconds. Needs `users:write`.
    async fn refresh_user(context: &Context, input: RefreshUserInput) -> NullOnError<RefreshUserPayload> {
        context.require(USERS_WRITE)?;
        let user = context.refresh(NodeId::user(&input.id)?).await?;
        Ok(RefreshUserPayload::new(input.client_mutation_id, user))
    }

    /// Replaces a user's roles, and revokes their tokens, which carry the old roles. Needs `users:write`.
    async fn set_roles(context: &Context, input: SetRolesInput) -> NullOnError<SetRolesPayload> {
        context.require(USERS_WRITE)?;
        ensure_roles_set_here(context)?;
        let (id, roles) = (NodeId::user(&input.id)?, checked_roles(input.roles)?);
        let user = context.change(move |store, actor| store.set_roles(id, &roles, actor)).await?;
        Ok(SetRolesPayload::new(input.client_mutation_id, user))
    }

    /// Blocks a user at once, until they are unblocked. Needs `users:write`.
    async fn block_user(context: &Context, input: BlockUserInput) -> NullOnError<BlockUserPayload> {
        context.require(USERS_WRITE)?;
        let id = NodeId::user(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Blocked, actor)).await?;
        Ok(BlockUserPayload::new(input.client_mutation_id, user))
    }

    /// Unblocks a user, who then needs a new token. Needs `users:write`.
    async fn unblock_user(context: &Context, input: UnblockUserInput) -> NullOnError<UnblockUserPayload> {
        context.require(USERS_WRITE)?;
        let id = NodeId::user(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Active, actor)).await?;
        Ok(UnblockUserPayload::new(input.client_mutation_id, user))
    }

    /// Revokes all tokens issued to a user so far. Needs `users:write`.
    async fn sign_out_user(context: &Context, input: SignOutUserInput) -> NullOnError<SignOutUserPayload> {
        context.require(USERS_WRITE)?;
        let id = NodeId::user(&input.id)?;
        let user = context.change(move |store, actor| store.sign_out_everywhere(id, actor)).await?;
        Ok(SignOutUserPayload::new(input.client_mutation_id, user))
    }

    /// Links an Auth0 id to a user. You vouch that both belong to the same person; emails are not compared. Needs
    /// `users:write`.
    async fn link_identity(context: &Context, input: LinkIdentityInput) -> NullOnError<LinkIdentityPayload> {
        context.require(USERS_WRITE)?;
        let (id, identity) = (NodeId::user(&input.id)?, auth0_id(&input.auth0_id)?);
        let user = context.change(move |store, actor| store.link_identity(id, &identity, actor)).await?;
        Ok(LinkIdentityPayload::new(input.client_mutation_id, user))
    }

    /// Unlinks an Auth0 id from a user and revokes its tokens. A user keeps at least one identity. Needs `users:write`.
    async fn unlink_identity(
        context: &Context,
        input: UnlinkIdentityInput,
    ) -> NullOnError<UnlinkIdentityPayload> {
        context.require(USERS_WRITE)?;
        let (id, identity) = (NodeId::user(&input.id)?, auth0_id(&input.auth0_id)?);
        let user = context.change(move |store, actor| store.unlink_identity(id, &identity, actor)).await?;
        Ok(UnlinkIdentityPayload::new(input.client_mutation_id, user))
    }

    /// Merges two users who are the same person. The kept user gets the other's identities and missing fields, but not
    /// their roles; the other is erased. You can't undo it. Needs `users:write` and `users:erase`.
    async fn merge_users(context: &Context, input: MergeUsersInput) -> NullOnError<MergeUsersPayload> {
        context.require(USERS_WRITE)?;
        context.require(USERS_ERASE)?;
        let (kept, gone) = (NodeId::user(&input.kept_id)?, NodeId::user(&input.gone_id)?);
        let user = context.change(move |store, actor| store.merge(kept, gone, actor)).await?;
        Ok(MergeUsersPayload::new(input.client_mutation_id, user))
    }

    /// Erases a user's personal data. Their row stays without it, so that a valid token doesn't create them again. You can't undo
    /// it. Needs `users:erase`.
    async fn erase_user(context: &Context, input: EraseUserInput) -> NullOnError<EraseUserPayload> {
        context.require(USERS_ERASE)?;
        let id = NodeId::user(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Erased, actor)).await?;
        Ok(EraseUserPayload::new(input.client_mutation_id, user))
    }

    /// Exports all data about a user, and records that in the audit log. A request can export once; a long audit log goes on in
    /// the next export. Needs `users:read` and `audit:read`.
    async fn export_user(context: &Context, input: ExportUserInput) -> NullOnError<ExportUserPayload> {
        context.require(USERS_READ)?;
        context.require(AUDIT_READ)?;
        let id = NodeId::user(&input.id)?;
        let Export { data, next } = context.export(id, input.after).await?;
        let next = next.map(|line| write_number(EXPORT, line));
        Ok(ExportUserPayload::new(input.client_mutation_id, Json(data.into()), next))
    }

    /// Fetches the signing keys of all trusted issuers in the background, for example after a key was revoked at Auth0. Needs
    /// `deploy:write`.
    fn refresh_keys(context: &Context, input: RefreshKeysInput) -> NullOnError<RefreshKeysPayload> {
        context.require(DEPLOY_WRITE)?;
        let keys = context.gate().keys();
        keys.refresh();
        let issuers: Vec<_> = keys.issuers().map(str::to_owned).collect();
        Ok(RefreshKeysPayload::new(input.client_mutation_id, issuers))
    }
}

fn auth0_id(text: &str) -> Result<Auth0Id, ApiError> {
    text.parse().map_err(|_| ApiError::BadInput("An Auth0 id must have 1 to 255 visible characters."))
}

fn ensure_roles_set_here(context: &Context) -> Result<(), ApiError> {
    context.gate().roles_from().ensure_set_here().map_err(ApiError::BadInput)
}

fn checked_roles(roles: Vec<String>) -> Result<Vec<String>, ApiError> {
    let is_valid = |role: &String| {
        (1..=ROLES_MAX).contains(&role.len()) && is_visible(role) && !role.contains(char::is_whitespace)
    };
    if roles.len() <= ROLES_MAX && roles.iter().all(is_valid) {
        return Ok(roles);
    }
    Err(ApiError::BadInput("A user can have 64 roles, each with a name of 1 to 64 bytes without spaces."))
}
