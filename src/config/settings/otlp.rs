//! Where metrics and traces are pushed to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HeaderValue, MaskedUrl, Tls};
use crate::model::Span;

/// Where metrics and traces are pushed to (OTLP). The standard variables of the environment (`OTEL_EXPORTER_OTLP_...`
/// and others) win over what stands here, and turn it on where nothing stands here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    /// `http://` or `https://`, host, port; for HTTP with the path that `/v1/metrics` and `/v1/traces` are added to.
    pub endpoint: Option<MaskedUrl>,
    /// How it is spoken.
    pub protocol: OtlpProtocol,
    /// Push metrics.
    pub metrics: bool,
    /// Push traces: one for each run.
    pub traces: bool,
    /// How often metrics are pushed.
    pub interval: Span,
    /// How long one export may take.
    pub timeout: Span,
    /// What requests are compressed by.
    pub compression: Compression,
    /// What sums are counted from.
    pub temporality: Temporality,
    /// Further headers of each request, by name; secrets are read anew for each.
    pub headers: BTreeMap<String, HeaderValue>,
    /// TLS towards an `https://` endpoint.
    pub tls: Tls,
}

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OtlpProtocol {
    /// gRPC; by custom at port 4317.
    #[serde(rename = "grpc")]
    Grpc,
    /// Protobuf over HTTP; by custom at port 4318.
    #[default]
    #[serde(rename = "http/protobuf")]
    Http,
}

/// What requests are compressed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Nothing.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// What sums are counted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// The start of the agent. What Prometheus wants; an export that is lost costs nothing.
    #[default]
    Cumulative,
    /// The export before.
    Delta,
    /// The export before for histograms, the start of the agent for counters.
    LowMemory,
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: OtlpProtocol::default(),
            metrics: true,
            traces: true,
            interval: Span::secs(60),
            timeout: Span::secs(10),
            compression: Compression::default(),
            temporality: Temporality::default(),
            headers: BTreeMap::new(),
            tls: Tls::default(),
        }
    }
}
