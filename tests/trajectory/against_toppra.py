"""Holds `motiond plan` against toppra: the same random joint waypoints, the same limits of speed and acceleration.

toppra knows no jerk and gets the natural cubic spline through the waypoints; motiond is free between them and keeps
the jerk. Checked: duration at most 2 % above toppra's on average, waypoints passed, and speed, acceleration and jerk
of the differenced trace within their limits at every sample.

Usage: against_toppra.py path/to/motiond
"""

import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import toppra
import toppra.algorithm
import toppra.constraint

SEED = 7
PROBLEMS = 10
JOINTS = 7
POINTS = 8
SPEED, ACCELERATION, JERK = 2.0, 8.0, 80.0
ALLOWED_MEAN = 1.02


def toppra_duration(waypoints):
    path = toppra.SplineInterpolator(np.linspace(0, 1, POINTS), waypoints, "natural")
    constraints = [
        toppra.constraint.JointVelocityConstraint(np.array([[-SPEED, SPEED]] * JOINTS)),
        toppra.constraint.JointAccelerationConstraint(np.array([[-ACCELERATION, ACCELERATION]] * JOINTS)),
    ]
    solver = toppra.algorithm.TOPPRA(
        constraints, path, solver_wrapper="seidel", gridpoints=np.linspace(0, 1, 1001)
    )
    return solver.compute_trajectory(0, 0).duration


def planned(motiond, folder, waypoints):
    program, trace = folder / "program.json", folder / "trace.csv"
    limits = {"v_rad_s": [SPEED] * JOINTS, "a_rad_s2": [ACCELERATION] * JOINTS, "j_rad_s3": [JERK] * JOINTS}
    program.write_text(
        json.dumps({"waypoints_rad": waypoints.tolist(), "limits": limits, "ignore_position_limits": True})
    )
    command = [motiond, "plan", "--model", "seven-axis-14kg", str(program), "--trace", str(trace)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer, np.loadtxt(trace, delimiter=",", skiprows=1)[:, 1 : 1 + JOINTS]


def largest_shares(positions, cycle_s):
    rest = np.repeat(positions[-1:], 4, axis=0)
    positions = np.vstack([np.repeat(positions[:1], 4, axis=0), positions, rest])
    limits = (SPEED, ACCELERATION, JERK)
    return [
        np.abs(np.diff(positions, order, axis=0)).max() / cycle_s**order / limit
        for order, limit in enumerate(limits, 1)
    ]


def main():
    logging.disable(logging.CRITICAL)
    motiond = sys.argv[1]
    random = np.random.default_rng(SEED)
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for index in range(PROBLEMS):
            waypoints = random.uniform(-1, 1, (POINTS, JOINTS))
            answer, positions = planned(motiond, Path(name), waypoints)
            ratio = answer["duration_s"] / toppra_duration(waypoints)
            shares = largest_shares(positions, 1e-3)
            # The nearest sample is half a cycle away at most.
            miss = max(np.abs(positions - waypoint).max(axis=1).min() for waypoint in waypoints)
            print(
                f"problem {index}: {answer['duration_s']:.4f} s, {ratio - 1:+.2%} of toppra, "
                f"v {shares[0]:.6f} a {shares[1]:.6f} j {shares[2]:.6f}, nearest sample {miss:.1e} rad"
            )
            assert not answer["stops_at_waypoints"], "the waypoints were not solved together"
            assert max(shares) <= 1 + 1e-5, f"a limit is exceeded: {shares}"
            assert miss <= SPEED * 0.5e-3 + 1e-9, f"a waypoint is missed by {miss}"
            ratios.append(ratio)
    mean = float(np.mean(ratios))
    print(f"mean over {PROBLEMS} problems: {mean - 1:+.2%} of toppra's acceleration-limited time, jerk kept")
    assert mean <= ALLOWED_MEAN, "slower than allowed"


if __name__ == "__main__":
    main()
