//! Addresses of clients: which address a request is from, and how many connections each address has open.
//!
//! The address of the connection counts, unless a proxy that the operator trusts opened it. Then the proxy's header names the
//! client. An IPv6 network counts as one address, because a client can use any address of its network.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use serde::Deserialize;

use crate::primitives::network::networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose headers about their clients are believed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TrustedProxies {
    /// The addresses of the proxies.
    #[serde(rename = "trusted_proxies", deserialize_with = "networks")]
    pub networks: Vec<IpNet>,
    /// Whether they name clients in `Forwarded` (RFC 7239) instead of `X-Forwarded-For`.
    #[serde(rename = "forwarded_header")]
    pub use_forwarded: bool,
}

impl TrustedProxies {
    /// Returns whether the address is that of a trusted proxy.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Returns the client of a request that came over a connection from `peer`. It is the last address in the header that does
    /// not belong to a trusted proxy. The client itself may have written everything before it.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        if !self.contain(peer) {
            return client;
        }
        let name = if self.use_forwarded {
            header::FORWARDED
        } else {
            X_FORWARDED_FOR
        };
        let values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
            .collect();
        for hop in values.into_iter().rev() {
            let address = if self.use_forwarded {
                forwarded_for(hop)
            } else {
                node(hop)
            };
            // No proxy that names addresses wrote an unreadable element. The proxy that passed it on is the last known address.
            let Some(address) = address else { break };
            client = address;
            if !self.contain(address) {
                break;
            }
        }
        client
    }
}

/// Parses the address in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    node(value)
}

/// Parses an address, which may be in quotes, in brackets, or have a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        // One colon separates a port. An IPv6 address has more colons.
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    bare.parse().ok()
}

/// Returns the address under which a client is counted: for IPv6 its /64 network.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Counts the open connections of each address, up to a limit. Clones share the count.
#[derive(Clone, Debug)]
pub(super) struct PerAddress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl PerAddress {
    pub(super) fn new(most: usize) -> Self {
        let open = Mutex::default();
        Self(Arc::new(Shared { most, open }))
    }

    /// Counts one more connection of this address. Returns `None` at the limit.
    pub(super) fn take(&self, address: IpAddr) -> Option<AddressPermit> {
        let address = counted_as(address);
        let mut open = self.0.open();
        let count = open.entry(address).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        let shared = Arc::clone(&self.0);
        Some(AddressPermit { shared, address })
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // The lock is never poisoned with a wrong count: counting cannot panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one connection of an address until it is dropped.
#[derive(Debug)]
pub(super) struct AddressPermit {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn proxies(use_forwarded: bool) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "2001:db8:f::/48"].map(|network| network.parse().expect("a network"));
        TrustedProxies {
            networks: networks.to_vec(),
            use_forwarded,
        }
    }

    fn client(use_forwarded: bool, peer: &str, values: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
            headers.append(header::FORWARDED, HeaderValue::from_static(value));
        }
        let client = proxies(use_forwarded).client(address(peer), &headers);
        client.to_string()
    }

    #[test]
    fn only_trusted_proxies_name_their_clients() {
        for (peer, values, expected) in [
            ("192.0.2.9", &["203.0.113.5"][..], "192.0.2.9"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["203.0.113.5"], "203.0.113.5"),
            ("::ffff:10.1.1.1", &["203.0.113.5"], "203.0.113.5"),
            // The client wrote the first address; the proxy appended the second.
            ("10.1.1.1", &["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
            ("10.1.1.1", &["198.51.100.1", "203.0.113.5, 10.2.2.2"], "203.0.113.5"),
            ("10.1.1.1", &["203.0.113.5:4711, 10.2.2.2:80"], "203.0.113.5"),
            ("10.1.1.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.1.1.1", &["203.0.113.5, unknown"], "10.1.1.1"),
            ("10.1.1.1", &["203.0.113.5, unknown, 10.2.2.2"], "10.2.2.2"),
            ("2001:db8:f::1", &["10.2.2.2"], "10.2.2.2"),
        ] {
            assert_eq!(client(false, peer, values), expected, "{peer} {values:?}");
        }
    }

    #[test]
    fn the_header_of_rfc_7239_is_read_where_proxies_write_it() {
        for (values, expected) in [
            (&["for=203.0.113.5;proto=https"][..], "203.0.113.5"),
            (&["For=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=198.51.100.1, for=203.0.113.5;by=10.1.1.1"], "203.0.113.5"),
            (&["for=_hidden"], "10.1.1.1"),
            (&["proto=https"], "10.1.1.1"),
        ] {
            assert_eq!(client(true, "10.1.1.1", values), expected, "{values:?}");
        }
    }

    #[test]
    fn each_address_has_its_own_bound_and_networks_of_ipv6_are_one() {
        let open = PerAddress::new(2);
        let first = open.take(address("2001:db8:1:2::1")).expect("free");
        let _second = open.take(address("2001:db8:1:2:ffff::9")).expect("free");
        assert!(open.take(address("2001:db8:1:2::3")).is_none());
        assert!(open.take(address("2001:db8:1:3::1")).is_some());
        assert!(open.take(address("192.0.2.1")).is_some());
        drop(first);
        assert!(open.take(address("2001:db8:1:2::3")).is_some());
        assert_eq!(open.0.open().len(), 1, "what is closed is forgotten");
    }
}
