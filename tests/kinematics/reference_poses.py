#!/usr/bin/env python3
"""Writes reference-poses.csv of a robot: flange poses computed by Pinocchio, not by this program.

    python3 -m venv /some/where && /some/where/bin/pip install pin
    /some/where/bin/python tests/kinematics/reference_poses.py kinematics-models/six-axis-8kg

Row 1 is the zero pose, rows 2 to 4 are poses people look at (of an arm with six turning joints), the rest are drawn
evenly within the position limits of the URDF by a fixed generator, so that the file can be made again byte for byte.
Columns are the joints with a drive of their own between `base_link` and `flange`; linkages (mimic joints) follow
them, side branches stay at zero. Positions in m, orientation as a unit quaternion w x y z with w >= 0, the pose of
`flange` in `base_link`.
"""

import math
import pathlib
import random
import sys

import numpy
import pinocchio

ROWS = 60


def driven_joints(model: pinocchio.Model, flange: int) -> list[int]:
    """Joints on the way to the flange, base first, without those that mimic another one."""
    support = list(model.supports[model.frames[flange].parentJoint])
    return [joint for joint in support if joint != 0 and model.joints[joint].shortname() != "JointModelMimic"]


def main(folder: pathlib.Path) -> None:
    model = pinocchio.buildModelFromUrdf(str(folder / "robot.urdf"), mimic=True)
    data = model.createData()
    base, flange = model.getFrameId("base_link"), model.getFrameId("flange")
    joints = driven_joints(model, flange)
    names = [model.names[joint] for joint in joints]
    limits = [
        (model.lowerPositionLimit[model.idx_qs[joint]], model.upperPositionLimit[model.idx_qs[joint]])
        for joint in joints
    ]

    draw = random.Random(20_001)
    rows = [[0.0] * len(joints)]
    if len(joints) == 6:
        for degrees in ([0, 0, 0, 0, 90, 0], [90, 30, -30, 0, 60, 45], [-45, -60, 60, 120, -90, 200]):
            rows.append([math.radians(angle) for angle in degrees])
    while len(rows) < ROWS:
        rows.append([draw.uniform(low, high) for low, high in limits])

    units = ["m" if model.joints[joint].shortname().startswith("JointModelP") else "rad" for joint in joints]
    header = ",".join([*(f"{name}_{unit}" for name, unit in zip(names, units)), "x_m", "y_m", "z_m", "qw", "qx", "qy", "qz"])
    lines = [header]
    for q in rows:
        configuration = numpy.zeros(model.nq)
        for joint, value in zip(joints, q):
            configuration[model.idx_qs[joint]] = value
        pinocchio.framesForwardKinematics(model, data, configuration)
        pose = data.oMf[base].actInv(data.oMf[flange])
        x, y, z, w = pinocchio.Quaternion(pose.rotation).normalized().coeffs()
        sign = -1.0 if w < 0.0 else 1.0
        values = [*q, *pose.translation, sign * w, sign * x, sign * y, sign * z]
        lines.append(",".join(repr(float(value)) for value in values))
    (folder / "reference-poses.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
