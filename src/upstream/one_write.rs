//! Small pieces that are sent together, copied together first.
//!
//! hyper hands over a head and its body, or a chunk and its frame, in pieces. The system takes
//! one piece a fifth of a microsecond sooner than several, which is more than copying a few
//! kilobytes takes. What is longer goes in its pieces.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// The longest that is copied.
const LONGEST: usize = 4 << 10;

thread_local! {
    /// Where pieces are joined: one for all connections of a thread.
    static JOINED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(LONGEST));
}

/// A connection whose small writes are one piece each. One does not stand upon another.
pub struct OneWrite<S>(pub S);

impl<S: Connection> Connection for OneWrite<S> {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl<S: Read + Unpin> Read for OneWrite<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<S: Write + Unpin> Write for OneWrite<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.get_mut().0);
        if let [piece] = pieces {
            return stream.poll_write(cx, piece);
        }
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > LONGEST {
            return stream.poll_write_vectored(cx, pieces);
        }
        JOINED.with_borrow_mut(|joined| {
            joined.clear();
            for piece in pieces {
                joined.extend_from_slice(piece);
            }
            stream.poll_write(cx, joined)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Notes in how many pieces each write came.
    struct Noted {
        stream: TokioIo<TcpStream>,
        writes: Vec<usize>,
    }

    impl Write for Noted {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let noted = self.get_mut();
            noted.writes.push(1);
            Pin::new(&mut noted.stream).poll_write(cx, buf)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().stream).poll_flush(cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let noted = self.get_mut();
            noted.writes.push(pieces.len());
            Pin::new(&mut noted.stream).poll_write_vectored(cx, pieces)
        }
    }

    #[tokio::test]
    async fn small_pieces_go_as_one_and_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut near = OneWrite(Noted { stream: TokioIo::new(stream), writes: Vec::new() });
        let long = vec![b'x'; LONGEST];
        let mut expected = Vec::new();
        let sent: [&[&[u8]]; 4] =
            [&[b"head ", b"", b"body"], &[b"alone"], &[b"h", &long], &[&long[2..], b"yz"]];
        for pieces in sent {
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let length: usize = pieces.iter().map(|piece| piece.len()).sum();
            let wrote = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &slices)).await;
            assert_eq!(wrote.unwrap(), length);
            expected.extend(pieces.concat());
        }
        assert_eq!(near.0.writes, [1, 1, 2, 1]);
        let mut came = vec![0; expected.len()];
        far.read_exact(&mut came).await.unwrap();
        assert!(came == expected);
    }
}
