//! Sockets: bytes between connections and the [`Broker`], on one thread. The only file of the folder
//! that knows tokio.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use super::broker::Broker;
use super::lease::SessionId;
use super::protocol::write_answer;
use super::request::Role;
use super::session::Peer;
use crate::units::Nanoseconds;

/// Bytes read at once from one connection.
const READ_BYTES: usize = 64 * 1024;
/// How often the daemon's core is polled.
pub const POLL_PERIOD: Duration = Duration::from_millis(2);

/// Sockets that listen.
#[derive(Debug)]
pub struct Listeners {
    unix: Option<(std::os::unix::net::UnixListener, PathBuf, Role)>,
    tcp: Option<(std::net::TcpListener, Role)>,
}

impl Listeners {
    /// No socket.
    #[must_use]
    pub const fn none() -> Self {
        Self { unix: None, tcp: None }
    }

    /// Listens on a Unix socket that only its owner can open. A socket file nobody listens on any more
    /// is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when another daemon listens there, or what the system says.
    pub fn unix(mut self, path: &Path, role: Role) -> io::Result<Self> {
        if path.exists() {
            match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::AddrInUse,
                        format!("another daemon listens on {}", path.display()),
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                }
                Err(error) => return Err(error),
            }
        }
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        self.unix = Some((listener, path.to_owned(), role));
        Ok(self)
    }

    /// Listens on TCP. Port 0 takes any free one.
    ///
    /// # Errors
    /// `InvalidInput` for an address that is not loopback: the protocol is neither encrypted nor
    /// authenticated. Or what the system says.
    pub fn tcp(mut self, address: SocketAddr, role: Role) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{address} is not a loopback address; use 127.0.0.1 or [::1]"),
            ));
        }
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        self.tcp = Some((listener, role));
        Ok(self)
    }

    /// The address TCP listens on.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }
}

struct Shared<C> {
    broker: RefCell<Broker>,
    wake: RefCell<BTreeMap<SessionId, Rc<Notify>>>,
    clock: C,
}

impl<C: Fn() -> Nanoseconds> Shared<C> {
    fn now(&self) -> Nanoseconds {
        (self.clock)()
    }

    /// Wakes the connections that have something to send or are to be closed.
    fn wake(&self) {
        let broker = self.broker.borrow();
        for (session, wake) in &*self.wake.borrow() {
            if broker.has_output(*session) || broker.closing(*session).is_some() {
                wake.notify_one();
            }
        }
    }
}

/// Serves until `shutdown` is ready; then accepts nothing more, has the arm stopped on its path and the
/// drives switched off, and returns the broker when that is done or after `patience`.
///
/// `clock` is monotonic; `on_poll` is called after each poll of the daemon's core.
///
/// # Errors
/// The sockets cannot be taken into the runtime.
pub async fn serve(
    listeners: Listeners,
    broker: Broker,
    clock: impl Fn() -> Nanoseconds + 'static,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
    mut on_poll: impl FnMut(&mut Broker),
) -> io::Result<Broker> {
    let shared = Rc::new(Shared { broker: RefCell::new(broker), wake: RefCell::new(BTreeMap::new()), clock });
    let mut socket_file = None;
    let unix = match listeners.unix {
        Some((listener, path, role)) => {
            socket_file = Some(path);
            Some((UnixListener::from_std(listener)?, role))
        }
        None => None,
    };
    let tcp = match listeners.tcp {
        Some((listener, role)) => Some((TcpListener::from_std(listener)?, role)),
        None => None,
    };

    let tasks = LocalSet::new();
    let mut accepting = Vec::new();
    if let Some((listener, role)) = unix {
        let shared = Rc::clone(&shared);
        accepting.push(tasks.spawn_local(async move {
            loop {
                // An error here concerns one connection (gone before it was accepted) or a shortage of
                // descriptors; both pass.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(POLL_PERIOD).await;
                    continue;
                };
                let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
                let (reader, writer) = stream.into_split();
                connection(&shared, role, Peer::Local { uid }, reader, writer);
            }
        }));
    }
    if let Some((listener, role)) = tcp {
        let shared = Rc::clone(&shared);
        accepting.push(tasks.spawn_local(async move {
            loop {
                let Ok((stream, address)) = listener.accept().await else {
                    tokio::time::sleep(POLL_PERIOD).await;
                    continue;
                };
                // Small messages that somebody waits for; without it the socket only works slower.
                let _ignored = stream.set_nodelay(true);
                let (reader, writer) = stream.into_split();
                connection(&shared, role, Peer::Network { address: address.to_string() }, reader, writer);
            }
        }));
    }

    let poll = {
        let shared = Rc::clone(&shared);
        async move {
            let mut ticks = tokio::time::interval(POLL_PERIOD);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            tokio::pin!(shutdown);
            let mut deadline: Option<tokio::time::Instant> = None;
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = &mut shutdown, if deadline.is_none() => {
                        deadline = Some(tokio::time::Instant::now() + patience);
                        accepting.iter().for_each(tokio::task::JoinHandle::abort);
                        shared.broker.borrow_mut().daemon_mut().begin_shutdown();
                    }
                }
                {
                    let mut broker = shared.broker.borrow_mut();
                    broker.poll(shared.now());
                    on_poll(&mut broker);
                }
                shared.wake();
                if let Some(deadline) = deadline
                    && (shared.broker.borrow().daemon().is_shut_down()
                        || tokio::time::Instant::now() >= deadline)
                {
                    return;
                }
            }
        }
    };
    tasks.run_until(poll).await;
    drop(tasks);
    if let Some(path) = socket_file {
        // Already gone is as good.
        let _ignored = std::fs::remove_file(path);
    }
    Rc::try_unwrap(shared)
        .map(|shared| shared.broker.into_inner())
        .map_err(|_| io::Error::other("a connection outlived the server"))
}

fn connection<C, R, W>(shared: &Rc<Shared<C>>, role: Role, peer: Peer, reader: R, mut writer: W)
where
    C: Fn() -> Nanoseconds + 'static,
    R: AsyncRead + Unpin + 'static,
    W: AsyncWrite + Unpin + 'static,
{
    let opened = shared.broker.borrow_mut().open(role, peer, shared.now());
    match opened {
        Ok(session) => {
            let wake = Rc::new(Notify::new());
            shared.wake.borrow_mut().insert(session, Rc::clone(&wake));
            let shared = Rc::clone(shared);
            tokio::task::spawn_local(async move {
                converse(&shared, session, &wake, reader, writer).await;
                shared.wake.borrow_mut().remove(&session);
                let now = shared.now();
                shared.broker.borrow_mut().close(session, now);
                shared.wake();
            });
        }
        Err(error) => {
            tokio::task::spawn_local(async move {
                let line = write_answer(None, &Err(error));
                // Whoever does not take the reason at once does not get it.
                let _ignored =
                    tokio::time::timeout(Duration::from_millis(100), writer.write_all(line.as_bytes())).await;
            });
        }
    }
}

/// Moves bytes until the connection or the session ends.
async fn converse<C, R, W>(
    shared: &Shared<C>,
    session: SessionId,
    wake: &Notify,
    mut reader: R,
    mut writer: W,
) where
    C: Fn() -> Nanoseconds,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; READ_BYTES];
    let mut outgoing: Vec<u8> = Vec::new();
    let mut work_left = false;
    loop {
        if outgoing.is_empty() {
            let mut broker = shared.broker.borrow_mut();
            while outgoing.len() < READ_BYTES
                && let Some(line) = broker.take_line(session)
            {
                outgoing.extend_from_slice(line.as_bytes());
            }
        }
        if shared.broker.borrow().closing(session).is_some() {
            while let Some(line) = shared.broker.borrow_mut().take_line(session) {
                outgoing.extend_from_slice(line.as_bytes());
            }
            let last_words = writer.write_all(&outgoing);
            // A client that does not read must not keep its session alive.
            let _ignored = tokio::time::timeout(Duration::from_millis(100), last_words).await;
            return;
        }
        tokio::select! {
            biased;
            written = writer.write(&outgoing), if !outgoing.is_empty() => match written {
                Ok(count) if count > 0 => {
                    outgoing.drain(..count);
                    let now = shared.now();
                    shared.broker.borrow_mut().progressed(session, outgoing.is_empty(), now);
                }
                Ok(_) | Err(_) => return,
            },
            () = wake.notified() => {}
            () = tokio::task::yield_now(), if work_left => {
                let now = shared.now();
                work_left = shared.broker.borrow_mut().turn(session, now);
                shared.wake();
            }
            received = reader.read(&mut buffer), if !work_left => match received {
                Ok(count) if count > 0 => {
                    let now = shared.now();
                    let mut broker = shared.broker.borrow_mut();
                    broker.receive(session, buffer.get(..count).unwrap_or_default(), now);
                    work_left = broker.turn(session, now);
                    drop(broker);
                    shared.wake();
                }
                Ok(_) | Err(_) => return,
            },
        }
    }
}
