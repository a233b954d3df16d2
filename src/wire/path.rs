//! By which way a connection leaves this machine and to which of the resolved addresses it goes.

use std::fmt;
use std::net::IpAddr;

/// The IP family to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Family {
    /// Both, the resolver's order, happy eyeballs (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address is of this family.
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "IPv4 or IPv6",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The way of a connection. The default leaves everything to the system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Path {
    /// The interface to bind to (`SO_BINDTODEVICE`), by name.
    pub interface: Option<String>,
    /// The local address to connect from.
    pub source: Option<IpAddr>,
    /// The local port to connect from.
    pub source_port: Option<u16>,
    /// The family of the gateway's address.
    pub family: Family,
    /// The one address to connect to; the name is then not resolved.
    pub peer: Option<IpAddr>,
    /// `SO_RCVBUF` in bytes, set before the connect, so that a reader that stalls closes its window soon.
    pub receive_buffer: Option<u32>,
}

impl Path {
    /// Whether an address can be reached by this path at all.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.family.allows(address) && self.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4())
    }
}
