//! Which addresses a request may be sent to.
//!
//! Whoever adds an endpoint chooses where the server sends requests; names are resolved by whoever owns them. So it is the
//! address that is judged, each time before it is connected to, and never the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, where it is not one of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// Behind an operator's address translation (RFC 6598).
    Shared,
    /// The network cable: also where clouds tell a machine its credentials.
    LinkLocal,
    /// Where clouds tell a machine its credentials, elsewhere.
    Metadata,
    /// Nobody.
    Unspecified,
    /// Many.
    Multicast,
    /// Set aside by a standard.
    Reserved,
}

impl Kind {
    /// As the end of a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "this machine",
            Self::Private => "a private network",
            Self::Shared => "a network behind address translation",
            Self::LinkLocal => "the local link",
            Self::Metadata => "a cloud's metadata",
            Self::Unspecified => "no address",
            Self::Multicast => "a multicast group",
            Self::Reserved => "a reserved network",
        }
    }

    /// Whether it is somebody's own network, which can be allowed.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared)
    }
}

/// What an address is; `None` if it is one of the public internet. An address of IPv4 that travels inside one of IPv6 is judged
/// itself.
pub fn kind(address: IpAddr) -> Option<Kind> {
    match address {
        IpAddr::V4(address) => of_four(address),
        IpAddr::V6(address) => of_six(address),
    }
}

/// Networks of IPv4, the first that fits: IANA's registry of special addresses, and what clouds have made of others.
const FOUR: &[([u8; 4], u32, Kind)] = &[
    ([0, 0, 0, 0], 32, Kind::Unspecified),
    ([0, 0, 0, 0], 8, Kind::Reserved),
    ([10, 0, 0, 0], 8, Kind::Private),
    // Alibaba's, inside the shared network; Azure's, which looks public.
    ([100, 100, 100, 200], 32, Kind::Metadata),
    ([168, 63, 129, 16], 32, Kind::Metadata),
    ([100, 64, 0, 0], 10, Kind::Shared),
    ([127, 0, 0, 0], 8, Kind::Loopback),
    ([169, 254, 169, 254], 32, Kind::Metadata),
    ([169, 254, 0, 0], 16, Kind::LinkLocal),
    ([172, 16, 0, 0], 12, Kind::Private),
    // Among them Oracle's metadata, 192.0.0.192.
    ([192, 0, 0, 0], 24, Kind::Reserved),
    ([192, 0, 2, 0], 24, Kind::Reserved),
    ([192, 88, 99, 0], 24, Kind::Reserved),
    ([192, 168, 0, 0], 16, Kind::Private),
    ([198, 18, 0, 0], 15, Kind::Reserved),
    ([198, 51, 100, 0], 24, Kind::Reserved),
    ([203, 0, 113, 0], 24, Kind::Reserved),
    ([224, 0, 0, 0], 4, Kind::Multicast),
    ([240, 0, 0, 0], 4, Kind::Reserved),
];

fn of_four(address: Ipv4Addr) -> Option<Kind> {
    let bits = address.to_bits();
    let within = |network: [u8; 4], length: u32| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        bits & mask == u32::from_be_bytes(network)
    };
    FOUR.iter().find(|(network, length, _)| within(*network, *length)).map(|(.., kind)| *kind)
}

fn of_six(address: Ipv6Addr) -> Option<Kind> {
    let segments = address.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Kind::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Kind::Loopback),
        // IPv4-mapped, translated (RFC 2765), compatible.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low] => of_four(four(high, low)).or(Some(Kind::Reserved)),
        // NAT64 (RFC 6052): the way to public addresses of IPv4 where there is only IPv6.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of_four(four(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => of_four(four(high, low)),
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Some(Kind::Metadata),
        [first, ..] if first & 0xfe00 == 0xfc00 => Some(Kind::Private),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some(Kind::LinkLocal),
        // Site-local, which was private once.
        [first, ..] if first & 0xffc0 == 0xfec0 => Some(Kind::Private),
        [first, ..] if first & 0xff00 == 0xff00 => Some(Kind::Multicast),
        // Teredo and other protocols' own (2001::/23), documentation.
        [0x2001, second, ..] if second < 0x0200 || second == 0x0db8 => Some(Kind::Reserved),
        [0x3fff, second, ..] if second < 0x1000 => Some(Kind::Reserved),
        // Of all others only this part has been given out.
        [first, ..] if first & 0xe000 == 0x2000 => None,
        _ => Some(Kind::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let table = [
            ("8.8.8.8", None),
            ("1.1.1.1", None),
            ("100.63.255.255", None),
            ("100.128.0.0", None),
            ("172.15.255.255", None),
            ("172.32.0.0", None),
            ("192.167.255.255", None),
            ("223.255.255.255", None),
            ("0.0.0.0", Some(Kind::Unspecified)),
            ("0.1.2.3", Some(Kind::Reserved)),
            ("10.0.0.1", Some(Kind::Private)),
            ("10.255.255.255", Some(Kind::Private)),
            ("100.64.0.1", Some(Kind::Shared)),
            ("100.127.255.255", Some(Kind::Shared)),
            ("100.100.100.200", Some(Kind::Metadata)),
            ("127.0.0.1", Some(Kind::Loopback)),
            ("127.255.255.254", Some(Kind::Loopback)),
            ("168.63.129.16", Some(Kind::Metadata)),
            ("169.254.0.1", Some(Kind::LinkLocal)),
            ("169.254.169.254", Some(Kind::Metadata)),
            ("172.16.0.1", Some(Kind::Private)),
            ("172.31.255.255", Some(Kind::Private)),
            ("192.0.0.192", Some(Kind::Reserved)),
            ("192.0.2.1", Some(Kind::Reserved)),
            ("192.168.0.1", Some(Kind::Private)),
            ("198.19.0.1", Some(Kind::Reserved)),
            ("203.0.113.7", Some(Kind::Reserved)),
            ("224.0.0.1", Some(Kind::Multicast)),
            ("239.255.255.255", Some(Kind::Multicast)),
            ("240.0.0.1", Some(Kind::Reserved)),
            ("255.255.255.255", Some(Kind::Reserved)),
            ("2606:4700:4700::1111", None),
            ("2a00:1450:4001::1", None),
            ("::", Some(Kind::Unspecified)),
            ("::1", Some(Kind::Loopback)),
            ("::ffff:127.0.0.1", Some(Kind::Loopback)),
            ("::ffff:10.0.0.1", Some(Kind::Private)),
            ("::ffff:169.254.169.254", Some(Kind::Metadata)),
            ("::ffff:0:127.0.0.1", Some(Kind::Loopback)),
            ("::127.0.0.1", Some(Kind::Loopback)),
            ("::8.8.8.8", Some(Kind::Reserved)),
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::127.0.0.1", Some(Kind::Loopback)),
            ("64:ff9b::169.254.169.254", Some(Kind::Metadata)),
            ("64:ff9b:1::10.0.0.1", Some(Kind::Reserved)),
            ("2002:7f00:1::", Some(Kind::Loopback)),
            ("2002:a9fe:a9fe::1", Some(Kind::Metadata)),
            ("2002:c0a8:1::1", Some(Kind::Private)),
            ("2001::1", Some(Kind::Reserved)),
            ("2001:db8::1", Some(Kind::Reserved)),
            ("3fff::1", Some(Kind::Reserved)),
            ("100::1", Some(Kind::Reserved)),
            ("5f00::1", Some(Kind::Reserved)),
            ("fc00::1", Some(Kind::Private)),
            ("fd12:3456::1", Some(Kind::Private)),
            ("fd00:ec2::254", Some(Kind::Metadata)),
            ("fe80::1", Some(Kind::LinkLocal)),
            ("febf::1", Some(Kind::LinkLocal)),
            ("fec0::1", Some(Kind::Private)),
            ("ff02::1", Some(Kind::Multicast)),
        ];
        for (text, expected) in table {
            assert_eq!(kind(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn metadata_is_never_somebodys_own_network() {
        for text in
            ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"]
        {
            assert!(!kind(text.parse().unwrap()).unwrap().is_own(), "{text}");
        }
    }
}
