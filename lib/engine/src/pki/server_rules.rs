//! Which names a CA may certify for servers: DNS names and networks of its policy.

use std::fmt;
use std::net::IpAddr;

use crate::cert::AltName;

/// Names and networks of the servers that a CA signs. Without either, every name passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerRules {
    /// `broker.example.com`, or `.example.com` for all names below it. None for no rule.
    names: Option<Vec<String>>,
    networks: Option<Vec<Network>>,
}

impl ServerRules {
    /// Reads the values of `server_names` and `server_networks`.
    ///
    /// Errors: a value that is none, in words.
    pub(super) fn new(
        names: Option<&Vec<String>>,
        networks: Option<&Vec<String>>,
    ) -> Result<Self, String> {
        for name in names.into_iter().flatten() {
            let host = name.strip_prefix('.').unwrap_or(name);
            if let Err(e) = format!("DNS:{host}").parse::<AltName>() {
                return Err(format!("server_names: {name:?}: {}", e.problem));
            }
            if host.starts_with('*') {
                let below = host.trim_start_matches('*');
                return Err(format!("server_names: {name:?}: write {below:?} for all names below"));
            }
        }
        let networks = networks.map(|all| all.iter().map(|text| Network::parse(text)).collect());
        let networks: Option<Result<Vec<Network>, String>> = networks;
        Ok(Self { names: names.cloned(), networks: networks.transpose()? })
    }

    /// Whether it lets every name pass.
    pub fn is_open(&self) -> bool {
        self.names.is_none() && self.networks.is_none()
    }

    /// The names, as they stand in pki.toml.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The networks, as they stand in pki.toml.
    pub fn networks(&self) -> Option<Vec<String>> {
        self.networks.as_ref().map(|all| all.iter().map(ToString::to_string).collect())
    }

    /// Whether a server may have this name. With a rule a URI needs a host that may be had, and other forms than
    /// DNS, IP and URI never pass.
    pub(super) fn permits(&self, name: &AltName) -> bool {
        match name {
            _ if self.is_open() => true,
            AltName::Dns(dns) => self.permits_host(dns),
            AltName::Ip(address) => self.permits_address(*address),
            AltName::Uri(_) => name.uri_host().is_some_and(|host| {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                match bare.parse() {
                    Ok(address) => self.permits_address(address),
                    Err(_) => self.permits_host(host),
                }
            }),
            _ => false,
        }
    }

    fn permits_host(&self, host: &str) -> bool {
        // A wildcard stands for names below its parent only.
        let host = host.strip_prefix('*').unwrap_or(host);
        self.names.iter().flatten().any(|own| match own.starts_with('.') {
            true => ends_with(host, own),
            false => host.eq_ignore_ascii_case(own),
        })
    }

    fn permits_address(&self, address: IpAddr) -> bool {
        self.networks.iter().flatten().any(|network| network.holds(address))
    }
}

/// Whether `host` ends with `.parent`.
fn ends_with(host: &str, dotted: &str) -> bool {
    let start = host.len().checked_sub(dotted.len());
    start.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(dotted))
}

impl fmt::Display for ServerRules {
    /// `broker.example.com, .plant.example.com, 10.7.0.0/16`; `none` for rules that let nothing pass.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<String> = self.names.clone().unwrap_or_default();
        all.extend(self.networks().unwrap_or_default());
        match all.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&all.join(", ")),
        }
    }
}

/// A network (RFC 4632; RFC 4291, 2.3): an address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Self, String> {
        let fail = |problem: &str| format!("server_networks: {text:?}: {problem}");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr =
            address.parse().map_err(|_| fail("it is no network, such as 10.7.0.0/16"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).ok().filter(|prefix| *prefix <= bits);
        let prefix = prefix.ok_or_else(|| fail(&format!("its prefix is not 0 to {bits}")))?;
        let network = Self { address, prefix };
        if network.masked(address) != number(address) {
            return Err(fail("the address has bits behind its prefix that are not 0"));
        }
        Ok(network)
    }

    /// The first bits of an address of the same family, the others 0.
    fn masked(self, address: IpAddr) -> u128 {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        let others = bits - self.prefix;
        number(address)
            .checked_shr(others)
            .map_or(0, |first| first.checked_shl(others).unwrap_or(0))
    }

    fn holds(self, address: IpAddr) -> bool {
        let same_family = self.address.is_ipv4() == address.is_ipv4();
        same_family && self.masked(address) == number(self.address)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(names: &[&str], networks: &[&str]) -> ServerRules {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        ServerRules::new(Some(&owned(names)), Some(&owned(networks))).unwrap()
    }

    #[test]
    fn names_and_networks_are_permitted_and_nothing_else() {
        let rules = rules(
            &["broker.example.com", ".plant.example.com"],
            &["10.7.0.0/16", "2001:db8::/32", "192.0.2.7"],
        );
        for good in [
            "DNS:broker.example.com",
            "DNS:BROKER.example.com",
            "DNS:a.plant.example.com",
            "DNS:b.a.Plant.example.com",
            "DNS:*.plant.example.com",
            "IP:10.7.255.1",
            "IP:2001:db8:7::1",
            "IP:192.0.2.7",
            "URI:https://a.plant.example.com:8443/x",
            "URI:opc.tcp://10.7.0.1:4840",
            "URI:https://[2001:db8::1]/",
        ] {
            assert!(rules.permits(&good.parse().unwrap()), "{good}");
        }
        for bad in [
            "DNS:a.broker.example.com",
            "DNS:plant.example.com",
            "DNS:xplant.example.com",
            "DNS:*.example.com",
            "DNS:*.broker.example.com",
            "IP:10.8.0.1",
            "IP:192.0.2.8",
            "IP:2001:db9::1",
            "URI:urn:plant.example.com",
            "URI:https://plant.example.com/",
            "email:a@a.plant.example.com",
        ] {
            assert!(!rules.permits(&bad.parse().unwrap()), "{bad}");
        }
        assert_eq!(
            rules.to_string(),
            "broker.example.com, .plant.example.com, 10.7.0.0/16, 2001:db8::/32, 192.0.2.7/32"
        );
    }

    #[test]
    fn no_rule_lets_all_pass_and_an_empty_one_none() {
        let name = "DNS:a.example.com".parse().unwrap();
        assert!(ServerRules::default().permits(&name));
        assert!(!rules(&[], &[]).permits(&name));
        let all = rules(&[], &["0.0.0.0/0"]);
        assert!(all.permits(&"IP:10.0.0.1".parse().unwrap()) && !all.permits(&name));
    }

    #[test]
    fn values_that_are_none_are_refused() {
        let fault = |name: &str, network: &str| {
            ServerRules::new(Some(&vec![name.to_owned()]), Some(&vec![network.to_owned()]))
                .unwrap_err()
        };
        assert!(fault("a_b", "10.0.0.0/8").contains("letters, digits and hyphens"));
        assert!(fault("*.example.com", "10.0.0.0/8").contains("write \".example.com\""));
        assert!(fault("a.com", "10.0.0.0/33").contains("prefix is not 0 to 32"));
        assert!(fault("a.com", "10.0.0.1/8").contains("bits behind its prefix"));
        assert!(fault("a.com", "plant").contains("no network"));
    }
}
