//! Bounds of numbers and durations; ports; host names.

use super::*;

#[test]
fn every_number_and_duration_has_an_upper_bound() {
    let defaults: toml::Table = include_str!("../../../config/default.toml").parse().unwrap();
    let mut keys = Vec::new();
    let mut walk = vec![(String::new(), toml::Value::Table(defaults))];
    while let Some((key, value)) = walk.pop() {
        match value {
            toml::Value::Table(table) => {
                walk.extend(table.into_iter().map(|(name, value)| {
                    (if key.is_empty() { name } else { format!("{key}.{name}") }, value)
                }))
            }
            toml::Value::Integer(_) => keys.push((key, "9223372036854775807")),
            toml::Value::String(text) if humantime::parse_duration(&text).is_ok() => {
                keys.push((key, "500000000000years"));
            }
            _ => {}
        }
    }
    assert!(keys.len() > 40, "{keys:?}");
    for (key, value) in keys {
        let found = problem(with(&[(&key, value)]));
        assert_eq!(found.key, key);
        assert!(found.what.starts_with("is over "), "{found}");
    }
}

#[test]
fn a_host_with_scheme_port_or_path_is_refused_with_the_name_to_write() {
    for (written, name) in [
        ("https://api.example.com", "\"api.example.com\""),
        ("api.example.com:4001", "\"api.example.com\""),
        ("https://api.example.com:4001/graphql", "\"api.example.com\""),
        ("localhost:4001", "\"localhost\""),
        ("b\u{fc}cher.example", "\"xn--bcher-kva.example\""),
        ("*.example.com", "\"api.example.com\"; an empty list"),
        ("::1", "an empty list"),
    ] {
        for key in ["public.hosts", "internal.hosts"] {
            let found = problem(with(&[(key, &format!("[\"{written}\"]"))]));
            assert_eq!(found.key, key, "{written}");
            assert!(found.fix.contains(name), "{written}: {}", found.fix);
        }
    }
    assert!(load(with(&[("internal.hosts", "[\"API.example.com\", \"10.0.0.7\", \"[::1]\"]")])).is_ok());
}

#[test]
fn several_listeners_can_use_port_zero() {
    assert!(load(with(&[("public.listen", "127.0.0.1:0"), ("internal.listen", "127.0.0.1:0")])).is_ok());
}
