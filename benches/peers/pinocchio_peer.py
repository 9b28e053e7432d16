"""Pinocchio's side of the benchmarks: answers one JSON question a line.

    {"version": true}                                -> version
    {"load": URDF text, "joints", "base", "tip", "q", "qd", "qdd"}  -> number of rows
    {"time": "forward" | "jacobian" | "dynamics"}    -> ns a call, less the same call on a model without joints
    {"values": "dynamics" | "jacobian_rate"}         -> one list a row

The call on the empty model costs what the binding costs, so the difference is the work of the library itself.
"""

import json
import sys
import time

import numpy as np
import pinocchio


class Arm:
    def __init__(self, text, joints, base, tip):
        full = pinocchio.buildModelFromXML(text)
        others = [index for index in range(1, full.njoints) if full.names[index] not in joints]
        self.model = pinocchio.buildReducedModel(full, others, pinocchio.neutral(full))
        self.data = self.model.createData()
        self.columns = [self.model.joints[self.model.getJointId(name)].idx_v for name in joints]
        self.joints = joints
        self.base, self.tip = self.model.getFrameId(base), self.model.getFrameId(tip)

    def configuration(self, values):
        """Pinocchio keeps a continuous joint as cosine and sine."""
        q = pinocchio.neutral(self.model)
        for name, value in zip(self.joints, values):
            joint = self.model.joints[self.model.getJointId(name)]
            if joint.nq == 2:
                q[joint.idx_q : joint.idx_q + 2] = np.cos(value), np.sin(value)
            else:
                q[joint.idx_q] = value
        return q

    def rates(self, values):
        v = np.zeros(self.model.nv)
        v[self.columns] = values
        return v


EMPTY = pinocchio.Model()
EMPTY_DATA = EMPTY.createData()
# The Jacobian of a frame without any joint cannot be asked for; one joint is the least.
ONE = pinocchio.Model()
ONE.addJoint(0, pinocchio.JointModelRZ(), pinocchio.SE3.Identity(), "one")
ONE_DATA = ONE.createData()
pinocchio.computeJointJacobians(ONE, ONE_DATA, np.zeros(1))
NOTHING = np.zeros(0)



def tip_pose(model, data, tip, q, v, a):
    pinocchio.forwardKinematics(model, data, q)
    pinocchio.updateFramePlacement(model, data, tip)


def tip_jacobian(model, data, tip, q, v, a):
    pinocchio.computeJointJacobians(model, data, q)
    pinocchio.updateFramePlacement(model, data, tip)
    asked = (ONE, ONE_DATA, 0) if model is EMPTY else (model, data, tip)
    pinocchio.getFrameJacobian(*asked, pinocchio.LOCAL_WORLD_ALIGNED)


def torques(model, data, tip, q, v, a):
    pinocchio.rnea(model, data, q, v, a)


CALLS = {"forward": tip_pose, "jacobian": tip_jacobian, "dynamics": torques}


PASSES = 4


def timed(call, model, data, tip, rows):
    """The shortest of a few passes over all rows, ns a call."""
    shortest = None
    for _ in range(PASSES):
        begun = time.perf_counter_ns()
        for q, v, a in rows:
            call(model, data, tip, q, v, a)
        took = (time.perf_counter_ns() - begun) / len(rows)
        shortest = took if shortest is None else min(shortest, took)
    return shortest


def dynamics(arm, q, v, a):
    return pinocchio.rnea(arm.model, arm.data, q, v, a)[arm.columns].tolist()


def jacobian_rate(arm, q, v, a):
    """d/dt of the tip's Jacobian, column by column, in base axes."""
    pinocchio.computeJointJacobiansTimeVariation(arm.model, arm.data, q, v)
    pinocchio.updateFramePlacements(arm.model, arm.data)
    rate = pinocchio.getFrameJacobianTimeVariation(
        arm.model, arm.data, arm.tip, pinocchio.LOCAL_WORLD_ALIGNED
    )
    turn = arm.data.oMf[arm.base].rotation.T
    return np.vstack([turn @ rate[:3], turn @ rate[3:]])[:, arm.columns].T.flatten().tolist()


VALUES = {"dynamics": dynamics, "jacobian_rate": jacobian_rate}


def main():
    arm, rows = None, []
    for line in sys.stdin:
        question = json.loads(line)
        if "version" in question:
            answer = pinocchio.__version__
        elif "load" in question:
            arm = Arm(question["load"], question["joints"], question["base"], question["tip"])
            rows = [
                (arm.configuration(q), arm.rates(v), arm.rates(a))
                for q, v, a in zip(question["q"], question["qd"], question["qdd"])
            ]
            answer = len(rows)
        elif "time" in question:
            call = CALLS[question["time"]]
            bare = timed(call, EMPTY, EMPTY_DATA, 0, [(NOTHING,) * 3] * len(rows))
            answer = timed(call, arm.model, arm.data, arm.tip, rows) - bare
        else:
            answer = [VALUES[question["values"]](arm, *row) for row in rows]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
