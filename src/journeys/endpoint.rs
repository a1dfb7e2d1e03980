//! Methods, media types, origins, hosts and limits of a door's endpoint, over HTTP.

use serde_json::{Value, json};
use vestibule::cli::http_client::HttpResponse;

use crate::test_server::TestServer;

const ORIGIN: &[&str] = &["public.origins=[\"https://app.example\"]"];

/// Sends a request to the public door as a machine.
fn ask(server: &TestServer, method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> HttpResponse {
    let bearer = format!("Bearer {}", server.public_machine_token());
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    server.http.send(method, &format!("{}{query}", server.public()), &headers, body.to_owned()).unwrap()
}

#[test]
fn only_configured_origins_can_read_responses() {
    let server = TestServer::open(ORIGIN);
    let (known, other) = (("origin", "https://app.example"), ("origin", "https://app.example.evil"));
    let allowed = |answer: &HttpResponse| answer.header("access-control-allow-origin").map(str::to_owned);
    let wanted = [("access-control-request-method", "POST")];
    let preflight = |origin| {
        server.http.send("OPTIONS", &server.public(), &[&wanted[..], &[origin]].concat(), String::new())
    };
    let (answered, not) = (preflight(known).unwrap(), preflight(other).unwrap());
    assert_eq!((answered.status, allowed(&answered).as_deref()), (204, Some("https://app.example")));
    let headers = answered.header("access-control-allow-headers").unwrap();
    for header in ["authorization", "content-type", "apollographql-client-name", "traceparent"] {
        assert!(headers.split(", ").any(|allowed| allowed == header), "{header}: {headers}");
    }
    assert_eq!((not.status, allowed(&not)), (204, None));

    let typed = ("content-type", "application/json");
    let body = json!({"query": "{ __typename }"}).to_string();
    for (origin, readable) in [(known, true), (other, false), (("origin", "null"), false)] {
        let answer = ask(&server, "POST", "", &[typed, origin], &body);
        let refused = server.http.send("POST", &server.public(), &[typed, origin], body.clone()).unwrap();
        for (answer, status) in [(answer, 200), (refused, 401)] {
            assert_eq!((answer.status, allowed(&answer).is_some()), (status, readable), "{origin:?}");
            assert!(answer.header("vary").unwrap().contains("Origin"));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
    let internal = [&wanted[..], &[known]].concat();
    let internal = server.http.send("OPTIONS", &server.internal(), &internal, String::new()).unwrap();
    assert_eq!(allowed(&internal), None, "the internal door allows no origins");
}

#[test]
fn responses_have_security_headers() {
    let server = TestServer::open(&[]);
    let answer = ask(&server, "GET", "?query=%7B__typename%7D", &[], "");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("server"), None);
}

#[test]
fn only_json_posts_and_get_queries_are_accepted() {
    let server = TestServer::open(&[]);
    let body = json!({"query": "{ __typename }"}).to_string();
    for (content_type, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/graphql", 415),
        ("application/json; charset=utf-16", 415),
    ] {
        let answer = ask(&server, "POST", "", &[("content-type", content_type)], &body);
        assert_eq!(answer.status, status, "{content_type}: {}", answer.body);
    }
    assert_eq!(ask(&server, "POST", "", &[], &body).status, 415, "no content type");
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = ask(&server, method, "", &[("content-type", "application/json")], &body);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST, OPTIONS")));
    }
    assert_eq!(ask(&server, "OPTIONS", "", &[], "").header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let head = ask(&server, "HEAD", "?query=%7B__typename%7D", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(ask(&server, "GET", "?query=%7B__typename%7D", &[("accept", "text/html")], "").status, 406);
    assert_eq!(ask(&server, "GET", "?query=%7B__typename%7D&extensions=7", &[], "").status, 400);
}

#[test]
fn the_internal_door_refuses_unknown_host_names() {
    let server = TestServer::open(&[]);
    let (graphql, metrics) = (server.internal(), server.internal().replace("/graphql", "/metrics"));
    let token = format!("Bearer {}", server.machine_token("users:read"));
    let at = |url: &str, host: &str| {
        let headers = [("host", host), ("authorization", token.as_str())];
        server.http.get(&format!("{url}?query=%7B__typename%7D"), &headers).unwrap()
    };
    for (host, status) in [("localhost:4001", 200), ("127.0.0.1", 200), ("rebound.example", 421)] {
        assert_eq!(at(&graphql, host).status, status, "{host}");
        assert_eq!(at(&metrics, host).status, status, "{host}");
        assert_eq!(at(&graphql.replace("/graphql", "/healthz"), host).status, 200, "{host}");
    }
    assert!(at(&graphql, "rebound.example").body.contains("`internal.hosts`"));
    assert_eq!(
        at(&server.public(), "any.example").code().as_deref(),
        Some("WRONG_AUDIENCE"),
        "the public door accepts any host"
    );
}

#[test]
fn an_exceeded_limit_is_named_in_the_error() {
    let server = TestServer::open(&["internal.limits.response=300"]);
    let token = server.machine_token("users:read");
    let send = |query: &str, variables: Value| {
        let answer = server.ask_internal(&token, query, variables);
        let message = answer.at("/errors/0/message").as_str().unwrap_or_default().to_owned();
        (answer.status, answer.code().unwrap_or_default(), message)
    };
    let page = "query ($n: Int!) { a: users(first: $n) { edges { node { id email name } } } }";
    assert_eq!(send(page, json!({"n": 100})).0, 200);
    for (query, variables, limit) in [
        (page, json!({"n": 10_000}), "limits.cost"),
        ("{ __type(name: \"User\") { fields { name description } } }", Value::Null, "limits.response"),
    ] {
        let (status, code, message) = send(query, variables);
        assert_eq!((status, code.as_str()), (400, "LIMIT_EXCEEDED"), "{message}");
        assert!(message.contains(limit), "{message}");
    }
}

#[test]
fn the_internal_door_answers_a_full_introspection_query() {
    // As graphql-js, GraphiQL and code generators send it: nine types deep, with every option.
    let of_type = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let query = format!(
        "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }}
           subscriptionType {{ name kind }} types {{ ...FullType }}
           directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }}
         fragment FullType on __Type {{ kind name description specifiedByURL isOneOf
           fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ ...InputValue }}
             type {{ ...TypeRef }} isDeprecated deprecationReason }}
           inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }}
           enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
           possibleTypes {{ ...TypeRef }} }}
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated
           deprecationReason }}
         fragment TypeRef on __Type {{ {of_type} }}"
    );
    let server = TestServer::open(&[]);
    let token = server.machine_token("users:read");
    let answer = server.ask_internal(&token, &query, Value::Null);
    assert_eq!(answer.at("/data/__schema/queryType/name"), "Query", "{}", answer.body);
}

#[test]
fn the_error_for_an_unknown_field_suggests_no_names() {
    let server = TestServer::open(&["public.introspection=false", "public.graphiql=false"]);
    let send = |query: &str| {
        let typed = [("content-type", "application/json")];
        ask(&server, "POST", "", &typed, &json!({"query": query}).to_string()).body
    };
    let body = send("{ me { emial rolse } mee { id } }");
    assert!(body.contains("emial") && body.contains("mee"), "{body}");
    for name in ["email", "roles", "Did you mean", "\"me\""] {
        assert!(!body.contains(name), "{name}: {body}");
    }
    assert!(!send("{ __schema { queryType { name } } }").contains("Query\""), "introspection is off");
}

#[test]
fn only_trusted_documents_run_by_their_id_or_text() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = json!({"typename": "query T { __typename }", "old": "{ gone }"});
    std::fs::write(dir.path().join("persisted_queries.json"), manifest.to_string()).unwrap();
    let server = TestServer::open(&[
        &format!("public.documents.dir={}", dir.path().display()),
        "public.documents.only=true",
    ]);
    let post =
        |body: Value| ask(&server, "POST", "", &[("content-type", "application/json")], &body.to_string());
    for named in [
        json!({"documentId": "typename"}),
        json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "typename"}}}),
        json!({"query": "query T { __typename }"}),
    ] {
        assert_eq!(post(named.clone()).json(), json!({"data": {"__typename": "Query"}}), "{named}");
    }
    assert_eq!(ask(&server, "GET", "?documentId=typename", &[], "").status, 200);
    for (body, code) in [
        (json!({"documentId": "unknown"}), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({"query": "{ __typename }"}), "DOCUMENT_NOT_TRUSTED"),
    ] {
        let answer = post(body);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some(code)), "{}", answer.body);
    }
}
