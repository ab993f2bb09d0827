//! Encryption on the wire: which, and whom to believe.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreFault;

/// What an address says that the driver does not know, taken out of it: of encryption, and of a pooler.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// `pgbouncer=true`: behind it is a pooler in transaction mode.
    pub pooled: bool,
    mode: Option<String>,
    roots: Option<String>,
}

impl Said {
    /// Takes `sslmode`, `sslrootcert` and `pgbouncer` out of an address, which may be a URL or pairs of words.
    pub fn out_of(address: &str) -> Result<(String, Self), StoreFault> {
        let (mut said, mut pooler) = (Self::default(), None);
        let mut keep = |pair: &str| match pair.split_once('=') {
            Some(("sslmode", value)) => {
                said.mode = Some(value.to_owned());
                false
            }
            Some(("sslrootcert", value)) => {
                said.roots = Some(value.replace("%2F", "/").replace("%2f", "/"));
                false
            }
            Some(("pgbouncer", value)) => {
                pooler = Some(value.to_owned());
                false
            }
            _ => true,
        };
        let rest = match address.split_once('?') {
            Some((place, query)) if address.contains("://") => {
                let pairs: Vec<&str> = query.split('&').filter(|pair| keep(pair)).collect();
                if pairs.is_empty() {
                    place.to_owned()
                } else {
                    format!("{place}?{}", pairs.join("&"))
                }
            }
            None if !address.contains("://") => {
                let pairs: Vec<&str> =
                    address.split_whitespace().filter(|pair| keep(pair)).collect();
                pairs.join(" ")
            }
            _ => address.to_owned(),
        };
        said.pooled = match pooler.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(StoreFault::Address {
                    reason: format!("`pgbouncer={other}` is not known; it may be true or false"),
                });
            }
        };
        Ok((rest, said))
    }

    /// Whether and how to encrypt. Nothing said: not on this machine, and always beyond it. A certificate is always
    /// verified, with its name, whatever the word for encryption.
    pub fn settle(&self, local: bool) -> Result<(SslMode, Option<MakeRustlsConnect>), StoreFault> {
        let mode = match self.mode.as_deref() {
            // Elsewhere these words fall back to plain text, which whoever stands between would see to.
            None | Some("allow" | "prefer") if local => SslMode::Disable,
            None | Some("allow" | "prefer" | "require" | "verify-ca" | "verify-full") => {
                SslMode::Require
            }
            Some("disable") => SslMode::Disable,
            Some(other) => {
                return Err(StoreFault::Address {
                    reason: format!(
                        "`sslmode={other}` is not known; it may be disable, require or verify-full"
                    ),
                });
            }
        };
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(configuration(self.roots.as_deref())?)),
        };
        Ok((mode, tls))
    }
}

/// Believes the certificates of a file, or else those that the system believes.
fn configuration(roots: Option<&str>) -> Result<ClientConfig, StoreFault> {
    let unusable = |reason: String| StoreFault::Address { reason };
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            let cannot =
                |error: String| unusable(format!("cannot read `sslrootcert={file}`: {error}"));
            let certificates =
                CertificateDer::pem_file_iter(file).map_err(|error| cannot(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| cannot(error.to_string()))?;
                store.add(certificate).map_err(|error| cannot(error.to_string()))?;
            }
        }
        None => {
            // One that cannot be read or understood is one less to believe.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(unusable(
            "there is no certificate to verify the server's with; name a file with `sslrootcert`"
                .to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_encryption_is_taken_out() {
        let said = |mode: Option<&str>, roots: Option<&str>| Said {
            pooled: false,
            mode: mode.map(str::to_owned),
            roots: roots.map(str::to_owned),
        };
        for (address, rest, expected) in [
            ("postgres://a@b/c", "postgres://a@b/c", said(None, None)),
            ("postgres://a@b/c?sslmode=disable", "postgres://a@b/c", said(Some("disable"), None)),
            (
                "postgres://a@b/c?options=x&sslmode=require&sslrootcert=%2Fca.pem",
                "postgres://a@b/c?options=x",
                said(Some("require"), Some("/ca.pem")),
            ),
            ("host=b sslmode=prefer dbname=c", "host=b dbname=c", said(Some("prefer"), None)),
        ] {
            assert_eq!(Said::out_of(address), Ok((rest.to_owned(), expected)));
        }
        let pooled = Said { pooled: true, ..Said::default() };
        assert_eq!(
            Said::out_of("postgres://a/b?pgbouncer=true"),
            Ok(("postgres://a/b".to_owned(), pooled))
        );
        assert!(Said::out_of("postgres://a/b?pgbouncer=session").is_err());
        assert_eq!(said(None, None).settle(true).unwrap().0, SslMode::Disable);
        assert_eq!(said(None, None).settle(false).unwrap().0, SslMode::Require);
        // Nothing falls back to plain text.
        for word in ["allow", "prefer"] {
            assert_eq!(said(Some(word), None).settle(false).unwrap().0, SslMode::Require);
        }
        assert!(said(Some("off"), None).settle(true).is_err());
        assert!(said(None, Some("/nowhere.pem")).settle(false).is_err());
    }
}
