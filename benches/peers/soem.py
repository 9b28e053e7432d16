#!/usr/bin/env python3
"""SOEM (through pysoem) as controller: brings all SubDevices to OP, then exchanges process data once a cycle and
prints how long each exchange took.

    soem.py INTERFACE CYCLE_US CYCLES

One line a cycle: nanoseconds, or `lost`. Priority and processor are those it is started with.
"""

import gc
import sys
import time

import pysoem

PATIENCE_CYCLES = 5000


def main():
    interface, period_s, cycles = sys.argv[1], int(sys.argv[2]) * 1e-6, int(sys.argv[3])
    master = pysoem.Master()
    master.open(interface)
    assert master.config_init() > 0, "no SubDevice found"
    master.config_map()
    assert master.state_check(pysoem.SAFEOP_STATE, 2_000_000) == pysoem.SAFEOP_STATE, "SAFE-OP"
    next_at = time.monotonic()

    def wait():
        nonlocal next_at
        next_at = max(next_at + period_s, time.monotonic())
        time.sleep(max(0.0, next_at - time.monotonic()))

    master.state = pysoem.OP_STATE
    master.write_state()
    for _ in range(PATIENCE_CYCLES):
        wait()
        master.send_processdata()
        master.receive_processdata(20_000)
        if master.state_check(pysoem.OP_STATE, 1) == pysoem.OP_STATE:
            break
    else:
        raise SystemExit("the SubDevices do not get to OP")
    durations = [None] * cycles
    # Nothing here makes cycles of references, and a collection would count as SOEM's.
    gc.disable()
    for cycle in range(cycles):
        wait()
        begun = time.monotonic_ns()
        master.send_processdata()
        counter = master.receive_processdata(20_000)
        if counter == master.expected_wkc:
            durations[cycle] = time.monotonic_ns() - begun
    master.state = pysoem.INIT_STATE
    master.write_state()
    master.close()
    print("\n".join("lost" if duration is None else str(duration) for duration in durations))


if __name__ == "__main__":
    main()
