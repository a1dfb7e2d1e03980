//! Tests of `tree`.

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

fn entry(mode: &str, size: &str, path: &str) -> Vec<u8> {
    let kind = if mode == "160000" { "commit" } else { "blob" };
    format!("{mode} {kind} {ID} {size:>7}\t{path}\0").into_bytes()
}

fn refusal(listing: &[u8]) -> String {
    parse(listing, "tenant/").unwrap_err().to_string()
}

#[test]
fn paths_are_those_within_the_folder() {
    let listing =
        [entry("100644", "2", "tenant/a.json"), entry("100755", "0", "tenant/actions/x y/code.js")].concat();
    let files = parse(&listing, "tenant/").unwrap();
    let shown: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(shown, [("a.json", 2), ("actions/x y/code.js", 0)]);
    assert_eq!(parse(b"", "").unwrap(), []);
}

#[test]
fn links_submodules_and_names_that_lead_elsewhere_are_refused() {
    for (mode, path, what) in [
        ("120000", "tenant/rules/passwd.js", "symbolic link"),
        ("160000", "tenant/actions", "submodule"),
        ("040000", "tenant/actions", "unknown kind"),
        ("100644", "tenant/../../etc/passwd", "not portable"),
        ("100644", "tenant/.git/hooks/post-checkout", "not portable"),
        ("100644", "tenant/.GIT/config", "not portable"),
        ("100644", "tenant//a", "not portable"),
        ("100644", "tenant/a\\..\\b", "not portable"),
        ("100644", "tenant/c:x", "not portable"),
        ("100644", "tenant/a\nb", "not portable"),
        ("100644", "/etc/passwd", "not portable"),
        ("100644", "tenant/1/2/3/4/5/6/7/8/9", "folders deep"),
    ] {
        let refusal = refusal(&entry(mode, "1", path));
        assert!(refusal.contains(what), "{path:?}: {refusal}");
    }
    let latin = [b"100644 blob ", ID.as_bytes(), b" 1\ttenant/\xff.js\0"].concat();
    assert!(refusal(&latin).contains("not portable"));
}

#[test]
fn files_are_limited_in_number_and_size() {
    assert!(refusal(&entry("100644", "1048577", "tenant/a")).contains("over 1 MiB"));
    assert!(refusal(&entry("100644", "-", "tenant/a")).contains("without an id or a size"));
    let files = |count, size: &str| -> Vec<u8> {
        (0..count).flat_map(|number| entry("100644", size, &format!("tenant/{number}"))).collect()
    };
    assert_eq!(parse(&files(FILES_MAX, "9"), "tenant/").unwrap().len(), FILES_MAX);
    assert!(refusal(&files(FILES_MAX + 1, "9")).contains("2,000 files"));
    assert!(refusal(&files(33, "1048576")).contains("32 MiB"));
}

#[test]
fn a_batch_is_written_whole_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |size, path: &str| TreeFile { id: ID.to_owned(), size, path: path.to_owned() };
    let batch = format!("{ID} blob 3\na\nb\n{ID} blob 0\n\n");
    write_batch(&[file(3, "x/y"), file(0, "z")], batch.as_bytes(), folder.path()).unwrap();
    assert_eq!(std::fs::read(folder.path().join("x/y")).unwrap(), b"a\nb");
    assert_eq!(std::fs::read(folder.path().join("z")).unwrap(), b"");
    assert!(write_batch(&[file(3, "x/y")], batch.as_bytes(), folder.path()).is_err(), "it exists");
    for output in ["", "0123 missing\n", &batch[..batch.len() - 1], &batch.replace("blob", "tree")] {
        assert!(
            write_batch(&[file(3, "p"), file(0, "q")], output.as_bytes(), &folder.path().join("n")).is_err()
        );
        std::fs::remove_dir_all(folder.path().join("n")).ok();
    }
}
