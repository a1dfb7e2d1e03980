//! `vestibule tenant fault`: asks a running dev tenant to fail, or to move its clock.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cli::http_client::{HttpClient, HttpResponse};
use crate::cli::{Global, out};
use crate::config::{self, DEVELOPMENT};

/// Make the running dev tenant fail: answer late, not at all or wrongly, or with another time.
///
/// Without arguments, prints the faults and the clock.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Path of the requests that fail, such as /oauth/token; a final * matches any rest.
    #[arg(value_name = "PATH", conflicts_with_all = ["clear", "clock"])]
    path: Option<String>,
    /// Method of these requests [default: all].
    #[arg(long, requires = "path")]
    method: Option<String>,
    /// Answer this much later.
    #[arg(long, requires = "path", value_name = "TIME", value_parser = humantime::parse_duration)]
    delay: Option<std::time::Duration>,
    /// Answer with this status, from 400 to 599: an error of Auth0's; `none`: not at all; `html`: a proxy's error page;
    /// `truncated`: the true response, cut in half.
    #[arg(long, requires = "path", value_name = "ANSWER")]
    answer: Option<String>,
    /// For so many requests [default: until --clear].
    #[arg(long, requires = "path", value_name = "N")]
    times: Option<u32>,
    /// Remove all faults.
    #[arg(long)]
    clear: bool,
    /// Move the tenant's clock this far ahead of the machine's, such as 2h; with - before it: behind. 0s: no further.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "clear")]
    clock: Option<String>,
    /// Rotate the signing keys.
    #[arg(long)]
    rotate_keys: bool,
    /// The tenant's URL [default: the configured issuer].
    #[arg(long, value_name = "URL")]
    tenant: Option<String>,
}

pub(super) fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = config::load(config::Sources { tenant: true, ..global.sources(DEVELOPMENT) })?;
    let base = args.tenant.as_ref().unwrap_or(&config.auth0.issuer).trim_end_matches('/');
    let http = HttpClient::trusting(config.auth0.ca_file.as_deref().filter(|_| args.tenant.is_none()))?;
    let checked = |response: anyhow::Result<HttpResponse>| {
        let response = response.with_context(|| format!("is the dev tenant running at {base}?"))?;
        if response.status >= 400 {
            let problem = response.at("/error_description");
            bail!("the tenant refused: {}", problem.as_str().unwrap_or("it is no dev tenant"));
        }
        Ok(response)
    };
    let (faults, clock) = (format!("{base}/dev/faults"), format!("{base}/dev/clock"));
    if let Some(path) = &args.path {
        let answer =
            args.answer.as_ref().map(|answer| answer.parse::<u16>().map_or(json!(answer), Value::from));
        let delay = args.delay.map_or(0, |delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        let fault = json!({"path": path, "method": args.method, "delay_ms": delay, "answer": answer, "times": args.times});
        checked(http.post_json(&faults, &[], &fault))?;
    }
    if args.clear {
        checked(http.send("DELETE", &faults, &[], String::new()))?;
    }
    if args.rotate_keys {
        checked(http.send("POST", &format!("{base}/dev/keys/rotate"), &[], String::new()))?;
    }
    if let Some(by) = &args.clock {
        let (sign, by) = by.strip_prefix('-').map_or((1, by.as_str()), |by| (-1, by));
        let by =
            humantime::parse_duration(by).with_context(|| format!("{by} is not a time such as 2h or 30m"))?;
        let seconds = i64::try_from(by.as_secs()).context("that is too far")?;
        checked(http.post_json(&clock, &[], &json!({"seconds": sign * seconds})))?;
    }
    let (faults, clock) = (checked(http.get(&faults, &[]))?, checked(http.get(&clock, &[]))?);
    for fault in faults.at("/faults").as_array().into_iter().flatten() {
        out::line(out::plain(&fault.to_string()))?;
    }
    let (ahead, now) = (clock.at("/seconds"), clock.at("/now"));
    out::line(format!("clock {}, {ahead} s ahead", now.as_str().unwrap_or_default()))?;
    Ok(())
}
