//! Which addresses may be dialled. The guard is asked about each address right before its connect, so a name
//! that resolves to something else the second time passes no more than the first time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of addresses that a stranger's URL must not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// 169.254.0.0/16, fe80::/10, fec0::/10.
    LinkLocal,
    /// The cloud's metadata services: 169.254.169.254, fd00:ec2::254 and their kin.
    Metadata,
    /// 10/8, 172.16/12, 192.168/16, fc00::/7 and the carriers' 100.64/10.
    Private,
    /// 0.0.0.0/8, ::, multicast, broadcast and reserved ranges.
    Special,
}

/// The addresses that may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressGuard {
    refused: u8,
}

impl AddressGuard {
    /// Allows every address: for targets that the operator configured.
    pub fn any() -> Self {
        Self { refused: 0 }
    }

    /// Allows public addresses only: for targets that somebody else names.
    pub fn public() -> Self {
        Self { refused: u8::MAX }
    }

    /// Allows one more kind.
    #[must_use]
    pub fn allowing(self, kind: AddressKind) -> Self {
        Self { refused: self.refused & !kind.bit() }
    }

    /// Whether the address may be dialled.
    pub fn permits(self, address: IpAddr) -> bool {
        AddressKind::of(address).is_none_or(|kind| self.refused & kind.bit() == 0)
    }

    /// Whether nothing is refused.
    pub fn permits_all(self) -> bool {
        self.refused == 0
    }
}

impl AddressKind {
    /// The kind of an address; `None` is a public one. IPv6 addresses that carry an IPv4 address (mapped,
    /// compatible, NAT64, 6to4) count as what they carry.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => of_v6(v6),
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

fn of_v4(address: Ipv4Addr) -> Option<AddressKind> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (169, 254, 169, 253 | 254) | (169, 254, 170, 2 | 23) | (100, 100, 100, 200) => {
            Some(AddressKind::Metadata)
        }
        (127, ..) => Some(AddressKind::Loopback),
        (169, 254, ..) => Some(AddressKind::LinkLocal),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) => Some(AddressKind::Private),
        (0, ..) | (224.., ..) | (192, 0, 0, _) | (198, 18..=19, ..) => Some(AddressKind::Special),
        _ => None,
    }
}

fn of_v6(address: Ipv6Addr) -> Option<AddressKind> {
    if address == Ipv6Addr::LOCALHOST {
        return Some(AddressKind::Loopback);
    }
    if address.is_unspecified() || address.is_multicast() {
        return Some(AddressKind::Special);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = Ipv4Addr::from((u32::from(g) << 16) | u32::from(h));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) | (0, 0, 0, 0, 0xffff, 0) => of_v4(last),
        // The local-use NAT64 prefix (RFC 8215) leads wherever the network likes.
        (0x64, 0xff9b, 1, ..) => Some(AddressKind::Private),
        (0x2002, ..) => of_v4(Ipv4Addr::from((u32::from(b) << 16) | u32::from(c))),
        (0xfd00, 0x0ec2, ..) | (0xfd20, 0x0ce, ..) => Some(AddressKind::Metadata),
        (0xfc00..=0xfdff, ..) => Some(AddressKind::Private),
        (0xfe80..=0xfeff, ..) => Some(AddressKind::LinkLocal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_told_in_every_disguise() {
        let cases = [
            ("127.0.0.1", AddressKind::Loopback),
            ("127.255.0.9", AddressKind::Loopback),
            ("::1", AddressKind::Loopback),
            ("::ffff:127.0.0.1", AddressKind::Loopback),
            ("::127.0.0.1", AddressKind::Loopback),
            ("64:ff9b::7f00:1", AddressKind::Loopback),
            ("2002:7f00:1::", AddressKind::Loopback),
            ("169.254.1.1", AddressKind::LinkLocal),
            ("fe80::1", AddressKind::LinkLocal),
            ("169.254.169.254", AddressKind::Metadata),
            ("::ffff:169.254.169.254", AddressKind::Metadata),
            ("fd00:ec2::254", AddressKind::Metadata),
            ("10.1.2.3", AddressKind::Private),
            ("172.31.0.1", AddressKind::Private),
            ("192.168.0.1", AddressKind::Private),
            ("100.64.0.1", AddressKind::Private),
            ("fc00::1", AddressKind::Private),
            ("0.0.0.0", AddressKind::Special),
            ("::", AddressKind::Special),
            ("224.0.0.1", AddressKind::Special),
            ("255.255.255.255", AddressKind::Special),
            ("ff02::1", AddressKind::Special),
        ];
        for (text, kind) in cases {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(AddressKind::of(address), Some(kind), "{text}");
            assert!(!AddressGuard::public().permits(address), "{text}");
            assert!(AddressGuard::public().allowing(kind).permits(address), "{text}");
            assert!(AddressGuard::any().permits(address), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2002:101:101::"] {
            assert!(AddressGuard::public().permits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn link_local_does_not_open_the_metadata_service() {
        let guard = AddressGuard::public().allowing(AddressKind::LinkLocal);
        assert!(!guard.permits("169.254.169.254".parse().unwrap()));
    }
}
