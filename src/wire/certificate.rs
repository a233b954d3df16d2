//! Facts about a TLS connection and the certificates behind it, bounded, also where verification failed.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// The longest name that is kept, in characters.
const MAX_NAME: usize = 256;

/// The most alternative names that are kept.
const MAX_NAMES: usize = 32;

/// The most certificates of a chain that are looked at.
const MAX_CHAIN: usize = 16;

/// What is known about a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`; absent where the handshake failed.
    pub version: Option<&'static str>,
    /// The cipher suite by its registered name; absent where the handshake failed.
    pub cipher: Option<&'static str>,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// The server's own certificate.
    pub leaf: Option<CertificateFacts>,
    /// The earliest expiry in the chain that was sent, in seconds since 1970.
    pub earliest_not_after: Option<i64>,
    /// How many certificates were sent.
    pub chain_length: usize,
    /// Whether the gateway asked for a client certificate.
    pub client_certificate_requested: bool,
}

/// What a certificate says. The names are the issuer's words, shortened: for people, never for labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// The subject's common name, else its whole name.
    pub subject: String,
    /// The issuer's common name, else its whole name.
    pub issuer: String,
    /// DNS names and IP addresses it is for, up to 32.
    pub names: Vec<String>,
    /// Whether it is an authority's (CA:TRUE), which no server's own should be.
    pub is_ca: bool,
    /// Whether subject and issuer are the same.
    pub self_issued: bool,
}

impl TlsFacts {
    /// The facts of a chain as it was sent, the leaf first.
    pub(super) fn of_chain(chain: &[CertificateDer<'_>]) -> Self {
        let facts: Vec<_> = chain.iter().take(MAX_CHAIN).map(|der| CertificateFacts::of(der)).collect();
        Self {
            earliest_not_after: facts.iter().flatten().map(|facts| facts.not_after).min(),
            chain_length: chain.len(),
            leaf: facts.into_iter().next().flatten(),
            ..Self::default()
        }
    }
}

impl CertificateFacts {
    /// The facts of one certificate, unless it can't be parsed.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = match certificate.subject_alternative_name() {
            Ok(Some(extension)) => {
                extension.value.general_names.iter().filter_map(name).take(MAX_NAMES).collect()
            }
            _ => Vec::new(),
        };
        Some(Self {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            serial: shorten(
                &certificate.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            ),
            subject: common_name(certificate.subject()),
            issuer: common_name(certificate.issuer()),
            names,
            is_ca: certificate.is_ca(),
            self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shorten(name)),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(std::net::Ipv4Addr::from(*bytes.first_chunk::<4>()?).to_string()),
            16 => Some(std::net::Ipv6Addr::from(*bytes.first_chunk::<16>()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|name| name.as_str().ok());
    common.map_or_else(|| shorten(&name.to_string()), shorten)
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_and_bounded() {
        let names: Vec<String> = (0..50).map(|i| format!("host{i}.example")).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        params.distinguished_name.push(rcgen::DnType::CommonName, "x".repeat(300));
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap();
        let facts = TlsFacts::of_chain(&[der.der().clone(), vec![1, 2, 3].into()]);
        let leaf = facts.leaf.unwrap();
        assert_eq!(leaf.names.len(), MAX_NAMES);
        assert_eq!(leaf.subject.len(), MAX_NAME);
        assert_eq!((leaf.not_before, leaf.not_after), (1_577_836_800, 1_609_459_200));
        assert_eq!(facts.earliest_not_after, Some(1_609_459_200));
        assert_eq!(facts.chain_length, 2);
        assert!(leaf.self_issued && !leaf.is_ca);
    }
}
