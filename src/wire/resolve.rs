//! Names to addresses: the hosts file first, then DNS without a cache, A and AAAA at once, each failure by its
//! own name. A resolver that is dead is told from one that does not answer for one name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use thiserror::Error;

use super::answer::{Answer, classify};
use super::error::DialError;
use super::path::Family;
use super::tcp::descriptors_left;

/// One try of one query. Two tries for the name and two for the root end before a deadline of 5 s.
const TRY: Duration = Duration::from_secs(1);

/// Tries after the first.
const RETRIES: usize = 1;

/// How long the other family is waited for once one has answered (RFC 8305, section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The longest search list that is followed; resolv.conf allows six domains by tradition.
const MAX_SEARCH: usize = 8;

/// Which resolver to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ResolverSettings {
    /// The name servers, search list and options of `/etc/resolv.conf`; 127.0.0.1 where there is none.
    #[default]
    System,
    /// These name servers, and no search list.
    Servers(Vec<SocketAddr>),
}

/// Why no resolver could be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolverError {
    /// `/etc/resolv.conf` can't be understood.
    #[error("/etc/resolv.conf can't be used: {0}")]
    System(String),
    /// The list is empty.
    #[error("no name server is given")]
    NoServers,
}

/// The resolver of the agent.
#[derive(Clone)]
pub(super) struct Resolver {
    dns: TokioResolver,
    hosts: Arc<Hosts>,
    search: Arc<[Name]>,
    ndots: usize,
}

/// Which answers to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As a client does that wants to connect.
    Client,
    /// Every address of both families.
    Complete,
}

impl Resolver {
    pub(super) fn new(settings: &ResolverSettings) -> Result<Self, ResolverError> {
        let (config, options) = match settings {
            ResolverSettings::System => system()?,
            ResolverSettings::Servers(servers) if servers.is_empty() => return Err(ResolverError::NoServers),
            ResolverSettings::Servers(servers) => (explicit(servers), ResolverOpts::default()),
        };
        let search = if config.search().is_empty() {
            config.domain().into_iter().cloned().collect()
        } else {
            config.search().to_vec()
        };
        let ndots = options.ndots;
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
        let options = builder.options_mut();
        options.timeout = TRY;
        options.attempts = RETRIES;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // A random port of the whole range might be one that another program is about to bind.
        options.os_port_selection = true;
        let dns = builder.build().map_err(|error| ResolverError::System(error.to_string()))?;
        let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
        Ok(Self { dns, hosts, search: search.into(), ndots })
    }

    /// The addresses of a host; never empty.
    pub(super) async fn resolve(
        &self,
        host: &str,
        family: Family,
        patience: Patience,
    ) -> Result<Vec<IpAddr>, DialError> {
        let name = Name::from_utf8(host).map_err(|_| DialError::InvalidName)?;
        let known = self.hosts_say(&name, family);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut answer = Answer::NxDomain;
        for candidate in self.candidates(&name) {
            answer = answer.or(self.ask(&candidate, family, patience).await);
            if matches!(answer, Answer::Addresses(_) | Answer::Silence | Answer::Own(_)) {
                break;
            }
        }
        match answer {
            Answer::Addresses(addresses) => Ok(addresses),
            Answer::Own(error) => Err(error),
            Answer::Error(code) => Err(DialError::DnsServerFailure { code }),
            Answer::NoData => Err(DialError::NoAddress { family }),
            Answer::NxDomain => Err(DialError::NameNotFound),
            Answer::Silence if !descriptors_left() => Err(DialError::NoDescriptors),
            Answer::Silence if self.answers().await => Err(DialError::DnsTimeout),
            Answer::Silence => Err(DialError::ResolverUnreachable),
        }
    }

    /// Whether the resolver answers anything at all: it is asked for the root zone's name servers, and every
    /// answer counts, an error too.
    pub(super) async fn answers(&self) -> bool {
        let answer = self.dns.lookup(Name::root(), RecordType::NS).await;
        !matches!(classify(answer.as_ref().err()), Answer::Silence | Answer::Own(_))
    }

    fn hosts_say(&self, name: &Name, family: Family) -> Vec<IpAddr> {
        types(family)
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| addresses(lookup.answers()).collect::<Vec<_>>())
            .collect()
    }

    /// The names to ask for, in their order (resolv.conf(5), `search` and `ndots`).
    fn candidates(&self, name: &Name) -> Vec<Name> {
        let mut whole = name.clone();
        whole.set_fqdn(true);
        if name.is_fqdn() {
            return vec![whole];
        }
        let below = self.search.iter().take(MAX_SEARCH).filter_map(|domain| {
            let mut below = name.clone().append_domain(domain).ok()?;
            below.set_fqdn(true);
            Some(below)
        });
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        if dots >= self.ndots {
            std::iter::once(whole.clone()).chain(below).collect()
        } else {
            below.chain([whole.clone()]).collect()
        }
    }

    async fn ask(&self, name: &Name, family: Family, patience: Patience) -> Answer {
        let one = |kind| async move {
            match self.dns.lookup(name.clone(), kind).await {
                Ok(lookup) => match addresses(lookup.answers()).collect::<Vec<_>>() {
                    none if none.is_empty() => Answer::NoData,
                    found => Answer::Addresses(found),
                },
                Err(error) => classify(Some(&error)),
            }
        };
        match family {
            Family::V4 => one(RecordType::A).await,
            Family::V6 => one(RecordType::AAAA).await,
            Family::Any => both(one(RecordType::AAAA), one(RecordType::A), patience).await,
        }
    }
}

/// Waits for both families; where one has addresses, for the other only a little longer.
async fn both(
    v6: impl Future<Output = Answer>,
    v4: impl Future<Output = Answer>,
    patience: Patience,
) -> Answer {
    tokio::pin!(v6, v4);
    let (first, is_v6) = tokio::select! {
        first = &mut v6 => (first, true),
        first = &mut v4 => (first, false),
    };
    let other = async { if is_v6 { v4.await } else { v6.await } };
    let second = match (&first, patience) {
        (Answer::Addresses(_), Patience::Client) => {
            tokio::time::timeout(RESOLUTION_DELAY, other).await.unwrap_or(Answer::NoData)
        }
        _ => other.await,
    };
    if is_v6 { first.and(second) } else { second.and(first) }
}

fn types(family: Family) -> impl Iterator<Item = RecordType> {
    let v6 = (family != Family::V4).then_some(RecordType::AAAA);
    let v4 = (family != Family::V6).then_some(RecordType::A);
    v6.into_iter().chain(v4)
}

fn addresses(records: &[hickory_resolver::proto::rr::Record]) -> impl Iterator<Item = IpAddr> {
    records.iter().filter_map(|record| record.data.ip_addr())
}

fn system() -> Result<(ResolverConfig, ResolverOpts), ResolverError> {
    let text = match std::fs::read("/etc/resolv.conf") {
        Ok(text) => text,
        // As resolv.conf(5) says of a missing file.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(ResolverError::System(error.kind().to_string())),
    };
    parse(&text)
}

fn parse(text: &[u8]) -> Result<(ResolverConfig, ResolverOpts), ResolverError> {
    let local = explicit(&[SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53)]);
    let named =
        text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii_start().starts_with(b"nameserver"));
    if !named {
        return Ok((local, ResolverOpts::default()));
    }
    hickory_resolver::system_conf::parse_resolv_conf(text)
        .map_err(|error| ResolverError::System(error.to_string()))
}

fn explicit(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_list_goes_round_short_names() {
        let text = b"nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2\n";
        let (config, options) = parse(text).unwrap();
        let mut resolver =
            Resolver::new(&ResolverSettings::Servers(vec!["192.0.2.1:53".parse().unwrap()])).unwrap();
        resolver.search = config.search().into();
        resolver.ndots = options.ndots;
        let names = |name: &str| {
            let name = Name::from_utf8(name).unwrap();
            resolver.candidates(&name).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names("gw"), ["gw.a.example.", "gw.b.example.", "gw."]);
        assert_eq!(names("gw.x.y"), ["gw.x.y.", "gw.x.y.a.example.", "gw.x.y.b.example."]);
        assert_eq!(names("gw."), ["gw."]);
    }

    #[test]
    fn no_file_means_the_local_resolver() {
        let (config, _) = parse(b"# nothing\n").unwrap();
        assert_eq!(config.name_servers()[0].ip, Ipv4Addr::LOCALHOST);
    }
}
