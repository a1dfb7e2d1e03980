use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{ConvertError, Converted, convert};
use crate::bundle::Rule;

fn rule(name: &str, script: &str) -> Rule {
    let (name, script, stage) = (name.to_owned(), script.to_owned(), "login_success".to_owned());
    Rule { name, script, order: 1, enabled: true, stage }
}

fn converted(script: &str) -> Result<Converted, ConvertError> {
    let rule = rule("a rule", script);
    convert(&rule, std::slice::from_ref(&rule), &BTreeSet::from(["KEY".to_owned()]))
}

#[test]
fn every_rule_of_the_corpus_converts_as_its_case_file_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/tests/corpus/rules");
    let mut count = 0;
    for entry in fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let name = entry.file_stem().unwrap().to_str().unwrap();
        let about: Value =
            serde_json::from_str(&fs::read_to_string(entry.with_extension("json")).unwrap()).unwrap();
        let keys =
            about["configuration"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default();
        let rule = rule(name, &fs::read_to_string(&entry).unwrap());
        let result = convert(&rule, std::slice::from_ref(&rule), &keys);
        match (about["converts"].as_str().unwrap(), result) {
            ("readable", Ok(it)) => assert_eq!(it.wrapped, [], "{name}"),
            ("adapter", Ok(it)) => assert_ne!(it.wrapped, [], "{name}"),
            ("refused", Err(error)) => {
                let reason = about["reason"].as_str().unwrap();
                assert!(error.to_string().contains(reason), "{name}: {error}");
            }
            (expected, result) => panic!("{name} is not {expected}: {result:?}"),
        }
        count += 1;
    }
    assert!(count >= 20, "{count} rules");
}

#[test]
fn a_rule_that_does_not_compile_is_refused_with_its_line() {
    let error = converted("function (user, context, callback) {\n  return callback(;\n}").unwrap_err();
    assert_eq!(error.reasons.len(), 1);
    assert_eq!(error.reasons[0].line, 2, "{error}");
}
