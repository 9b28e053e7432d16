"""A pair of virtual network interfaces with the simulated segment at one end, and a capture of what passes."""

import os
import signal
import subprocess
import threading
import time


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Wire:
    """Two connected interfaces, and a capture of what passes."""

    def __init__(self, folder):
        self.near = f"bacc{os.getpid() % 100000}a"
        self.far = f"bacc{os.getpid() % 100000}b"
        self.capture = os.path.join(folder, "capture.pcapng")
        self.tshark = None

    def __enter__(self):
        run("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far)
        for interface in (self.near, self.far):
            # No router solicitations between the frames.
            with open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w") as setting:
                setting.write("1")
            run("ip", "link", "set", interface, "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "link", "del", self.near], check=False)

    def start_capture(self):
        if os.path.exists(self.capture):
            os.remove(self.capture)
        self.tshark = subprocess.Popen(
            ["tshark", "-q", "-i", self.far, "-w", self.capture], stderr=subprocess.PIPE, text=True
        )
        for line in self.tshark.stderr:
            if "Capturing on" in line or "Capture started" in line:
                break
        # It says so a little before the socket is open: wait for the file header.
        while not (os.path.exists(self.capture) and os.path.getsize(self.capture) > 0):
            assert self.tshark.poll() is None, "tshark ended"
            time.sleep(0.01)

    def stop_capture(self):
        """Frames seen, and those that are malformed."""
        self.tshark.send_signal(signal.SIGINT)
        self.tshark.communicate()
        return check_capture(self.capture)


def check_capture(path):
    def frames(which):
        return run("tshark", "-r", path, "-Y", which, "-T", "fields", "-e", "frame.number").split()

    # The dissector's own complaints, and datagrams it could not make sense of.
    malformed = frames("_ws.malformed || (_ws.expert && _ws.expert.severity == error)")
    return len(frames("ecat")), malformed


class Program:
    """A `motiond` that runs until it is stopped, and what it says meanwhile."""

    def __init__(self, ready, *command):
        self.said = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.listener = threading.Thread(target=self._listen, args=(ready,), daemon=True)
        self.is_ready = threading.Event()
        self.listener.start()
        self.is_ready.wait()

    def _listen(self, ready):
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if ready in line:
                self.is_ready.set()
        self.is_ready.set()

    def runs(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.listener.join()
        return code


class Segment(Program):
    """`motiond simulate-bus` on an interface."""

    def __init__(self, program, interface, *arguments):
        super().__init__("answer on", program, "simulate-bus", "--interface", interface, *arguments)
        if not self.runs():
            raise SystemExit("simulate-bus did not start")

    def stop(self):
        code = super().stop()
        assert code == 0, f"simulate-bus ended with {code}"
        return "\n".join(self.said)
