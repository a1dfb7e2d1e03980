//! `POST /deployments` on the internal door asks for the deployment of a commit, and `GET /deployments` shows what became of
//! it.
//!
//! Two kinds of callers are accepted: those with the permission `deploy:write`, by the gate, and CI jobs by the forge's ID
//! token. A job can ask only for its own commit, at the target that is its environment.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use serde::Deserialize;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;

use super::context::actor;
use super::deployment_queue::enqueue;
use super::request::read_json;
use super::request_line::{OutcomeLabel, RequestLine};
use super::response::{MediaType, RequestOutcome, Responder, json_response};
use super::services::Services;
use crate::auth::{self, DoorRules, Keys, Presented, Refusal};
use crate::deploy::forge::{CiDeployment, CommitId, Project};
use crate::store::{Actor, NewDeploymentRequest};
use crate::telemetry::RequestId;

/// The longest body, and response.
const BODY_MAX: usize = 16 * 1024;

/// How the ID tokens of CI jobs are verified: by an issuer and keys of their own, which no door trusts.
#[derive(Debug)]
pub struct CiTokens {
    /// The forge's keys.
    pub keys: Keys,
    /// The audience that the tokens must have. Their need is empty: the claims decide.
    pub rules: DoorRules,
}

/// The routes' state.
struct Requests {
    services: Services,
    project: Arc<Project>,
    /// The internal door's, with the need `deploy:write`.
    rules: DoorRules,
    ci: Option<CiTokens>,
}

/// A caller who may ask for deployments.
enum Requester {
    Caller(Actor),
    Job(CiDeployment),
}

/// What to deploy, in a body or a query string. A job may leave all of it out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    target: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
    /// Whether an older commit than the deployed one is deployed too.
    #[serde(default)]
    forced: bool,
}

/// Targets, each with its branch.
type Targets = Vec<(String, String)>;

/// Why a request is refused.
enum Refused {
    Gate(Refusal),
    Other(StatusCode, String),
}

/// The routes. `rules` are the internal door's, with the need `deploy:write`.
pub fn deployment_requests(
    services: &Services,
    project: &Arc<Project>,
    rules: DoorRules,
    ci: Option<CiTokens>,
) -> BoxedFilter<(Response,)> {
    let (services, project) = (services.clone(), Arc::clone(project));
    let requests = Arc::new(Requests { services, project, rules, ci });
    let method = warp::get().map(|| Method::GET).or(warp::post().map(|| Method::POST)).unify();
    warp::path!("deployments")
        .and(method)
        .and(auth::headers_and_query())
        .and(warp::body::stream())
        .then(move |method, headers: HeaderMap, query: String, body| {
            let requests = Arc::clone(&requests);
            async move {
                let Services { gate, request_log, refusals, .. } = &requests.services;
                let (request, clock) = (RequestId::fresh(), gate.clock());
                let mut line = RequestLine::new("internal", request, request_log, clock, clock.elapsed());
                match requests.answer(request, method, &headers, &query, body).await {
                    Ok(response) => {
                        line.end(&OutcomeLabel::of("ok"));
                        response
                    }
                    Err(Refused::Other(status, message)) => {
                        line.end(&OutcomeLabel::of(status.as_str()));
                        json_response(status, &json!({ "message": message }))
                    }
                    Err(Refused::Gate(refusal)) => {
                        refusals.count("internal", refusal.code());
                        let responder = Responder { line, media: Some(MediaType::Json), max_bytes: BODY_MAX };
                        responder.render(RequestOutcome::Refused(refusal))
                    }
                }
            }
        })
        .boxed()
}

impl Requests {
    async fn answer(
        &self,
        request: RequestId,
        method: Method,
        headers: &HeaderMap,
        query: &str,
        body: impl Stream<Item = Result<impl Buf + Send, warp::Error>> + Send,
    ) -> Result<Response, Refused> {
        let requester = self.requester(request, headers, query).await?;
        let bad = |message: &str| Refused::Other(StatusCode::BAD_REQUEST, message.to_owned());
        let wanted: Wanted = if method == Method::GET {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let members: serde_json::Map<_, _> =
                pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
            serde_json::from_value(members.into())
                .map_err(|_| bad("Send the parameters target and commit."))?
        } else {
            let read = read_json(headers, body, BODY_MAX, self.services.body_timeout).await;
            let body = read.map_err(|error| Refused::Other(error.status_and_code().0, error.to_string()))?;
            serde_json::from_slice(&body)
                .map_err(|_| bad("Send a JSON object with target or branch, commit, and perhaps forced."))?
        };
        let forced = wanted.forced;
        let (targets, commit, actor) = self.resolve(requester, wanted)?;
        match method {
            Method::GET => self.state(targets, &commit).await,
            _ => self.enqueue(request, &targets, &commit, forced, &actor).await,
        }
    }

    async fn requester(
        &self,
        request: RequestId,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<Requester, Refused> {
        let presented = auth::bearer(headers, query);
        if let (Some(ci), Ok(Presented::Token(bearer))) = (&self.ci, &presented)
            && auth::unverified_issuer(bearer)
                .is_some_and(|issuer| ci.keys.issuers().any(|known| known == issuer))
        {
            let now = self.services.gate.clock().now();
            let claims = auth::claims(bearer, &ci.rules, &ci.keys, now).await.map_err(Refused::Gate)?;
            let job = self.project.ci_deployment(|name| claims.text(name));
            return match job {
                Ok(job) => Ok(Requester::Job(job)),
                Err(error) => Err(Refused::Other(StatusCode::FORBIDDEN, error.to_string())),
            };
        }
        let gate = self.services.gate.for_request(request);
        let caller = gate.authenticate(&self.rules, presented).await.map_err(Refused::Gate)?;
        Ok(Requester::Caller(actor(&caller).map_err(Refused::Gate)?))
    }

    fn resolve(&self, requester: Requester, wanted: Wanted) -> Result<(Targets, CommitId, Actor), Refused> {
        let Wanted { target, branch, commit, forced } = wanted;
        let bad = |message: &str| Refused::Other(StatusCode::BAD_REQUEST, message.to_owned());
        let actor = match requester {
            Requester::Caller(actor) => actor,
            Requester::Job(job) => {
                let is_other =
                    |wanted: &Option<String>, own: &str| wanted.as_ref().is_some_and(|it| it != own);
                if forced
                    || is_other(&target, &job.target)
                    || is_other(&branch, &job.branch)
                    || is_other(&commit, job.commit.as_str())
                {
                    let message = "A job can ask only for its own commit at its own environment, not forced.";
                    return Err(Refused::Other(StatusCode::FORBIDDEN, message.to_owned()));
                }
                return Ok((vec![(job.target, job.branch)], job.commit, Actor::Webhook(job.sender)));
            }
        };
        let commit = commit.ok_or_else(|| bad("Name the commit."))?;
        let commit = commit
            .parse()
            .map_err(|error: crate::deploy::forge::ParseCommitIdError| bad(&error.to_string()))?;
        let is_wanted = |(name, followed): &(String, String)| {
            target.as_ref().is_none_or(|target| target == name)
                && branch.as_ref().is_none_or(|branch| branch == followed)
        };
        let followed = |name: &str| Some((name.to_owned(), self.project.branch_of(name)?.to_owned()));
        let targets: Targets = self.project.targets().filter_map(followed).filter(is_wanted).collect();
        if target.is_none() && branch.is_none() || targets.is_empty() {
            return Err(Refused::Other(
                StatusCode::NOT_FOUND,
                "Name a target, or the branch of one.".to_owned(),
            ));
        }
        Ok((targets, commit, actor))
    }

    async fn enqueue(
        &self,
        request: RequestId,
        targets: &[(String, String)],
        commit: &CommitId,
        forced: bool,
        actor: &Actor,
    ) -> Result<Response, Refused> {
        let of_target = |(target, branch): &(String, String)| NewDeploymentRequest {
            delivery: None,
            target: target.clone(),
            branch: branch.clone(),
            commit: commit.to_string(),
            forced,
            actor: actor.clone(),
        };
        let requests: Vec<_> = targets.iter().map(of_target).collect();
        let store = self.services.store.for_request(request);
        let new = enqueue(&self.services, &self.project, store, commit, requests).await;
        let new = new.map_err(|_| Refused::Gate(Refusal::Busy))?;
        let new = new.map_err(|error| Refused::Gate(error.into()))?;
        let names: Vec<&str> = targets.iter().map(|(target, _)| target.as_str()).collect();
        let message = if new > 0 { "The deployment begins soon." } else { "This deployment waits already." };
        let body =
            json!({"message": message, "state": "waiting", "targets": names, "commit": commit.as_str()});
        Ok(json_response(StatusCode::ACCEPTED, &body))
    }

    async fn state(&self, targets: Targets, commit: &CommitId) -> Result<Response, Refused> {
        let Some((target, _)) = targets.into_iter().next() else {
            return Err(Refused::Other(StatusCode::NOT_FOUND, "There is no such target.".to_owned()));
        };
        let (store, id) = (self.services.store.clone(), commit.to_string());
        let state = self.services.pool.run(move || store.deployment_request_state(&target, &id)).await;
        let state =
            state.map_err(|_| Refused::Gate(Refusal::Busy))?.map_err(|error| Refused::Gate(error.into()))?;
        match state {
            None => {
                Err(Refused::Other(StatusCode::NOT_FOUND, "This deployment was not requested.".to_owned()))
            }
            Some(state) => {
                let (state, message) =
                    state.unwrap_or_else(|| ("waiting".to_owned(), "It has not ended.".to_owned()));
                Ok(json_response(
                    StatusCode::OK,
                    &json!({"state": state, "message": message, "commit": commit.as_str()}),
                ))
            }
        }
    }
}
