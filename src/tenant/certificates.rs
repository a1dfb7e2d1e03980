//! The certificates of the https listener: an authority of its own, made at the first start, and a server certificate, made
//! at each start. The authority may sign loopback names only, so trusting it risks nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::TenantError;
use super::db::TenantDb;
use super::error::Result;

/// The days that a server certificate is valid; browsers accept at most 398.
const SERVER_DAYS: i64 = 397;
const AUTHORITY_DAYS: i64 = 3650;

/// The configuration of the https listener. Writes the authority's certificate to `ca_file` in PEM. Blocking.
pub(super) fn server_config(db: &TenantDb, ca_file: &Path, now: Timestamp) -> Result<Arc<ServerConfig>> {
    let (key, certificate) = db.tls_authority(|| new_authority(now))?;
    if std::fs::read_to_string(ca_file).ok().as_ref() != Some(&certificate) {
        std::fs::write(ca_file, &certificate)
            .map_err(|source| TenantError::File { file: ca_file.to_owned(), source })?;
    }
    let authority = Issuer::new(authority_params(now)?, KeyPair::from_pem(&key)?);
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Vestibule dev tenant");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, now, SERVER_DAYS)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let failed = |_| TenantError::Crypto("the https listener's certificate is not accepted");
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|_| TenantError::Crypto("the https listener's key is not accepted"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificate of a signing key (RSA, PKCS#8), in DER: for `x5c` in the key set. The same for the same key. Blocking.
pub(super) fn of_signing_key(pkcs8: &[u8]) -> Result<Vec<u8>> {
    let key = PrivateKeyDer::Pkcs8(pkcs8.into());
    let key = KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Vestibule dev tenant, signing key");
    params.serial_number = Some(SerialNumber::from(1));
    (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2044, 1, 1));
    Ok(params.self_signed(&key)?.der().to_vec())
}

/// A new authority: its key and its certificate, both in PEM.
fn new_authority(now: Timestamp) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let certificate = authority_params(now)?.self_signed(&key)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

fn authority_params(now: Timestamp) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Vestibule dev tenant, this machine only");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let address =
        |address: IpAddr, bits| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            address(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
            address(Ipv6Addr::LOCALHOST.into(), 128),
        ],
        excluded_subtrees: Vec::new(),
    });
    valid_for(&mut params, now, AUTHORITY_DAYS)?;
    Ok(params)
}

/// From the day before, so that clocks may differ a little.
fn valid_for(params: &mut CertificateParams, now: Timestamp, days: i64) -> Result<()> {
    let date = |days: i64| {
        let time = now.checked_add(SignedDuration::from_hours(24 * days));
        let date = Offset::UTC.to_datetime(time.map_err(|_| TenantError::Crypto("the clock is far off"))?);
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        Ok::<_, TenantError>(date_time_ymd(i32::from(date.year()), month, day))
    };
    (params.not_before, params.not_after) = (date(-1)?, date(days)?);
    Ok(())
}

impl From<rcgen::Error> for TenantError {
    fn from(error: rcgen::Error) -> Self {
        tracing::error!(%error, "a certificate cannot be made");
        Self::Crypto("a certificate cannot be made")
    }
}
