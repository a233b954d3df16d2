//! From the plan to what `export` wants: the agent's own TLS, resolver and secrets for the way to the collector.

use std::fs;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::AgentError;
use crate::config::settings::{self, Compression, OtlpProtocol, SecretSource};
use crate::config::{Collector, Otlp, Plan};
use crate::export::{self, Exports, Headers, Identity, Protocol, Resolve, Server, Settings, Signal};
use crate::metrics::Recorder;
use crate::session::Target;
use crate::wire::Dialer;

/// Exports what the plan says; `None` where it says nothing.
pub(super) fn start(
    plan: &Plan,
    recorder: &Arc<Recorder>,
    replica: &str,
) -> Result<Option<Exports>, AgentError> {
    let Some(otlp) = &plan.otlp else { return Ok(None) };
    let settings = Settings {
        metrics: otlp.metrics.as_ref().map(signal),
        traces: otlp.traces.as_ref().map(signal),
        interval: otlp.interval,
        temporality: match otlp.temporality {
            settings::Temporality::Cumulative => export::Temporality::Cumulative,
            settings::Temporality::Delta => export::Temporality::Delta,
            settings::Temporality::LowMemory => export::Temporality::LowMemory,
        },
        identity: identity(otlp, replica),
        resolve: resolve(plan)?,
    };
    Ok(Some(Exports::start(settings, plan.watched().count(), recorder)?))
}

/// A target in the words of a trace.
pub(super) fn server(target: &Target) -> Server {
    let url = &target.endpoint.url;
    Server {
        scheme: url.scheme().to_owned(),
        address: target.endpoint.host().to_owned(),
        port: target.endpoint.port(),
    }
}

fn signal(collector: &Collector) -> Signal {
    Signal {
        endpoint: collector.endpoint.0.clone(),
        protocol: match collector.protocol {
            OtlpProtocol::Grpc => Protocol::Grpc,
            OtlpProtocol::Http => Protocol::Http,
        },
        timeout: collector.timeout,
        gzip: collector.compression == Compression::Gzip,
        headers: headers(collector.headers.clone()),
        tls: collector.tls.client_config(),
        server_name: collector.server_name.clone(),
    }
}

fn identity(otlp: &Otlp, replica: &str) -> Identity {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let instance = if replica.is_empty() { host.clone().unwrap_or_default() } else { replica.to_owned() };
    Identity { instance, host, service: otlp.service.clone(), attributes: otlp.attributes.clone() }
}

/// A resolver of its own: what it asks, it asks on the thread of the exports.
fn resolve(plan: &Plan) -> Result<Resolve, AgentError> {
    let dialer = Dialer::new(&plan.resolver())?;
    Ok(Arc::new(move |name: String| {
        let dialer = dialer.clone();
        Box::pin(async move { dialer.addresses(&name).await.map_err(|error| error.to_string()) })
    }))
}

fn headers(all: Vec<(String, settings::HeaderValue)>) -> Headers {
    Arc::new(move || {
        let mut map = HeaderMap::new();
        for (name, value) in &all {
            let text = match value {
                settings::HeaderValue::Plain(text) => text.clone(),
                settings::HeaderValue::Secret(source) => secret(source)
                    .ok_or_else(|| format!("the secret of the header {name} can't be read or is empty"))?,
            };
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| format!("the value of the header {name} can't go into a header"))?;
            value.set_sensitive(true);
            // The validator has passed the name.
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                map.insert(name, value);
            }
        }
        Ok(map)
    })
}

fn secret(source: &SecretSource) -> Option<String> {
    let text = match source {
        SecretSource { file: Some(file), .. } => fs::read_to_string(file).ok()?,
        SecretSource { env: Some(name), .. } => std::env::var(name).ok()?,
        _ => return None,
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
