//! Imports and reads in databases of different sizes, side by side: `cargo bench --bench store -- 10000 10000000`, from
//! small to large; by default 1,000 and 10,000 users. The databases are in the system's temporary folder and are removed.
//!
//! Prints medians, the 99th percentile in brackets, and the ratio of the largest database to the smallest. Users are picked
//! at random. Reads of different kinds take turns, as in a server, so that they share the caches. An import does what
//! `vestibule users import` does once its file is parsed.

use std::time::{Duration, Instant};

use vestibule::clock::Clock;
use vestibule::store::{
    Actor, ImportOutcome, ImportRow, ImportRules, LinkEmail, Page, PageArgs, Settings, Store, UserCursor,
    UserFilter, UserOrder,
};
use vestibule::user::{Auth0Id, Email, Person, User, UserId};

/// The number of rounds. Each round has one read of each kind.
const ROUNDS: u64 = 5_000;

/// The number of users on a page.
const PAGE: usize = 50;

/// The orders to page through, with labels for the first page, a random one and the last.
const ORDERS: [(UserOrder, [&str; 3]); 3] = [
    (UserOrder::Created, ["page by time, first", "page by time, any", "page by time, last"]),
    (UserOrder::Email, ["page by email, first", "page by email, any", "page by email, last"]),
    (UserOrder::Name, ["page by name, first", "page by name, any", "page by name, last"]),
];

/// The largest ratio the project promises, between the largest database and the smallest.
const RATIO_MAX: f64 = 2.0;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Measured {
    users: u64,
    rows_a_second: f64,
    bytes_a_user: f64,
    /// Name, median, 99th percentile.
    reads: Vec<(&'static str, Duration, Duration)>,
}

#[expect(clippy::print_stdout, reason = "prints the measurements")]
fn main() -> Outcome<()> {
    // Skips Cargo's own `--bench`.
    let arguments: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if arguments.is_empty() { vec![1_000, 10_000] } else { arguments };
    let measured: Vec<Measured> = sizes.into_iter().map(measure).collect::<Outcome<_>>()?;
    for line in table(&measured) {
        println!("{line}");
    }
    Ok(())
}

fn measure(users: u64) -> Outcome<Measured> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("vestibule.db");
    let settings = Settings {
        path: path.clone(),
        readers: 1,
        busy_timeout: Duration::from_secs(5),
        seed: None,
        block_at_auth0: false,
    };
    let store = Store::open(&settings, Clock::system())?;
    let import = timed(|| load(&store, users))?.1;
    store.close()?;
    let bytes = std::fs::metadata(&path)?.len();

    let store = Store::open(&settings, Clock::system())?;
    let reads = reads(&store, users)?;
    Ok(Measured {
        users,
        rows_a_second: users as f64 / import.as_secs_f64(),
        bytes_a_user: bytes as f64 / users as f64,
        reads,
    })
}

fn load(store: &Store, users: u64) -> Outcome<()> {
    let rules = ImportRules { link: LinkEmail::Never.into(), dry_run: false };
    let mut added = 0;
    let rows = (0..users).map(|i| Ok::<_, Box<dyn std::error::Error>>(((), row(i)?)));
    let report = |(), outcome| added += u64::from(outcome == ImportOutcome::Added);
    store.import(rules, &Actor::Cli, rows, report)?;
    if added == users { Ok(()) } else { Err(format!("{added} users were added, not {users}").into()) }
}

/// The ids of random users.
fn ids(store: &Store, users: u64) -> Outcome<Vec<UserId>> {
    (0..ROUNDS)
        .map(|i| {
            let user = store.user_by_auth0_id(&auth0_id(mixed(i ^ 1 << 32) % users)?)?;
            Ok(user.ok_or("a user is missing")?.id)
        })
        .collect()
}

type Read<'a> = Box<dyn Fn(u64) -> Outcome<bool> + 'a>;

/// The median and the 99th percentile of each kind of read, over [`ROUNDS`] rounds. Fails if a read finds nothing.
fn reads(store: &Store, users: u64) -> Outcome<Vec<(&'static str, Duration, Duration)>> {
    let ids = ids(store, users)?;
    let id = |round: u64| ids.get(round as usize).copied().ok_or("more rounds than ids");
    let picked = move |salt: u64, round: u64| mixed(round ^ salt << 32) % users;
    let mut kinds: Vec<(&'static str, Read<'_>)> = vec![
        ("by id", Box::new(|round| Ok(store.user(id(round)?)?.is_some()))),
        (
            "by Auth0 id",
            Box::new(|round| Ok(store.user_by_auth0_id(&auth0_id(picked(2, round))?)?.is_some())),
        ),
        ("by email", Box::new(|round| Ok(store.user_by_email(&email(picked(3, round))?)?.is_some()))),
    ];
    let page = |order: UserOrder, from_end: bool, after: Option<UserCursor>| -> Outcome<bool> {
        let slice = PageArgs { after, before: None, limit: PAGE, from_end };
        let part: Page<User> = store.list_users(&UserFilter::default(), order, false, &slice)?;
        // Only the last page may be shorter.
        Ok(part.items.len() == PAGE || !part.more)
    };
    for (order, [first, any, last]) in ORDERS {
        // Reversed, so that a page does not begin at the user that its round has just read.
        let places: Vec<UserCursor> = ids
            .iter()
            .rev()
            .map(|id| Ok(order.cursor(&store.user(*id)?.ok_or("a user is missing")?)))
            .collect::<Outcome<_>>()?;
        kinds.push((first, Box::new(move |_| page(order, false, None))));
        kinds.push((any, Box::new(move |round| page(order, false, places.get(round as usize).cloned()))));
        kinds.push((last, Box::new(move |_| page(order, true, None))));
    }
    let mut times = vec![Vec::new(); kinds.len()];
    for round in 0..ROUNDS {
        for ((name, read), times) in kinds.iter().zip(&mut times) {
            let (found, time) = timed(|| read(round))?;
            if !found {
                return Err(format!("{name}: a read found too little").into());
            }
            times.push(time);
        }
    }
    Ok(kinds
        .iter()
        .zip(times)
        .map(|((name, _), mut times)| {
            times.sort_unstable();
            let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
            (*name, at(50), at(99))
        })
        .collect())
}

#[expect(clippy::disallowed_methods, reason = "measures time")]
fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}

fn row(i: u64) -> Outcome<ImportRow> {
    Ok(ImportRow {
        auth0_id: Some(auth0_id(i)?),
        email: Some(email(i)?),
        email_verified: true,
        person: Person {
            name: Some(format!("Given{i} Family{}", i % 5_000)),
            given_name: Some(format!("Given{i}")),
            family_name: Some(format!("Family{}", i % 5_000)),
            nickname: Some(format!("user{i}")),
            picture: Some(format!("https://pictures.example.com/avatars/{:016x}.png", mixed(i))),
            phone: None,
        },
        blocked: None,
    })
}

/// As random as Auth0's ids, so that neighbours are spread over the index.
fn auth0_id(i: u64) -> Outcome<Auth0Id> {
    Ok(format!("auth0|{:016x}{:08x}", mixed(i), i as u32).parse()?)
}

fn email(i: u64) -> Outcome<Email> {
    Ok(format!("{:x}.{i}@example{}.com", mixed(i ^ 7) >> 40, i % 100).parse()?)
}

/// The same pseudo-random number for the same `i` (SplitMix64).
fn mixed(i: u64) -> u64 {
    let z = i.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn table(measured: &[Measured]) -> Vec<String> {
    let cells = |of: &dyn Fn(&Measured) -> String| {
        measured.iter().map(|one| format!("{:>20}", of(one))).collect::<Vec<_>>().join("")
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let mut lines = vec![
        format!("{:<22}{}", "users", cells(&|one| one.users.to_string())),
        format!("{:<22}{}", "imported a second", cells(&|one| format!("{:.0}", one.rows_a_second))),
        format!("{:<22}{}", "bytes a user", cells(&|one| format!("{:.0}", one.bytes_a_user))),
    ];
    let Some((small, large)) = measured.first().zip(measured.last()) else { return lines };
    for (at, (name, one, _)) in small.reads.iter().enumerate() {
        let read = |measured: &Measured| match measured.reads.get(at) {
            Some((_, median, late)) => format!("{:.1} µs ({:.1})", micros(*median), micros(*late)),
            None => String::new(),
        };
        let other = large.reads.get(at).map_or(*one, |(_, median, _)| *median);
        let ratio = other.as_secs_f64() / one.as_secs_f64();
        let kept = if ratio <= RATIO_MAX { "" } else { "  over the limit" };
        lines.push(format!("{name:<22}{}{:>10}{kept}", cells(&read), format!("{ratio:.2}x")));
    }
    lines
}
