//! Validates answers against Auth0's OpenAPI document, if `VESTIBULE_OPENAPI` names it. Knows the parts of JSON Schema that
//! the document uses; `format` and `pattern` are not checked.

use serde_json::{Map, Value};

/// The document.
pub(super) struct OpenApi(Option<Value>);

impl OpenApi {
    #[expect(clippy::disallowed_methods, reason = "the document is not part of the project")]
    pub(super) fn open() -> Self {
        let Some(file) = std::env::var_os("VESTIBULE_OPENAPI") else {
            eprintln!("VESTIBULE_OPENAPI is not set: answers are not validated against Auth0's document");
            return Self(None);
        };
        Self(Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()))
    }

    /// Panics when the document has the path and the answer is none that it allows.
    #[track_caller]
    pub(super) fn check(&self, method: &str, path: &str, status: u16, body: &str) {
        let Some(document) = &self.0 else { return };
        let path = path.split('?').next().unwrap();
        let Some((pattern, item)) = self.path(path) else { return };
        let operation = &item[method.to_lowercase()];
        assert!(operation.is_object(), "{method} {pattern} is not in the document");
        let responses = operation["responses"].as_object().unwrap();
        let response = responses.get(&status.to_string());
        let response = response.unwrap_or_else(|| {
            panic!("{method} {pattern}: {status} is not among {:?}: {body}", responses.keys())
        });
        let schema =
            response.get("content").and_then(|content| content.as_object()?.values().next()?.get("schema"));
        if let Some(schema) = schema.filter(|_| status < 400 && !body.is_empty()) {
            let body = serde_json::from_str(body).unwrap();
            if let Err(problem) = valid(document, schema, &body, "") {
                panic!("{method} {pattern} {status}: {problem}\n{body:#}");
            }
        }
    }

    fn path(&self, path: &str) -> Option<(&String, &Value)> {
        let paths = self.0.as_ref()?["paths"].as_object()?;
        let fits = |pattern: &str| {
            let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(path).all(|(p, s)| p.starts_with('{') || *p == s)
        };
        // A path without parameters wins.
        let mut found: Vec<_> = paths.iter().filter(|(pattern, _)| fits(pattern)).collect();
        found.sort_by_key(|(pattern, _)| pattern.matches('{').count());
        found.into_iter().next()
    }
}

fn valid(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        return valid(document, document.pointer(name.trim_start_matches('#')).unwrap(), value, at);
    }
    if let Some(any) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let problems: Vec<_> = any.iter().map(|schema| valid(document, schema, value, at)).collect();
        if !problems.iter().any(Result::is_ok) {
            return Err(format!("{at}: none fits: {problems:?}"));
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        valid(document, part, value, at)?;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    let nullable = schema["nullable"] == true && value.is_null();
    if !types.is_empty() && !types.iter().any(|name| is(name)) && !nullable {
        return Err(format!("{at}: {value} is not {types:?}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{at}: {value} is not in {choices:?}"));
    }
    for (position, item) in value.as_array().into_iter().flatten().enumerate() {
        valid(document, &schema["items"], item, &format!("{at}/{position}"))?;
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    for (name, value) in members {
        match known.get(name) {
            Some(schema) => valid(document, schema, value, &format!("{at}/{name}"))?,
            None if schema["additionalProperties"] == false => {
                return Err(format!("{at}: {name} is not allowed"));
            }
            None => {}
        }
    }
    Ok(())
}
