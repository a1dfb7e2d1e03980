//! The sample files in the executable: what the commands of the development profile use in a folder that has none of its own,
//! and what `vestibule init` writes.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use include_dir::{Dir, include_dir};

use super::out;
use crate::config::{Config, DEVELOPMENT};

static BUNDLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/tenant");
const BUNDLE_PATH: &str = "fixtures/tenant";

const SEED: &str = include_str!("../../fixtures/users.json");
const SEED_PATH: &str = "fixtures/users.json";

/// The folder of the development profile's databases, in the working folder.
const STATE: &str = ".vestibule";

const GITIGNORE: &str = "/.vestibule/\n*.db\n*.db-*\n*.db.*\n";

/// Write the sample files into a folder, to change them: profiles, the dev tenant's bundle, and users.
///
/// `dev`, `demo` and `token` use the files of the folder they run in, and the executable's own for those that are missing. A
/// file that exists is kept.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder; created if it does not exist.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(super) fn init(args: &Args) -> anyhow::Result<()> {
    let mut files = vec![
        (
            PathBuf::from("config/development.toml"),
            include_bytes!("../../config/development.toml").as_slice(),
        ),
        ("config/production.toml".into(), include_bytes!("../../config/production.toml")),
        (SEED_PATH.into(), SEED.as_bytes()),
        (".gitignore".into(), GITIGNORE.as_bytes()),
    ];
    let bundle = bundle_files(&BUNDLE).into_iter();
    files.extend(bundle.map(|(path, content)| (Path::new(BUNDLE_PATH).join(path), content)));
    for (file, content) in files {
        let path = args.dir.join(file);
        if path.exists() {
            out::line(format!("kept     {}", path.display()))?;
            continue;
        }
        write(&path, content)?;
        out::line(format!("written  {}", path.display()))?;
    }
    out::line(out::wrapped(
        "\nRun `vestibule dev` in this folder; a changed script runs at the next start. Each script has test cases \
         beside it: run them with `vestibule tenant test`.",
        0,
    ))?;
    Ok(())
}

/// Replaces a bundle and a seed that are not there by the samples, which are written below `folder`.
pub(crate) fn complete_samples(config: &mut Config, folder: &Path) -> anyhow::Result<()> {
    if is_missing(&config.tenant.bundle, BUNDLE_PATH) {
        config.tenant.bundle = folder.join("sample/tenant");
        for (path, content) in bundle_files(&BUNDLE) {
            write(&config.tenant.bundle.join(path), content)?;
        }
    }
    if config.store.seed.as_ref().is_some_and(|seed| is_missing(seed, SEED_PATH)) {
        let path = folder.join("sample/users.json");
        write(&path, SEED.as_bytes())?;
        config.store.seed = Some(path);
    }
    Ok(())
}

/// The same, below the state folder.
pub(super) fn complete_here(config: &mut Config) -> anyhow::Result<()> {
    create_state_folder(config)?;
    complete_samples(config, Path::new(STATE))
}

/// Creates the state folder if a database of the development profile is in it.
pub(super) fn create_state_folder(config: &Config) -> anyhow::Result<()> {
    let folder = Path::new(STATE);
    let mut databases = [&config.store.path, &config.tenant.data].into_iter();
    if config.profile != DEVELOPMENT || !databases.any(|path| path.parent() == Some(folder)) {
        return Ok(());
    }
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.with_context(|| format!("cannot create the folder {STATE}"))?;
    // Also in a repository that does not ignore it.
    write(&folder.join(".gitignore"), b"*\n")
}

fn is_missing(path: &Path, sample: &str) -> bool {
    path == Path::new(sample) && !path.exists()
}

fn bundle_files(folder: &Dir<'static>) -> Vec<(&'static Path, &'static [u8])> {
    let below = folder.dirs().flat_map(bundle_files);
    folder.files().map(|file| (file.path(), file.contents())).chain(below).collect()
}

/// Writes a file that is absent or differs, with the folders above it.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, content));
    written.with_context(|| format!("cannot write {}", path.display()))
}
