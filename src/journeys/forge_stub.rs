//! A forge on loopback: real repositories behind `git http-backend`, and what the APIs of GitLab, GitHub and Gitea do with
//! commit statuses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vestibule::app::http_backend;
use warp::Filter;
use warp::http::{HeaderMap, Method, Response};
use warp::hyper::body::Bytes;
use warp::path::FullPath;

pub(crate) const PROJECT: &str = "team/tenant";
pub(crate) const CLONE_TOKEN: &str = "gldt-0123456789";
pub(crate) const API_TOKEN: &str = "glpat-0123456789";

/// A running forge with one project.
pub(crate) struct ForgeStub {
    /// Its address, without a final slash.
    pub(crate) url: String,
    folder: TempDir,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct State {
    statuses: Vec<Value>,
    /// Requests for the repository.
    reads: Vec<String>,
    /// Where requests for the repository are redirected to.
    redirect: Option<String>,
    /// How many calls of the API fail from now on.
    failures: usize,
}

impl ForgeStub {
    #[expect(clippy::disallowed_methods, reason = "a stub needs no timeouts")]
    pub(crate) fn start() -> Self {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let bare = folder.path().join("repositories").join(format!("{PROJECT}.git"));
        std::fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        // As GitLab and GitHub have them.
        git(&bare, &["config", "uploadpack.allowFilter", "true"]);
        git(&bare, &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        let clone = folder.path().join("clone");
        std::fs::create_dir(&clone).unwrap();
        git(&clone, &["init", "--quiet", "--initial-branch=main", "."]);
        let (state, root) = (Arc::new(Mutex::new(State::default())), folder.path().join("repositories"));
        let shared = Arc::clone(&state);
        let routes = warp::method()
            .and(warp::path::full())
            .and(warp::query::raw().or(warp::any().map(String::new)).unify())
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .then(move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let (state, root) = (Arc::clone(&shared), root.clone());
                async move { answer(&state, &root, &method, path.as_str(), &query, &headers, &body).await }
            });
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(warp::serve(routes).incoming(listener).run());
        Self { url, folder, state, _runtime: runtime }
    }

    /// Where commits are made.
    pub(crate) fn clone_folder(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    /// Writes files into the clone, commits everything in it, and returns the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        let clone = self.clone_folder();
        for (path, text) in files {
            let path = clone.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&clone, &["add", "--all"]);
        git(&clone, &["commit", "--quiet", "--allow-empty", "--message=A change"]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    /// Pushes the clone's commit to a branch, even over another history.
    pub(crate) fn push(&self, branch: &str) {
        let bare = self.folder.path().join("repositories").join(format!("{PROJECT}.git"));
        git(
            &self.clone_folder(),
            &["push", "--quiet", "--force", bare.to_str().unwrap(), &format!("HEAD:refs/heads/{branch}")],
        );
    }

    /// The states that a commit's status had, oldest first.
    pub(crate) fn states(&self, commit: &str) -> Vec<String> {
        let of_commit = |status: &&Value| status["sha"] == commit;
        let state = |status: &Value| status["state"].as_str().unwrap().to_owned();
        self.state.lock().unwrap().statuses.iter().filter(of_commit).map(state).collect()
    }

    /// The last status of a commit.
    pub(crate) fn status(&self, commit: &str) -> Option<Value> {
        self.state.lock().unwrap().statuses.iter().rfind(|status| status["sha"] == commit).cloned()
    }

    /// The paths of the requests for the repository so far.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.state.lock().unwrap().reads.clone()
    }

    /// Redirects requests for the repository.
    pub(crate) fn redirect_to(&self, url: &str) {
        self.state.lock().unwrap().redirect = Some(url.to_owned());
    }

    /// Lets calls of the API fail from now on.
    pub(crate) fn fail_statuses(&self, count: usize) {
        self.state.lock().unwrap().failures = count;
    }
}

/// Runs git, and returns what it prints.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .expect("these tests need git");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn answer(
    state: &Mutex<State>,
    root: &Path,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Vec<u8>> {
    let status = |code: u16| Response::builder().status(code).body(Vec::new()).unwrap();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let gitlab = (
        "/api/v4/projects/team%2Ftenant/statuses/",
        ("private-token", API_TOKEN.to_owned()),
        &["pending", "running", "success", "failed", "canceled"][..],
    );
    let others = &["pending", "success", "failure", "error"][..];
    let github =
        ("/api/v3/repos/team/tenant/statuses/", ("authorization", format!("Bearer {API_TOKEN}")), others);
    let gitea =
        ("/api/v1/repos/team/tenant/statuses/", ("authorization", format!("token {API_TOKEN}")), others);
    for (address, (name, token), states) in [gitlab, github, gitea] {
        let Some(sha) = path.strip_prefix(address) else { continue };
        let mut state = state.lock().unwrap();
        if state.failures > 0 {
            state.failures -= 1;
            return status(503);
        }
        if method != Method::POST || header(name) != token {
            return status(401);
        }
        let mut sent: Value = serde_json::from_slice(body).unwrap();
        if !states.contains(&sent["state"].as_str().unwrap_or_default()) {
            return status(422);
        }
        sent["sha"] = json!(sha);
        state.statuses.push(sent);
        return status(201);
    }
    let redirect = {
        let mut state = state.lock().unwrap();
        state.reads.push(path.to_owned());
        state.redirect.clone()
    };
    if let Some(url) = redirect {
        return Response::builder()
            .status(302)
            .header("location", format!("{url}{path}?{query}"))
            .body(Vec::new())
            .unwrap();
    }
    if header("authorization") != format!("Basic {}", STANDARD.encode(format!("deployer:{CLONE_TOKEN}"))) {
        return Response::builder().status(401).header("www-authenticate", "Basic").body(Vec::new()).unwrap();
    }
    let answer = http_backend(root, (method, path, query), headers, body).await;
    answer.unwrap()
}
