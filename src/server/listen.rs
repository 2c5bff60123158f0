//! Listening sockets that several threads can share.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

const BACKLOG: i32 = 1024;
/// As much as the kernel keeps of what a caller has not made room for: some megabytes
/// otherwise, so that a caller that stopped reading is not noticed for as long as it takes to
/// fill them, and one that reads slowly seems to stand still while they drain.
const MOST_UNSENT_BYTES: u32 = 128 << 10;

/// Binds one address `count` times; the kernel spreads connections over the sockets.
///
/// Port 0 takes a free port, the same for every socket. The address must be free:
/// `SO_REUSEPORT` alone would let a second gateway take half of the first one's callers.
pub(super) fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    drop(socket(address, Sharing::Refused)?);
    let first = socket(address, Sharing::Allowed)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut all = vec![first];
    for _ in 1..count {
        all.push(socket(address, Sharing::Allowed)?);
    }
    Ok(all.into_iter().map(Into::into).collect())
}

enum Sharing {
    Refused,
    Allowed,
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(matches!(sharing, Sharing::Allowed))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if matches!(sharing, Sharing::Allowed) {
        // What is accepted has it from here.
        socket.set_tcp_notsent_lowat(MOST_UNSENT_BYTES)?;
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

/// Hands a bound socket to the runtime of the calling thread.
pub(super) fn register(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    TcpListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_is_accepted_keeps_little_that_was_not_sent() {
        let listener = bind(([127, 0, 0, 1], 0).into(), 1).unwrap().remove(0);
        let _caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), MOST_UNSENT_BYTES);
    }
}
