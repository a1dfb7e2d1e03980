//! The root of the Public API's mutations: what people do to themselves.
//!
//! Nobody but a person can call them, and each transaction asks once more whether that person still stands: see
//! [`Context::change`].

use juniper::graphql_object;

use super::Me;
use super::input::{
    AcceptTermsInput, AcceptTermsPayload, EraseMeInput, EraseMePayload, ExportMeInput, ExportMePayload,
    RefreshMeInput, RefreshMePayload, SignOutEverywhereInput, SignOutEverywherePayload, UpdateMeInput,
    UpdateMePayload,
};
use crate::api::{ApiError, Context, DateTime, Json, NodeId};
use crate::user::Status;

/// Where mutations begin.
#[derive(Debug, Clone, Copy)]
pub struct Mutation;

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    /// Changes what you are called. Email and roles are not yours to change.
    async fn update_me(
        context: &Context,
        mut input: UpdateMeInput,
    ) -> Result<Option<UpdateMePayload>, ApiError> {
        let id = context.current_user()?.id();
        let update = input.person().update()?;
        let user = context.change(move |store, actor| store.update(id, &update, actor)).await?;
        Ok(Some(UpdateMePayload { client_mutation_id: input.client_mutation_id, me: Me::from(user) }))
    }

    /// Fetches your profile from Auth0 anew, unless that was done in the last ten seconds.
    async fn refresh_me(
        context: &Context,
        input: RefreshMeInput,
    ) -> Result<Option<RefreshMePayload>, ApiError> {
        let user = context.refresh(context.current_user()?.id()).await?;
        Ok(Some(RefreshMePayload { client_mutation_id: input.client_mutation_id, me: Me::from(user) }))
    }

    /// Notes that you agree to a version of the terms. Agreeing again changes nothing.
    async fn accept_terms(
        context: &Context,
        input: AcceptTermsInput,
    ) -> Result<Option<AcceptTermsPayload>, ApiError> {
        let id = context.current_user()?.id();
        let AcceptTermsInput { version, client_mutation_id } = input;
        let user = context.change(move |store, actor| store.accept_terms(id, &version, actor)).await?;
        Ok(Some(AcceptTermsPayload { client_mutation_id, me: Me::from(user) }))
    }

    /// Withdraws all tokens you were given so far, this request's included: everywhere you are asked to log in again.
    async fn sign_out_everywhere(
        context: &Context,
        input: SignOutEverywhereInput,
    ) -> Result<Option<SignOutEverywherePayload>, ApiError> {
        let id = context.current_user()?.id();
        let user = context.change(move |store, actor| store.sign_out_everywhere(id, actor)).await?;
        Ok(Some(SignOutEverywherePayload {
            client_mutation_id: input.client_mutation_id,
            tokens_valid_from: user.tokens_valid_from.map(DateTime),
        }))
    }

    /// Gives everything we hold about you, as JSON.
    async fn export_me(context: &Context, input: ExportMeInput) -> Result<Option<ExportMePayload>, ApiError> {
        let id = context.current_user()?.id();
        let data = context.change(move |store, actor| store.export(id, actor)).await?;
        Ok(Some(ExportMePayload { client_mutation_id: input.client_mutation_id, data: Json(data) }))
    }

    /// Erases all that tells of you, and closes your account here for good. Can not be undone.
    async fn erase_me(context: &Context, input: EraseMeInput) -> Result<Option<EraseMePayload>, ApiError> {
        let id = context.current_user()?.id();
        if input.confirm_id.parse() != Ok(NodeId::User(id)) {
            return Err(ApiError::BadInput("Give your own id as confirmId to be erased."));
        }
        let user = context.change(move |store, actor| store.set_status(id, Status::Erased, actor)).await?;
        Ok(Some(EraseMePayload {
            client_mutation_id: input.client_mutation_id,
            erased_id: NodeId::User(user.id).into(),
        }))
    }
}
