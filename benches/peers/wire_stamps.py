#!/usr/bin/env python3
"""When the frames of our controller arrive at the other end of the wire, stamped by the kernel.

    wire_stamps.py INTERFACE

Until standard input ends; then one line a frame: nanoseconds of CLOCK_REALTIME.
"""

import socket
import struct
import sys
import threading

ETHERTYPE = 0x88A4
# First bytes of our source address; the answers of the SubDevices begin otherwise.
SOURCE = b"\x10\x10"
SO_TIMESTAMPNS = 35
BUFFER_BYTES = 8 << 20


def main():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    # Beyond the limit for everybody: this process may get its turn late.
    wire.setsockopt(socket.SOL_SOCKET, 33, BUFFER_BYTES)
    wire.bind((sys.argv[1], ETHERTYPE))
    wire.settimeout(0.2)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)
    stamps = []
    while not ended.is_set():
        try:
            frame, control, _, _ = wire.recvmsg(64, 64)
        except TimeoutError:
            continue
        if frame[6:8] == SOURCE:
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            stamps.append(seconds * 1_000_000_000 + nanoseconds)
    print("\n".join(map(str, stamps)))


if __name__ == "__main__":
    main()
