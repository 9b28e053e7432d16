//! Text → tree, with line, column and the line itself when the text cannot be parsed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Node, shortened};
use crate::config::problem::Problem;

/// Longest JSON document, bytes.
pub const JSON_SIZE_MAX: usize = 1 << 20;
/// Deepest nesting of lists and tables.
pub const JSON_DEPTH_MAX: usize = 32;

/// Parses JSON (RFC 8259) of at most [`JSON_SIZE_MAX`] bytes and [`JSON_DEPTH_MAX`] levels.
///
/// # Errors
/// Text that is too long, nested too deeply or not JSON. Numbers that do not fit (`1e999`) and the words
/// `NaN` and `Infinity` are not JSON.
pub fn parse_json(text: &str) -> Result<Node, Problem> {
    if text.len() > JSON_SIZE_MAX {
        return Err(Problem::new(
            "document",
            format!("{} bytes are too many", text.len()),
            format!("up to {JSON_SIZE_MAX} bytes"),
            "split the job",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = NodeSeed { depth_left: JSON_DEPTH_MAX };
    seed.deserialize(&mut deserializer).and_then(|node| deserializer.end().map(|()| node)).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        let remedy = "correct this line; what comes after it was not looked at";
        at_line(text, (error.line(), error.column()), message, "JSON (RFC 8259), finite numbers", remedy)
    })
}

/// Parses TOML 1.0.
///
/// # Errors
/// Text that is not TOML.
pub fn parse_toml(text: &str) -> Result<Node, Problem> {
    let problem = |error: &toml::de::Error| {
        toml_problem(text, error, "correct this line; what comes after it was not looked at")
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| problem(&error))?;
    NodeSeed { depth_left: JSON_DEPTH_MAX }.deserialize(deserializer).map_err(|error| problem(&error))
}

/// Most lines of a text that are found to be no TOML.
const TOML_MISTAKES_MAX: usize = 20;

/// Reads a TOML document with `read`. Where some lines of it are no TOML, the rest is read without them, so that
/// its mistakes are found as well.
///
/// # Errors
/// Every line that is no TOML, and every mistake `read` finds in the rest. A key that is missing may stand on one
/// of these lines and is not among them.
pub fn read_toml<T>(
    text: &str,
    read: impl FnOnce(&Node) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut problems = Vec::new();
    let rest = loop {
        let rest = lines.join("\n");
        let (_, errors) = toml::de::DeTable::parse_recoverable(&rest);
        // Those after the first may be its consequences.
        let Some(error) = errors.into_iter().min_by_key(|error| error.span().map(|span| span.start)) else {
            break parse_toml(&rest).map(Some);
        };
        if problems.len() == TOML_MISTAKES_MAX {
            break Ok(None);
        }
        problems.push(toml_problem(&rest, &error, ""));
        if !leave_out(&mut lines, line_and_column(&rest, &error).0 - 1) {
            break Ok(None);
        }
    };
    let remedy = match rest {
        Ok(Some(_)) => "correct this line; the rest of the file was looked at without it",
        Ok(None) | Err(_) => "correct this line; what comes after it was not looked at",
    };
    problems.iter_mut().for_each(|problem| problem.remedy = remedy.to_owned());
    match rest {
        Ok(Some(node)) if problems.is_empty() => return read(&node),
        Ok(Some(node)) => {
            let others = read(&node).err().unwrap_or_default();
            problems.extend(others.into_iter().filter(|problem| !problem.is_of_missing_key()));
        }
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    Err(problems)
}

/// Empties a line, and with the header of a table the table. False: there is nothing to leave out.
fn leave_out(lines: &mut [&str], at: usize) -> bool {
    let is_header = |line: &str| line.starts_with('[');
    let Some((first, after)) = lines.get_mut(at..).and_then(<[&str]>::split_first_mut) else { return false };
    if first.is_empty() {
        return false;
    }
    if is_header(first) {
        after.iter_mut().take_while(|line| !is_header(line)).for_each(|line| *line = "");
    }
    *first = "";
    true
}

/// Where a mistake is, both from 1.
fn line_and_column(text: &str, error: &toml::de::Error) -> (usize, usize) {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&letter| letter != '\n').count() + 1;
    (line, column)
}

fn toml_problem(text: &str, error: &toml::de::Error, remedy: &str) -> Problem {
    at_line(text, line_and_column(text, error), error.message(), "TOML 1.0", remedy)
}

fn at_line(
    text: &str,
    (line, column): (usize, usize),
    message: &str,
    allowed: &str,
    remedy: &str,
) -> Problem {
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // A document on one line would otherwise be quoted from its beginning, far from the mistake.
    let from = column.saturating_sub(40);
    let around: String = content.chars().skip(from).take(60).collect();
    let message = message.replace('\n', " ");
    Problem::new(
        format!("line {line}, column {column}"),
        format!("{} in `{}`", message.trim(), shortened(around.trim())),
        allowed,
        remedy,
    )
}

struct NodeSeed {
    depth_left: usize,
}

impl NodeSeed {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Node, E> {
        Ok(Node::Integer(integer))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Node, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond i64 only the magnitude matters: out of range")]
        Ok(i64::try_from(integer).map_or(Node::Number(integer as f64), Node::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            table.push((key, entries.next_value_seed(self.deeper()?)?));
        }
        Ok(Node::Table(table))
    }
}
