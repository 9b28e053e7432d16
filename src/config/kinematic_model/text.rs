//! First look at URDF text, before any library turns it into a model: is it XML we accept, are the numbers
//! numbers, which line does each link and joint begin on. Everything wrong is noted, not only the first.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};

use crate::config::problem::Problem;

/// Largest URDF text that is read, bytes.
pub(super) const TEXT_SIZE_MAX: usize = 8 << 20;
/// Deepest nesting of elements; URDF needs six.
const DEPTH_MAX: usize = 32;
/// Most attributes of one element; looking for double ones takes the square of it.
const ATTRIBUTES_MAX: usize = 64;
/// Largest number of links; the readers after this one walk the tree recursively.
pub(super) const LINKS_MAX: usize = 1000;

/// Which attributes hold numbers: element, attribute, how many. Only inside links and joints.
const NUMBERS: [(&str, &str, usize); 26] = [
    ("origin", "xyz", 3),
    ("origin", "rpy", 3),
    ("origin", "quat_xyzw", 4),
    ("axis", "xyz", 3),
    ("limit", "lower", 1),
    ("limit", "upper", 1),
    ("limit", "velocity", 1),
    ("limit", "effort", 1),
    ("mass", "value", 1),
    ("inertia", "ixx", 1),
    ("inertia", "ixy", 1),
    ("inertia", "ixz", 1),
    ("inertia", "iyy", 1),
    ("inertia", "iyz", 1),
    ("inertia", "izz", 1),
    ("box", "size", 3),
    ("cylinder", "radius", 1),
    ("cylinder", "length", 1),
    ("capsule", "radius", 1),
    ("capsule", "length", 1),
    ("sphere", "radius", 1),
    ("mesh", "scale", 3),
    ("mimic", "multiplier", 1),
    ("mimic", "offset", 1),
    ("dynamics", "damping", 1),
    ("dynamics", "friction", 1),
];

/// Attributes an element must have.
const REQUIRED: [(&str, &[&str]); 9] = [
    ("parent", &["link"]),
    ("child", &["link"]),
    ("mimic", &["joint"]),
    ("limit", &["velocity"]),
    ("mass", &["value"]),
    ("inertia", &["ixx", "ixy", "ixz", "iyy", "iyz", "izz"]),
    ("box", &["size"]),
    ("cylinder", &["radius", "length"]),
    ("sphere", &["radius"]),
];

/// Elements a link or joint may have once.
const AT_MOST_ONCE: [&str; 8] =
    ["origin", "axis", "limit", "parent", "child", "mimic", "inertial", "safety_controller"];

/// Joint types of the format.
const JOINT_TYPES: [&str; 6] = ["revolute", "continuous", "prismatic", "fixed", "floating", "planar"];

/// Where things stand in the text, for the places of later problems.
#[derive(Debug, Default)]
pub(super) struct Outline {
    links: HashMap<String, usize>,
    joints: HashMap<String, JointOutline>,
}

/// What the parsed model does not tell of a joint.
#[derive(Debug, Default)]
struct JointOutline {
    line: usize,
    limit_attributes: Vec<String>,
}

impl Outline {
    /// Where a link is written.
    pub(super) fn link_place(&self, name: &str) -> String {
        match self.links.get(name) {
            Some(line) => format!("line {line}, link \"{name}\""),
            None => format!("link \"{name}\""),
        }
    }

    /// Where a joint is written.
    pub(super) fn joint_place(&self, name: &str) -> String {
        match self.joints.get(name) {
            Some(outline) => format!("line {}, joint \"{name}\"", outline.line),
            None => format!("joint \"{name}\""),
        }
    }

    /// True when the joint's `<limit>` has the attribute.
    pub(super) fn has_limit(&self, joint: &str, attribute: &str) -> bool {
        self.joints
            .get(joint)
            .is_some_and(|outline| outline.limit_attributes.iter().any(|name| name == attribute))
    }
}

/// Looks through `text`; what is wrong goes to `problems`.
pub(super) fn look_through(text: &str, problems: &mut Vec<Problem>) -> Outline {
    let mut look =
        Look { lines: LineCounter::new(text), problems, outline: Outline::default(), open: Vec::new() };
    if text.len() > TEXT_SIZE_MAX {
        look.note(
            "",
            format!("the text has {} bytes", text.len()),
            "at most 8 MiB",
            "leave meshes in files of their own",
        );
        return look.outline;
    }
    look.read(text);
    look.outline
}

/// An element that has begun and not ended.
struct Open {
    name: String,
    /// Place of the link or joint it belongs to, or of itself.
    place: String,
    /// Name of the joint it belongs to, or is.
    joint: Option<String>,
    children: Vec<String>,
    /// Only elements on a path the model is read from are looked at: robot, link and joint, and inside these.
    is_read: bool,
}

struct Look<'a> {
    lines: LineCounter<'a>,
    problems: &'a mut Vec<Problem>,
    outline: Outline,
    open: Vec<Open>,
}

impl Look<'_> {
    fn note(&mut self, place: &str, message: impl Into<String>, allowed: impl Into<String>, remedy: &str) {
        self.problems.push(Problem::new(place, message, allowed, remedy));
    }

    fn read(&mut self, text: &str) {
        let mut reader = Reader::from_str(text);
        let mut has_root = false;
        loop {
            // Where the event begins: the end of a long tag would be another line.
            let position = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = reader.read_event();
            match event {
                Ok(Event::Start(element)) => {
                    has_root = true;
                    if !self.begin(&element, position) {
                        return;
                    }
                }
                Ok(Event::Empty(element)) => {
                    has_root = true;
                    if !self.begin(&element, position) {
                        return;
                    }
                    self.end();
                }
                Ok(Event::End(_)) => self.end(),
                Ok(Event::DocType(_)) => {
                    let place = format!("line {}", self.lines.line_at(position));
                    self.note(
                        &place,
                        "a document type declaration is not read",
                        "plain XML without DOCTYPE and entities",
                        "remove the declaration and write entities out",
                    );
                    return;
                }
                Ok(Event::Eof) => break,
                Ok(
                    Event::Text(_)
                    | Event::CData(_)
                    | Event::Comment(_)
                    | Event::Decl(_)
                    | Event::PI(_)
                    | Event::GeneralRef(_),
                ) => {}
                Err(error) => {
                    let position = usize::try_from(reader.error_position()).unwrap_or(position);
                    let place = format!("line {}", self.lines.line_at(position));
                    self.note(&place, format!("not well-formed XML: {error}"), "well-formed XML", "");
                    return;
                }
            }
        }
        if let Some(open) = self.open.last() {
            let (place, message) = (open.place.clone(), format!("<{}> is never closed", open.name));
            self.note(&place, message, "well-formed XML", "the file may be cut short: copy it again");
        } else if !has_root {
            self.note("", "the text is empty", "a <robot> element", "");
        }
        if self.outline.links.len() > LINKS_MAX {
            self.note(
                "",
                format!("{} links", self.outline.links.len()),
                format!("at most {LINKS_MAX} links"),
                "leave out what does not belong to the arm",
            );
        }
    }

    /// False when reading cannot go on.
    fn begin(&mut self, element: &BytesStart<'_>, position: usize) -> bool {
        let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
        let line = self.lines.line_at(position);
        if self.open.len() >= DEPTH_MAX {
            self.note(
                &format!("line {line}"),
                format!("elements are nested more than {DEPTH_MAX} deep"),
                format!("at most {DEPTH_MAX}"),
                "",
            );
            return false;
        }
        if name.starts_with("xacro:") {
            self.note(
                &format!("line {line}"),
                format!("<{name}> is a macro of xacro"),
                "plain URDF",
                "expand it first: xacro robot.urdf.xacro > robot.urdf",
            );
            return false;
        }
        let Some(attributes) = self.attributes(element, line) else { return false };
        let opened = self.open_element(name, line, &attributes);
        if opened.is_read {
            self.check_attributes(&opened, &attributes);
        }
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(opened.name.clone());
        }
        self.open.push(opened);
        true
    }

    /// The attributes as text; `None` when they are not well-formed.
    fn attributes(&mut self, element: &BytesStart<'_>, line: usize) -> Option<Vec<(String, String)>> {
        let read = |attribute: Attribute<'_>| {
            let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            attribute.unescape_value().map(|value| (name, value.into_owned()))
        };
        if element.attributes().with_checks(false).count() > ATTRIBUTES_MAX {
            let allowed = format!("at most {ATTRIBUTES_MAX}");
            self.note(&format!("line {line}"), "an element with too many attributes", allowed, "");
            return None;
        }
        let attributes: Result<Vec<_>, _> = element
            .attributes()
            .map(|attribute| attribute.map_err(quick_xml::Error::from).and_then(read))
            .collect();
        match attributes {
            Ok(attributes) => Some(attributes),
            Err(error) => {
                self.note(
                    &format!("line {line}"),
                    format!("not well-formed XML: {error}"),
                    "well-formed XML",
                    "",
                );
                None
            }
        }
    }

    /// Enters an element: remembers links and joints, refuses a root that is not a robot.
    fn open_element(&mut self, name: String, line: usize, attributes: &[(String, String)]) -> Open {
        let depth = self.open.len();
        let parent_is_read = self.open.last().is_some_and(|open| open.is_read);
        let own_name = attributes.iter().find(|(key, _)| key == "name").map(|(_, value)| value.clone());
        let (place, joint, is_read) = match (depth, name.as_str()) {
            (0, root) => {
                let place = format!("line {line}");
                if root != "robot" {
                    let message = format!("the document begins with <{root}>");
                    self.note(&place, message, "<robot>", "give a URDF file");
                }
                (place, None, root == "robot")
            }
            (1, "link") if parent_is_read => (self.remember("link", line, own_name), None, true),
            (1, "joint") if parent_is_read => {
                (self.remember("joint", line, own_name.clone()), own_name, true)
            }
            // Materials, transmissions, simulator settings: not read, so not judged.
            (1, _) => (format!("line {line}"), None, false),
            _ => {
                let parent = self.open.last();
                let joint = parent.and_then(|open| open.joint.clone());
                (parent.map(|open| open.place.clone()).unwrap_or_default(), joint, parent_is_read)
            }
        };
        Open { name, place, joint, children: Vec::new(), is_read }
    }

    /// Notes line and name of a link or joint; returns its place.
    fn remember(&mut self, kind: &str, line: usize, own_name: Option<String>) -> String {
        let Some(own_name) = own_name.filter(|name| !name.trim().is_empty()) else {
            let place = format!("line {line}, {kind}");
            self.note(&place, "has no name", "a name used once", "");
            return place;
        };
        let place = format!("line {line}, {kind} \"{own_name}\"");
        let first_line = if kind == "link" {
            self.outline.links.get(&own_name).copied()
        } else {
            self.outline.joints.get(&own_name).map(|outline| outline.line)
        };
        if let Some(first_line) = first_line {
            self.note(
                &place,
                format!("the name is used before, in line {first_line}"),
                "a name used once",
                "rename one of them",
            );
        } else if kind == "link" {
            self.outline.links.insert(own_name, line);
        } else {
            self.outline.joints.insert(own_name, JointOutline { line, limit_attributes: Vec::new() });
        }
        place
    }

    fn check_attributes(&mut self, opened: &Open, attributes: &[(String, String)]) {
        let (name, place) = (opened.name.as_str(), opened.place.as_str());
        let value_of =
            |wanted: &str| attributes.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
        if name == "joint" && self.open.len() == 1 {
            match value_of("type") {
                Some(found) if JOINT_TYPES.contains(&found) => {}
                Some(found) => {
                    self.note(place, format!("unknown type \"{found}\""), JOINT_TYPES.join(", "), "");
                }
                None => self.note(place, "has no type", JOINT_TYPES.join(", "), ""),
            }
        }
        if name == "limit" && self.open.len() == 2 {
            let joint = opened.joint.as_ref().and_then(|joint| self.outline.joints.get_mut(joint));
            if let Some(joint) = joint {
                joint.limit_attributes = attributes.iter().map(|(key, _)| key.clone()).collect();
            }
        }
        for (_, required) in REQUIRED.iter().filter(|(element, _)| *element == name) {
            for wanted in *required {
                if value_of(wanted).is_none() {
                    self.note(
                        place,
                        format!("<{name}> has no {wanted}"),
                        "",
                        &format!("write {wanted}=\"…\""),
                    );
                }
            }
        }
        for (key, value) in attributes {
            if let Some((_, _, count)) =
                NUMBERS.iter().find(|(element, attribute, _)| *element == name && attribute == key)
            {
                self.check_numbers(place, name, key, value, *count);
            }
        }
    }

    /// The library drops words that are not numbers and lets NaN and infinities pass: neither is accepted here.
    fn check_numbers(&mut self, place: &str, element: &str, attribute: &str, value: &str, count: usize) {
        let words: Vec<&str> = value.split_whitespace().collect();
        let bad = words.iter().find(|word| !word.parse::<f64>().is_ok_and(f64::is_finite));
        let allowed = if count == 1 {
            "one finite number".to_owned()
        } else {
            format!("{count} finite numbers, spaces between")
        };
        if let Some(bad) = bad {
            let remedy = if bad.contains('$') { "expand the file with xacro first" } else { "" };
            self.note(
                place,
                format!("<{element}> {attribute}: \"{bad}\" is not a finite number"),
                allowed,
                remedy,
            );
        } else if words.len() != count {
            self.note(place, format!("<{element}> {attribute} has {} numbers", words.len()), allowed, "");
        }
    }

    /// Leaves an element: has it what it needs, once?
    fn end(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        if !closed.is_read {
            return;
        }
        let has = |wanted: &str| closed.children.iter().any(|child| child == wanted);
        let needed: &[&str] = match closed.name.as_str() {
            "joint" => &["parent", "child"],
            "inertial" => &["mass", "inertia"],
            "visual" | "collision" => &["geometry"],
            _ => &[],
        };
        for wanted in needed {
            if !has(wanted) {
                let message = format!("<{}> has no <{wanted}>", closed.name);
                self.note(&closed.place, message, "", &format!("write a <{wanted}> element"));
            }
        }
        for once in AT_MOST_ONCE {
            if closed.children.iter().filter(|child| *child == once).count() > 1 {
                self.note(
                    &closed.place,
                    format!("<{}> has more than one <{once}>", closed.name),
                    "at most one",
                    "",
                );
            }
        }
    }
}

/// Line numbers of growing positions, counted in one pass.
struct LineCounter<'a> {
    text: &'a str,
    counted_to: usize,
    line: usize,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, counted_to: 0, line: 1 }
    }

    /// Line, from 1, of the byte at `position`.
    fn line_at(&mut self, position: usize) -> usize {
        let position = position.min(self.text.len());
        if position < self.counted_to {
            (self.counted_to, self.line) = (0, 1);
        }
        let passed = &self.text.as_bytes()[self.counted_to..position];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted_to = position;
        self.line
    }
}
