//! Rules for how a target is reached: TLS, proxy, network path, redirects.

use std::net::IpAddr;
use std::path::Path as FilePath;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::auth::{Missing, secret_source};
use super::text::{is_header_text, is_host_pattern};
use super::{Path, Report};
use crate::config::settings::{Ca, Family, Network, Proxy, Redirects, Tls};
use crate::config::sources::Use;
use crate::config::words::quoted;

/// Checks the TLS settings and reads the certificates that they name.
pub fn tls(report: &mut Report<'_>, path: &Path, tls: &Tls) {
    if let Some(file) = &tls.ca_file {
        certificates(report, &path.key("ca_file"), file, Use::Kept);
    } else if tls.ca == Ca::Add {
        report.problem(&path.key("ca"), "adds nothing without ca_file");
    }
    let (cert, key) = (path.key("client_cert_file"), path.key("client_key_file"));
    match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(_), None) => report.problem_of(&[cert.clone(), key.clone()], "needs client_key_file beside it"),
        (None, Some(_)) => {
            report.problem_of(&[key.clone(), cert.clone()], "needs client_cert_file beside it")
        }
        _ => {}
    }
    if let Some(file) = &tls.client_cert_file {
        certificates(report, &cert, file, Use::Anew);
    }
    if let Some(file) = &tls.client_key_file
        && let Some(pem) = read(report, &key, file, Use::Anew)
        && PrivateKeyDer::from_pem_slice(&pem).is_err()
    {
        let message = format!("{} holds no private key in PEM without a passphrase", file.display());
        report.problem(&key, message);
    }
    if let Some(name) = &tls.server_name
        && ServerName::try_from(name.as_str()).is_err()
    {
        report.problem(
            &path.key("server_name"),
            format!("{} is neither a host name nor an address", quoted(name)),
        );
    }
}

fn certificates(report: &mut Report<'_>, path: &Path, file: &FilePath, how: Use) {
    let Some(pem) = read(report, path, file, how) else { return };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if parsed.map_or(true, |list| list.is_empty()) {
        report.problem(path, format!("{} holds no certificates in PEM", file.display()));
    }
}

fn read(report: &mut Report<'_>, path: &Path, file: &FilePath, how: Use) -> Option<Vec<u8>> {
    let content = report.files.read(file, how);
    if let Err(error) = &content {
        report.problem(path, format!("{} can't be read: {error}", file.display()));
    }
    content.ok()
}

/// Checks the proxy.
pub fn proxy(report: &mut Report<'_>, path: &Path, proxy: &Proxy) {
    if let Some(text) = &proxy.url {
        proxy_url(report, &path.key("url"), &text.0);
    }
    let (username, password) = (path.key("username"), path.key("password"));
    if let Some(source) = &proxy.password {
        secret_source(report, &password, source, Missing::Now);
        if proxy.username.is_none() {
            report.problem(&password, "needs username beside it");
        }
    }
    if let Some(name) = &proxy.username {
        if name.contains(':') || !is_header_text(name) {
            report.problem(&username, "can't be a user name; write printable ASCII without a colon");
        }
        if proxy.password.is_none() {
            report.problem(&username, "needs password beside it");
        }
    }
    let is_used = proxy.url.is_some() || proxy.from_environment;
    if !is_used && (proxy.username.is_some() || !proxy.no_proxy.is_empty()) {
        report.problem(path, "has no url, so that there is no proxy; write url, or from_environment: true");
    }
    for (index, host) in proxy.no_proxy.iter().enumerate() {
        if host.is_empty() || host.contains([' ', ',', '/']) && !is_network(host) {
            let message =
                format!("{} is not a host; write a name, .suffix, an address, a network or *", quoted(host));
            report.problem(&path.key("no_proxy").index(index), message);
        }
    }
}

fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn proxy_url(report: &mut Report<'_>, path: &Path, text: &str) {
    match url::Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            let message = format!(
                "{} is not the URL of an HTTP proxy; write http://HOST:PORT or https://HOST:PORT",
                quoted(text)
            );
            report.problem(path, message);
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            report.problem(path, "a user or password must not stand in the URL; use username and password");
        }
        Ok(url) if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            report.problem(
                path,
                format!("{} has more than host and port; write http://HOST:PORT", quoted(text)),
            );
        }
        Ok(_) => {}
        Err(error) => {
            report.problem(path, format!("{} is not a URL ({error}); write http://HOST:PORT", quoted(text)));
        }
    }
}

/// Checks the network path. `host` is the URL's host where that is an address.
pub fn network(report: &mut Report<'_>, path: &Path, network: &Network, host: Option<IpAddr>) {
    if let Some(name) = &network.interface
        && (name.is_empty() || name.len() > 15 || name.contains(['/', ' ', '\0']))
    {
        let message = format!("{} can't be the name of a network interface, such as eth1", quoted(name));
        report.problem(&path.key("interface"), message);
    }
    let source = path.key("source");
    let address = network.source.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    if let (Some(text), None) = (&network.source, address) {
        report.problem(&source, format!("{} is not an address, such as 10.0.0.5", quoted(text)));
    }
    for (address, paths) in
        [(address, vec![source.clone(), path.key("family")]), (host, vec![path.key("family")])]
    {
        let other = match (network.family, address) {
            (Family::V4, Some(IpAddr::V6(_))) => "v4, but the address is IPv6",
            (Family::V6, Some(IpAddr::V4(_))) => "v6, but the address is IPv4",
            _ => continue,
        };
        let whose = if paths.len() == 2 { "network.source" } else { "the URL" };
        report.problem_of(&paths, format!("network.family is {other} ({whose})"));
    }
    if let (Some(ours), Some(theirs)) = (address, host)
        && ours.is_ipv4() != theirs.is_ipv4()
    {
        report.problem(&source, "is of another family than the URL's address");
    }
}

/// Checks the redirects.
pub fn redirects(report: &mut Report<'_>, path: &Path, redirects: &Redirects) {
    for (index, host) in redirects.hosts.iter().enumerate() {
        if host == "*" || !is_host_pattern(host) {
            let message =
                format!("{} is not a host; write a name, an address, or *. and a name", quoted(host));
            report.problem(&path.key("hosts").index(index), message);
        }
    }
    if redirects.max == 0 && !redirects.hosts.is_empty() {
        report.problem_of(
            &[path.key("hosts"), path.key("max")],
            "no redirect is followed; write max: 1 or more",
        );
    }
}
