//! Node's modules, web globals and npm packages in a worker.
//!
//! `src/script/tests/modules/*.js` are facts about Node, one a line: `same(actual, expected)` and `throws(run, pattern)`.
//! Each file is the body of an async rule.

use std::path::{Path, PathBuf};

use super::script_host::{ScriptHost, settings};

/// Runs a file's facts. Lines are those of the file.
const START: &str = "async function (user, context, callback) { const wrong = []; let count = 0; const { inspect } = \
     require('util'); const line = () => (/<facts>:(\\d+)|only-rule:(\\d+)/.exec(new Error().stack.split('\\n').slice(2).join('\\n')) || [])[2]; \
     const same = (a, b) => { count++; const [x, y] = [inspect(a, { depth: 9 }), inspect(b, { depth: 9 })]; \
     if (x !== y) wrong.push(`line ${line()}: ${x} is not ${y}`); }; \
     const throws = (run, pattern) => { count++; try { run(); } catch (e) { \
     if (!pattern.test(`${e.name} ${e.code || ''} ${e.message}`)) wrong.push(`line ${line()}: ${e.name} ${e.code || ''} ${e.message}`); return; } \
     wrong.push(`line ${line()}: nothing thrown`); };";
const END: &str = "user.count = count; user.wrong = wrong; callback(null, user, context); }";

fn facts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/tests/modules");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn built_in_modules_behave_as_nodes_do() {
    let host = ScriptHost::open(&settings(), &[]);
    let mut wrong = Vec::new();
    for file in facts() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        match host.one(&format!("{START}{source}\n{END}")).await {
            Ok(output) => {
                assert!(output.user["count"].as_u64().unwrap() > 0, "{name} states nothing");
                for fact in output.user["wrong"].as_array().unwrap() {
                    wrong.push(format!("{name}, {}", fact.as_str().unwrap()));
                }
            }
            Err(denied) => wrong.push(format!("{name}: {denied}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
