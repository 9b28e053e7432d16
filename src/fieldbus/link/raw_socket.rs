//! A network interface through an `AF_PACKET` socket: whole Ethernet frames of type 0x88A4, real time.
//! The thread that exchanges process data also sends and receives, so there is no other thread here.

#![expect(unsafe_code, reason = "the link-layer socket address has no safe wrapper")]

use std::fmt;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netdevice, recv, send,
    socket_with,
};

use super::looking::Looking;
use super::{FrameLink, LinkError, MAX_FRAME_BYTES};
use crate::platform::clock;
use crate::units::Nanoseconds;

/// EtherType of EtherCAT, in network byte order as the socket interface wants it.
const ETHERTYPE_ETHERCAT: u16 = 0x88A4_u16.to_be();

/// Why a socket on an interface could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// There is no interface of this name.
    NoSuchInterface,
    /// The process may not open raw sockets.
    NotPermitted,
    /// Anything else, as error number.
    System(i32),
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchInterface => {
                formatter.write_str("there is no such network interface (see `ip link`)")
            }
            Self::NotPermitted => formatter.write_str(
                "raw sockets are not permitted; grant it with `sudo setcap cap_net_raw+ep <path of motiond>`",
            ),
            Self::System(number) => write!(formatter, "the operating system refused: error number {number}"),
        }
    }
}

/// `struct sockaddr_ll` of packet(7).
#[repr(C)]
struct LinkLayerAddress {
    family: u16,
    /// Network byte order.
    protocol: u16,
    interface: i32,
    hardware_type: u16,
    packet_type: u8,
    address_length: u8,
    address: [u8; 8],
}

// SAFETY: `with_sockaddr` calls `f` once, with a pointer to a live `repr(C)` value laid out as the kernel's
// `struct sockaddr_ll` and with exactly its size.
unsafe impl SocketAddrArg for LinkLayerAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        const LENGTH: SocketAddrLen = 20;
        const { assert!(size_of::<LinkLayerAddress>() == LENGTH as usize) };
        f(std::ptr::from_ref(self).cast(), LENGTH)
    }
}

/// A raw socket bound to one network interface.
#[derive(Debug)]
pub struct RawSocket {
    socket: OwnedFd,
    looking: Looking,
}

impl RawSocket {
    /// Opens the interface (`eth1`, `enp3s0`). Needs `CAP_NET_RAW`.
    ///
    /// # Errors
    /// No such interface, no permission, or another refusal of the operating system.
    pub fn open(interface: &str) -> Result<Self, OpenError> {
        let refused = |errno: Errno| match errno {
            Errno::NODEV | Errno::NXIO | Errno::NOENT => OpenError::NoSuchInterface,
            Errno::PERM | Errno::ACCESS => OpenError::NotPermitted,
            other => OpenError::System(other.raw_os_error()),
        };
        let protocol = NonZeroU32::new(u32::from(ETHERTYPE_ETHERCAT)).map(Protocol::from_raw);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol).map_err(refused)?;
        let index = netdevice::name_to_index(&socket, interface).map_err(refused)?;
        let address = LinkLayerAddress {
            family: AddressFamily::PACKET.as_raw(),
            protocol: ETHERTYPE_ETHERCAT,
            interface: i32::try_from(index).map_err(|_| OpenError::NoSuchInterface)?,
            hardware_type: 0,
            packet_type: 0,
            address_length: 0,
            address: [0; 8],
        };
        bind(&socket, &address).map_err(refused)?;
        Ok(Self { socket, looking: Looking::default() })
    }
}

const fn link_error(errno: Errno) -> LinkError {
    match errno {
        Errno::NETDOWN | Errno::NETUNREACH | Errno::NXIO | Errno::NODEV => LinkError::Down,
        Errno::AGAIN | Errno::NOBUFS => LinkError::Full,
        Errno::MSGSIZE => LinkError::TooLong,
        other => LinkError::System(other.raw_os_error()),
    }
}

impl FrameLink for RawSocket {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(LinkError::TooLong);
        }
        send(&self.socket, frame, SendFlags::DONTWAIT).map(drop).map_err(link_error)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Nanoseconds) -> Result<Option<usize>, LinkError> {
        let mut now = clock::now();
        let look_until = self.looking.until(now, deadline);
        loop {
            // Length as the kernel copied it: a longer frame is cut to the buffer.
            match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    if now < look_until {
                        self.looking.found();
                    }
                    return Ok(Some(length));
                }
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(link_error(errno)),
            }
            let was_looking = now < look_until;
            now = clock::now();
            if now < look_until {
                continue;
            }
            if was_looking {
                self.looking.found_nothing();
            }
            if now >= deadline {
                return Ok(None);
            }
            let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut sockets, Some(&clock::timespec(deadline.since(now)))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(link_error(errno)),
            }
        }
    }

    fn now(&self) -> Nanoseconds {
        clock::now()
    }

    fn wait_until(&mut self, time: Nanoseconds) {
        clock::sleep_until(time);
    }
}
