//! Sockets: the phase-timed dial, the frame reader and writer, network paths, proxies and TLS.
//!
//! Nothing here has a deadline of its own. The caller puts one absolute deadline over the whole future and
//! drops it when the time has come: that closes every descriptor at once, while the [`Evidence`] and the
//! [`Record`], which live outside, keep what happened. Nothing here answers a ping or a Close by itself.
//!
//! [`Evidence`]: crate::model::Evidence

mod answer;
mod certificate;
mod closing;
mod connected;
mod content;
mod deflate;
mod dial;
mod endpoint;
mod error;
mod frame;
mod guard;
mod hop;
mod identity;
mod kernel;
mod path;
mod proxy;
mod record;
mod redirect;
mod request;
mod resolve;
mod response;
mod socket;
mod stream;
mod tcp;
mod tls;
mod tls_error;
mod upgrade;
mod validate;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use certificate::{CertificateFacts, TlsFacts};
pub use closing::Closing;
pub use connected::Connected;
pub use content::ContentError;
pub use deflate::{Inflater, deflate};
pub use dial::{DialFailure, Dialed, Dialer};
pub use endpoint::{Endpoint, EndpointError, Header, Offer};
pub use error::{DialError, Offence};
pub use frame::{Frame, Oversized, Reader};
pub use guard::{AddressGuard, AddressKind};
pub use path::{Family, Path};
pub use proxy::{NoProxy, Proxy, ProxyError};
pub use record::{Facts, Record, Timings};
pub use redirect::Redirects;
pub use request::Request;
pub use resolve::{ResolverError, ResolverSettings};
pub use response::{Response, ResponseError, parse as parse_response};
pub use socket::{Broken, Incoming, Received, SendError, Socket};
pub use tls::{ClientFiles, TlsClient, TlsSettings, TlsSetupError};
pub use validate::{Validator, Violation};
pub use writer::{Length, Mask, OutFrame};
