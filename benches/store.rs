//! The store at two sizes, side by side: `cargo bench --bench store -- 10000 10000000`, small to large; without
//! numbers a thousand and ten thousand users. Databases are made in the system's temporary folder and removed.
//!
//! Reads are of users picked at random, each a first visit: medians, and the 99th percentile in brackets. An import
//! is what `vestibule users import` does with records that are read already.

use std::time::{Duration, Instant};

use vestibule::clock::Clock;
use vestibule::store::{
    Actor, ImportRow, ImportRules, LinkEmail, Part, Settings, Slice, Store, UserFilter, UserOrder, UserPlace,
};
use vestibule::user::{Auth0Id, Email, Person, User, UserId};

/// Rows a transaction, as the command has it.
const BATCH: u64 = 2_000;

/// Reads of each kind.
const READS: u64 = 20_000;

/// Users a page.
const PAGE: usize = 50;

/// Pages of each kind.
const PAGES: usize = 400;

/// What is paged through, and how its pages at the start, at random and at the end are called.
const ORDERS: [(UserOrder, [&str; 3]); 3] = [
    (UserOrder::Created, ["page by time, first", "page by time, any", "page by time, last"]),
    (UserOrder::Email, ["page by email, first", "page by email, any", "page by email, last"]),
    (UserOrder::Name, ["page by name, first", "page by name, any", "page by name, last"]),
];

/// How much larger the large one may cost, by the project's promise.
const PROMISE: f64 = 2.0;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Measured {
    users: u64,
    rows_a_second: f64,
    bytes_a_user: f64,
    /// Name, median, 99th percentile.
    reads: Vec<(&'static str, Duration, Duration)>,
}

#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn main() -> Outcome<()> {
    // Cargo's own `--bench` is among them.
    let given: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![1_000, 10_000] } else { given };
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
    let ids = ids(&store, users)?;
    let picked = |salt: u64| (0..READS).map(move |i| mixed(i ^ salt << 32) % users);
    let mut reads = vec![
        ("by id", each(ids.iter(), |id| Ok(store.user(*id)?.is_some()))?),
        ("by Auth0 id", each(picked(2), |i| Ok(store.user_by_auth0_id(&auth0_id(i)?)?.is_some()))?),
        ("by email", each(picked(3), |i| Ok(store.user_by_email(&email(i)?)?.is_some()))?),
    ];
    for (order, names) in ORDERS {
        let page = |from_end: bool, after: Option<UserPlace>| -> Outcome<Part<User>> {
            let slice = Slice { after, before: None, limit: PAGE, from_end };
            Ok(store.list_users(&UserFilter::default(), order, false, &slice)?)
        };
        // Only a page near the end may be shorter.
        let found = |part: Part<User>| Ok(part.items.len() == PAGE || !part.more);
        let places: Vec<UserPlace> = ids
            .iter()
            .take(PAGES)
            .map(|id| Ok(order.place(&store.user(*id)?.ok_or("a user is missing")?)))
            .collect::<Outcome<_>>()?;
        let [start, middle, end] = names;
        reads.push((start, each(0..PAGES, |_| found(page(false, None)?))?));
        reads.push((middle, each(places.into_iter(), |place| found(page(false, Some(place))?))?));
        reads.push((end, each(0..PAGES, |_| found(page(true, None)?))?));
    }
    Ok(Measured {
        users,
        rows_a_second: users as f64 / import.as_secs_f64(),
        bytes_a_user: bytes as f64 / users as f64,
        reads: reads.into_iter().map(|(name, (median, late))| (name, median, late)).collect(),
    })
}

fn load(store: &Store, users: u64) -> Outcome<()> {
    let mut import =
        store.begin_import(ImportRules { link: LinkEmail::Never, dry_run: false }, &Actor::Cli)?;
    for start in (0..users).step_by(BATCH as usize) {
        let rows: Vec<ImportRow> = (start..users.min(start + BATCH)).map(row).collect::<Outcome<_>>()?;
        import.batch(&rows)?;
    }
    Ok(import.finish()?)
}

/// Ids of users picked at random.
fn ids(store: &Store, users: u64) -> Outcome<Vec<UserId>> {
    (0..READS)
        .map(|i| {
            let user = store.user_by_auth0_id(&auth0_id(mixed(i ^ 1 << 32) % users)?)?;
            Ok(user.ok_or("a user is missing")?.id)
        })
        .collect()
}

/// The median and the 99th percentile of what `read` takes, over all `keys`. Each must find something.
fn each<K>(
    keys: impl Iterator<Item = K>,
    read: impl Fn(K) -> Outcome<bool>,
) -> Outcome<(Duration, Duration)> {
    let mut times = Vec::new();
    for key in keys {
        let (found, time) = timed(|| read(key))?;
        if !found {
            return Err("a read found less than there is".into());
        }
        times.push(time);
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
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
        blocked: false,
    })
}

/// As random as Auth0's, so that each lands in another place of its index.
fn auth0_id(i: u64) -> Outcome<Auth0Id> {
    Ok(format!("auth0|{:016x}{:08x}", mixed(i), i as u32).parse()?)
}

fn email(i: u64) -> Outcome<Email> {
    Ok(format!("{:x}.{i}@example{}.com", mixed(i ^ 7) >> 40, i % 100).parse()?)
}

/// Numbers in an order that looks random and is the same each time (SplitMix64).
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
        let kept = if ratio <= PROMISE { "" } else { "  over the promise" };
        lines.push(format!("{name:<22}{}{:>10}{kept}", cells(&read), format!("{ratio:.2}x")));
    }
    lines
}
