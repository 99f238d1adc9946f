//! Which addresses a URL may lead to that a member or customer gave: those of the public internet, and nothing else.
//!
//! Promise: an address that is not known to be public is refused, also when it stands inside another one (IPv4 in IPv6, NAT64,
//! 6to4, Teredo). SECURITY.md A15.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        // Carrier-grade NAT, 100.64.0.0/10.
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments, 192.0.0.0/24; the 6to4 relay, 192.88.99.0/24.
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        // Benchmarks, 198.18.0.0/15.
        || (a == 198 && (b == 18 || b == 19))
        // Reserved, 240.0.0.0/4.
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, third, ..] = segments;
    // Global unicast is 2000::/3; whatever else is known today is local, mapped, translated or reserved.
    if first & 0xE000 != 0x2000 {
        return false;
    }
    match (first, second) {
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments, 2001::/23.
        (0x2001, second) if second < 0x0200 => false,
        // Documentation, 2001:db8::/32 and 3fff::/20.
        (0x2001, 0x0DB8) => false,
        (0x3FFF, second) if second < 0x1000 => false,
        // 6to4 holds an IPv4 address.
        (0x2002, high) => is_public_v4(joined(high, third)),
        _ => true,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for public in
            ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2002:808:808::1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inner in ["::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "::127.0.0.1", "100::1"] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
    }
}
