//! What both servers share: tokens verified by `jsonwebtoken` and cached, users in SQLite, a log line for each request.
//!
//! The environment has `ISSUER`, `AUDIENCE` and `DATABASE`, a file with the table `users (auth0_id, id, email, name)`. SQLite is
//! read in `spawn_blocking`, as the documentation of tokio asks, or inline if `INLINE` is set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use axum::http::{HeaderValue, Response};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, get_current_timestamp};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::Deserialize;
use tokio::net::TcpListener;
use uuid::Uuid;

/// The claims of a token that are used.
#[derive(Deserialize)]
pub struct Claims {
    sub: String,
    exp: u64,
    #[serde(rename = "https://vestibule.example/user")]
    user: Option<User>,
}

/// A user, in a token's payload and in the database.
#[derive(Clone, Deserialize)]
pub struct User {
    pub id: String,
    pub email: Option<String>,
    pub name: Option<String>,
}

pub struct App {
    key: DecodingKey,
    validation: Validation,
    tokens: Cache<String, Arc<Claims>>,
    database: Mutex<Connection>,
    /// Whether SQLite is read on the threads of the requests.
    inline: bool,
}

impl App {
    /// Fetches the issuer's key and opens the database.
    pub fn open() -> Result<Self> {
        let variable = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
        let issuer = variable("ISSUER")?;
        let keys = ureq::get(format!("{issuer}.well-known/jwks.json")).call()?;
        let keys: JwkSet = keys.into_body().read_json()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[variable("AUDIENCE")?]);
        Ok(Self {
            key: DecodingKey::from_jwk(keys.keys.first().context("the issuer has no key")?)?,
            validation,
            tokens: Cache::new(100_000),
            database: Mutex::new(Connection::open_with_flags(
                variable("DATABASE")?,
                OpenFlags::SQLITE_OPEN_READ_ONLY,
            )?),
            inline: std::env::var_os("INLINE").is_some(),
        })
    }

    /// The claims of the token in an `Authorization` header.
    pub fn claims(&self, authorization: &str) -> Result<Arc<Claims>> {
        let token = authorization.strip_prefix("Bearer ").context("no bearer token")?;
        if let Some(claims) = self.tokens.get(token).filter(|claims| claims.exp > get_current_timestamp()) {
            return Ok(claims);
        }
        let claims = Arc::new(jsonwebtoken::decode(token, &self.key, &self.validation)?.claims);
        self.tokens.insert(token.to_owned(), Arc::clone(&claims));
        Ok(claims)
    }

    /// The user of a token: from its payload, else from the database.
    pub async fn user(self: &Arc<Self>, claims: &Arc<Claims>) -> Result<Option<User>> {
        if claims.user.is_some() {
            return Ok(claims.user.clone());
        }
        if self.inline {
            return self.read(claims);
        }
        let (app, claims) = (Arc::clone(self), Arc::clone(claims));
        tokio::task::spawn_blocking(move || app.read(&claims)).await?
    }

    fn read(&self, claims: &Claims) -> Result<Option<User>> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = database.prepare_cached("SELECT id, email, name FROM users WHERE auth0_id = ?1")?;
        let user = query.query_row([&claims.sub], |row| {
            Ok(User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)? })
        });
        Ok(user.optional()?)
    }
}

/// The id and the log line of a request.
pub struct RequestLine {
    id: Uuid,
    begun: Instant,
}

impl RequestLine {
    pub fn begin() -> Self {
        Self { id: Uuid::now_v7(), begun: Instant::now() }
    }

    /// Logs the request and puts its id into the response.
    pub fn end<B>(self, mut response: Response<B>) -> Response<B> {
        let ms = self.begun.elapsed().as_secs_f64() * 1e3;
        tracing::info!(status = response.status().as_u16(), ms, request = %self.id, "request");
        let id = HeaderValue::try_from(self.id.to_string());
        response
            .headers_mut()
            .extend(id.ok().map(|id| (axum::http::HeaderName::from_static("x-request-id"), id)));
        response
    }
}

/// Logs to standard error, listens on a free port and prints the address.
pub async fn listen() -> Result<TcpListener> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Ok(listener)
}
