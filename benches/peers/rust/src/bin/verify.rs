//! Prints the nanoseconds that a bare signature check takes: `verify MODULUS`, tokens on standard input. The key's exponent is
//! 65537.

use std::time::Instant;

use anyhow::Context;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

fn main() -> anyhow::Result<()> {
    let modulus = std::env::args().nth(1).context("no modulus")?;
    let key = DecodingKey::from_rsa_components(&modulus, "AQAB")?;
    let tokens = std::io::read_to_string(std::io::stdin())?;
    let parts: Vec<_> = tokens.lines().filter_map(|token| token.rsplit_once('.')).collect();
    let begun = Instant::now();
    for (message, signature) in &parts {
        let is_good = crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256)?;
        anyhow::ensure!(is_good, "a signature is wrong");
    }
    println!("{}", begun.elapsed().as_nanos() / u128::try_from(parts.len().max(1))?);
    Ok(())
}
