//! The checksum beside a file: `FILE.sha256`, in the form that `sha256sum -c` reads.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::paths::{beside, temporary_beside};

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;

/// The path of the checksum of `file`.
pub(super) fn path_of(file: &Path) -> PathBuf {
    beside(file, ".sha256")
}

/// Copies `from` to `to`. Returns the SHA-256 in hexadecimal and the number of bytes.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(String, u64)> {
    let (mut sum, mut bytes, mut block) = (Context::new(&SHA256), 0, vec![0; BLOCK]);
    loop {
        let read = match from.read(&mut block) {
            Ok(0) => return Ok((HEXLOWER.encode(sum.finish().as_ref()), bytes)),
            Ok(read) => block.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sum.update(read);
        to.write_all(read)?;
        bytes += u64::try_from(read.len()).unwrap_or(0);
    }
}

/// The SHA-256 of a file in hexadecimal, and its length.
pub(super) fn of(file: &Path) -> io::Result<(String, u64)> {
    copy(&mut fs::File::open(file)?, &mut io::sink())
}

/// The content of the checksum file of `file`; `None` when it does not exist.
pub(super) fn read(file: &Path) -> io::Result<Option<String>> {
    let text = match fs::read_to_string(path_of(file)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match text.split_whitespace().next() {
        Some(sum) if sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()) => {
            Ok(Some(sum.to_ascii_lowercase()))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not in the form of sha256sum")),
    }
}

/// Writes the checksum beside `file`, completely or not at all.
pub(super) fn write(file: &Path, sum: &str) -> io::Result<()> {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let mut text = temporary_beside(file)?;
    writeln!(text, "{sum}  {name}")?;
    text.as_file().sync_all()?;
    text.persist(path_of(file))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_checksum_is_read_back_and_is_the_sum_of_the_standard() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        assert_eq!(read(&file).unwrap(), None);
        let mut copied = Vec::new();
        let (sum, bytes) = copy(&mut "abc".as_bytes(), &mut copied).unwrap();
        assert_eq!((copied.as_slice(), bytes), (&b"abc"[..], 3));
        // FIPS 180-2, appendix B.1
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        write(&file, &sum).unwrap();
        assert_eq!(fs::read_to_string(path_of(&file)).unwrap(), format!("{sum}  abc\n"));
        assert_eq!(read(&file).unwrap(), Some(sum));
    }

    #[test]
    fn a_malformed_checksum_differs_from_a_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        for wrong in ["", "abc", &"g".repeat(64)] {
            fs::write(path_of(&file), wrong).unwrap();
            assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}
