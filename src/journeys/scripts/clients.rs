//! The built-in packages that send requests, against a stub of the servers they call.

use serde_json::json;

use super::http_stub::{HttpStub, Request, StubResponse, response};
use super::script_host::{ScriptHost, settings};

fn serve(request: &Request) -> StubResponse {
    let shown = json!([request.method, request.path, request.body]);
    let failed = json!({ "statusCode": 404, "error": "Not Found", "message": "The user does not exist.", "errorCode": "inexistent_user" });
    match request.path.as_str() {
        "/oauth/token" => response(200, "{\"access_token\":\"TOK\",\"expires_in\":100}"),
        "/api/v2/users/bad" => response(404, failed.to_string()),
        "/api/v2/roles?per_page=1" => response(200, r#"{"start":0,"limit":1,"total":2,"roles":["a"]}"#),
        "/api/v2/roles?per_page=1&page=1" => {
            response(200, r#"{"start":1,"limit":1,"total":2,"roles":["b"]}"#)
        }
        "/500" => response(500, "{\"e\":1}"),
        "/cookies" => StubResponse {
            status: 200,
            headers: vec![("set-cookie", "a=1".to_owned()), ("set-cookie", "b=2".to_owned())],
            body: "c".to_owned(),
        },
        "/head" => response(200, request.head.clone()),
        _ => response(200, shown.to_string()),
    }
}

/// Expressions and their values; `B` is the stub's URL, `D` its host and port, `M` makes a Management client of a version.
#[tokio::test]
async fn clients_send_and_read_as_the_packages_do() {
    let stub = HttpStub::open(1, serve).await;
    let cases = [
        (
            "(await fetch(new URL('/a?b=1', B), { method: 'post', body: new URLSearchParams({ c: 'd e' }) })).json()",
            json!(["POST", "/a?b=1", "c=d+e"]),
        ),
        (
            "fetch(B + '/silence', { signal: AbortSignal.timeout(30) }).catch((e) => e.name)",
            json!("TimeoutError"),
        ),
        (
            "(() => { const c = new AbortController(); setTimeout(() => c.abort(), 10); return fetch(B + '/silence', { signal: c.signal }).catch((e) => e.name); })()",
            json!("AbortError"),
        ),
        (
            "fetch(B).then(async (r) => [r.ok, r.status, r.statusText, r.url === B + '/', r.redirected, typeof r.headers.get('content-length')])",
            json!([true, 200, "OK", true, false, "string"]),
        ),
        (
            "axios.get(B + '/x', { params: { a: [1, 2], b: undefined } }).then((r) => [r.status, r.data])",
            json!([200, ["GET", "/x?a%5B%5D=1&a%5B%5D=2", ""]]),
        ),
        (
            "axios.get(B + '/500').catch((e) => [e.message, e.code, e.response.status, e.response.data, axios.isAxiosError(e)])",
            json!(["Request failed with status code 500", "ERR_BAD_RESPONSE", 500, { "e": 1 }, true]),
        ),
        ("axios.get(B + '/500', { validateStatus: (s) => s === 500 }).then((r) => r.status)", json!(500)),
        (
            "axios.get('http://127.0.0.1:1/').catch((e) => [e.isAxiosError, e.response === undefined, e.message.includes('tenant.allow_fetch')])",
            json!([true, true, true]),
        ),
        (
            "axios.get(B + '/silence', { timeout: 30 }).catch((e) => [e.code, e.message])",
            json!(["ECONNABORTED", "timeout of 30ms exceeded"]),
        ),
        (
            "(() => { const c = axios.create({ baseURL: B + '/base/', headers: { 'X-A': '1' } }); c.interceptors.request.use((x) => { x.headers['X-B'] = '2'; return x; }); c.interceptors.response.use((r) => r.data); return c.put('/p', { a: 1 }); })()",
            json!(["PUT", "/base/p", "{\"a\":1}"]),
        ),
        (
            "axios(B + '/head', { headers: { 'X-A': '1' }, auth: { username: 'u', password: 'p' } }).then((r) => [/x-a: 1/i.test(r.data), /basic dTpw/i.test(r.data)])",
            json!([true, true]),
        ),
        ("axios.get(B + '/cookies').then((r) => r.headers['set-cookie'])", json!(["a=1", "b=2"])),
        ("axios.get(B, { responseType: 'arraybuffer' }).then((r) => Buffer.isBuffer(r.data))", json!(true)),
        ("require('request-promise')({ uri: B + '/r', json: true })", json!(["GET", "/r", ""])),
        (
            "require('request-promise-native')(B + '/500').catch((e) => [e.name, e.statusCode, e.error])",
            json!(["StatusCodeError", 500, "{\"e\":1}"]),
        ),
        (
            "require('node-fetch')(B + '/n', { method: 'POST', body: 'x' }).then((r) => r.json())",
            json!(["POST", "/n", "x"]),
        ),
        (
            "require('node-fetch')('http://127.0.0.1:1/').catch((e) => [e.name, e.type])",
            json!(["FetchError", "system"]),
        ),
        (
            "new Promise((done, fail) => { const q = require('http').request(B + '/h', { method: 'POST', headers: { a: 'b' } }, (r) => { let t = ''; r.setEncoding('utf8'); r.on('data', (c) => (t += c)); r.on('end', () => done([r.statusCode, JSON.parse(t)])); }); q.on('error', fail); q.write('{'); q.end('}'); })",
            json!([200, ["POST", "/h", "{}"]]),
        ),
        (
            "new Promise((done) => require('http').get('http://127.0.0.1:1/', () => done('no')).on('error', (e) => done(e.code)))",
            json!("ENOTALLOWED"),
        ),
        (
            "new Promise((done) => require('http').get(new URL('http://[::1]:1/x')).on('error', (e) => done(/http\\S+:1\\b/.exec(e.message)[0])))",
            json!("http://[::1]:1"),
        ),
        (
            "M(4).users.get({ id: 'auth0|x' }).then(({ data, status }) => [data, status])",
            json!([["GET", "/api/v2/users/auth0%7Cx", ""], 200]),
        ),
        (
            "M(4).users.get({ id: 'bad' }).catch((e) => [e.name, e.statusCode, e.errorCode, e.message])",
            json!(["ManagementApiError", 404, "inexistent_user", "The user does not exist."]),
        ),
        (
            "M(4).users.assignRoles({ id: 'u' }, { roles: ['r'] }).then((r) => r.data)",
            json!(["POST", "/api/v2/users/u/roles", "{\"roles\":[\"r\"]}"]),
        ),
        (
            "M(4).users.unlink({ id: 'u', provider: 'p', user_id: 's' }).then((r) => r.data)",
            json!(["DELETE", "/api/v2/users/u/identities/p/s", ""]),
        ),
        (
            "M(4).organizations.addMemberRoles({ id: 'o', user_id: 'u' }, { roles: [] }).then((r) => r.data[1])",
            json!("/api/v2/organizations/o/members/u/roles"),
        ),
        ("M(2).getUsersByEmail('a@b.c').then((r) => r[1])", json!("/api/v2/users-by-email?email=a%40b.c")),
        (
            "new Promise((done) => M('2.42.0').updateAppMetadata({ id: 'u' }, { a: 1 }, (e, r) => done([e, r])))",
            json!([null, ["PATCH", "/api/v2/users/u", "{\"app_metadata\":{\"a\":1}}"]]),
        ),
        (
            "M(3).users.link('auth0|1', { provider: 'p', user_id: 's' })",
            json!(["POST", "/api/v2/users/auth0%7C1/identities", "{\"provider\":\"p\",\"user_id\":\"s\"}"]),
        ),
        ("M(5).users.roles.assign('u', { roles: ['r'] }).then((r) => r[1])", json!("/api/v2/users/u/roles")),
        (
            "M(5).users.list({ q: 'x' }).then((p) => [p.hasNextPage(), p.data[1]])",
            json!([false, "/api/v2/users?q=x"]),
        ),
        (
            "M(5).roles.list({ per_page: 1 }).then(async (p) => { const n = await p.getNextPage(); const all = []; for await (const role of p) all.push(role); return [p.hasNextPage(), n.data, n.hasNextPage(), all]; })",
            json!([true, ["b"], false, ["a", "b"]]),
        ),
        (
            "M(5).roles.users.list('r').then(async (p) => (await p.getNextPage()).response[1])",
            json!("/api/v2/roles/r/users?page=1"),
        ),
        (
            "(async () => { try { await M(4).flows.getAll(); } catch (e) { return e.message; } })()",
            json!(
                "auth0: management.flows.getAll is not built in here; call the Management API with fetch instead"
            ),
        ),
        (
            "new (require('auth0@4').AuthenticationClient)({ domain: D, clientId: 'c', clientSecret: 's' }).oauth.clientCredentialsGrant({ audience: 'a' }).then((r) => r.data.access_token)",
            json!("TOK"),
        ),
        (
            "new (require('auth0@2').AuthenticationClient)({ domain: D, clientId: 'c', clientSecret: 's' }).clientCredentialsGrant({ audience: 'a' }).then((r) => r.access_token)",
            json!("TOK"),
        ),
        (
            "new (require('@slack/webhook').IncomingWebhook)(B + '/s').send('hi').then((r) => JSON.parse(r.text)[2])",
            json!("{\"text\":\"hi\"}"),
        ),
        (
            "new Promise((done) => require('slack-notify@0.1.7')(B + '/n').success({ text: 'x', channel: '#a' }, (e, r) => done([e, JSON.parse(JSON.parse(r)[2]).channel])))",
            json!([null, "#a"]),
        ),
    ];
    // Each case is a login of its own, because a login may fetch twenty times.
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    for (expression, expected) in cases {
        let script = format!(
            "async function (user, context, callback) {{
               const axios = require('axios'), B = configuration.BASE, D = B.replace('http://', '');
               const M = (version) => new (require('auth0@' + version).ManagementClient)({{ domain: D, clientId: 'c', clientSecret: 's' }});
               user.seen = await ({expression});
               callback(null, user, context);
             }}"
        );
        let output = host.one(&script).await.unwrap_or_else(|denied| panic!("{expression}: {denied}"));
        assert_eq!(output.user["seen"], expected, "{expression}");
    }
    assert!(stub.requests("/api/v2/users/u/roles")[0].head.contains("authorization: Bearer TOK"));
}

#[tokio::test]
async fn a_key_of_a_jwks_verifies_a_token() {
    // It returns what the query asks for.
    let stub = HttpStub::open(1, |request| {
        let (_, query) = request.path.split_once('?').unwrap_or_default();
        let set = url::form_urlencoded::parse(query.as_bytes()).next();
        response(200, set.map(|(_, set)| set.into_owned()).unwrap_or_default())
    })
    .await;
    let host = ScriptHost::open(&settings(), &[&stub.origin]).configured(&[("BASE", &stub.origin)]);
    let script = "async function (user, context, callback) {
        const crypto = require('crypto'), jwt = require('jsonwebtoken'), jwksRsa = require('jwks-rsa');
        const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const set = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' }] });
        const client = jwksRsa({ jwksUri: configuration.BASE + '/jwks?set=' + encodeURIComponent(set) });
        const token = jwt.sign({ a: 1 }, privateKey.export({ type: 'pkcs8', format: 'pem' }), { algorithm: 'ES256', keyid: 'k1' });
        const key = (header, done) => client.getSigningKey(header.kid, (error, found) => done(error, found && found.getPublicKey()));
        const verified = await new Promise((done) => jwt.verify(token, key, (error, payload) => done([error, payload.a])));
        const missing = await client.getSigningKey('k2').catch((error) => error.name);
        user.seen = [verified, missing];
        callback(null, user, context);
      }";
    let output = host.one(script).await.unwrap();
    assert_eq!(output.user["seen"], json!([[null, 1], "SigningKeyNotFoundError"]));
}
