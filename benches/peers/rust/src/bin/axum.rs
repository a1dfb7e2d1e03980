//! axum and async-graphql.

use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use peers::{App, Claims, RequestLine};

#[derive(SimpleObject)]
struct User {
    id: String,
    email: Option<String>,
    name: Option<String>,
}

struct Query;

#[Object]
impl Query {
    async fn me(&self, context: &async_graphql::Context<'_>) -> async_graphql::Result<Option<User>> {
        let user = context.data::<Arc<App>>()?.user(context.data::<Arc<Claims>>()?).await?;
        Ok(user.map(|user| User { id: user.id, email: user.email, name: user.name }))
    }
}

type Root = Schema<Query, EmptyMutation, EmptySubscription>;

async fn graphql(
    State((schema, app)): State<(Root, Arc<App>)>,
    headers: HeaderMap,
    request: GraphQLRequest,
) -> Result<GraphQLResponse, StatusCode> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let claims = app.claims(authorization.unwrap_or_default()).map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(schema.execute(request.into_inner().data(claims)).await.into())
}

async fn logged(request: Request, next: Next) -> Response {
    let line = RequestLine::begin();
    line.end(next.run(request).await)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let app = Arc::new(App::open()?);
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(Arc::clone(&app)).finish();
    let routes = axum::Router::new()
        .route("/graphql", post(graphql))
        .layer(from_fn(logged))
        .route("/healthz", get(|| async { "" }))
        .with_state((schema, app));
    Ok(axum::serve(peers::listen().await?, routes).await?)
}
