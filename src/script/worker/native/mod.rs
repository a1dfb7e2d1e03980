//! The functions of Node's modules that are not JavaScript: bytes, hashes, ciphers, signatures, URLs and compression.
//!
//! The modules in `prelude/modules/` call them as `host.native`. Bytes arrive as `Uint8Array`s and are copied.

mod bytes;
mod crypto;
mod signatures;
mod urls;
mod zlib;

use rquickjs::{Ctx, Object};

/// The functions, as one object.
pub(super) fn functions<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    bytes::define(&native)?;
    crypto::define(&native)?;
    signatures::define(&native)?;
    urls::define(&native)?;
    zlib::define(&native)?;
    Ok(native)
}
