//! The nodes of the schema: users, audit events and deployments. The nodes of a page load related data together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use juniper::{ID, graphql_interface};
use tokio::sync::OnceCell;

use crate::api::batch::Batch;
use crate::api::list::ListItem;
use crate::api::paging::{ConnectionArgs, Nodes, read_number, write_number};
use crate::api::{ApiError, Context};
use crate::store::{self, AcceptedTerms, AuditLine, Identity, Page, Store};
use crate::user::{User, UserId};

/// An object that can be fetched again by its id (Relay object identification).
#[graphql_interface]
#[graphql(name = "Node", for = [Account, AuditEvent, Deployment], enum = NodeValue, context = Context)]
pub trait Node {
    /// The global id: opaque and permanent.
    fn id(&self) -> ID;
}

/// A user, with all fields. Its profile is read when it is selected.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) user: Arc<User>,
    /// The users of the same page.
    pub(super) page: Arc<AccountPage>,
}

impl Account {
    /// The users of one page.
    pub(super) fn page(users: Vec<User>) -> Vec<Self> {
        let page = Arc::new(AccountPage::new(users.iter().map(|user| user.id).collect()));
        users.into_iter().map(|user| Self { user: Arc::new(user), page: Arc::clone(&page) }).collect()
    }

    /// A user who isn't part of a list.
    pub(super) fn single(user: impl Into<Arc<User>>) -> Self {
        let user = user.into();
        Self { page: Arc::new(AccountPage::new(Arc::new([user.id]))), user }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self::single(User { profile: None, ..user })
    }
}

/// Data related to the users of one page, loaded for all of them at once.
#[derive(Debug)]
pub(super) struct AccountPage {
    pub(super) users: Arc<[UserId]>,
    pub(super) identities: Batch<UserId, Vec<Identity>>,
    pub(super) terms: Batch<UserId, Vec<AcceptedTerms>>,
    pub(super) audit_counts: Batch<UserId, u64>,
    profiles: OnceCell<HashMap<UserId, Arc<str>>>,
    /// By arguments, because a document may select several pages of the audit log.
    audit_pages: Mutex<HashMap<ConnectionArgs, Arc<AuditPages>>>,
}

/// A page of each user's audit log.
type AuditPages = Batch<UserId, Page<AuditEvent>>;

impl AccountPage {
    fn new(users: Arc<[UserId]>) -> Self {
        Self {
            identities: Batch::new(Arc::clone(&users)),
            terms: Batch::new(Arc::clone(&users)),
            audit_counts: Batch::new(Arc::clone(&users)),
            profiles: OnceCell::new(),
            audit_pages: Mutex::default(),
            users,
        }
    }

    /// The stored profile of a user, as the text of its JSON.
    pub(super) async fn profile(
        &self,
        context: &Context,
        user: UserId,
    ) -> Result<Option<Arc<str>>, ApiError> {
        let load = || async {
            let (users, max) = (Arc::clone(&self.users), context.bytes_left());
            let (profiles, bytes) =
                context.read_store(move |store| store.profiles_by_user(&users, max)).await?;
            context.spend(bytes).await;
            Ok::<_, ApiError>(profiles)
        };
        Ok(self.profiles.get_or_try_init(load).await?.get(&user).cloned())
    }

    pub(super) async fn audit_page(
        &self,
        context: &Context,
        user: UserId,
        args: &ConnectionArgs,
    ) -> Result<Nodes<AuditEvent>, ApiError> {
        let page_args = args.page_args(AuditEvent::read_cursor)?;
        let pages = {
            let mut pages = self.audit_pages.lock().unwrap_or_else(PoisonError::into_inner);
            let pages = pages.entry(args.clone());
            Arc::clone(pages.or_insert_with(|| Arc::new(Batch::new(Arc::clone(&self.users)))))
        };
        let load = move |store: &Store, users: &[UserId]| {
            let pages = store.audit_by_user(users, &page_args)?;
            let people = People::of_lines(pages.values().flat_map(|page| &page.items));
            let events = |page: Page<AuditLine>| {
                let items = page.items.into_iter().map(|line| AuditEvent::new(line, &people)).collect();
                Page { items, more: page.more }
            };
            Ok(pages.into_iter().map(|(user, page)| (user, events(page))).collect())
        };
        let page = pages.get(context, &user, load).await?.unwrap_or(Page { items: Vec::new(), more: false });
        Ok(Nodes::new(page, args, AuditEvent::sort_key))
    }
}

/// A line of the audit log: who changed what of which user.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    pub(super) line: Arc<AuditLine>,
    pub(super) people: People,
}

impl AuditEvent {
    /// The events of one page.
    pub(super) fn page(lines: Vec<AuditLine>) -> Vec<Self> {
        let people = People::of_lines(&lines);
        lines.into_iter().map(|line| Self::new(line, &people)).collect()
    }

    fn new(line: AuditLine, people: &People) -> Self {
        Self { line: Arc::new(line), people: people.clone() }
    }

    pub(super) fn sort_key(&self) -> String {
        write_number("line", self.line.id)
    }

    pub(super) fn read_cursor(key: &str) -> Option<i64> {
        read_number("line", key)
    }
}

impl ListItem for AuditEvent {
    const WAITING: &'static [&'static str] = &["user"];
}

/// A deployment of a tenant's configuration: its plan, its actor and its outcome.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub(super) row: Arc<store::Deployment>,
    pub(super) people: People,
}

impl Deployment {
    /// The deployments of one page.
    pub(super) fn page(rows: Vec<store::Deployment>) -> Vec<Self> {
        let actor = |row: &store::Deployment| user_of_actor(&row.actor_kind, row.actor_id.as_deref());
        let people = People::new(rows.iter().filter_map(actor));
        rows.into_iter().map(|row| Self { row: Arc::new(row), people: people.clone() }).collect()
    }
}

impl ListItem for Deployment {
    const WAITING: &'static [&'static str] = &["user", "plan", "log"];
}

/// The users that a page of events or deployments refers to, loaded at once.
#[derive(Debug, Clone)]
pub(super) struct People(Arc<Batch<UserId, Account>>);

impl People {
    fn new(ids: impl IntoIterator<Item = UserId>) -> Self {
        let mut ids: Vec<UserId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(Arc::new(Batch::new(ids.into())))
    }

    /// The targets and actors of audit lines.
    fn of_lines<'a>(lines: impl IntoIterator<Item = &'a AuditLine>) -> Self {
        let actor = |line: &AuditLine| user_of_actor(&line.actor_kind, line.actor_id.as_deref());
        Self::new(lines.into_iter().flat_map(|line| [line.target, actor(line)]).flatten())
    }

    pub(super) async fn get(
        &self,
        context: &Context,
        id: Option<UserId>,
    ) -> Result<Option<Account>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        let load = |store: &Store, ids: &[UserId]| {
            let accounts = Account::page(store.users_by_id(ids)?).into_iter();
            Ok(accounts.map(|account| (account.user.id, account)).collect())
        };
        self.0.get(context, &id, load).await
    }
}

/// The user that an actor is; `None` for other actors.
pub(super) fn user_of_actor(kind: &str, id: Option<&str>) -> Option<UserId> {
    id.filter(|_| kind == "user")?.parse().ok()
}
