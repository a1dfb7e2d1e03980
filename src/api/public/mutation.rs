//! The mutation root of the Public API: what users change of themselves.
//!
//! Only users can call these mutations. Each transaction checks again that the user is still active: see
//! [`Context::change`].

use juniper::graphql_object;

use super::input::*;
use crate::api::context::EXPORT;
use crate::api::error::NullOnError;
use crate::api::paging::write_number;
use crate::api::{ApiError, Context, DateTime, Json, NodeId};
use crate::store::Export;
use crate::user::Status;

/// The mutation root.
#[derive(Debug, Clone, Copy)]
pub struct Mutation;

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    /// Updates your personal fields. You can't change your email or roles.
    async fn update_me(context: &Context, mut input: UpdateMeInput) -> NullOnError<UpdateMePayload> {
        let id = context.current_user()?.id();
        let update = input.update()?;
        let user = context.change(move |store, actor| store.update(id, &update, actor)).await?;
        Ok(UpdateMePayload::new(input.client_mutation_id, user))
    }

    /// Fetches your profile from Auth0, at most once in ten seconds.
    async fn refresh_me(context: &Context, input: RefreshMeInput) -> NullOnError<RefreshMePayload> {
        let user = context.refresh(context.current_user()?.id()).await?;
        Ok(RefreshMePayload::new(input.client_mutation_id, user))
    }

    /// Accepts a version of the terms. Accepting it again changes nothing.
    async fn accept_terms(context: &Context, input: AcceptTermsInput) -> NullOnError<AcceptTermsPayload> {
        let id = context.current_user()?.id();
        let version = input.version;
        let user = context.change(move |store, actor| store.accept_terms(id, &version, actor)).await?;
        Ok(AcceptTermsPayload::new(input.client_mutation_id, user))
    }

    /// Revokes all tokens issued to you so far, including the token of this request.
    async fn sign_out_everywhere(
        context: &Context,
        input: SignOutEverywhereInput,
    ) -> NullOnError<SignOutEverywherePayload> {
        let id = context.current_user()?.id();
        let user = context.change(move |store, actor| store.sign_out_everywhere(id, actor)).await?;
        Ok(SignOutEverywherePayload::new(input.client_mutation_id, user.tokens_valid_from.map(DateTime)))
    }

    /// Exports all data about you as JSON. A request can export once; a long audit log goes on in the next export.
    async fn export_me(context: &Context, input: ExportMeInput) -> NullOnError<ExportMePayload> {
        let id = context.current_user()?.id();
        let Export { data, next } = context.export(id, input.after).await?;
        let next = next.map(|line| write_number(EXPORT, line));
        Ok(ExportMePayload::new(input.client_mutation_id, Json(data.into()), next))
    }

    /// Erases your personal data and closes your account here. You can't undo it.
    async fn erase_me(context: &Context, input: EraseMeInput) -> NullOnError<EraseMePayload> {
        let id = context.current_user()?.id();
        if NodeId::parse(&input.confirm_id) != Some(NodeId::User(id)) {
            return Err(ApiError::BadInput("To be erased, give your own id as confirmId."));
        }
        context.change(move |store, actor| store.set_status(id, Status::Erased, actor)).await?;
        Ok(EraseMePayload::new(input.client_mutation_id, NodeId::User(id)))
    }
}
