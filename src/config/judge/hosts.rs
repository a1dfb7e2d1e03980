//! Host names that a door could never be addressed by.

use url::Url;

use super::Findings;
use crate::config::Config;

pub(super) fn judge(config: &Config, findings: &mut Findings<'_>) {
    for (key, hosts) in [("public.hosts", &config.public.hosts), ("internal.hosts", &config.internal.hosts)] {
        for text in hosts {
            let name = name_in(text);
            if name.as_deref() == Some(text.to_ascii_lowercase().as_str()) {
                continue;
            }
            let fix = match name {
                Some(name) => format!("write \"{name}\": the name alone, without scheme, port or path"),
                None => "write each like \"api.example.com\"; an empty list answers to all".to_owned(),
            };
            findings.add(key, format!("holds `{text}`, which is not a host name"), fix);
        }
    }
}

/// The host in what somebody wrote, as clients send it: in lower case, IDNA, IPv6 in brackets. No wildcard is one.
fn name_in(text: &str) -> Option<String> {
    let with_scheme = || Url::parse(text).ok().filter(Url::has_host);
    let url = with_scheme().or_else(|| Url::parse(&format!("http://{text}")).ok())?;
    url.host_str().filter(|name| !name.contains('*')).map(str::to_owned)
}
