//! juniper and warp, joined by the stock filter of `juniper_warp`.

use std::sync::Arc;

use juniper::{EmptyMutation, EmptySubscription, FieldResult, GraphQLObject, RootNode, graphql_object};
use peers::{App, Claims, RequestLine};
use warp::Filter;

#[derive(GraphQLObject)]
struct User {
    id: String,
    email: Option<String>,
    name: Option<String>,
}

struct Context {
    app: Arc<App>,
    claims: Arc<Claims>,
}

impl juniper::Context for Context {}

struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    async fn me(context: &Context) -> FieldResult<Option<User>> {
        let user = context.app.user(&context.claims).await?;
        Ok(user.map(|user| User { id: user.id, email: user.email, name: user.name }))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let app = Arc::new(App::open()?);
    let context = warp::header::<String>("authorization").and_then(move |authorization: String| {
        let app = Arc::clone(&app);
        async move {
            let claims = app.claims(&authorization).map_err(|_| warp::reject::not_found())?;
            Ok::<_, warp::Rejection>(Context { app, claims })
        }
    });
    let schema = RootNode::new(Query, EmptyMutation::new(), EmptySubscription::new());
    let graphql = warp::path!("graphql")
        .map(RequestLine::begin)
        .and(juniper_warp::make_graphql_filter(schema, context))
        .map(|line: RequestLine, response| line.end(response));
    let healthz = warp::path!("healthz").map(String::new);
    warp::serve(graphql.or(healthz)).incoming(peers::listen().await?).run().await;
    Ok(())
}
