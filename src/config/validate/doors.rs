//! Audiences, listeners, access, host names and GraphiQL.

use url::Url;
use warp::http::HeaderName;

use super::{Layers, Rules, is_origin};
use crate::config::{Config, DoorSettings};

/// The depth of the introspection query that GraphiQL and other tools send (graphql-js's `getIntrospectionQuery`).
const INTROSPECTION_DEPTH: usize = 18;

pub(super) fn validate(config: &Config, rules: &Rules, layers: &mut Layers) {
    audiences(config, layers);
    listeners(config, rules, layers);
    access(config, rules, layers);
    hosts(config, layers);
    graphiql(config, layers);
}

fn audiences(config: &Config, layers: &mut Layers) {
    let (public, internal) = (&config.public.audience, &config.internal.audience);
    if public == internal {
        let public = layers.name("public.audience");
        let what = format!("equals {public}: tokens for one door would be valid at the other");
        layers.add("internal.audience", what, "register an API for each door at Auth0");
    }
    for (key, audience) in [("public.audience", public), ("internal.audience", internal)] {
        if config.auth0.client_id.as_ref() == Some(audience) {
            let what = format!("equals {}: ID tokens would be accepted", layers.name("auth0.client_id"));
            layers.add(key, what, "use the identifier of an API, not of an application");
        }
        let issuers = config.auth0.also.iter().map(|also| &also.issuer).chain([&config.auth0.issuer]);
        let own_api = |issuer: &String| [format!("{issuer}api/v2/"), format!("{issuer}userinfo")];
        let is_auth0s = issuers.map(own_api).any(|own| own.contains(audience));
        let fix = "register an API at Auth0 and use its identifier";
        layers.add_if(is_auth0s, key, "is one of Auth0's own APIs", fix);
    }
}

fn listeners(config: &Config, rules: &Rules, layers: &mut Layers) {
    let mut listeners =
        vec![("public.listen", config.public.listen), ("internal.listen", config.internal.listen)];
    if rules.with_tenant {
        listeners.push(("tenant.http", config.tenant.http));
        listeners.extend(config.tenant.https.map(|https| ("tenant.https", https)));
    }
    for (i, (key, listen)) in listeners.iter().enumerate() {
        let port = listen.port();
        if let Some((other, _)) =
            listeners.iter().take(i).find(|(_, other)| other.port() == port && port != 0)
        {
            let what = format!("has port {port}, like {}", layers.name(other));
            layers.add(key, what, "give each listener a port of its own");
        }
    }
}

fn access(config: &Config, rules: &Rules, layers: &mut Layers) {
    let (public, internal) = (&config.public, &config.internal);
    layers.add_if(
        !internal.origins.is_empty(),
        "internal.origins",
        "opens the Internal API to web pages",
        "remove it: the internal door answers only pages of its own origin",
    );
    let on_any_port = |origin: &str| rules.lenient && DoorSettings::any_port_host(origin).is_some();
    if let Some(origin) = public.origins.iter().find(|origin| !is_origin(origin) && !on_any_port(origin)) {
        let what = format!("contains `{origin}`, which is not an origin");
        let fix = "write origins like \"https://app.example.com\": no path, no `*`";
        layers.add("public.origins", what, fix);
    }
    if let Some(header) = public.headers.iter().find(|name| HeaderName::try_from(*name).is_err()) {
        let what = format!("contains `{header}`, which is not the name of a header");
        layers.add(
            "public.headers",
            what,
            "write names like \"x-client-version\", without a colon or a value",
        );
    }
    layers.add_if(
        !rules.lenient && internal.need.is_empty(),
        "internal.need",
        "is empty: any token for the Internal API could read every user",
        "require a permission, such as `need = [\"users:read\"]`",
    );
    layers.add_if(
        !rules.lenient && internal.anonymous,
        "internal.anonymous",
        "gives anyone access to every user's data",
        "set it to false",
    );
    for (name, door) in [("internal", internal), ("public", public)] {
        if door.anonymous && !door.need.is_empty() {
            let need = layers.name(&format!("{name}.need"));
            let what = format!("has no effect: {need} requires permissions");
            layers.add(&format!("{name}.anonymous"), what, format!("set it to false, or empty {name}.need"));
        }
    }
}

fn hosts(config: &Config, layers: &mut Layers) {
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
            layers.add(key, format!("contains `{text}`, which is not a host name"), fix);
        }
    }
}

/// The host name in `text` as clients send it: lower case, IDNA, IPv6 in brackets. Wildcards are not supported.
fn name_in(text: &str) -> Option<String> {
    let with_scheme = || Url::parse(text).ok().filter(Url::has_host);
    let url = with_scheme().or_else(|| Url::parse(&format!("http://{text}")).ok())?;
    url.host_str().filter(|name| !name.contains('*')).map(str::to_owned)
}

fn graphiql(config: &Config, layers: &mut Layers) {
    for (name, door) in [("public", &config.public), ("internal", &config.internal)] {
        if door.graphiql && door.introspection && door.limits.depth < INTROSPECTION_DEPTH {
            let graphiql = layers.name(&format!("{name}.graphiql"));
            let what = format!("is too low for the introspection query of {graphiql}");
            let fix = format!("set {INTROSPECTION_DEPTH} or more, or {name}.introspection to false");
            layers.add(&format!("{name}.limits.depth"), what, fix);
        }
        if door.graphiql_client_id.is_some() && door.graphiql_client_id == config.auth0.client_id {
            let machine = layers.name("auth0.client_id");
            let what = format!("equals {machine}: users cannot log in at a machine client");
            let fix = "create a single-page application at Auth0 and use its client id";
            layers.add(&format!("{name}.graphiql_client_id"), what, fix);
        }
    }
}
