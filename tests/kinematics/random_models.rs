//! Robots of random structure: trees, circles, links that are missing or named twice, joints of every type, axes and
//! numbers of every kind, some of them nested deeply. Each is a model that calculates, or a list of named problems.

use std::fmt::Write as _;

use motiond::config::collision_model::collision_model;
use motiond::config::kinematic_model::{KinematicModel, from_urdf};
use motiond::joints::{JointVector, MAX_JOINTS};
use motiond::kinematics::configuration::Wish;
use motiond::kinematics::inverse::{GlobalSettings, Solver};
use motiond::kinematics::jacobian_derivative::jacobian_rate;
use motiond::kinematics::singularity::singularity;

/// Marsaglia's xorshift: any scatter will do.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % end.max(1)
    }

    /// True `per_mille` times of a thousand.
    fn happens(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A number in -1..1.
    fn number(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(2_000_001)).expect("small")) / 1e6 - 1.0
    }
}

/// Numbers that must not be in a robot, and some that may look like it.
const ODD: [&str; 12] = [
    "NaN",
    "inf",
    "-inf",
    "1e308",
    "-1e308",
    "1e-320",
    "0",
    "",
    "x",
    "1,0",
    "0x10",
    "9999999999999999999999",
];

/// One robot; `fault` is how many of a thousand things are wrong.
struct Robot<'a> {
    draw: &'a mut Draw,
    fault: usize,
    text: String,
}

impl Robot<'_> {
    fn number(&mut self, scale: f64) -> String {
        if self.draw.happens(self.fault) {
            return self.draw.of(&ODD).to_owned();
        }
        format!("{:.6}", scale * self.draw.number())
    }

    fn three(&mut self, scale: f64) -> String {
        let count = if self.draw.happens(self.fault) { self.draw.below(5) } else { 3 };
        (0..count).map(|_| self.number(scale)).collect::<Vec<_>>().join(" ")
    }

    fn link_name(&mut self, index: usize) -> String {
        if self.draw.happens(self.fault) {
            return self.draw.of(&["", "link_0", "link_1", "nowhere", "é", " "]).to_owned();
        }
        format!("link_{index}")
    }

    fn origin(&mut self) -> String {
        if self.draw.happens(100 + self.fault) {
            return String::new();
        }
        let (xyz, rpy) = (self.three(0.5), self.three(3.0));
        format!("<origin xyz=\"{xyz}\" rpy=\"{rpy}\"/>")
    }

    fn link(&mut self, index: usize) {
        let name = self.link_name(index);
        let mut inside = String::new();
        if self.draw.happens(700) {
            let sign = if self.draw.happens(self.fault) { "-" } else { "" };
            let values: Vec<String> = (0..3).map(|_| self.number(0.01)).collect();
            let mass = 1 + self.draw.below(20);
            let origin = self.origin();
            let _ = write!(
                inside,
                "<inertial>{origin}<mass value=\"{sign}{mass}\"/><inertia ixx=\"0.2\" ixy=\"{}\" ixz=\"{}\" iyy=\"0.2\" \
                 iyz=\"{}\" izz=\"0.2\"/></inertial>",
                values[0], values[1], values[2]
            );
        }
        if self.draw.happens(500) {
            let size = if self.draw.happens(self.fault) { "-0.1" } else { "0.1" };
            let shape = match self.draw.below(5) {
                0 => format!("<box size=\"{size} 0.1 0.2\"/>"),
                1 => format!("<cylinder radius=\"{size}\" length=\"0.2\"/>"),
                2 => format!("<sphere radius=\"{size}\"/>"),
                3 => format!("<capsule radius=\"{size}\" length=\"0.2\"/>"),
                _ => "<mesh filename=\"package://absent/link.stl\" scale=\"1 1 1\"/>".to_owned(),
            };
            let origin = self.origin();
            let _ = write!(inside, "<collision>{origin}<geometry>{shape}</geometry></collision>");
        }
        let _ = write!(self.text, "<link name=\"{name}\">{inside}</link>");
    }

    fn joint(&mut self, index: usize, parent: usize, child: usize) {
        const KINDS: [&str; 8] =
            ["revolute", "revolute", "revolute", "revolute", "continuous", "prismatic", "prismatic", "fixed"];
        let kind = if self.draw.happens(self.fault) {
            self.draw.of(&["floating", "planar", "spherical", "", "Revolute"])
        } else {
            self.draw.of(&KINDS)
        };
        let (parent, child) = (self.link_name(parent), self.link_name(child));
        let origin = self.origin();
        let axis = match self.draw.below(4) {
            _ if self.draw.happens(self.fault) => {
                self.draw.of(&["0 0 0", "0 0 1e-12", "1e200 0 0", ""]).to_owned()
            }
            0 => "0 0 1".to_owned(),
            1 => "0 -2 0".to_owned(),
            _ => self.three(1.0),
        };
        let limit = if self.draw.happens(self.fault) {
            let (lower, upper) = (self.number(3.0), self.number(3.0));
            format!("<limit lower=\"{lower}\" upper=\"{upper}\" velocity=\"1\" effort=\"10\"/>")
        } else {
            "<limit lower=\"-1.5\" upper=\"2.5\" velocity=\"1\" effort=\"10\"/>".to_owned()
        };
        let mimic = if self.draw.happens(30 + self.fault) {
            let (other, multiplier, offset) =
                (self.draw.below(index + 2), self.number(2.0), self.number(1.0));
            format!("<mimic joint=\"joint_{other}\" multiplier=\"{multiplier}\" offset=\"{offset}\"/>")
        } else {
            String::new()
        };
        let number = if self.draw.happens(self.fault) { self.draw.below(index + 1) } else { index };
        let _ = write!(
            self.text,
            "<joint name=\"joint_{number}\" type=\"{kind}\"><parent link=\"{parent}\"/><child link=\"{child}\"/>{origin}\
             <axis xyz=\"{axis}\"/>{limit}{mimic}</joint>"
        );
    }
}

/// A robot as text and the ends of the chain that is asked for.
fn robot(seed: u64) -> (String, Option<String>, Option<String>) {
    let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let fault = [0, 0, 3, 20, 150][draw.below(5)];
    let links = 2 + match draw.below(20) {
        0 => draw.below(3000),
        1..5 => draw.below(40),
        _ => draw.below(10),
    };
    let is_tree = draw.happens(300);
    let mut robot = Robot { draw: &mut draw, fault, text: "<robot name=\"any\">".to_owned() };
    for index in 0..links {
        if !robot.draw.happens(fault) {
            robot.link(index);
        }
    }
    for index in 1..links {
        let parent = if is_tree { robot.draw.below(index) } else { index - 1 };
        // Now and then a joint from anywhere to anywhere: two parents, circles, a link to itself.
        let any = robot.draw.happens(fault);
        let (parent, child) =
            if any { (robot.draw.below(links), robot.draw.below(links)) } else { (parent, index) };
        robot.joint(index, parent, child);
    }
    let mut text = robot.text;
    text.push_str("</robot>");
    let end = |draw: &mut Draw| draw.happens(300).then(|| format!("link_{}", draw.below(links + 1)));
    let (base, tip) = (end(&mut draw), end(&mut draw));
    (text, base, tip)
}

/// Everything that can be calculated is, and is finite.
fn calculates(model: &KinematicModel, draw: &mut Draw) {
    let joints = model.chain.joint_count();
    assert!((1..=MAX_JOINTS).contains(&joints));
    assert_eq!((model.limits.len(), model.joint_names.len()), (joints, joints));
    // A joint that follows another one moves a link too.
    assert!((joints + 1..=MAX_JOINTS + 1).contains(&model.links.len()));
    let solver = Solver::new(&model.chain, &model.limits).expect("as many limits as joints");
    let solver = if joints == 6 {
        solver
    } else {
        solver.searching(GlobalSettings { attempts_max: 3, ..GlobalSettings::default() })
    };
    for _ in 0..3 {
        let q = JointVector::zeros(joints).map(|_| 2.0 * draw.number());
        let rates = JointVector::zeros(joints).map(|_| 2.0 * draw.number());
        let (pose, jacobian) = model.chain.forward_with_jacobian(&q);
        assert!(
            pose.translation.vector.iter().chain(pose.rotation.coords.iter()).all(|value| value.is_finite())
        );
        assert!(
            jacobian.iter().chain(&jacobian_rate(&model.chain, &q, &rates)).all(|value| value.is_finite())
        );
        assert!(model.chain.link_poses(&q).as_slice().len() >= joints + 2);
        let _measured = singularity(&model.chain, &jacobian);
        if let Some(solution) = solver.nearest(&pose, &rates, &Wish::FREE) {
            assert!(model.limits.first_outside(&solution.q, 0.0).is_none());
            let gap = motiond::geometry::displacement(&model.chain.forward(&solution.q), &pose);
            assert!(gap.linear.norm() < 2e-9 && gap.angular.norm() < 2e-9, "{gap:?}");
        }
        if let Ok(dynamics) = model.dynamics() {
            // Inertias have no upper bound: a number near the largest there is may overflow here.
            let _torques = dynamics.torques(&q, &rates, &rates);
        }
    }
    let _capsules = collision_model(model, &[], &[]);
}

#[test]
fn robots_of_any_structure_calculate_or_give_named_problems_and_never_panic() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..1600 {
        println!("seed {seed}");
        let (text, base, tip) = robot(seed);
        match from_urdf(&text, base.as_deref(), tip.as_deref()) {
            Ok(model) => {
                calculates(&model, &mut Draw(seed | 1));
                accepted += 1;
            }
            Err(problems) => {
                assert!(!problems.0.is_empty());
                // What the whole robot lacks has no place of its own.
                assert!(problems.0.iter().all(|problem| !problem.message.is_empty()), "{problems}");
                refused += 1;
            }
        }
    }
    // Both happen often, otherwise the robots are too good or too bad to say anything.
    assert!(accepted > 300 && refused > 300, "{accepted} accepted, {refused} refused");
}
