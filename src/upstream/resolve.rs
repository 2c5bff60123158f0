//! Names to addresses, refused where a name points inside.
//!
//! A name that resolves to a loopback, private or link-local address could carry a
//! credential to a neighbour (DNS rebinding). An address that stands in the
//! operator's file as a literal never comes here: it is the operator's word.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;

/// The system's resolver behind the check.
#[derive(Clone)]
pub(super) struct CheckedResolver {
    allowed: Arc<[String]>,
}

impl CheckedResolver {
    pub(super) fn new(allow_private: &[String]) -> Self {
        Self { allowed: allow_private.into() }
    }
}

impl tower_service::Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allowed = self.allowed.iter().any(|allowed| allowed == name.as_str());
        Box::pin(async move {
            let host = name.as_str();
            // The connector puts the URL's port in place of this one.
            let all = tokio::net::lookup_host((host, 0)).await?;
            let fit: Vec<_> = all.filter(|address| allowed || !is_inside(address.ip())).collect();
            if fit.is_empty() {
                return Err(io::Error::other(format!(
                    "{host} resolves to no public address; if that is meant, list it in \
                     [upstream] allow_private"
                )));
            }
            Ok(fit.into_iter())
        })
    }
}

/// Loopback, private, link-local, shared, multicast or unspecified.
fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_addresses_are_told_from_public_ones() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
        ] {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for public in ["8.8.8.8", "2400:3200::1", "100.128.0.1"] {
            assert!(!is_inside(public.parse().unwrap()), "{public}");
        }
    }
}
