//! The files of a commit: listed by git, checked here, and written by us, so that no link, filter or attribute of the
//! repository has an effect.

use std::path::Path;

use super::error::ForgeError;
use super::git::{Git, Input};
use super::names::{CommitId, is_name};

/// The most files of a bundle.
const FILES_MAX: usize = 2000;
/// The longest file: what a bundle's files may be.
const FILE_MAX: usize = 1024 * 1024;
/// The most bytes of all files together.
const TOTAL_MAX: usize = 32 * 1024 * 1024;
/// The most folders in each other.
const DEPTH_MAX: usize = 8;
/// The longest listing: the longest paths, and their modes, ids and sizes.
const LISTING_MAX: usize = FILES_MAX * 512;
/// What git writes before and after each file in a batch.
const HEADER_MAX: usize = 128;

/// A file of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TreeFile {
    id: String,
    size: usize,
    /// Within the bundle's folder.
    path: String,
}

/// Writes the files of `folder` at `commit` into the empty folder `to`. `repository` is where git runs, with the options
/// `args` before the command.
pub(super) async fn write(
    git: &Git,
    (repository, args): (&Path, &[&str]),
    (commit, folder): (&CommitId, Option<&str>),
    to: &Path,
) -> Result<(), ForgeError> {
    let prefix = folder.map(|folder| format!("{folder}/"));
    let mut list = args.to_vec();
    list.extend(["ls-tree", "-r", "-l", "-z", "--full-tree", commit.as_str(), "--"]);
    list.extend(prefix.as_deref());
    let input = Input { folder: repository, args: &list, stdin: Vec::new(), output_max: LISTING_MAX };
    let files = parse(&git.output(input).await?, prefix.as_deref().unwrap_or_default())?;
    if files.is_empty() {
        return Err(ForgeError::NoFolder(folder.unwrap_or_default().to_owned()));
    }
    let batch = [args, &["cat-file", "--batch"]].concat();
    let stdin = files.iter().flat_map(|file| [file.id.as_bytes(), b"\n"].concat()).collect();
    let output_max = TOTAL_MAX + files.len() * HEADER_MAX;
    let output = git.output(Input { folder: repository, args: &batch, stdin, output_max }).await?;
    write_batch(&files, &output, to)
}

/// Reads the output of `ls-tree -r -l -z`, and checks each entry.
fn parse(listing: &[u8], prefix: &str) -> Result<Vec<TreeFile>, ForgeError> {
    let mut total = 0_usize;
    let mut files = Vec::new();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        if files.len() >= FILES_MAX {
            return Err(ForgeError::TooLarge("the bundle has over 2,000 files"));
        }
        let tab = entry.iter().position(|byte| *byte == b'\t').unwrap_or(entry.len());
        let (attributes, path) = entry.split_at(tab);
        let shown = String::from_utf8_lossy(path.get(1..).unwrap_or_default()).into_owned();
        let refused = |what| Err(ForgeError::Refused { path: shown.clone(), what });
        let attributes = String::from_utf8_lossy(attributes);
        let mut attributes = attributes.split_ascii_whitespace();
        let (mode, _, id, size) =
            (attributes.next(), attributes.next(), attributes.next(), attributes.next());
        match mode {
            Some("100644" | "100755") => {}
            Some("120000") => return refused("a symbolic link"),
            Some("160000") => return refused("a submodule"),
            _ => return refused("of an unknown kind"),
        }
        let (Some(id), Some(size)) = (id, size.and_then(|size| size.parse::<usize>().ok())) else {
            return refused("without an id or a size");
        };
        let path = shown.strip_prefix(prefix).unwrap_or_default();
        if path.split('/').count() > DEPTH_MAX {
            return refused("over eight folders deep");
        }
        if std::str::from_utf8(entry).is_err() || !path.split('/').all(is_name) {
            return refused("a name that is not portable");
        }
        if size > FILE_MAX {
            return refused("over 1 MiB");
        }
        total = total.saturating_add(size);
        if total > TOTAL_MAX {
            return Err(ForgeError::TooLarge("the bundle's files take over 32 MiB"));
        }
        files.push(TreeFile { id: id.to_owned(), size, path: path.to_owned() });
    }
    Ok(files)
}

/// Writes what `cat-file --batch` printed: for each file `ID blob SIZE`, the content and a line break.
fn write_batch(files: &[TreeFile], mut output: &[u8], to: &Path) -> Result<(), ForgeError> {
    let unexpected =
        || ForgeError::Git { what: "cat-file".to_owned(), message: "an incomplete batch".to_owned() };
    for file in files {
        let header = format!("{} blob {}\n", file.id, file.size);
        let rest = output.strip_prefix(header.as_bytes()).ok_or_else(unexpected)?;
        let (content, rest) = rest.split_at_checked(file.size).ok_or_else(unexpected)?;
        output = rest.strip_prefix(b"\n").ok_or_else(unexpected)?;
        create(to, &file.path, content).map_err(ForgeError::Files)?;
    }
    Ok(())
}

/// Creates a file that does not exist yet: two names may be one where letter case does not count.
fn create(to: &Path, path: &str, content: &[u8]) -> std::io::Result<()> {
    let file = to.join(path);
    std::fs::create_dir_all(file.parent().unwrap_or(to))?;
    let mut file = std::fs::File::create_new(file)?;
    std::io::Write::write_all(&mut file, content)
}

#[cfg(test)]
#[path = "tests/tree.rs"]
mod tests;
