//! The way to the collector: OpenTelemetry's exporters over connections of ours, so that names are resolved, TLS is
//! trusted and secrets are read as everywhere else in the agent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Compression, MetricExporter, Protocol as Encoding, SpanExporter, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tower::Service;

use super::ExportError;
use super::settings::{Headers, Protocol, Resolve, Resolving, Signal, Temporality};

/// Most bytes of a collector's answer that are read.
const MAX_ANSWER: usize = 256 * 1024;
/// How often an idle gRPC connection is asked whether it lives: half of what proxies commonly allow.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// Makes exporters.
pub(super) struct Transport {
    resolver: Resolver,
}

/// Why the last request did not get through; OpenTelemetry's HTTP exporter says only that it did not.
pub(super) type LastError = Arc<Mutex<Option<String>>>;

/// An exporter, and what else is known of its failures.
pub(super) struct Exporter<T> {
    pub(super) inner: T,
    pub(super) last_error: LastError,
}

impl Transport {
    pub(super) fn new(resolve: Resolve) -> Self {
        Self { resolver: Resolver(resolve) }
    }

    pub(super) fn metrics(
        &self,
        signal: &Signal,
        temporality: Temporality,
    ) -> Result<Exporter<MetricExporter>, ExportError> {
        let builder = MetricExporter::builder().with_temporality(temporality.into());
        let last_error = LastError::default();
        let built = match signal.protocol {
            Protocol::Grpc => {
                let builder = builder.with_tonic().with_channel(self.channel(signal)?);
                let builder = builder
                    .with_interceptor(interceptor(&signal.headers, &last_error))
                    .with_timeout(signal.timeout);
                if signal.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
            Protocol::Http => {
                let builder = builder.with_http().with_http_client(self.client(signal, &last_error));
                let builder = builder.with_endpoint(&signal.endpoint).with_timeout(signal.timeout);
                let builder = builder.with_protocol(Encoding::HttpBinary);
                if signal.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
        };
        let inner = built.map_err(|error| ExportError::Exporter(error.to_string()))?;
        Ok(Exporter { inner, last_error })
    }

    pub(super) fn traces(
        &self,
        signal: &Signal,
        resource: &Resource,
    ) -> Result<Exporter<SpanExporter>, ExportError> {
        let last_error = LastError::default();
        let built = match signal.protocol {
            Protocol::Grpc => {
                let builder = SpanExporter::builder().with_tonic().with_channel(self.channel(signal)?);
                let builder = builder
                    .with_interceptor(interceptor(&signal.headers, &last_error))
                    .with_timeout(signal.timeout);
                if signal.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
            Protocol::Http => {
                let builder = SpanExporter::builder().with_http();
                let builder = builder.with_http_client(self.client(signal, &last_error));
                let builder = builder.with_endpoint(&signal.endpoint).with_timeout(signal.timeout);
                let builder = builder.with_protocol(Encoding::HttpBinary);
                if signal.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
        };
        let mut inner = built.map_err(|error| ExportError::Exporter(error.to_string()))?;
        inner.set_resource(resource);
        Ok(Exporter { inner, last_error })
    }

    fn channel(&self, signal: &Signal) -> Result<Channel, ExportError> {
        let endpoint = Channel::from_shared(signal.endpoint.clone())
            .map_err(|error| ExportError::Exporter(format!("the endpoint is no URL: {error}")))?;
        let endpoint = endpoint
            .connect_timeout(signal.timeout)
            .timeout(signal.timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(signal.timeout);
        let http = self.tcp(signal);
        let connector = builder(signal).enable_http2().wrap_connector(http);
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    fn client(&self, signal: &Signal, last_error: &LastError) -> Http {
        let connector = builder(signal).enable_http1().wrap_connector(self.tcp(signal));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Http { client, headers: Arc::clone(&signal.headers), last_error: Arc::clone(last_error) }
    }

    fn tcp(&self, signal: &Signal) -> HttpConnector<Resolver> {
        let mut tcp = HttpConnector::new_with_resolver(self.resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(signal.timeout));
        tcp
    }
}

type Builder = HttpsConnectorBuilder<hyper_rustls::builderstates::WantsProtocols1>;

fn builder(signal: &Signal) -> Builder {
    let builder = HttpsConnectorBuilder::new().with_tls_config((*signal.tls).clone()).https_or_http();
    let name = signal.server_name.as_ref().and_then(|name| name.clone().try_into().ok());
    match name {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => builder,
    }
}

/// Puts the headers into each gRPC request.
fn interceptor(
    headers: &Headers,
    last_error: &LastError,
) -> impl FnMut(tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> + Clone + Send + Sync + use<>
{
    let (headers, last_error) = (Arc::clone(headers), Arc::clone(last_error));
    move |mut request| {
        let fresh = headers().map_err(|error| {
            keep(&last_error, error);
            tonic::Status::unauthenticated("a header can't be read")
        })?;
        // Where both say something, the environment's word is there already, and wins.
        let mut all = std::mem::take(request.metadata_mut()).into_headers();
        for (name, value) in &fresh {
            all.entry(name).or_insert_with(|| value.clone());
        }
        hide(&mut all);
        *request.metadata_mut() = MetadataMap::from_headers(all);
        Ok(request)
    }
}

/// So that no library's log shows a value: those of the environment are as secret as ours.
fn hide(headers: &mut HeaderMap) {
    headers.values_mut().for_each(|value| value.set_sensitive(true));
}

fn keep(last_error: &LastError, text: String) {
    *last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// HTTP for OpenTelemetry's exporters.
struct Http {
    client: Client<Connector, Full<Bytes>>,
    headers: Headers,
    last_error: LastError,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Full::new);
        // Where both say something, the environment's word is there already, and wins.
        for (name, value) in &(self.headers)()? {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        hide(request.headers_mut());
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// What the macro of that trait would write.
impl HttpClient for Http {
    fn send_bytes<'life, 'future>(
        &'life self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'future>>
    where
        'life: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let sent = self.send(request).await;
            // A try that gets through ends what was wrong with those before it.
            let error = sent.as_ref().err().map(|error| chain(&**error));
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
            sent
        })
    }
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The agent's resolver in the shape that hyper wants.
#[derive(Clone)]
struct Resolver(Resolve);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving: Resolving = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = resolving.await.map_err(io::Error::other)?;
            // hyper sets the port.
            let addresses: Vec<SocketAddr> =
                addresses.into_iter().map(|address| (address, 0).into()).collect();
            Ok(addresses.into_iter())
        })
    }
}

impl<T> Exporter<T> {
    /// Why an export failed, as far as can be told.
    pub(super) fn explain(&self, error: &impl std::fmt::Display) -> String {
        let last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match last {
            Some(last) => format!("{error}: {last}"),
            None => error.to_string(),
        }
    }
}
