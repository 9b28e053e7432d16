"""Holds `motiond model dynamics` against Pinocchio and MuJoCo, which share no code with it.

    python3 tests/dynamics/judges.py target/release/motiond [URDF BASE TIP]...

Without further arguments the shipped models are judged. Prints the largest difference of each quantity, relative
to the largest entry of the answer, and ends with 1 when one is above 1e-9. Needs the packages pin and mujoco.
"""

import json
import pathlib
import re
import subprocess
import sys

import mujoco
import numpy as np
import pinocchio

POSES = 500
RELATIVE_MAX = 1e-9
MASS, CENTER = 3.25, np.array([0.02, -0.03, 0.11])
INERTIA = np.array([[0.021, 0.001, -0.002], [0.001, 0.018, 0.0005], [-0.002, 0.0005, 0.012]])
GRAVITY = np.array([1.0, -2.5, -9.0])


def ask(program, urdf, base, tip, questions):
    ends = ["--base", base, "--tip", tip]
    lines = "\n".join(json.dumps(question) for question in questions)
    result = subprocess.run([program, "model", "dynamics", "--urdf", urdf, *ends, "--parts"],
                            input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def moving_names(model, base, tip):
    """Joints between base and tip that move, and the frames that hang behind the tip."""
    joint, names = model.frames[model.getFrameId(tip)].parentJoint, []
    while joint > 0:
        names.insert(0, model.names[joint])
        joint = model.parents[joint]
    return names


def chain_text(urdf, base, tip):
    """The URDF without what hangs on the tip: that is a tool, and comes as payload."""
    text = pathlib.Path(urdf).read_text()
    joints = {}
    for match in re.finditer(r"<joint\s[^>]*>.*?</joint>", text, re.S):
        parent = re.search(r'<parent\s+link="([^"]+)"', match[0])
        child = re.search(r'<child\s+link="([^"]+)"', match[0])
        if parent and child:
            joints.setdefault(parent[1], []).append((child[1], match[0]))
    waiting = [tip]
    while waiting:
        for child, whole in joints.get(waiting.pop(), []):
            waiting.append(child)
            text = text.replace(whole, "")
            text = re.sub(rf'<link\s+name="{child}"\s*(/>|>.*?</link>)', "", text, flags=re.S)
    return text


def judge(program, urdf, base, tip):
    text = chain_text(urdf, base, tip)
    model = pinocchio.buildModelFromXML(text)
    names = moving_names(model, base, tip)
    other = [joint for joint in range(1, model.njoints) if model.names[joint] not in names]
    model = pinocchio.buildReducedModel(model, other, pinocchio.neutral(model))
    flange = model.frames[model.getFrameId(tip)]
    random = np.random.default_rng(1)
    count = model.nv
    low = np.maximum(model.lowerPositionLimit, -3.0)
    high = np.minimum(model.upperPositionLimit, 3.0)

    # MuJoCo from the plain text: visuals and collisions do not matter, fixed links are fused into moving ones.
    bare = re.sub(r"<(visual|collision)\b[^>]*?(/>|>.*?</\1>)", "", text, flags=re.S)
    bare = re.sub(r"<(transmission|gazebo)\b.*?</\1>", "", bare, flags=re.S)
    bare = re.sub(r"(<robot\b[^>]*>)",
                  r'\1<mujoco><compiler fusestatic="true" balanceinertia="false" boundmass="0" boundinertia="0" '
                  r'discardvisual="true" strippath="true"/></mujoco>', bare, count=1)
    simulated = mujoco.MjModel.from_xml_string(bare)
    simulated.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    simulated.dof_damping[:] = 0
    simulated.dof_frictionloss[:] = 0
    simulated.dof_armature[:] = 0
    state = mujoco.MjData(simulated)
    slots = [simulated.joint(name).dofadr[0] for name in names]
    places = [simulated.joint(name).qposadr[0] for name in names]

    samples = [(random.uniform(low, high), random.uniform(-2, 2, count), random.uniform(-5, 5, count))
               for _ in range(POSES)]
    plain = [{"q": list(q), "qd": list(qd), "qdd": list(qdd)} for q, qd, qdd in samples]
    payload = {"mass_kg": MASS, "center_of_mass_m": list(CENTER), "inertia_kg_m2": INERTIA.tolist()}
    loaded = [question | {"payload": payload, "gravity": list(GRAVITY)} for question in plain]
    answers, loaded_answers = ask(program, urdf, base, tip, plain), ask(program, urdf, base, tip, loaded)
    back = [question | {"tau_nm": answer["tau_nm"]} for question, answer in zip(plain, answers)]
    for question in back:
        del question["qdd"]
    accelerations = ask(program, urdf, base, tip, back)

    heavy = model.copy()
    heavy.appendBodyToJoint(flange.parentJoint, pinocchio.Inertia(MASS, CENTER, INERTIA), flange.placement)
    heavy.gravity.linear = GRAVITY
    model.gravity.linear = np.array([0, 0, -9.81])
    data, heavy_data = model.createData(), heavy.createData()
    simulated.opt.gravity[:] = [0, 0, -9.81]
    worst = {}

    def compare(what, found, wanted):
        found, wanted = np.array(found), np.array(wanted)
        scale = max(np.abs(wanted).max(), 1e-3)
        worst[what] = max(worst.get(what, 0.0), np.abs(found - wanted).max() / scale)

    for (q, qd, qdd), answer, with_load, back in zip(samples, answers, loaded_answers, accelerations):
        compare("torque, Pinocchio", answer["tau_nm"], pinocchio.rnea(model, data, q, qd, qdd))
        compare("torque with payload, Pinocchio", with_load["tau_nm"], pinocchio.rnea(heavy, heavy_data, q, qd, qdd))
        compare("gravity, Pinocchio", answer["gravity_nm"], pinocchio.computeGeneralizedGravity(model, data, q))
        mass = pinocchio.crba(model, data, q)
        mass = np.triu(mass) + np.triu(mass, 1).T
        compare("mass matrix, Pinocchio", answer["mass_matrix"], mass)
        compare("acceleration, Pinocchio", back["qdd"], pinocchio.aba(model, data, q, qd, np.array(answer["tau_nm"])))
        state.qpos[:], state.qvel[:], state.qacc[:] = 0, 0, 0
        state.qpos[places], state.qvel[slots], state.qacc[slots] = q, qd, qdd
        mujoco.mj_inverse(simulated, state)
        compare("torque, MuJoCo", answer["tau_nm"], state.qfrc_inverse[slots])
        dense = np.zeros((simulated.nv, simulated.nv))
        mujoco.mj_fullM(simulated, state, dense)
        compare("mass matrix, MuJoCo", answer["mass_matrix"], dense[np.ix_(slots, slots)])
    print(f"{pathlib.Path(urdf).parent.name}/{pathlib.Path(urdf).stem}: {POSES} poses, relative to the largest entry")
    for what, value in worst.items():
        print(f"  {what}: {value:.1e}{'' if value <= RELATIVE_MAX else '   ABOVE ' + str(RELATIVE_MAX)}")
    return all(value <= RELATIVE_MAX for value in worst.values())


def ends_of(program, urdf):
    result = subprocess.run([program, "model", "check", "--urdf", urdf, "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        return None
    found = json.loads(result.stdout)
    return (found["base"], found["tip"]) if found["mass_kg"] > 0 else None


def main():
    program, *arms = sys.argv[1:]
    jobs = [tuple(arms[at:at + 3]) for at in range(0, len(arms), 3)]
    if not jobs:
        here = pathlib.Path(__file__).resolve().parents[2]
        folders = [here / "kinematics-models", here / "../shared/data/arms"]
        for file in sorted(file for folder in folders for file in folder.rglob("*.urdf")):
            ends = ends_of(program, str(file))
            if ends is None:
                print(f"{file.parent.name}/{file.stem}: NOT JUDGED, no masses or no single chain")
            else:
                jobs.append((str(file), *ends))
    results = [judge(program, *job) for job in jobs]
    sys.exit(0 if results and all(results) else 1)


main()
