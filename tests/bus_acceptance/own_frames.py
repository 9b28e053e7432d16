#!/usr/bin/env python3
"""tshark on the frames of our own controller, as it captures them itself: the demonstration on the in-process segment.

    tests/bus_acceptance/own_frames.py target/release/motiond

No frame, sent or received, may be malformed, and each kind of datagram the controller needs must be among them. Needs
tshark.
"""

import os
import subprocess
import sys
import tempfile

from wire import check_capture, run

# Commands of EtherCAT datagrams in operation (ETG.1000.4): station addressed, logical, distributed clock. Those of
# bring-up are in the capture of job.py.
COMMANDS = {"FPRD": 4, "FPWR": 5, "LRW": 12, "FRMW": 14}


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "demo", "--json", "--out", folder], check=True, capture_output=True)
        capture = os.path.join(folder, "bus.pcapng")
        seen, malformed = check_capture(capture)
        assert seen > 1000, f"only {seen} EtherCAT frames in the capture of the demonstration"
        assert not malformed, f"malformed frames: {malformed[:20]} of {seen}"
        used = set(run("tshark", "-r", capture, "-T", "fields", "-e", "ecat.cmd").replace(",", "\n").split())
        used = {int(number, 0) for number in used}
        missing = [name for name, number in COMMANDS.items() if number not in used]
        assert not missing, f"the dissector has found no {missing}"
        print(f"{seen} frames of the demonstration, none malformed")


if __name__ == "__main__":
    main()
