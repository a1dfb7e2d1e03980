//! Bytes between JavaScript and Rust, and Node's encodings of them.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use data_encoding::HEXLOWER;
use rquickjs::function::{Func, This};
use rquickjs::{Ctx, Exception, FromJs, Function, IntoJs, Object, TypedArray, Value};

/// Decodes both alphabets once `+` and `/` are replaced; Node ignores left-over bits and missing padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a `Uint8Array`, copied.
#[derive(Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'js> FromJs<'js> for Bytes {
    /// Through the engine's own base64, because reading its memory directly is unsafe.
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Self> {
        let array: TypedArray<'js, u8> = TypedArray::from_js(ctx, value)?;
        let to_base64: Function = array.get("toBase64")?;
        let text: String = to_base64.call((This(array),))?;
        let decoded = STANDARD.decode(text);
        decoded.map(Self).map_err(|error| Exception::throw_type(ctx, &error.to_string()))
    }
}

impl<'js> IntoJs<'js> for Bytes {
    fn into_js(self, ctx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        TypedArray::new(ctx.clone(), self.0)?.into_js(ctx)
    }
}

pub(super) fn define(native: &Object<'_>) -> rquickjs::Result<()> {
    native.set("encode", Func::from(encode))?;
    native.set("decode", Func::from(decode))?;
    native.set("isUtf8", Func::from(|bytes: Bytes| std::str::from_utf8(&bytes.0).is_ok()))
}

/// The bytes of a text. `encoding` is one that `modules/buffer.js` knows.
fn encode(text: String, encoding: String) -> Bytes {
    Bytes(match encoding.as_str() {
        "base64" | "base64url" => decode_base64(&text),
        "hex" => decode_hex(&text),
        "utf16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        // The low byte of each UTF-16 unit.
        "latin1" | "ascii" => text.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect(),
        _ => text.into_bytes(),
    })
}

/// The text of bytes; what is not valid becomes U+FFFD.
fn decode(Bytes(bytes): Bytes, encoding: String) -> String {
    match encoding.as_str() {
        "base64" => STANDARD.encode(bytes),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        "hex" => HEXLOWER.encode(&bytes),
        "latin1" => bytes.into_iter().map(char::from).collect(),
        "ascii" => bytes.into_iter().map(|byte| char::from(byte & 0x7f)).collect(),
        "utf16le" => {
            let (pairs, _) = bytes.as_chunks();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// As Node does: both alphabets, up to the first padding; other characters are skipped.
fn decode_base64(text: &str) -> Vec<u8> {
    let digits = text.bytes().take_while(|byte| *byte != b'=').filter_map(|byte| match byte {
        b'+' => Some(b'-'),
        b'/' => Some(b'_'),
        b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Some(byte),
        _ => None,
    });
    let mut digits: Vec<u8> = digits.collect();
    if digits.len() % 4 == 1 {
        // Six bits are no byte.
        digits.pop();
    }
    LENIENT.decode(digits).unwrap_or_default()
}

/// As Node does: up to the first pair that is not hexadecimal.
fn decode_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = text.as_bytes().as_chunks();
    pairs.iter().map_while(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_as_node_does() {
        let cases: [(&str, &str, &[u8]); 9] = [
            ("Zg==", "base64", b"f"),
            ("Zh", "base64", b"f"),
            ("Z m\n9v", "base64", b"foo"),
            ("-_-_", "base64", &[251, 255, 191]),
            ("Zm9vA", "base64url", b"foo"),
            ("48656c6c6fzz", "hex", b"Hello"),
            ("abc", "hex", &[0xab]),
            ("é€", "latin1", &[0xe9, 0xac]),
            ("é", "utf16le", &[0xe9, 0]),
        ];
        for (text, encoding, expected) in cases {
            assert_eq!(encode(text.into(), encoding.into()).0, expected, "{text} {encoding}");
        }
        assert_eq!(decode(Bytes(vec![0xe2, 0x82]), "utf8".into()), "\u{fffd}");
    }
}
