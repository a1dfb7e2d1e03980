//! The root of the Internal API's mutations: what staff and machines do to users.
//!
//! Each asks for its permission before anything is looked at, and each transaction asks once more whether the caller
//! still stands: see [`Context::change`].

use juniper::{GraphQLObject, Nullable, graphql_object};

use super::input::{
    BlockUserInput, CreateUserInput, EraseUserInput, ExportUserInput, LinkIdentityInput, MergeUsersInput,
    RefreshKeysInput, RefreshUserInput, SetRolesInput, SignOutUserInput, UnblockUserInput,
    UnlinkIdentityInput, UpdateUserInput,
};
use super::payload::{
    BlockUserPayload, CreateUserPayload, EraseUserPayload, LinkIdentityPayload, MergeUsersPayload,
    RefreshUserPayload, SetRolesPayload, SignOutUserPayload, UnblockUserPayload, UnlinkIdentityPayload,
    UpdateUserPayload,
};
use super::user_id;
use crate::api::{ApiError, Context, Json};
use crate::scope;
use crate::store::NewUser;
use crate::user::{Auth0Id, Status};

/// The most roles a user has, and the longest name of one, in bytes.
const ROLES_MAX: usize = 64;

/// Where mutations begin.
#[derive(Debug, Clone, Copy)]
pub struct Mutation;

/// Of `exportUser`.
#[derive(Debug, Clone, GraphQLObject)]
pub struct ExportUserPayload {
    /// As it was given.
    pub client_mutation_id: Option<String>,
    /// The row, the identities, the accepted terms and the audit trail of the user.
    pub data: Json,
}

/// Of `refreshKeys`.
#[derive(Debug, Clone, GraphQLObject)]
pub struct RefreshKeysPayload {
    /// As it was given.
    pub client_mutation_id: Option<String>,
    /// The issuers that are asked for their keys now, in the background.
    pub issuers: Vec<String>,
}

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    /// Makes a user who has not come yet. Needs `users:write`.
    async fn create_user(
        context: &Context,
        mut input: CreateUserInput,
    ) -> Result<Option<CreateUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let expected = NewUser {
            person: input.person().person()?,
            auth0_id: input.auth0_id.as_deref().map(auth0_id).transpose()?,
            email: input.email.map(|email| email.0),
            email_verified: input.email_verified.unwrap_or_default(),
            roles: roles(input.roles.unwrap_or_default())?,
        };
        let id = input.client_mutation_id;
        let once = id.clone();
        let made = context.change(move |store, actor| match once {
            Some(once) => store.create_idempotent(&expected, &once, actor),
            None => store.create(&expected, actor),
        });
        Ok(CreateUserPayload::new(made.await?, id))
    }

    /// Changes what a user is called, or their email. Needs `users:write`.
    async fn update_user(
        context: &Context,
        mut input: UpdateUserInput,
    ) -> Result<Option<UpdateUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let mut update = input.person().update()?;
        update.email = match input.email {
            Nullable::ImplicitNull => None,
            Nullable::ExplicitNull => Some(None),
            Nullable::Some(email) => Some(Some(email.0)),
        };
        update.email_verified = input.email_verified;
        let id = user_id(&input.id)?;
        let user = context.change(move |store, actor| store.update(id, &update, actor)).await?;
        Ok(UpdateUserPayload::new(user, input.client_mutation_id))
    }

    /// Fetches a user's profile from Auth0 anew, unless that was done in the last ten seconds. Needs `users:write`.
    async fn refresh_user(
        context: &Context,
        input: RefreshUserInput,
    ) -> Result<Option<RefreshUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let user = context.refresh(user_id(&input.id)?).await?;
        Ok(RefreshUserPayload::new(user, input.client_mutation_id))
    }

    /// Replaces a user's roles and revokes their tokens, which carry the old ones. Needs `users:write`.
    async fn set_roles(context: &Context, input: SetRolesInput) -> Result<Option<SetRolesPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let (id, roles) = (user_id(&input.id)?, roles(input.roles)?);
        let user = context.change(move |store, actor| store.set_roles(id, &roles, actor)).await?;
        Ok(SetRolesPayload::new(user, input.client_mutation_id))
    }

    /// Turns a user away, at once and until they are unblocked. Needs `users:write`.
    async fn block_user(
        context: &Context,
        input: BlockUserInput,
    ) -> Result<Option<BlockUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let id = user_id(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Blocked, actor)).await?;
        Ok(BlockUserPayload::new(user, input.client_mutation_id))
    }

    /// Lets a blocked user in again, with a new token. Needs `users:write`.
    async fn unblock_user(
        context: &Context,
        input: UnblockUserInput,
    ) -> Result<Option<UnblockUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let id = user_id(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Active, actor)).await?;
        Ok(UnblockUserPayload::new(user, input.client_mutation_id))
    }

    /// Withdraws all tokens of a user issued so far. Needs `users:write`.
    async fn sign_out_user(
        context: &Context,
        input: SignOutUserInput,
    ) -> Result<Option<SignOutUserPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let id = user_id(&input.id)?;
        let user = context.change(move |store, actor| store.sign_out_everywhere(id, actor)).await?;
        Ok(SignOutUserPayload::new(user, input.client_mutation_id))
    }

    /// Leads one more Auth0 id to a user. Whoever asks vouches that both are one person: no email is compared. Needs
    /// `users:write`.
    async fn link_identity(
        context: &Context,
        input: LinkIdentityInput,
    ) -> Result<Option<LinkIdentityPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let (id, identity) = (user_id(&input.id)?, auth0_id(&input.auth0_id)?);
        let user = context.change(move |store, actor| store.link_identity(id, &identity, actor)).await?;
        Ok(LinkIdentityPayload::new(user, input.client_mutation_id))
    }

    /// Takes an Auth0 id from a user, who keeps at least one. Its tokens are revoked. Needs `users:write`.
    async fn unlink_identity(
        context: &Context,
        input: UnlinkIdentityInput,
    ) -> Result<Option<UnlinkIdentityPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let (id, identity) = (user_id(&input.id)?, auth0_id(&input.auth0_id)?);
        let user = context.change(move |store, actor| store.unlink_identity(id, &identity, actor)).await?;
        Ok(UnlinkIdentityPayload::new(user, input.client_mutation_id))
    }

    /// Makes one user of two who are one person. What the kept one lacks comes from the other, but no roles; a
    /// tombstone of the other is left. Can not be undone. Needs `users:write`.
    async fn merge_users(
        context: &Context,
        input: MergeUsersInput,
    ) -> Result<Option<MergeUsersPayload>, ApiError> {
        context.require(scope::USERS_WRITE)?;
        let (kept, gone) = (user_id(&input.kept_id)?, user_id(&input.gone_id)?);
        let user = context.change(move |store, actor| store.merge(kept, gone, actor)).await?;
        Ok(MergeUsersPayload::new(user, input.client_mutation_id))
    }

    /// Erases all that tells of a person. A tombstone stays, so that a token that is still valid does not make them
    /// anew. Can not be undone. Needs `users:erase`.
    async fn erase_user(
        context: &Context,
        input: EraseUserInput,
    ) -> Result<Option<EraseUserPayload>, ApiError> {
        context.require(scope::USERS_ERASE)?;
        let id = user_id(&input.id)?;
        let user = context.change(move |store, actor| store.set_status(id, Status::Erased, actor)).await?;
        Ok(EraseUserPayload::new(user, input.client_mutation_id))
    }

    /// Gives out everything we hold about a user, which is noted in the trail. Needs `users:read` and `audit:read`.
    async fn export_user(
        context: &Context,
        input: ExportUserInput,
    ) -> Result<Option<ExportUserPayload>, ApiError> {
        context.require(scope::USERS_READ)?;
        context.require(scope::AUDIT_READ)?;
        let id = user_id(&input.id)?;
        let data = context.change(move |store, actor| store.export(id, actor)).await?;
        Ok(Some(ExportUserPayload { client_mutation_id: input.client_mutation_id, data: Json(data) }))
    }

    /// Asks every trusted issuer for its signing keys now, without waiting for the answer: after a key was revoked at
    /// Auth0. Needs `deploy:write`.
    fn refresh_keys(
        context: &Context,
        input: RefreshKeysInput,
    ) -> Result<Option<RefreshKeysPayload>, ApiError> {
        context.require(scope::DEPLOY_WRITE)?;
        let keys = context.gate().keys();
        keys.refresh();
        let issuers = keys.issuers().map(str::to_owned).collect();
        Ok(Some(RefreshKeysPayload { client_mutation_id: input.client_mutation_id, issuers }))
    }
}

fn auth0_id(text: &str) -> Result<Auth0Id, ApiError> {
    text.parse()
        .map_err(|_| ApiError::BadInput("An Auth0 id has 1 to 255 characters, and no control characters."))
}

fn roles(roles: Vec<String>) -> Result<Vec<String>, ApiError> {
    let good = |role: &String| {
        !role.is_empty()
            && role.len() <= ROLES_MAX
            && !role.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if roles.len() <= ROLES_MAX && roles.iter().all(good) {
        return Ok(roles);
    }
    Err(ApiError::BadInput("A user has at most 64 roles; each has a name of 1 to 64 bytes without spaces."))
}
