"""Holds `motiond model fk|jacobian|ik` against Pinocchio, a library that shares no code with ours.

    python3 tests/kinematics/judge.py target/release/motiond

Every model in kinematics-models/ at random joint positions: position within 1e-12 m, orientation within 1e-12 rad,
Jacobian within 1e-10; each solution of the inverse must lead back to the pose in Pinocchio, within 1e-9.
"""

import json
import math
import pathlib
import random
import subprocess
import sys
import time

import numpy as np
import pinocchio

POSES = 200
# One turn of a continuous joint is enough.
ANGLE_MAX = 7.0


def ask(program, kind, urdf, ends, questions):
    """One answer a question."""
    command = [program, "model", kind, "--urdf", str(urdf), "--base", ends[0], "--tip", ends[1]]
    text = "".join(json.dumps(question) + "\n" for question in questions)
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(questions), (urdf, kind, len(answers))
    return answers


def examine(program, urdf):
    check = subprocess.run(
        [program, "model", "check", "--json", "--urdf", str(urdf)], capture_output=True, text=True, check=True
    )
    facts = json.loads(check.stdout)
    names = [joint["name"] for joint in facts["joints"]]
    ends = (facts["base"], facts["tip"])

    full = pinocchio.buildModelFromUrdf(str(urdf))
    others = [index for index in range(1, full.njoints) if full.names[index] not in names]
    model = pinocchio.buildReducedModel(full, others, pinocchio.neutral(full))
    data = model.createData()
    base, tip = model.getFrameId(ends[0]), model.getFrameId(ends[1])
    draw = random.Random(20_263)

    def drawn(joint):
        low, high = max(joint["position_min"], -ANGLE_MAX), min(joint["position_max"], ANGLE_MAX)
        return draw.uniform(low, high)

    def configuration(values):
        """Pinocchio keeps a continuous joint as cosine and sine."""
        q = pinocchio.neutral(model)
        for name, value in zip(names, values):
            joint = model.joints[model.getJointId(name)]
            if joint.nq == 2:
                q[joint.idx_q], q[joint.idx_q + 1] = math.cos(value), math.sin(value)
            else:
                q[joint.idx_q] = value
        return q

    def pose_at(values):
        pinocchio.framesForwardKinematics(model, data, configuration(values))
        return data.oMf[base].actInv(data.oMf[tip])

    columns = [model.joints[model.getJointId(name)].idx_v for name in names]
    rows = [[drawn(joint) for joint in facts["joints"]] for _ in range(POSES)]
    questions = [{"q": row} for row in rows]
    speeds = [[draw.uniform(-2.0, 2.0) for _ in facts["joints"]] for _ in range(POSES)]
    worst = {"m": 0.0, "rad": 0.0, "jacobian": 0.0, "jacobian_rate": 0.0, "back": 0.0}
    moving = [{"q": row, "qd": qd} for row, qd in zip(rows, speeds)]
    poses = ask(program, "jacobian", urdf, ends, moving)
    assert [{k: a[k] for k in ("position_m", "quaternion_wxyz")} for a in poses] == ask(
        program, "fk", urdf, ends, questions
    )
    for row, qd, answer in zip(rows, speeds, poses):
        wanted = pose_at(row)
        w, x, y, z = answer["quaternion_wxyz"]
        found = pinocchio.SE3(pinocchio.Quaternion(w, x, y, z).matrix(), np.array(answer["position_m"]))
        worst["m"] = max(worst["m"], np.linalg.norm(found.translation - wanted.translation))
        worst["rad"] = max(worst["rad"], np.linalg.norm(pinocchio.log3(wanted.rotation.T @ found.rotation)))
        jacobian = pinocchio.computeFrameJacobian(
            model, data, configuration(row), tip, pinocchio.LOCAL_WORLD_ALIGNED
        )
        turn = data.oMf[base].rotation.T
        wanted_jacobian = np.vstack([turn @ jacobian[:3], turn @ jacobian[3:]])[:, columns]
        worst["jacobian"] = max(worst["jacobian"], np.abs(np.array(answer["jacobian"]) - wanted_jacobian).max())
        v = np.zeros(model.nv)
        v[columns] = qd
        pinocchio.computeJointJacobiansTimeVariation(model, data, configuration(row), v)
        pinocchio.updateFramePlacements(model, data)
        rate = pinocchio.getFrameJacobianTimeVariation(model, data, tip, pinocchio.LOCAL_WORLD_ALIGNED)
        wanted_rate = np.vstack([turn @ rate[:3], turn @ rate[3:]])[:, columns]
        gap = np.abs(np.array(answer["jacobian_rate"]) - wanted_rate).max()
        worst["jacobian_rate"] = max(worst["jacobian_rate"], gap)

    unsolved = []
    inverse = [
        {"position_m": a["position_m"], "quaternion_wxyz": a["quaternion_wxyz"], "seed": rows[index - 1]}
        for index, a in enumerate(poses)
    ]
    begun = time.monotonic()
    for row, answer in zip(rows, ask(program, "ik", urdf, ends, inverse)):
        if not answer["solutions"]:
            unsolved.append(row)
        wanted = pose_at(row)
        for solution in answer["solutions"]:
            gap = pinocchio.log6(wanted.actInv(pose_at(solution))).vector
            worst["back"] = max(worst["back"], np.linalg.norm(gap))
    took = time.monotonic() - begun
    print(f"{facts['robot']}: " + ", ".join(f"{key} {value:.1e}" for key, value in worst.items())
          + f", {POSES - len(unsolved)} of {POSES} poses solved, {took:.2f} s ({facts['inverse']})")
    for row in unsolved:
        print(f"  not solved: {row}")
    limits = {"m": 1e-12, "rad": 1e-12, "jacobian": 1e-10, "jacobian_rate": 1e-10, "back": 2e-9}
    wrong = [f"{key} {worst[key]:.1e} above {limit:.0e}" for key, limit in limits.items() if worst[key] > limit]
    # The search may miss; the closed form may not.
    if unsolved and facts["inverse"] != "search":
        wrong.append(f"{len(unsolved)} poses not solved")
    return [f"{facts['robot']}: {text}" for text in wrong]


def main(program):
    folder = pathlib.Path(__file__).resolve().parents[2]
    urdfs = sorted((folder / "kinematics-models").glob("*/robot.urdf"))
    arms = folder.parent / "shared" / "data" / "arms"
    urdfs += sorted(arms.glob("*.urdf"))
    wrong = [text for urdf in urdfs for text in examine(program, urdf)]
    for text in wrong:
        print("WRONG", text)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1])
