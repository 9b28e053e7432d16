#!/usr/bin/env python3
"""SOEM (through pysoem) as controller of a mixed segment: drives of two axes, a coupler with digital and analog terminals
and an encoder input on its backplane, a force sensor.

    tests/bus_acceptance/mixed.py target/release/motiond

Scan, SII byte by byte against the images that `simulate-bus --write-sii` writes, objects of the second axis, OP, motion
of the second axis alone, outputs and inputs of each terminal. tshark must not find a malformed frame. Needs root,
pysoem, tshark and iproute2.
"""

import os
import struct
import subprocess
import sys
import tempfile

import pysoem

from soem import Drives, to_op, u8, u16, u32
from wire import Segment, Wire

CELL = "config/terminal-cell.toml"
# Name, product code, bytes out and in, as the cell and the device files say.
DEVICES = [
    ("drives-1-2", 0x404, None, None),
    ("drives-3-4", 0x404, None, None),
    ("drives-5-6", 0x404, None, None),
    ("coupler", 0x100, 0, 0),
    ("inputs", 0x1808, 0, 1),
    ("outputs", 0x2808, 1, 0),
    ("analog-in", 0x3404, 0, 8),
    ("analog-out", 0x4404, 8, 0),
    ("conveyor", 0x5101, 5, 9),
    ("wrist-sensor", 0x6006, 1, 27),
]
# Mapped from the factory: controlword and target of each axis; statusword and position.
AXES_OUT, AXES_IN = "<HiHi", "<HiHi"
SCRIPT = """\
after OP: encoder 9 speed 40000
after OP: wrench 10 10 0 -50 0 0.5 0
after OP: analog 7 2 12345
after OP: input 5 4 on
"""
MOVE_CYCLES = 100
SPEED_COUNTS_PER_CYCLE = 500


def check_scan(master, images):
    found = master.config_init()
    assert found == len(DEVICES), f"{found} of {len(DEVICES)} found"
    for number, (slave, (name, product, _, _)) in enumerate(zip(master.slaves, DEVICES), 1):
        assert (slave.man, slave.id, slave.rev) == (0x4D4F5449, product, 0x10000), (name, hex(slave.id))
        path = os.path.join(images, f"{number:02}-{name}.bin")
        with open(path, "rb") as file:
            image = file.read()
        # Word addresses, two words at a time, up to the end marker of the categories.
        end = end_of_categories(image)
        read = b"".join(slave.eeprom_read(word) for word in range(0, end // 2, 2))
        assert read[:end] == image[:end], f"the SII of {name} is not the image that was written"
    print(f"   {found} devices found, their SII as written")


def end_of_categories(image):
    """Walks the categories (ETG.2010): where the end marker stands, bytes."""
    at = 0x80
    seen = []
    while True:
        category, words = struct.unpack_from("<HH", image, at)
        if category == 0xFFFF:
            break
        seen.append(category)
        at += 4 + 2 * words
    assert seen[:4] == [10, 30, 40, 41], f"categories {seen}"
    return at


def check_objects(slave):
    assert slave.sdo_read(0x1000, 0) == u32(0xFFFF_0192), "several logical devices"
    assert slave.sdo_read(0x6FFF, 0) == u32(0x0002_0192)
    assert [slave.sdo_read(0x1C12, at) for at in (1, 2)] == [u16(0x1600), u16(0x1610)]
    slave.sdo_write(0x6866, 0, u16(9))
    assert (slave.sdo_read(0x6866, 0), slave.sdo_read(0x6066, 0)) == (u16(9), u16(20))


class Mixed(Drives):
    """Cycles in which the drives hold where they are, but for one axis."""

    def __init__(self, master):
        super().__init__(master, True)
        self.axes = master.slaves[:3]
        self.moving = None

    def seen_axis(self, slave, axis):
        return struct.unpack(AXES_IN, slave.input)[2 * axis : 2 * axis + 2]

    def command_all(self, controlword):
        for slave in self.axes:
            words = []
            for axis in range(2):
                if self.moving and (slave, axis) == self.moving[0]:
                    words += [controlword, self.moving[1]]
                else:
                    words += [0, self.seen_axis(slave, axis)[1]]
            slave.output = struct.pack(AXES_OUT, *words)


def move_one_axis(drives):
    slave, axis = drives.axes[1], 1
    start = drives.seen_axis(slave, axis)[1]
    others = [(other, at) for other in drives.axes for at in range(2) if (other, at) != (slave, axis)]
    stood = [drives.seen_axis(*place)[1] for place in others]
    drives.moving = [(slave, axis), start]
    for controlword, mask, wanted in ((0x06, 0x6F, 0x21), (0x07, 0x6F, 0x23), (0x0F, 0x106F, 0x1027)):
        drives.until(
            f"statusword {wanted:#x} of the second axis",
            lambda: drives.seen_axis(slave, axis)[0] & mask == wanted,
            lambda: drives.command_all(controlword),
        )
    for _ in range(MOVE_CYCLES):
        drives.moving[1] += SPEED_COUNTS_PER_CYCLE
        drives.command_all(0x0F)
        drives.cycle()
    target = drives.moving[1]
    drives.until("the target", lambda: abs(drives.seen_axis(slave, axis)[1] - target) <= 2)
    assert target - start == SPEED_COUNTS_PER_CYCLE * MOVE_CYCLES
    for place, position in zip(others, stood):
        status, now = drives.seen_axis(*place)
        assert status & 0x6F != 0x27, "only one axis was enabled"
        # An arm hangs on it: its brake holds it to a few counts.
        assert abs(now - position) < 1000, f"{now - position} counts"
    drives.until(
        "off", lambda: drives.seen_axis(slave, axis)[0] & 0x6F == 0x21, lambda: drives.command_all(0x06)
    )
    print("   the second axis of the second drive moved, and no other")


def check_terminals(drives, master):
    inputs, outputs, analog_in, analog_out, conveyor, sensor = master.slaves[4:10]
    outputs.output = bytes([0b1010_0101])
    analog_out.output = struct.pack("<4h", 1, -2, 3, -32768)
    drives.until("digital input 4", lambda: inputs.input == bytes([0b1_0000 | inputs.input[0] & 0x0F]))
    drives.until("analog input 2", lambda: struct.unpack("<4h", analog_in.input)[2] == 12345)
    assert analog_out.sdo_read(0x7000, 4) == struct.pack("<h", -32768), "an output reads back by SDO"
    counter = lambda: struct.unpack_from("<xi", conveyor.input)[0]
    begin = counter()
    drives.until("the encoder counts", lambda: counter() - begin > 1000)
    # Set it, with the edge of its bit.
    conveyor.output = struct.pack("<Bi", 2, -7_000_000)
    drives.until("the counter is set", lambda: counter() < -6_000_000 and conveyor.input[0] & 2)
    force = lambda: [count / 100_000 for count in struct.unpack_from("<3i", sensor.input)]
    drives.until("the force", lambda: abs(force()[0] - 10) < 0.1 and abs(force()[2] + 50) < 0.1)
    sensor.output = bytes([1])
    drives.until("tared", lambda: sensor.input[24] & 2 and all(abs(value) < 0.2 for value in force()))
    print("   digital, analog, encoder and force channels as the segment has them")


def accept(program, wire, folder):
    images = os.path.join(folder, "sii")
    subprocess.run(
        [program, "simulate-bus", "--cell", CELL, "--write-sii", images], check=True, capture_output=True
    )
    script = os.path.join(folder, "script.txt")
    with open(script, "w") as file:
        file.write(SCRIPT)
    segment = Segment(program, wire.far, "--cell", CELL, "--fault", script)
    master = pysoem.Master()
    try:
        master.open(wire.near)
        check_scan(master, images)
        check_objects(master.slaves[2])
        for slave in master.slaves[:3]:
            for offset in (0, 0x800):
                slave.sdo_write(0x6060 + offset, 0, u8(8))
                slave.sdo_write(0x60C2 + offset, 1, u8(2))
        for slave, (_, _, out, _) in zip(master.slaves, DEVICES):
            if out != 0:
                slave.set_watchdog("processdata", 1000)
        master.config_map()
        for slave, (name, _, out, back) in zip(master.slaves, DEVICES):
            if out is not None:
                assert (len(slave.output), len(slave.input)) == (out, back), (name, slave.output, slave.input)
        assert master.state_check(pysoem.SAFEOP_STATE, 2_000_000) == pysoem.SAFEOP_STATE, "SAFE-OP"
        drives = Mixed(master)
        to_op(master, drives)
        check_terminals(drives, master)
        move_one_axis(drives)
        master.state = pysoem.INIT_STATE
        master.write_state()
    finally:
        master.close()
        said = segment.stop()
    assert "wrist-sensor: OP" in said and "coupler: OP" in said, said


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Wire(folder) as wire:
        wire.start_capture()
        accept(program, wire, folder)
        seen, malformed = wire.stop_capture()
        assert seen > 100, f"only {seen} EtherCAT frames were captured"
        assert not malformed, f"malformed frames: {malformed[:20]} of {seen}"
        print(f"mixed segment accepted; {seen} frames captured, none malformed")


if __name__ == "__main__":
    main()
