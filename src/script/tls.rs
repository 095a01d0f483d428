//! Whom an encrypted connection to Redis trusts.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Why the authority of `redis.tls_ca` cannot be used.
#[derive(Debug, Error)]
pub enum TrustError {
    #[error("it cannot be read: {0}")]
    File(#[from] rustls::pki_types::pem::Error),
    #[error("it holds no certificate")]
    Empty,
    #[error("it holds a certificate that cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
}

/// Trusts those for whom an authority in this PEM file vouches, and nobody else.
pub(super) fn trust_only(path: &Path) -> Result<ClientConfig, TrustError> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        authorities.add(certificate?)?;
    }
    if authorities.is_empty() {
        return Err(TrustError::Empty);
    }
    Ok(ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth())
}
