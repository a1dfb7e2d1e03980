//! Host names that no request could have.

use url::Url;

use super::Diagnostics;
use crate::config::Config;

pub(super) fn validate(config: &Config, diagnostics: &mut Diagnostics<'_>) {
    for (key, hosts) in [("public.hosts", &config.public.hosts), ("internal.hosts", &config.internal.hosts)] {
        for text in hosts {
            let name = name_in(text);
            if name.as_deref() == Some(text.to_ascii_lowercase().as_str()) {
                continue;
            }
            let fix = match name {
                Some(name) => format!("write \"{name}\": the name alone, without scheme, port or path"),
                None => "write names like \"api.example.com\"; an empty list accepts all".to_owned(),
            };
            diagnostics.add(key, format!("contains `{text}`, which is not a host name"), fix);
        }
    }
}

/// The host name in `text` as clients send it: lower case, IDNA, IPv6 in brackets. Wildcards are not supported.
fn name_in(text: &str) -> Option<String> {
    let with_scheme = || Url::parse(text).ok().filter(Url::has_host);
    let url = with_scheme().or_else(|| Url::parse(&format!("http://{text}")).ok())?;
    url.host_str().filter(|name| !name.contains('*')).map(str::to_owned)
}
