//! A document as written: a tree of keys and values, the same for TOML and JSON, and the readers that
//! take it apart.
//!
//! Every reading method returns `None` after noting a [`Problem`]; the caller goes on reading, so that
//! all mistakes of a document are found at once, and uses `?` only to build the valid type at the end.
//! Keys nobody asked for are noted when their [`Table`] is dropped.

mod parse;
mod suggestion;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::problem::{Problem, Problems};

pub use parse::{JSON_DEPTH_MAX, JSON_SIZE_MAX, parse_json, parse_toml, read_toml};

/// One value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number written without fraction that fits.
    Integer(i64),
    /// Any other number. TOML can write infinities and NaN; no reader lets them pass.
    Number(f64),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// Keys and values: JSON in the order written, TOML by name. JSON can write a key twice; [`Value::table`] notes it.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// What it is, for a message.
    fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("\"{}\"", shortened(text)),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// The first 60 characters, control characters made visible.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    for letter in text.chars().take(60) {
        if letter.is_control() { short.extend(letter.escape_default()) } else { short.push(letter) }
    }
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

/// Allowed values of a number, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Unit the value is written in; empty for a plain number.
    pub unit: &'static str,
}

impl Range {
    /// `min` to `max`, both included, in `unit`.
    #[must_use]
    pub const fn new(min: f64, max: f64, unit: &'static str) -> Self {
        Self { min, max, unit }
    }

    /// For a message: `0.1 to 500 mm/s`.
    #[must_use]
    pub fn describe(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        format!("{} to {}{unit}", readable(self.min), readable(self.max))
    }
}

/// An end of a range to a millionth: ends that come from a conversion carry its rounding
/// (0.6000000000000001). Ends near zero stay as they are.
fn readable(end: f64) -> f64 {
    let rounded = (end * 1e6).round() / 1e6;
    if (1e-3..1e9).contains(&end.abs()) { rounded } else { end }
}

/// One value with its place.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    place: String,
    node: &'a Node,
    problems: &'a Problems,
}

impl<'a> Value<'a> {
    /// The whole document.
    #[must_use]
    pub const fn root(node: &'a Node, problems: &'a Problems) -> Self {
        Self { place: String::new(), node, problems }
    }

    /// A part of another document, whose problems are reported under `place`.
    #[must_use]
    pub fn at(place: &str, node: &'a Node, problems: &'a Problems) -> Self {
        Self { place: place.to_owned(), node, problems }
    }

    /// Its key path; empty for the whole document.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// As written, unread.
    #[must_use]
    pub const fn as_written(&self) -> &'a Node {
        self.node
    }

    /// True when it is a list.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        matches!(self.node, Node::List(_))
    }

    /// Notes a problem of this value.
    pub fn problem(&self, message: impl Into<String>, allowed: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::new(self.place.clone(), message, allowed, remedy));
    }

    fn wrong_kind<T>(&self, allowed: impl Into<String>, remedy: &str) -> Option<T> {
        self.problem(format!("found {}", self.node.describe()), allowed, remedy);
        None
    }

    /// A finite number in `range`.
    #[must_use]
    pub fn number(&self, range: Range) -> Option<f64> {
        let number = match *self.node {
            #[expect(clippy::cast_precision_loss, reason = "integers of a document are far below 2^53")]
            Node::Integer(integer) => integer as f64,
            Node::Number(number) => number,
            Node::Text(_) => {
                return self.wrong_kind(
                    format!("a number, {}", range.describe()),
                    "write the number without quotes; its unit is in the key",
                );
            }
            Node::Null | Node::Flag(_) | Node::List(_) | Node::Table(_) => {
                return self.wrong_kind(format!("a number, {}", range.describe()), "write a number");
            }
        };
        if (range.min..=range.max).contains(&number) {
            return Some(number);
        }
        let (message, remedy) = if number.is_nan() {
            ("not a number".to_owned(), "write a finite number")
        } else if number.is_infinite() {
            ("infinite".to_owned(), "write a finite number")
        } else if number < range.min {
            (format!("{number} is too small"), "raise it; check its unit")
        } else {
            (format!("{number} is too large"), "lower it; check its unit")
        };
        self.problem(message, range.describe(), remedy);
        None
    }

    /// A whole number in `range`.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed = || format!("a whole number, {} to {}", range.start(), range.end());
        match *self.node {
            Node::Integer(integer) if range.contains(&integer) => Some(integer),
            Node::Integer(integer) => {
                let side = if integer < *range.start() { "too small" } else { "too large" };
                let remedy = if integer < *range.start() { "raise it" } else { "lower it" };
                self.problem(format!("{integer} is {side}"), allowed(), remedy);
                None
            }
            Node::Null | Node::Flag(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Table(_) => {
                self.wrong_kind(allowed(), "write a whole number")
            }
        }
    }

    /// A whole number in `range`, as an integer type that holds all of `range`.
    #[must_use]
    pub fn whole<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        // The range given is always one that `T` holds.
        self.integer(range).and_then(|integer| T::try_from(integer).ok())
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        match *self.node {
            Node::Flag(flag) => Some(flag),
            Node::Null
            | Node::Integer(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::List(_)
            | Node::Table(_) => self.wrong_kind("true or false", "write one of the two, without quotes"),
        }
    }

    /// Text of 1 to `length_max` characters without control characters.
    #[must_use]
    pub fn text(&self, length_max: usize) -> Option<&'a str> {
        let allowed = || format!("text of 1 to {length_max} characters without control characters");
        match self.node {
            Node::Text(text)
                if !text.trim().is_empty()
                    && text.chars().count() <= length_max
                    && !text.chars().any(char::is_control) =>
            {
                Some(text)
            }
            Node::Text(_)
            | Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::List(_)
            | Node::Table(_) => self.wrong_kind(allowed(), "write such a text"),
        }
    }

    /// A name that can stand in a file name, a table head or a command line: 1 to 64 of the characters
    /// `A-Z a-z 0-9 _ - .`, not beginning with a dot.
    #[must_use]
    pub fn identifier(&self) -> Option<&'a str> {
        match self.node {
            Node::Text(text)
                if (1..=64).contains(&text.len())
                    && !text.starts_with('.')
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) =>
            {
                Some(text)
            }
            Node::Text(_)
            | Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::List(_)
            | Node::Table(_) => {
                self.wrong_kind("a name of 1 to 64 letters, digits, `_`, `-`, `.`", "choose another name")
            }
        }
    }

    /// One of the given words.
    #[must_use]
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let found = match self.node {
            Node::Text(text) => choices.iter().find(|(word, _)| word == text),
            Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::List(_)
            | Node::Table(_) => None,
        };
        match found {
            Some((_, choice)) => Some(*choice),
            None => self.wrong_kind(listed(choices.iter().map(|(word, _)| *word)), "choose one of these"),
        }
    }

    /// A table, to be read key by key.
    #[must_use]
    pub fn table(&self) -> Option<Table<'a>> {
        match self.node {
            Node::Table(entries) => {
                let mut seen = BTreeSet::new();
                for (key, _) in entries {
                    if !seen.insert(key) {
                        let place = key_path(&self.place, key);
                        self.problems.push(Problem::new(
                            place,
                            "written twice",
                            "every key once",
                            "remove one of the two",
                        ));
                    }
                }
                Some(Table { value: self.clone(), entries, asked: Vec::new(), complete: true })
            }
            Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::List(_) => {
                self.wrong_kind("a table of keys and values", "write `key = value` pairs, in JSON an object")
            }
        }
    }

    /// The items of a list of allowed length.
    #[must_use]
    pub fn list(&self, length: RangeInclusive<usize>) -> Option<Vec<Self>> {
        let allowed = || {
            if length.start() == length.end() {
                format!("a list of {}", length.start())
            } else {
                format!("a list of {} to {}", length.start(), length.end())
            }
        };
        match self.node {
            Node::List(items) if length.contains(&items.len()) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, node)| Value {
                        place: format!("{}[{index}]", self.place),
                        node,
                        problems: self.problems,
                    })
                    .collect(),
            ),
            Node::List(_)
            | Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::Table(_) => self.wrong_kind(allowed(), "write a list of this length"),
        }
    }

    /// A list of exactly `N` finite numbers in `range`.
    #[must_use]
    pub fn vector<const N: usize>(&self, range: Range) -> Option<[f64; N]> {
        let numbers: Vec<_> = self.list(N..=N)?.iter().map(|item| item.number(range)).collect();
        let mut vector = [0.0; N];
        for (entry, number) in vector.iter_mut().zip(numbers) {
            *entry = number?;
        }
        Some(vector)
    }
}

/// `a`, `b` or `c`, for a message.
#[must_use]
pub fn listed(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
    if quoted.is_empty() { "none is defined".to_owned() } else { quoted.join(", ") }
}

fn key_path(place: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let key = if plain { key.to_owned() } else { format!("\"{}\"", shortened(key)) };
    if place.is_empty() { key } else { format!("{place}.{key}") }
}

/// A table being read. Notes the keys nobody asked for when it is dropped.
#[derive(Debug)]
pub struct Table<'a> {
    value: Value<'a>,
    entries: &'a [(String, Node)],
    asked: Vec<&'static str>,
    complete: bool,
}

impl<'a> Table<'a> {
    /// The table as a value: for its place, and for problems that concern several of its keys.
    #[must_use]
    pub const fn as_value(&self) -> &Value<'a> {
        &self.value
    }

    /// Place of one of its keys.
    #[must_use]
    pub fn place_of(&self, key: &str) -> String {
        key_path(&self.value.place, key)
    }

    /// Notes a problem of one of its keys.
    pub fn problem(
        &self,
        key: &str,
        message: impl Into<String>,
        allowed: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.value.problems.push(Problem::new(self.place_of(key), message, allowed, remedy));
    }

    /// Gives up on this table: its unread keys are not reported as unknown. For a table whose kind could
    /// not be read.
    pub fn abandon(mut self) {
        self.complete = false;
    }

    /// Every key with its value, for a table whose keys are names. None of them is unknown then.
    #[must_use]
    pub fn named(mut self) -> Vec<(&'a str, Value<'a>)> {
        self.complete = false;
        self.entries
            .iter()
            .map(|(key, node)| {
                let place = self.place_of(key);
                (key.as_str(), Value { place, node, problems: self.value.problems })
            })
            .collect()
    }

    /// True when the key is written.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    /// The value of a key that may be missing.
    pub fn optional(&mut self, key: &'static str) -> Option<Value<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (_, node) = self.entries.iter().find(|(name, _)| name == key)?;
        Some(Value { place: self.place_of(key), node, problems: self.value.problems })
    }

    /// The value of a key that must be there. `allowed` is what may stand there.
    pub fn required(&mut self, key: &'static str, allowed: impl FnOnce() -> String) -> Option<Value<'a>> {
        let value = self.optional(key);
        if value.is_none() {
            self.problem(key, Problem::MISSING_KEY, allowed(), format!("add `{key}`"));
        }
        value
    }

    /// Reads a key that may be missing: `Some(None)` when it is, `None` when it was wrong.
    pub fn maybe<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.optional(key) {
            None => Some(None),
            Some(value) => read(value).map(Some),
        }
    }

    /// Reads a key that may be missing, in which case `default` holds.
    pub fn or_default<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.optional(key) {
            None => Some(default),
            Some(value) => read(value),
        }
    }

    /// A number that must be there.
    pub fn number(&mut self, key: &'static str, range: Range) -> Option<f64> {
        self.required(key, || format!("a number, {}", range.describe()))?.number(range)
    }

    /// A number that may be missing, in which case `default` holds.
    pub fn number_or(&mut self, key: &'static str, range: Range, default: f64) -> Option<f64> {
        self.or_default(key, default, |value| value.number(range))
    }

    /// A whole number that must be there.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed = format!("a whole number, {} to {}", range.start(), range.end());
        self.required(key, || allowed)?.integer(range)
    }

    /// A whole number that must be there, as an integer type that holds all of `range`.
    pub fn whole<T: TryFrom<i64>>(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<T> {
        self.integer(key, range).and_then(|integer| T::try_from(integer).ok())
    }

    /// A flag that may be missing, in which case `default` holds.
    pub fn flag_or(&mut self, key: &'static str, default: bool) -> Option<bool> {
        self.or_default(key, default, |value| value.flag())
    }

    /// A name that must be there, see [`Value::identifier`].
    pub fn identifier(&mut self, key: &'static str) -> Option<&'a str> {
        self.required(key, || "a name".to_owned())?.identifier()
    }

    /// One of the given words, which must be there.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.required(key, || listed(choices.iter().map(|(word, _)| *word)))?.choice(choices)
    }

    /// A table that must be there.
    pub fn section(&mut self, key: &'static str) -> Option<Table<'a>> {
        self.required(key, || "a table of keys and values".to_owned())?.table()
    }

    /// The items of a list that must be there.
    pub fn list(&mut self, key: &'static str, length: RangeInclusive<usize>) -> Option<Vec<Value<'a>>> {
        let allowed = format!("a list of {} to {}", length.start(), length.end());
        self.required(key, || allowed)?.list(length)
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        if !self.complete {
            return;
        }
        for (key, _) in self.entries {
            if self.asked.contains(&key.as_str()) {
                continue;
            }
            let remedy = suggestion::nearest(key, &self.asked)
                .map_or_else(|| "remove it".to_owned(), |known| format!("did you mean `{known}`?"));
            self.problem(key, "unknown key", listed(self.asked.iter().copied()), remedy);
        }
    }
}

#[cfg(test)]
mod tests;
