//! Who is at the other end of the wire.

use std::net::IpAddr;

use http::HeaderMap;

/// The caller's address: the peer's own, unless the peer is a listed proxy; then what the nearest unlisted hop of
/// `X-Forwarded-For` says. Anybody else's word about addresses changes nothing.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|text| text.split(','))
        .collect();
    let mut address = peer;
    for hop in hops.iter().rev() {
        let Ok(hop) = hop.trim().parse() else { break };
        address = hop;
        if !proxies.contains(&address) {
            break;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_peers_are_believed() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let proxy = ip("10.0.0.1");
        for (peer, header, wanted) in [
            ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "203.0.113.9, 10.0.0.1", "203.0.113.9"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-forwarded-for"),
                http::HeaderValue::from_static(header),
            )]);
            assert_eq!(client(ip(peer), &headers, &[proxy]), ip(wanted), "{peer} {header}");
        }
    }
}
