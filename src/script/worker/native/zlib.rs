//! gzip, zlib and raw deflate.

use std::io::{Error, ErrorKind, Read};

use flate2::Compression;
use flate2::bufread::{DeflateDecoder, DeflateEncoder, GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder};
use rquickjs::function::Func;
use rquickjs::{Ctx, Exception, Object};

use super::bytes::Bytes;

/// The most bytes that a call returns.
const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

pub(super) fn define(native: &Object<'_>) -> rquickjs::Result<()> {
    native.set("zlib", Func::from(run))
}

/// Compresses or expands `data`. `method` is the name of Node's function without `Sync`.
fn run(ctx: Ctx<'_>, method: String, data: Bytes, level: u32) -> rquickjs::Result<Bytes> {
    let (input, level) = (data.0.as_slice(), Compression::new(level.min(9)));
    let mut output = Vec::new();
    let read = match method.as_str() {
        "gzip" => read(GzEncoder::new(input, level), &mut output),
        "deflate" => read(ZlibEncoder::new(input, level), &mut output),
        "deflateRaw" => read(DeflateEncoder::new(input, level), &mut output),
        "gunzip" => read(MultiGzDecoder::new(input), &mut output),
        "inflate" => read(ZlibDecoder::new(input), &mut output),
        "unzip" if input.starts_with(&[0x1f, 0x8b]) => read(MultiGzDecoder::new(input), &mut output),
        "unzip" => read(ZlibDecoder::new(input), &mut output),
        _ => read(DeflateDecoder::new(input), &mut output),
    };
    read.map_err(|error| Exception::throw_message(&ctx, &format!("zlib.{method}: {error}")))?;
    Ok(Bytes(output))
}

fn read(from: impl Read, output: &mut Vec<u8>) -> std::io::Result<()> {
    from.take(OUTPUT_LIMIT + 1).read_to_end(output)?;
    if u64::try_from(output.len()).is_ok_and(|length| length <= OUTPUT_LIMIT) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::InvalidData, format!("more than {OUTPUT_LIMIT} bytes")))
    }
}
