//! The listener, with a bound on open connections.
//!
//! Promise: no more connections are open at a time than the configuration allows, in all and from one network address: what is
//! over is closed before a byte of it is read. A connection on which nothing is heard for [`CONNECTION_IDLE`] is closed,
//! whatever it waits for: a request that drips in, or a desk that is gone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use parley_domain::limits::CONNECTION_IDLE;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutReader;

use crate::config::Limits;

#[derive(Default)]
struct Open {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// A listener that keeps count.
pub struct Bounded {
    listener: TcpListener,
    limits: Limits,
    idle: Duration,
    open: Arc<Mutex<Open>>,
}

impl Bounded {
    /// Counts from nothing.
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        let idle = Duration::from_millis(CONNECTION_IDLE.unsigned_abs());
        Self { listener, limits, idle, open: Arc::default() }
    }

    /// A place for a connection from the address, unless there are enough.
    fn place(&self, address: IpAddr) -> Option<Place> {
        let mut open = lock(&self.open);
        let of_address = open.of_address.get(&address).copied().unwrap_or_default();
        if open.all >= self.limits.connections || of_address >= self.limits.connections_of_address {
            return None;
        }
        open.all += 1;
        *open.of_address.entry(address).or_default() += 1;
        Some(Place { open: self.open.clone(), address })
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // What goes wrong with one connection, or for want of file handles, is waited out there.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(place) = self.place(address.ip()) {
                // Answers are small and whole: waiting for more to send with them only delays them.
                let _ = stream.set_nodelay(true);
                let mut stream = TimeoutReader::new(stream);
                stream.set_timeout(Some(self.idle));
                return (Connection { stream: Box::pin(stream), _place: place }, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Place {
    open: Arc<Mutex<Open>>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.all -= 1;
        if let Some(count) = open.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.of_address.remove(&self.address);
            }
        }
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    // Nothing can fail while it is held.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that has a place.
pub struct Connection {
    stream: Pin<Box<TimeoutReader<TcpStream>>>,
    _place: Place,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listening(limits: Limits) -> (Bounded, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Bounded::new(listener, limits), address)
    }

    #[tokio::test]
    async fn a_connection_over_the_bound_is_closed_and_a_place_that_is_given_back_is_given_again() {
        for limits in
            [Limits { connections: 2, ..Limits::default() }, Limits { connections_of_address: 2, ..Limits::default() }]
        {
            let (mut bounded, address) = listening(limits).await;
            let _one = TcpStream::connect(address).await.unwrap();
            let _two = TcpStream::connect(address).await.unwrap();
            let mut over = TcpStream::connect(address).await.unwrap();
            let held = [bounded.accept().await, bounded.accept().await];
            let accepting = tokio::spawn(async move { bounded.accept().await });
            let read =
                tokio::time::timeout(Duration::from_secs(20), async { over.read(&mut [0; 1]).await.unwrap_or(0) });
            assert_eq!(read.await, Ok(0), "closed unread");
            drop(held);
            let mut next = TcpStream::connect(address).await.unwrap();
            let (mut taken, _) = accepting.await.unwrap();
            next.write_all(b"x").await.unwrap();
            assert_eq!(taken.read(&mut [0; 1]).await.unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_is_heard_is_closed() {
        let (mut bounded, address) = listening(Limits::default()).await;
        bounded.idle = Duration::from_millis(20);
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut taken, _) = bounded.accept().await;
        let read = tokio::time::timeout(Duration::from_secs(20), async { taken.read(&mut [0; 1]).await.unwrap_err() });
        let error = read.await.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
