//! The modules that `require` finds without npm.

/// A built-in module, or a member of one's exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BuiltIn {
    /// The file in `prelude/modules/`, without `.js`.
    pub(super) file: &'static str,
    /// The member of its exports; empty: all of them.
    pub(super) member: &'static str,
    /// The major version of the npm package that it follows; 0: of any.
    pub(super) version: u8,
}

/// Node's own modules.
const NODE: [(&str, &str, &str); 28] = [
    ("assert", "assert", ""),
    ("assert/strict", "assert", "strict"),
    ("async_hooks", "async_hooks", ""),
    ("buffer", "buffer", ""),
    ("console", "process", "console"),
    ("constants", "crypto", "constants"),
    ("crypto", "crypto", ""),
    ("events", "events", ""),
    ("http", "http", ""),
    ("https", "http", "https"),
    ("os", "os", ""),
    ("path", "path", ""),
    ("path/posix", "path", ""),
    ("perf_hooks", "process", "perf_hooks"),
    ("process", "process", "process"),
    ("punycode", "url", "punycode"),
    ("querystring", "querystring", ""),
    ("stream", "stream", ""),
    ("stream/consumers", "stream", "consumers"),
    ("stream/promises", "stream", "promises"),
    ("string_decoder", "string_decoder", ""),
    ("sys", "util", ""),
    ("timers", "timers", ""),
    ("timers/promises", "timers", "promises"),
    ("url", "url", ""),
    ("util", "util", ""),
    ("util/types", "util", "types"),
    ("zlib", "zlib", ""),
];

/// Node's modules for what scripts do not have: they load, so that packages with an optional use of them load.
pub(super) const ABSENT: [&str; 26] = [
    "child_process",
    "cluster",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "fs",
    "fs/promises",
    "http2",
    "inspector",
    "inspector/promises",
    "module",
    "net",
    "path/win32",
    "readline",
    "readline/promises",
    "repl",
    "stream/web",
    "tls",
    "trace_events",
    "tty",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
];

/// npm packages.
const NPM: [(&str, &str, &str, u8); 20] = [
    ("@auth0/rule-utilities", "rule_utilities", "", 0),
    ("@slack/webhook", "slack", "webhook", 7),
    ("auth0", "auth0", "", 0),
    ("axios", "axios", "", 1),
    ("bluebird", "promises", "bluebird", 3),
    ("jsonwebtoken", "jsonwebtoken", "", 9),
    ("jwks-rsa", "jwks_rsa", "", 3),
    ("jwt-decode", "jwt_decode", "", 0),
    ("native-or-bluebird", "promises", "bluebird", 0),
    ("node-fetch", "fetch", "node_fetch", 2),
    ("q", "promises", "q", 1),
    ("request", "request", "", 2),
    ("request-promise", "request", "promised", 4),
    ("request-promise-native", "request", "promised", 1),
    ("slack-notify", "slack", "notify", 2),
    ("undici", "fetch", "undici", 6),
    ("uuid", "uuid", "", 9),
    ("uuid/v1", "uuid", "v1", 0),
    ("uuid/v4", "uuid", "v4", 0),
    ("uuid/v5", "uuid", "v5", 0),
];

/// The globals of rules that are modules, as in Auth0's sandbox; those with native code or sockets are left out.
pub(super) const RULE_GLOBALS: [(&str, &str); 13] = [
    ("Auth0", "auth0"),
    ("_", "lodash"),
    ("async", "async"),
    ("crypto", "crypto"),
    ("jwt", "jsonwebtoken"),
    ("q", "q"),
    ("querystring", "querystring"),
    ("request", "request"),
    ("uuid", "uuid"),
    ("xml2js", "xml2js"),
    ("xmldom", "xmldom"),
    ("xpath", "xpath"),
    ("xtend", "xtend"),
];

/// One of Node's own modules, with or without `node:` before its name.
pub(super) fn node_module(name: &str) -> Option<BuiltIn> {
    let name = name.strip_prefix("node:").unwrap_or(name);
    let own = NODE.iter().find(|(own, ..)| *own == name);
    let own = own.map(|(_, file, member)| BuiltIn { file, member, version: 0 });
    let absent = || {
        ABSENT.iter().find(|own| **own == name).map(|own| BuiltIn { file: "absent", member: own, version: 0 })
    };
    own.or_else(absent)
}

/// A built-in npm package.
pub(super) fn npm_package(name: &str) -> Option<BuiltIn> {
    let own = NPM.iter().find(|(own, ..)| *own == name);
    own.map(|(_, file, member, version)| BuiltIn { file, member, version: *version })
}
