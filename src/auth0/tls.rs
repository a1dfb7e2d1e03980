//! The TLS of blocking clients.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider};

/// The TLS of a client that trusts the authorities of a PEM file, or without one the usual ones.
///
/// # Errors
/// What is wrong with the file, its path first.
pub fn client_tls(ca_file: Option<&Path>) -> Result<TlsConfig, String> {
    let roots = match ca_file {
        None => RootCerts::WebPki,
        Some(path) => {
            let failed = |why: String| format!("{} {why}", path.display());
            let pem = std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
            let certificate = |item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            };
            let certificates: Vec<_> = ureq::tls::parse_pem(&pem).filter_map(certificate).collect();
            if certificates.is_empty() {
                return Err(failed("contains no PEM certificate".to_owned()));
            }
            RootCerts::Specific(Arc::new(certificates))
        }
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots)
        .build())
}
