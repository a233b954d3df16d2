//! A target, and what a module allows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Auth, Cookies, HeaderValue, MaskedUrl, Network, Observe, Proxy, Redirects, Resolve, SecretSource,
    SloSettings, Tls, Trace,
};
use crate::checks::Checks;
use crate::dialect::DEFAULT_PRESET;

/// A gateway to watch. `defaults` has the same shape and is what each target starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSettings {
    /// `ws://` or `wss://`, host, path, query. No user or password.
    pub url: Option<MaskedUrl>,
    /// Labels of `gateprobe_target_info`, for routing alerts.
    pub labels: BTreeMap<String, String>,
    /// What the gateway's protocol says: `websocket`, `json`, or a path that ends in `.yaml` or `.yml`, relative
    /// to the folder of the file that it stands in.
    pub dialect: String,
    /// The credential.
    pub auth: Option<Auth>,
    /// TLS towards the gateway.
    pub tls: Tls,
    /// Further headers of the upgrade request, by name.
    pub headers: BTreeMap<String, HeaderValue>,
    /// Send `X-Gateprobe-Target` with the target's name, so that the gateway's team can find these requests.
    pub identify: bool,
    /// Subprotocols to offer, the wanted one first; those of the dialect when empty.
    pub subprotocols: Vec<String>,
    /// The most that all checks together may ask of the gateway.
    pub budget: Budget,
    /// An HTTP proxy on the way.
    pub proxy: Proxy,
    /// What happens to cookies that the gateway sets.
    pub cookies: Cookies,
    /// Redirects of the upgrade request.
    pub redirects: Redirects,
    /// The path that the packets take.
    pub network: Network,
    /// Which of the resolved addresses are probed.
    pub resolve: Resolve,
    /// Whether the gateway is told of a run's trace.
    pub trace: Trace,
    /// When no check runs: once until a time, or in recurring windows.
    pub pause: Vec<PauseSettings>,
    /// The gateway's own metrics endpoint, where it has one that we may read.
    pub observe: Option<Observe>,
    /// The objective of each check that has none of its own; without one, a check has no error budget.
    pub slo: Option<SloSettings>,
    /// The checks, by kind. `handshake` with its defaults when none is given.
    pub checks: Checks,
}

/// The most that all checks of a target together may ask of the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Connections open at once.
    #[schemars(range(min = 1, max = 100000))]
    pub connections: u32,
    /// New connections a second.
    #[schemars(range(min = 0.001, max = 100000))]
    pub connections_per_second: f64,
    /// WebSocket messages and control frames sent a second.
    #[schemars(range(min = 0.001, max = 1000000))]
    pub messages_per_second: f64,
    /// Bytes sent and received a second.
    #[schemars(range(min = 1024))]
    pub bytes_per_second: u64,
}

/// When no check runs: either `until`, or a daily window `from` and `to`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PauseSettings {
    /// A moment (RFC 3339), such as `2026-12-01T00:00:00Z`; paused from now until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Begin of a daily window, such as `"02:00"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of a daily window; on the next day when it is not after `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Days on which the window begins; every day when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// The time zone of the window, such as `Europe/Berlin`; UTC when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Which addresses `/probe?target=` may name with this module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Hosts: a name, an address, `*.` and a name, or `*` for any.
    pub hosts: Vec<String>,
    /// Classes of addresses beside the public ones that the host may resolve to.
    pub addresses: Vec<AddressClass>,
}

/// A class of addresses that only those inside can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressClass {
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// 169.254.0.0/16 and fe80::/10, without the clouds' metadata services.
    LinkLocal,
    /// The clouds' metadata services, such as 169.254.169.254, which hand out credentials.
    Metadata,
    /// 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7.
    Private,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            url: None,
            labels: BTreeMap::new(),
            dialect: DEFAULT_PRESET.into(),
            auth: None,
            tls: Tls::default(),
            headers: BTreeMap::new(),
            identify: true,
            subprotocols: Vec::new(),
            budget: Budget::default(),
            proxy: Proxy::default(),
            cookies: Cookies::default(),
            redirects: Redirects::default(),
            network: Network::default(),
            resolve: Resolve::default(),
            trace: Trace::default(),
            pause: Vec::new(),
            observe: None,
            slo: None,
            checks: Checks::default(),
        }
    }
}

impl TargetSettings {
    /// The headers whose values are secrets, to be read for each dial.
    pub fn secret_headers(&self) -> impl Iterator<Item = (&str, &SecretSource)> {
        self.headers.iter().filter_map(|(name, value)| match value {
            HeaderValue::Secret(source) => Some((name.as_str(), source)),
            HeaderValue::Plain(_) => None,
        })
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            connections: 10,
            connections_per_second: 5.0,
            messages_per_second: 50.0,
            bytes_per_second: 1 << 20,
        }
    }
}
