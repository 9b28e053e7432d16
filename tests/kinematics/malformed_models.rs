//! Robot models as people write them wrong: each gives problems that name the place, and nothing panics.

use std::fs;

use motiond::config::kinematic_model::{SIX_AXIS_8KG, from_text, load_model};
use motiond::config::problem::Problem;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::test_runner::RngSeed;

/// The shipped URDF with every occurrence of `old` in its joint or link replaced.
fn edited(old: &str, new: &str) -> String {
    assert!(SIX_AXIS_8KG.urdf.contains(old), "the edit finds its text: {old}");
    SIX_AXIS_8KG.urdf.replacen(old, new, 1)
}

fn problems(urdf: &str, limits: &str) -> Vec<Problem> {
    match from_text(urdf, limits, None, None) {
        Ok(model) => panic!("accepted: {}", model.name),
        Err(problems) => problems.0,
    }
}

/// `urdf` gives a problem at a place containing `place`, saying `message`.
fn refused(urdf: &str, place: &str, message: &str) {
    let found = problems(urdf, SIX_AXIS_8KG.limits);
    assert!(
        found.iter().any(|problem| problem.place.contains(place) && problem.message.contains(message)),
        "wanted {place}: {message}\nfound {found:#?}"
    );
}

fn limits_refused(old: &str, new: &str, place: &str, message: &str) {
    assert!(SIX_AXIS_8KG.limits.contains(old), "the edit finds its text: {old}");
    let found = problems(SIX_AXIS_8KG.urdf, &SIX_AXIS_8KG.limits.replacen(old, new, 1));
    assert!(
        found
            .iter()
            .any(|problem| problem.place == format!("limits.toml: {place}")
                && problem.message.contains(message)),
        "wanted {place}: {message}\nfound {found:#?}"
    );
}

#[test]
fn a_missing_joint_leaves_a_second_root_that_is_named() {
    let begin = SIX_AXIS_8KG.urdf.find("  <joint name=\"joint_4\"").expect("joint 4");
    let end = begin + SIX_AXIS_8KG.urdf[begin..].find("</joint>").expect("its end") + "</joint>".len();
    let urdf = format!("{}{}", &SIX_AXIS_8KG.urdf[..begin], &SIX_AXIS_8KG.urdf[end..]);
    refused(&urdf, "link \"link_4\"", "no joint leads to this link");
}

#[test]
fn a_missing_link_is_named_by_the_joints_that_use_it() {
    let urdf = edited("<link name=\"link_4\">", "<link name=\"link_four\">");
    refused(&urdf, "joint \"joint_4\"", "child link \"link_4\" does not exist");
    refused(&urdf, "joint \"joint_5\"", "parent link \"link_4\" does not exist");
}

#[test]
fn double_names_are_refused_with_the_first_line() {
    refused(
        &edited("<link name=\"link_4\">", "<link name=\"link_3\">"),
        "link \"link_3\"",
        "used before, in line",
    );
    refused(&edited("name=\"joint_4\"", "name=\"joint_3\""), "joint \"joint_3\"", "used before, in line");
}

#[test]
fn a_circle_of_joints_is_refused() {
    // link_1 to link_2 and link_2 back to link_1, away from the base.
    let urdf = edited("<parent link=\"base_link\"/>", "<parent link=\"link_2\"/>");
    refused(&urdf, "link \"link_1\"", "run in a circle");
    refused(
        &edited("<child link=\"link_2\"/>", "<child link=\"link_1\"/>"),
        "joint \"joint_2\"",
        "to itself",
    );
}

#[test]
fn a_link_with_two_parents_is_refused() {
    let urdf = edited("<child link=\"link_6\"/>", "<child link=\"link_4\"/>");
    refused(&urdf, "joint \"joint_6\"", "already the child of joint \"joint_4\"");
}

#[test]
fn mimic_without_a_target_or_on_the_chain_is_refused() {
    let axis = "<axis xyz=\"0 0 1\"/>";
    refused(&edited(axis, &format!("{axis}<mimic joint=\"nobody\"/>")), "joint_1", "mimics joint \"nobody\"");
    refused(&edited(axis, &format!("{axis}<mimic joint=\"joint_1\"/>")), "joint_1", "mimics itself");
    refused(&edited(axis, &format!("{axis}<mimic joint=\"joint_2\"/>")), "joint_1", "link \"link_1\"");
}

#[test]
fn axes_without_direction_are_refused() {
    for axis in ["0 0 0", "1e-9 0 0", "1e200 1e200 0"] {
        refused(&edited("xyz=\"0 0 1\"", &format!("xyz=\"{axis}\"")), "joint_1", "<axis> xyz has the length");
    }
}

#[test]
fn limits_that_are_missing_inverted_or_not_numbers_are_refused() {
    let limit = "<limit lower=\"-1.570796\" upper=\"2.617994\" velocity=\"3.316126\" effort=\"1200\"/>";
    let cases = [
        ("", "has no lower"),
        ("<limit velocity=\"3\"/>", "has no upper"),
        ("<limit lower=\"-1\" upper=\"1\"/>", "has no velocity"),
        ("<limit lower=\"1\" upper=\"-1\" velocity=\"3\"/>", "lower 1 is not below upper -1"),
        ("<limit lower=\"1\" upper=\"1\" velocity=\"3\"/>", "is not below"),
        ("<limit lower=\"NaN\" upper=\"1\" velocity=\"3\"/>", "\"NaN\" is not a finite number"),
        ("<limit lower=\"-1\" upper=\"inf\" velocity=\"3\"/>", "\"inf\" is not a finite number"),
        ("<limit lower=\"-1\" upper=\"1\" velocity=\"0\"/>", "velocity is 0"),
        ("<limit lower=\"-1\" upper=\"1\" velocity=\"-3\"/>", "velocity is -3"),
        ("<limit lower=\"-1\" upper=\"1\" velocity=\"3\" effort=\"-1\"/>", "effort is -1"),
        ("<limit lower=\"-1 2\" upper=\"1\" velocity=\"3\"/>", "lower has 2 numbers"),
        ("<limit lower=\"-1\" upper=\"1\" velocity=\"3\"/><limit velocity=\"3\"/>", "more than one <limit>"),
    ];
    for (new, message) in cases {
        refused(&edited(limit, new), "joint \"joint_2\"", message);
    }
}

#[test]
fn words_among_numbers_are_refused_although_the_library_drops_them() {
    refused(
        &edited("xyz=\"0.15 0 0.25\" rpy=\"0 0 0\"/>\n    <axis", "xyz=\"0.15 0 half 0.25\"/><axis"),
        "joint_2",
        "half",
    );
    refused(
        &edited("xyz=\"0 0 0.6\" rpy=\"0 0 0\"/>\n    <axis", "xyz=\"0 0 ${length}\"/><axis"),
        "joint_3",
        "${length}",
    );
    refused(&edited("<mass value=\"24.0\"/>", "<mass value=\"heavy\"/>"), "link_2", "heavy");
}

#[test]
fn elements_and_attributes_that_must_be_there_are_asked_for() {
    refused(&edited("<parent link=\"link_1\"/>", ""), "joint_2", "<joint> has no <parent>");
    refused(&edited("<child link=\"link_2\"/>", "<child/>"), "joint_2", "<child> has no link");
    refused(&edited("type=\"revolute\"", ""), "joint_1", "has no type");
    refused(&edited("type=\"revolute\"", "type=\"hinge\""), "joint_1", "unknown type \"hinge\"");
    refused(&edited("<joint name=\"joint_1\"", "<joint"), ", joint", "has no name");
    refused(&edited("<mass value=\"24.0\"/>", ""), "link_2", "<inertial> has no <mass>");
}

#[test]
fn joints_with_several_axes_between_base_and_tip_are_refused_with_their_link() {
    for kind in ["floating", "planar"] {
        let urdf = edited("type=\"revolute\"", &format!("type=\"{kind}\""));
        refused(&urdf, "joint \"joint_1\"", "joint to link \"link_1\" is neither revolute");
    }
}

#[test]
fn a_branch_needs_a_named_tip_and_the_branching_link_is_named() {
    let camera = "<link name=\"camera\"/><joint name=\"mount\" type=\"fixed\"><parent link=\"link_4\"/><child link=\"camera\"/></joint></robot>";
    let urdf = edited("</robot>", camera);
    let limits = SIX_AXIS_8KG.limits.replace("tip = \"flange\"", "");
    let found = problems(&urdf, &limits);
    assert!(
        found[0].place.contains("link \"link_4\"") && found[0].message.contains("link_5 and camera"),
        "{found:?}"
    );
    // With the tip named the camera rides on the forearm.
    let model = from_text(&urdf, SIX_AXIS_8KG.limits, None, None).expect("the tip is named");
    assert_eq!(model.chain, SIX_AXIS_8KG.load().expect("valid").chain);
}

#[test]
fn base_and_tip_that_do_not_exist_or_do_not_hang_together_are_refused() {
    let ask =
        |base, tip| from_text(SIX_AXIS_8KG.urdf, SIX_AXIS_8KG.limits, base, tip).map(|model| model.name);
    let message = |base, tip| ask(base, tip).expect_err("refused").to_string();
    assert!(
        message(Some("table"), None)
            .contains("base link \"table\": does not exist; allowed: base_link, link_1")
    );
    assert!(message(None, Some("tool")).contains("tip link \"tool\": does not exist"));
    assert!(message(Some("link_3"), Some("link_1")).contains("does not hang below the base \"link_3\""));
    assert!(
        message(None, Some("base_link")).contains("0 moving joints between base and tip; allowed: 1 to 12")
    );
}

#[test]
fn thirteen_moving_joints_are_refused() {
    let mut urdf = "<robot name=\"snake\"><link name=\"l0\"/>".to_owned();
    for index in 1..=13 {
        urdf += &format!(
            "<link name=\"l{index}\"/><joint name=\"j{index}\" type=\"continuous\"><parent link=\"l{}\"/><child link=\"l{index}\"/>\
             <axis xyz=\"0 0 1\"/><limit velocity=\"1\" effort=\"1\"/></joint>",
            index - 1
        );
    }
    let found = problems(&(urdf + "</robot>"), "[joints]");
    assert!(found[0].message.contains("13 moving joints") && found[0].allowed == "1 to 12", "{found:?}");
}

#[test]
fn xacro_doctypes_and_other_documents_are_refused() {
    refused(
        &edited("<robot name", "<!DOCTYPE robot [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><robot name"),
        "line",
        "type declaration",
    );
    let macros = edited("</robot>", "<xacro:include filename=\"x.xacro\"/></robot>");
    refused(&macros, "line", "<xacro:include> is a macro of xacro");
    refused("<sdf version=\"1.7\"/>", "line 1", "begins with <sdf>");
    refused("", "robot.urdf", "empty");
    refused("not xml at all", "robot.urdf", "empty");
    refused("<robot name=\"empty\"/>", "robot.urdf", "no link");
    refused(&edited("<mass value=\"24.0\"/>", "<mass value=\"&secret;\"/>"), "line", "not well-formed");
}

#[test]
fn text_that_is_too_large_too_deep_or_too_wide_is_refused() {
    refused(&format!("<robot>{}</robot>", " ".repeat(8 << 20)), "robot.urdf", "bytes");
    refused(&format!("<robot>{}", "<link>".repeat(100_000)), "line 1", "nested more than 32 deep");
    let wide: String = (0..1000).map(|index| format!(" a{index}=\"\"")).collect();
    refused(&format!("<robot{wide}/>"), "line 1", "too many attributes");
    let many: String = (0..1001).map(|index| format!("<link name=\"l{index}\"/>")).collect();
    refused(&format!("<robot>{many}</robot>"), "robot.urdf", "1001 links");
}

#[test]
fn more_problems_than_anyone_reads_are_cut_and_counted() {
    let nameless = "<link/>".repeat(500);
    let found = problems(&format!("<robot>{nameless}</robot>"), SIX_AXIS_8KG.limits);
    assert_eq!(found.len(), 100);
    assert!(found[99].message.contains("and 401 more problems"), "{:?}", found[99]);
}

#[test]
fn all_problems_of_both_files_come_at_once() {
    let urdf = edited("type=\"revolute\"", "type=\"hinge\"").replacen(
        "<mass value=\"24.0\"/>",
        "<mass value=\"x\"/>",
        1,
    );
    let limits = SIX_AXIS_8KG.limits.replacen("[chain]", "[chains]", 1);
    let found = problems(&urdf, &limits);
    assert!(found.len() >= 3, "{found:?}");
    assert!(found.iter().any(|problem| problem.place.starts_with("limits.toml")));
    assert!(found.iter().all(|problem| !problem.message.is_empty() && !problem.place.is_empty()));
}

#[test]
fn limits_may_narrow_and_never_widen() {
    let jerk = "jerk_max_deg_s3 = 6500";
    let narrowed = SIX_AXIS_8KG.limits.replacen(
        jerk,
        &format!("{jerk}\nposition_min_deg = -20\nposition_max_deg = 90.5\nspeed_max_deg_s = 100"),
        1,
    );
    let model = from_text(SIX_AXIS_8KG.urdf, &narrowed, None, None).expect("narrower is allowed");
    let limit = model.limits.as_slice()[1];
    assert!((limit.position_min.to_degrees() + 20.0).abs() < 1e-9);
    assert!((limit.position_max.to_degrees() - 90.5).abs() < 1e-9);
    assert!((limit.speed_max.to_degrees() - 100.0).abs() < 1e-9);
    for (line, place) in [
        ("position_min_deg = -91", "joints.joint_2.position_min_deg"),
        ("position_max_deg = 150.1", "joints.joint_2.position_max_deg"),
        ("speed_max_deg_s = 191", "joints.joint_2.speed_max_deg_s"),
        ("speed_max_deg_s = 0", "joints.joint_2.speed_max_deg_s"),
    ] {
        limits_refused(jerk, &format!("{jerk}\n{line}"), place, "");
    }
    limits_refused(
        jerk,
        &format!("{jerk}\nposition_min_deg = 50\nposition_max_deg = 40"),
        "joints.joint_2.position_min_deg",
        "not below",
    );
}

#[test]
fn the_positions_of_the_urdf_written_in_degrees_are_not_wider() {
    let jerk = "jerk_max_deg_s3 = 6500";
    let same = SIX_AXIS_8KG.limits.replacen(
        jerk,
        &format!("{jerk}\nposition_min_deg = -90\nposition_max_deg = 150"),
        1,
    );
    let model = from_text(SIX_AXIS_8KG.urdf, &same, None, None).expect("the same limits");
    let (found, urdf) =
        (model.limits.as_slice()[1], SIX_AXIS_8KG.load().expect("valid").limits.as_slice()[1]);
    assert!(found.position_min >= urdf.position_min && found.position_max <= urdf.position_max);
    assert!(found.position_min < urdf.position_min + 1e-6 && found.position_max > urdf.position_max - 1e-6);
}

#[test]
fn mistakes_in_the_limits_file_are_named_by_key() {
    limits_refused("jerk_max_deg_s3 = 6500", "", "joints.joint_2.jerk_max_deg_s3", "missing");
    limits_refused("jerk_max_deg_s3 = 6500", "jerk_max = 6500", "joints.joint_2.jerk_max", "unknown key");
    limits_refused(
        "jerk_max_deg_s3 = 6500",
        "jerk_max_deg_s3 = \"6500\"",
        "joints.joint_2.jerk_max_deg_s3",
        "",
    );
    limits_refused("= 6500", "= nan", "joints.joint_2.jerk_max_deg_s3", "");
    limits_refused("= 6500", "= -6500", "joints.joint_2.jerk_max_deg_s3", "");
    limits_refused("= 6500", "= inf", "joints.joint_2.jerk_max_deg_s3", "");
    limits_refused("[joints.joint_2]", "[joints.joint_02]", "joints.joint_02", "not a moving joint");
    limits_refused("[joints.joint_2]", "[joints.joint_02]", "joints.joint_2", "missing");
    limits_refused("[chain]", "[chains]", "chains", "unknown key");
    limits_refused("tip = \"flange\"", "tip = 6", "chain.tip", "");
    limits_refused("tip = \"flange\"", "tip = \"flange", "line 9, column 14", "");
    let found = problems(SIX_AXIS_8KG.urdf, "");
    assert_eq!(found[0].place, "limits.toml: joints");
}

#[test]
fn a_folder_without_files_or_with_xacro_only_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = load_model(folder.path()).expect_err("empty").to_string();
    assert!(
        text.contains("robot.urdf") && text.contains("limits.toml") && text.contains("cannot be opened"),
        "{text}"
    );
    fs::write(folder.path().join("robot.urdf.xacro"), "<robot/>").expect("written");
    let text = load_model(folder.path()).expect_err("no urdf").to_string();
    assert!(text.contains("expand it first"), "{text}");

    fs::write(folder.path().join("robot.urdf"), [0xff, 0xfe, 0x00]).expect("written");
    fs::write(folder.path().join("limits.toml"), SIX_AXIS_8KG.limits).expect("written");
    let text = load_model(folder.path()).expect_err("not text").to_string();
    assert!(text.contains("robot.urdf") && text.contains("UTF-8"), "{text}");

    fs::write(folder.path().join("robot.urdf"), vec![b' '; (8 << 20) + 1]).expect("written");
    let text = load_model(folder.path()).expect_err("too large").to_string();
    assert!(text.contains("larger than 8 MiB"), "{text}");

    fs::write(folder.path().join("robot.urdf"), SIX_AXIS_8KG.urdf).expect("written");
    assert_eq!(load_model(folder.path()).expect("valid"), SIX_AXIS_8KG.load().expect("valid"));
}

#[test]
fn a_model_cut_short_anywhere_is_refused_and_never_panics() {
    let urdf = SIX_AXIS_8KG.urdf;
    let end = urdf.rfind("</robot>").expect("the end");
    for cut in (0..=end).filter(|cut| cut % 7 == 0 && urdf.is_char_boundary(*cut)) {
        let found = problems(&urdf[..cut], SIX_AXIS_8KG.limits);
        assert!(
            found.iter().all(|problem| problem.place.starts_with("robot.urdf")),
            "cut at {cut}: {found:?}"
        );
    }
}

/// Pieces that a mutation puts somewhere into a text.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "/>",
    "\"",
    "&",
    "&amp;",
    "&#x0;",
    "<!--",
    "-->",
    "<![CDATA[",
    "<?xml?>",
    "NaN",
    "1e999",
    "-",
    "0 0 0",
    " ",
    "name=\"joint_1\"",
    "<joint name=\"x\" type=\"fixed\"><parent link=\"flange\"/><child link=\"link_1\"/></joint>",
    "<link name=\"link_1\"/>",
    "type=\"floating\"",
    "<mimic joint=\"joint_9\"/>",
    "xmlns:a=\"b\"",
    "\u{0}",
    "é",
];

/// `text` with something cut out or put in, `count` times at places that follow from `seed`.
fn mutated(text: &str, seed: u64, count: u8) -> String {
    let mut text = text.to_owned();
    let mut state = seed | 1;
    let mut draw = |below: usize| {
        // Marsaglia's xorshift: any scatter will do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).expect("64 bits") % below.max(1)
    };
    for _ in 0..count {
        let mut at = draw(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        if draw(2) == 0 {
            text.insert_str(at, PIECES[draw(PIECES.len())]);
        } else {
            let mut end = (at + 1 + draw(40)).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(at..end, "");
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, rng_seed: RngSeed::Fixed(20_262), ..ProptestConfig::with_cases(1000)
    })]

    #[test]
    fn changed_texts_give_a_model_or_named_problems(seed in any::<u64>(), count in 1..6_u8, in_limits in any::<bool>()) {
        let (mut urdf, mut limits) = (SIX_AXIS_8KG.urdf.to_owned(), SIX_AXIS_8KG.limits.to_owned());
        if in_limits {
            limits = mutated(&limits, seed, count);
        } else {
            urdf = mutated(&urdf, seed, count);
        }
        match from_text(&urdf, &limits, None, None) {
            Ok(model) => {
                assert_eq!(model.limits.len(), model.chain.joint_count());
                assert_eq!(model.joint_names.len(), model.chain.joint_count());
                assert_eq!(model.links.len(), model.chain.joint_count() + 1);
            }
            Err(problems) => {
                assert!(!problems.0.is_empty());
                assert!(problems.0.iter().all(|problem| !problem.message.is_empty() && !problem.place.is_empty()));
            }
        }
    }

    #[test]
    fn any_text_at_all_gives_problems(text in "\\PC{0,300}", markup in "[<>/a-z =\"&;!\\-]{0,200}") {
        assert!(from_text(&text, SIX_AXIS_8KG.limits, None, None).is_err());
        assert!(from_text(&format!("<robot>{markup}</robot>"), SIX_AXIS_8KG.limits, None, None).is_err());
        assert!(from_text(SIX_AXIS_8KG.urdf, &format!("[joints]\n{text}"), None, None).is_err());
    }
}
