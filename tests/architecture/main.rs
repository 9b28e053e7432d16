//! The folder list is the architecture; this holds the code to it: which folder may name which, where
//! lints must stand, where `unsafe` may be, and words that have no place in the repository.
#![expect(clippy::tests_outside_test_module, reason = "an integration test binary is a test module")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which top-level modules the files of a module may name. Layer 1 modules may name each other.
const ARROWS: &[(&str, &[&str])] = &[
    ("boundary", LAYER_1),
    ("config", LAYER_1),
    ("drives", &["boundary", "config"]),
    ("fieldbus", &["platform"]),
    ("platform", &[]),
    ("realtime", &["boundary", "config", "drives", "fieldbus", "platform"]),
    ("simulator", &[]),
    ("planning", &["boundary", "config"]),
    ("calibration", &["config"]),
    ("processes", &["boundary", "config", "planning"]),
    ("jobs", &["boundary", "config", "planning", "processes", "telemetry"]),
    ("telemetry", &["boundary", "config"]),
    ("mastering", &["boundary", "config", "jobs"]),
    ("api", &["boundary", "config", "jobs", "mastering", "planning", "processes", "telemetry"]),
    (
        "cli",
        &[
            "api",
            "boundary",
            "calibration",
            "config",
            "drives",
            "fieldbus",
            "jobs",
            "mastering",
            "planning",
            "platform",
            "processes",
            "realtime",
            "simulator",
            "telemetry",
        ],
    ),
];

const LAYER_1: &[&str] = &[
    "units",
    "joints",
    "machine",
    "faults",
    "devices",
    "positions",
    "bus_health",
    "geometry",
    "kinematics",
    "collision",
    "dynamics",
    "trajectory",
];

/// Folders whose `mod.rs` must deny what allocates, locks, prints or panics.
const REALTIME_FOLDERS: &[&str] = &[
    "bus_health",
    "geometry",
    "kinematics",
    "collision",
    "dynamics",
    "trajectory",
    "drives",
    "fieldbus",
    "realtime",
];

/// The only places where `unsafe` may stand.
const UNSAFE_PLACES: &[&str] = &["src/platform/", "src/fieldbus/link/raw_socket.rs", "src/kinematics/"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// Top-level module a source file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The source without its test module, comments and documentation.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let until_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
    until_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Top-level modules named as `crate::module` or in a `use crate::{a::…, b::…}` list.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `motiond_crate::` and `$crate::` are other things.
        if code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for letter in list.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        named.insert(item.trim().split("::").next().unwrap().to_owned());
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(letter);
            }
            named.insert(item.trim().split("::").next().unwrap().to_owned());
        } else {
            named.insert(rest.chars().take_while(|l| l.is_alphanumeric() || *l == '_').collect());
        }
    }
    named.remove("");
    named
}

/// Every import against an arrow of the table, as `file: names module`.
fn wrong_imports(module: &str, code: &str) -> Vec<String> {
    let is_layer_1 = LAYER_1.contains(&module);
    let allowed: &[&str] = if is_layer_1 {
        LAYER_1
    } else {
        ARROWS.iter().find(|(from, _)| *from == module).map_or(&[], |(_, to)| to)
    };
    named_modules(code)
        .into_iter()
        .filter(|named| {
            named != module && !LAYER_1.contains(&named.as_str()) && !allowed.contains(&named.as_str())
        })
        .collect()
}

#[test]
fn no_folder_names_one_it_must_not_know() {
    let mut wrong = Vec::new();
    for path in files_below(&root().join("src"), "rs") {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        assert!(
            LAYER_1.contains(&module.as_str()) || ARROWS.iter().any(|(from, _)| *from == module),
            "{} belongs to no layer: add its folder to the table and to the map in src/lib.rs",
            relative(&path)
        );
        for named in wrong_imports(&module, &code_of(&path)) {
            wrong.push(format!("{} names `{named}`", relative(&path)));
        }
    }
    assert!(wrong.is_empty(), "imports against the arrows:\n{}", wrong.join("\n"));
}

#[test]
fn the_check_of_imports_sees_wrong_ones() {
    assert_eq!(wrong_imports("realtime", "use crate::jobs::Store;"), ["jobs"]);
    assert_eq!(wrong_imports("planning", "use crate::{units::Ratio, drives::{a, b}};"), ["drives"]);
    assert_eq!(wrong_imports("simulator", "fn f() -> crate::drives::cia402::DriveState {}"), ["drives"]);
    assert_eq!(wrong_imports("units", "use crate::boundary::Piece;"), ["boundary"]);
    assert!(wrong_imports("realtime", "use crate::boundary::Piece; use crate::units::Ratio;").is_empty());
}

#[test]
fn real_time_folders_deny_what_allocates_locks_prints_or_panics() {
    for folder in REALTIME_FOLDERS {
        let head = fs::read_to_string(root().join("src").join(folder).join("mod.rs")).unwrap();
        for lint in [
            "clippy::disallowed_types",
            "clippy::disallowed_methods",
            "clippy::disallowed_macros",
            "clippy::unwrap_used",
            "clippy::expect_used",
            "clippy::panic",
        ] {
            assert!(head.contains(lint), "src/{folder}/mod.rs does not deny {lint}");
        }
    }
}

#[test]
fn unsafe_code_stands_only_where_it_may() {
    for path in files_below(&root().join("src"), "rs") {
        let name = relative(&path);
        let code = code_of(&path);
        let has_unsafe =
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl");
        assert!(
            !has_unsafe || UNSAFE_PLACES.iter().any(|place| name.starts_with(place)),
            "{name} contains unsafe code"
        );
    }
}

#[test]
fn every_folder_says_what_lives_there() {
    for path in files_below(&root().join("src"), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! ") || path.ends_with("tests.rs"), "{} has no heading", relative(&path));
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let shared = ["..", "shared"].join("/");
    let mut wrong = Vec::new();
    let mut check = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let absolute = ["/home/", "/root/", "/work/"].iter().any(|start| line.contains(start));
            let registry = ["crates", "pypi", "npmjs"].iter().any(|host| {
                [".io/", ".org/", ".io\"", ".org\""].iter().any(|end| line.contains(&format!("{host}{end}")))
            });
            let outside = line.contains(&shared) && !relative(path).starts_with("tests/");
            if absolute || registry || outside {
                wrong.push(format!("{}:{}: {}", relative(path), number + 1, line.trim()));
            }
        }
    };
    for folder in ["src", "tests", "benches", "config", "kinematics-models"] {
        for extension in ["rs", "toml", "json", "md", "urdf", "py"] {
            for path in files_below(&root().join(folder), extension) {
                if !path.ends_with("architecture/main.rs") {
                    check(&path);
                }
            }
        }
    }
    for file in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Cargo.toml"] {
        check(&root().join(file));
    }
    assert!(wrong.is_empty(), "words that do not belong here:\n{}", wrong.join("\n"));
}
