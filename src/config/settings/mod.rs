//! The shape of the file. Doc comments here are the descriptions in the JSON Schema.
//!
//! Fields that are required by nature (`url`) are optional here, because `defaults` has the same shape; the
//! validator asks for them.

mod agent;
mod auth;
mod connection;
mod observe;
mod otlp;
mod secret;
mod slo;
mod target;

pub use agent::{
    AgentSettings, Canary, Control, History, Http, Log, LogFormat, LogLevel, Resolver, Shutdown,
};
pub use auth::{Auth, AuthMethod, OAuth2, TokenSource};
pub use connection::{Ca, Cookies, Family, Network, Proxy, Redirects, Resolve, Tls, Trace};
pub use observe::Observe;
pub use otlp::{Compression, Otlp, OtlpProtocol, Temporality};
pub use secret::{HeaderValue, MaskedUrl, SecretSource, mask_url};
pub use slo::{Objective, SloSettings};
pub use target::{AddressClass, Allow, Budget, PauseSettings, TargetSettings, Weekday};
