//! Networks of addresses, as settings name them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Parses a network. A single address is a network of one address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

/// Reads a list of networks.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let unknown = |text: &str| D::Error::custom(format!("{text} is not a network"));
    let networks = texts.iter().map(|text| network(text).ok_or_else(|| unknown(text)));
    networks.collect()
}
