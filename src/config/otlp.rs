//! Where metrics and traces go: what the file says, under what the standard variables of the environment say
//! (OpenTelemetry's specification, "OTLP Exporter" and "Environment Variable Specification").

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::place::{Path, Place};
use super::problem::Problem;
use super::route::tls_settings;
use super::settings::{self, Compression, HeaderValue, MaskedUrl, OtlpProtocol, Temporality, Tls, mask_url};
use super::validate::Report;
use super::validate::{is_header_name, otlp_interval, otlp_timeout};
use crate::wire::TlsClient;

const PREFIX: &str = "OTEL_EXPORTER_OTLP";

/// Where metrics and traces go.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// Where metrics go; off when absent.
    pub metrics: Option<Collector>,
    /// Where traces go; off when absent.
    pub traces: Option<Collector>,
    /// How often metrics are sent.
    pub interval: Duration,
    /// What sums are counted from.
    pub temporality: Temporality,
    /// `OTEL_SERVICE_NAME`.
    pub service: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub attributes: Vec<(String, String)>,
}

/// Where one signal goes.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The whole URL.
    pub endpoint: MaskedUrl,
    /// How it is spoken.
    pub protocol: OtlpProtocol,
    /// How long one export may take.
    pub timeout: Duration,
    /// What requests are compressed by.
    pub compression: Compression,
    /// The file's headers. Those of the environment are added by OpenTelemetry's exporter itself, and win.
    pub headers: Vec<(String, HeaderValue)>,
    /// TLS.
    pub tls: Arc<TlsClient>,
    /// The name on the collector's certificate, in place of the URL's host.
    pub server_name: Option<String>,
}

/// What is exported by the file's settings and the environment; `None` where nothing is. What is wrong in variables
/// that count is reported; the validator has looked at the file's settings.
pub fn otlp(report: &mut Report<'_>, file: Option<&settings::Otlp>) -> Option<Otlp> {
    let mut reader = Reader { report, file };
    if reader.get("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return None;
    }
    let metrics = reader.collector(Signal::Metrics);
    let traces = reader.collector(Signal::Traces);
    if metrics.is_none() && traces.is_none() {
        return None;
    }
    let ours = file.cloned().unwrap_or_default();
    let interval = reader.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", otlp_interval);
    let temporality = reader.temporality();
    let service = reader.get("OTEL_SERVICE_NAME");
    let attributes = reader.attributes();
    Some(Otlp {
        metrics,
        traces,
        interval: interval.unwrap_or(ours.interval.get()),
        temporality: temporality.unwrap_or(ours.temporality),
        service,
        attributes,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Metrics,
    Traces,
}

impl Signal {
    fn word(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }
}

struct Reader<'a, 'r> {
    report: &'a mut Report<'r>,
    file: Option<&'a settings::Otlp>,
}

impl Reader<'_, '_> {
    /// A variable; an empty one counts as not set, as the specification wants it.
    fn get(&self, name: &str) -> Option<String> {
        let text = self.report.environment.get(name)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The signal's own variable, or else the one for both, by its name.
    fn of(&self, signal: Signal, field: &str) -> Option<(String, String)> {
        let own = format!("{PREFIX}_{}_{field}", signal.word().to_uppercase());
        let names = [own, format!("{PREFIX}_{field}")];
        names.into_iter().find_map(|name| self.get(&name).map(|text| (name, text)))
    }

    fn wrong(&mut self, name: &str, message: impl Into<String>) {
        let place = Place::Variable(name.into());
        self.report.problems.push(Problem::new(place, Path::root(), message));
    }

    fn collector(&mut self, signal: Signal) -> Option<Collector> {
        if !self.is_on(signal) {
            return None;
        }
        let ours = self.file.cloned().unwrap_or_default();
        let protocol = self.protocol(signal).unwrap_or(ours.protocol);
        let endpoint = self.endpoint(signal, protocol)?;
        let timeout = match self.of(signal, "TIMEOUT") {
            Some((name, _)) => self.milliseconds(&name, otlp_timeout),
            None => None,
        };
        let compression = self.compression(signal).unwrap_or(ours.compression);
        self.check_headers(signal);
        let tls = self.tls(signal, &ours.tls);
        let client = self.client(signal, &tls)?;
        Some(Collector {
            endpoint: MaskedUrl(endpoint),
            protocol,
            timeout: timeout.unwrap_or(ours.timeout.get()),
            compression,
            headers: ours.headers.into_iter().collect(),
            tls: client,
            server_name: tls.server_name,
        })
    }

    fn is_on(&mut self, signal: Signal) -> bool {
        let name = format!("OTEL_{}_EXPORTER", signal.word().to_uppercase());
        match self.get(&name).as_deref() {
            Some("otlp") => return true,
            Some("none") => return false,
            Some(_) => {
                self.wrong(&name, "no exporter that gateprobe has; write otlp or none");
                return false;
            }
            None => {}
        }
        let flag = |file: &settings::Otlp| match signal {
            Signal::Metrics => file.metrics,
            Signal::Traces => file.traces,
        };
        match self.file {
            Some(file) => flag(file),
            None => self.of(signal, "ENDPOINT").is_some(),
        }
    }

    fn protocol(&mut self, signal: Signal) -> Option<OtlpProtocol> {
        let (name, text) = self.of(signal, "PROTOCOL")?;
        match text.as_str() {
            "grpc" => Some(OtlpProtocol::Grpc),
            "http/protobuf" => Some(OtlpProtocol::Http),
            _ => {
                self.wrong(&name, "no protocol that gateprobe speaks; write grpc or http/protobuf");
                None
            }
        }
    }

    fn endpoint(&mut self, signal: Signal, protocol: OtlpProtocol) -> Option<String> {
        if let Some((name, text)) = self.of(signal, "ENDPOINT") {
            let whole = name != format!("{PREFIX}_ENDPOINT");
            let text = self.with_scheme(signal, protocol, text);
            return match endpoint(&text) {
                Ok(url) => Some(if whole { url.into() } else { with_path(url, signal, protocol) }),
                Err(complaint) => {
                    self.wrong(&name, complaint);
                    None
                }
            };
        }
        let text = match self.file {
            // The validator has asked for it where it is needed.
            Some(file) => file.endpoint.as_ref().map(|url| url.0.clone()),
            None => None,
        };
        let customary = match protocol {
            OtlpProtocol::Grpc => "http://localhost:4317",
            OtlpProtocol::Http => "http://localhost:4318",
        };
        let url = match text {
            Some(text) => endpoint(&text),
            None if self.file.is_some() => {
                let path = Path::of(&["otlp"]);
                self.report.problem(&path, "needs an endpoint, here or in OTEL_EXPORTER_OTLP_ENDPOINT");
                return None;
            }
            None => endpoint(customary),
        };
        url.ok().map(|url| with_path(url, signal, protocol))
    }

    /// gRPC endpoints may lack the scheme; then another variable says whether TLS is spoken.
    fn with_scheme(&self, signal: Signal, protocol: OtlpProtocol, text: String) -> String {
        if text.contains("://") || protocol != OtlpProtocol::Grpc {
            return text;
        }
        let insecure = self.of(signal, "INSECURE");
        let scheme = match insecure {
            Some((_, flag)) if flag.eq_ignore_ascii_case("true") => "http",
            _ => "https",
        };
        format!("{scheme}://{text}")
    }

    fn milliseconds(&mut self, name: &str, check: fn(Duration) -> Result<(), String>) -> Option<Duration> {
        let text = self.get(name)?;
        let Ok(number) = text.parse() else {
            self.wrong(name, "not a number of milliseconds");
            return None;
        };
        let time = Duration::from_millis(number);
        if let Err(complaint) = check(time) {
            self.wrong(name, complaint);
            return None;
        }
        Some(time)
    }

    fn compression(&mut self, signal: Signal) -> Option<Compression> {
        let (name, text) = self.of(signal, "COMPRESSION")?;
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            _ => {
                self.wrong(&name, "no compression that gateprobe has; write gzip or none");
                None
            }
        }
    }

    fn temporality(&mut self) -> Option<Temporality> {
        let name = format!("{PREFIX}_METRICS_TEMPORALITY_PREFERENCE");
        match self.get(&name)?.to_ascii_lowercase().as_str() {
            "cumulative" => Some(Temporality::Cumulative),
            "delta" => Some(Temporality::Delta),
            "lowmemory" => Some(Temporality::LowMemory),
            _ => {
                self.wrong(&name, "no temporality; write cumulative, delta or lowmemory");
                None
            }
        }
    }

    /// OpenTelemetry's exporter reads them itself, and leaves out what it can't read, in silence.
    fn check_headers(&mut self, signal: Signal) {
        let Some((name, text)) = self.of(signal, "HEADERS") else { return };
        let good = |entry: &str| {
            entry.trim().is_empty()
                || entry
                    .split_once('=')
                    .is_some_and(|(name, value)| is_header_name(name.trim()) && !value.trim().is_empty())
        };
        if !text.split(',').all(good) {
            self.wrong(&name, "not a list of headers; write NAME=VALUE,NAME=VALUE");
        }
    }

    fn tls(&self, signal: Signal, ours: &Tls) -> Tls {
        let file = |field| self.of(signal, field).map(|(_, path)| path.into());
        Tls {
            ca_file: file("CERTIFICATE").or_else(|| ours.ca_file.clone()),
            client_cert_file: file("CLIENT_CERTIFICATE").or_else(|| ours.client_cert_file.clone()),
            client_key_file: file("CLIENT_KEY").or_else(|| ours.client_key_file.clone()),
            ..ours.clone()
        }
    }

    fn client(&mut self, signal: Signal, tls: &Tls) -> Option<Arc<TlsClient>> {
        let error = match TlsClient::new(tls_settings(tls)) {
            Ok(client) => return Some(Arc::new(client)),
            Err(error) => error.to_string(),
        };
        let mut fields = ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"].into_iter();
        match fields.find_map(|field| self.of(signal, field)) {
            Some((name, _)) => self.wrong(&name, error),
            // The validator has told of the file's settings, but not of what only both files together show.
            None if self.report.problems.is_empty() => {
                self.report.problem(&Path::of(&["otlp", "tls"]), error);
            }
            None => {}
        }
        None
    }

    fn attributes(&mut self) -> Vec<(String, String)> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let text = self.get(name).unwrap_or_default();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let pairs: Option<Vec<(String, String)>> = entries
            .map(|entry| {
                let (name, value) = entry.split_once('=')?;
                let name = name.trim();
                (!name.is_empty()).then(|| (name.to_owned(), decoded(value.trim())))
            })
            .collect();
        pairs.unwrap_or_else(|| {
            self.wrong(name, "not a list of attributes; write NAME=VALUE,NAME=VALUE");
            Vec::new()
        })
    }
}

/// The URL of a collector, as far as both signals share it.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn endpoint(text: &str) -> Result<Url, String> {
    const FORM: &str = "write http://HOST:PORT or https://HOST:PORT";
    let shown = format!("{:?}", mask_url(text));
    match Url::parse(text) {
        Err(error) => Err(format!("{shown} is not a URL ({error}); {FORM}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
            Err(format!("{shown} is not the URL of a collector; {FORM}"))
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("a user or password must not stand in the URL; use headers".into())
        }
        Ok(url) if url.fragment().is_some() || url.query().is_some() => {
            Err(format!("{shown} has a query or a fragment; {FORM}"))
        }
        Ok(url) if url.port() == Some(0) => Err(format!("{shown} has port 0; write 1 to 65535")),
        Ok(url) => Ok(url),
    }
}

/// The signal's URL below the one for both.
fn with_path(mut url: Url, signal: Signal, protocol: OtlpProtocol) -> String {
    if protocol == OtlpProtocol::Http {
        let path = format!("{}/v1/{}", url.path().trim_end_matches('/'), signal.word());
        url.set_path(&path);
    }
    url.into()
}

/// Percent-decoded, as the specification wants the values of attributes (W3C Baggage).
fn decoded(text: &str) -> String {
    // That decoder also takes `+` for a blank.
    let text = text.replace('+', "%2B").replace('&', "%26");
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, v)| v.into_owned())
}

#[cfg(test)]
mod tests;
