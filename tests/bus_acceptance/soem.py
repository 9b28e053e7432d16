#!/usr/bin/env python3
"""SOEM (through pysoem) as controller of the simulated segment, over a pair of virtual network interfaces.

    tests/bus_acceptance/soem.py target/release/motiond

1, 3, 8 and 16 drives, synchronised by process data and by distributed clock: scan, SDO transfers of every kind,
OP, motion in cyclic synchronous position mode. The frames are captured at the segment's end; tshark must not find a
malformed one. Needs root, pysoem, tshark and iproute2.
"""

import struct
import sys
import tempfile
import time

import pysoem

from wire import Segment, Wire

PERIOD_S = 0.002
SPEED_COUNTS_PER_CYCLE = 2000
MOVE_CYCLES = 150
PATIENCE_CYCLES = 3000
WATCHDOG_MS = 1000
OUTPUTS = [0x60400010, 0x607A0020, 0x60B10020, 0x60B20010, 0x60600008, 0x00000008]
INPUTS = [0x60410010, 0x60640020, 0x606C0020, 0x60770010, 0x603F0010, 0x60FD0020, 0x60610008, 0x00000008]
# Expedited, normal in one message, and segmented with one, two and many segments.
SIZES = [1, 2, 3, 4, 5, 7, 8, 12, 100, 112, 113, 118, 119, 120, 233, 234, 600, 1000]


def u8(value):
    return struct.pack("<B", value)


def u16(value):
    return struct.pack("<H", value)


def u32(value):
    return struct.pack("<I", value)


def map_pdo(slave, pdo, assignment, entries):
    slave.sdo_write(assignment, 0, u8(0))
    slave.sdo_write(pdo, 0, u8(0))
    for number, entry in enumerate(entries, 1):
        slave.sdo_write(pdo, number, u32(entry))
    slave.sdo_write(pdo, 0, u8(len(entries)))
    slave.sdo_write(assignment, 1, u16(pdo))
    slave.sdo_write(assignment, 0, u8(1))


def check_scan(master, count):
    found = master.config_init()
    assert found == count, f"{found} of {count} found"
    for number, slave in enumerate(master.slaves, 1):
        # SOEM reads the SII name only of the first of several equal devices; the object is read from each.
        assert slave.name == "drive-1", slave.name
        assert slave.sdo_read(0x1008, 0).rstrip(b"\0") == f"drive-{number}".encode()
        assert (slave.man, slave.id, slave.rev) == (0x4D4F5449, 0x402, 0x10000)


def check_sdo(slave):
    assert slave.sdo_read(0x1008, 0).rstrip(b"\0").startswith(b"drive-")
    assert slave.sdo_read(0x1000, 0) == u32(0x0002_0192)
    for size in SIZES:
        content = bytes((size + at * 7) % 256 for at in range(size))
        slave.sdo_write(0x2100, 0, content)
        assert slave.sdo_read(0x2100, 0, 2048) == content, f"{size} bytes came back changed"
    # Complete access: the subindex 0 takes 16 bits.
    identity = slave.sdo_read(0x1018, 0, 64, ca=True)
    assert identity == struct.pack("<HIIII", 4, slave.man, slave.id, slave.rev, 0), identity.hex()
    slave.sdo_write(0x60C2, 0, struct.pack("<HBb", 2, 2, -3), ca=True)
    assert slave.sdo_read(0x60C2, 1) == u8(2)
    for index, subindex, abort in ((0x5FFF, 0, 0x06020000), (0x1018, 9, 0x06090011)):
        try:
            slave.sdo_read(index, subindex)
        except pysoem.SdoError as error:
            assert error.abort_code == abort, hex(error.abort_code)
        else:
            raise AssertionError(f"0x{index:04X}:{subindex} can be read")
    try:
        slave.sdo_write(0x1018, 1, u32(1))
    except pysoem.SdoError as error:
        assert error.abort_code == 0x06010002, hex(error.abort_code)
    else:
        raise AssertionError("the vendor id can be written")


def check_dictionary(slave):
    """SDO information: object list, descriptions, entries."""
    objects = {entry.index: entry for entry in slave.od}
    for index in (0x1000, 0x1018, 0x1600, 0x1A00, 0x1C12, 0x6040, 0x6041, 0x607A):
        assert index in objects, f"0x{index:04X} is not in the object list"
    assert bytes(objects[0x6040].name) == b"Controlword", objects[0x6040].name
    identity = objects[0x1018]
    assert len(identity.entries) == 5, [entry.name for entry in identity.entries]
    assert identity.entries[1].bit_length == 32


class Drives:
    def __init__(self, master, full):
        self.master = master
        self.full = full
        self.next = time.monotonic()

    def cycle(self):
        self.next = max(self.next + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, self.next - time.monotonic()))
        self.master.send_processdata()
        return self.master.receive_processdata(20_000)

    def command(self, slave, controlword, target):
        if self.full:
            slave.output = struct.pack("<HiihbB", controlword, target, 0, 0, 8, 0)
        else:
            slave.output = struct.pack("<Hi", controlword, target)

    @staticmethod
    def seen(slave):
        return struct.unpack_from("<Hi", slave.input)

    def until(self, what, condition, act=lambda: None):
        for _ in range(PATIENCE_CYCLES):
            act()
            self.cycle()
            if condition():
                return
        raise AssertionError(f"{what}: not within {PATIENCE_CYCLES} cycles")


def to_op(master, drives):
    master.state = pysoem.OP_STATE
    master.write_state()

    def is_op():
        return master.state_check(pysoem.OP_STATE, 1) == pysoem.OP_STATE

    try:
        drives.until("OP", is_op)
    except AssertionError:
        master.read_state()
        for slave in master.slaves:
            print(slave.name, hex(slave.state), hex(slave.al_status), pysoem.al_status_code_to_string(slave.al_status))
        raise


def move(master, drives):
    starts = [drives.seen(slave)[1] for slave in master.slaves]
    targets = list(starts)

    def command(controlword):
        for slave, target in zip(master.slaves, targets):
            drives.command(slave, controlword, target)

    for controlword, mask, wanted in ((0x06, 0x6F, 0x21), (0x07, 0x6F, 0x23), (0x0F, 0x106F, 0x1027)):
        drives.until(
            f"statusword {wanted:#x}",
            lambda: all(drives.seen(slave)[0] & mask == wanted for slave in master.slaves),
            lambda: command(controlword),
        )
    lost = 0
    for _ in range(MOVE_CYCLES):
        targets[:] = [target + SPEED_COUNTS_PER_CYCLE for target in targets]
        command(0x0F)
        lost += drives.cycle() != master.expected_wkc
    drives.until(
        "all drives at their targets",
        lambda: all(abs(drives.seen(slave)[1] - target) <= 2 for slave, target in zip(master.slaves, targets)),
    )
    for start, target in zip(starts, targets):
        assert target - start == SPEED_COUNTS_PER_CYCLE * MOVE_CYCLES
    command(0x06)
    drives.until("off", lambda: all(drives.seen(slave)[0] & 0x6F == 0x21 for slave in master.slaves))
    return lost


def accept(program, wire, count, with_clock):
    segment = Segment(program, wire.far, "--drives", str(count))
    master = pysoem.Master()
    try:
        master.open(wire.near)
        check_scan(master, count)
        check_sdo(master.slaves[0])
        check_sdo(master.slaves[-1])
        check_dictionary(master.slaves[-1])
        drives = Drives(master, with_clock)
        for slave in master.slaves:
            if with_clock:
                map_pdo(slave, 0x1600, 0x1C12, OUTPUTS)
                map_pdo(slave, 0x1A00, 0x1C13, INPUTS)
            else:
                slave.sdo_write(0x6060, 0, u8(8))
            slave.sdo_write(0x60C2, 1, u8(int(PERIOD_S * 1000)))
            slave.set_watchdog("processdata", WATCHDOG_MS)
        master.config_map()
        if with_clock:
            assert master.config_dc(), "no distributed clock found"
            for slave in master.slaves:
                slave.dc_sync(True, int(PERIOD_S * 1e9), 500_000)
        assert master.state_check(pysoem.SAFEOP_STATE, 2_000_000) == pysoem.SAFEOP_STATE, "SAFE-OP"
        to_op(master, drives)
        lost = move(master, drives)
        master.state = pysoem.INIT_STATE
        master.write_state()
    finally:
        master.close()
        said = segment.stop()
    assert f"drive-{count}: OP" in said, said
    mode = "distributed clock" if with_clock else "process data"
    print(f"{count:2} drives, synchronised by {mode}: scan, SDO, OP, motion; {lost} of {MOVE_CYCLES} cycles incomplete")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Wire(folder) as wire:
        for count in (1, 3, 8, 16):
            for with_clock in (False, True):
                wire.start_capture()
                accept(program, wire, count, with_clock)
                seen, malformed = wire.stop_capture()
                assert seen > 100, f"only {seen} EtherCAT frames were captured"
                assert not malformed, f"malformed frames: {malformed[:20]} of {seen}"
                print(f"   {seen} frames captured, none malformed")


if __name__ == "__main__":
    main()
