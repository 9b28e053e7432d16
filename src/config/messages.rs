//! The catalogue: what every fault and every refused request means, in English and Chinese.
//!
//! The texts are the files in `config/messages/`; a test holds them complete and free of entries nobody
//! uses.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::document::{Value, parse_toml};
use super::problem::{Problem, Problems};
use crate::faults::FaultCode;

/// Why a request is refused. The number is stable: it is part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ErrorCode {
    /// The line is not JSON.
    ParseError = 7001,
    /// The line is not UTF-8.
    NotUtf8 = 7002,
    /// A key appears twice in one object.
    DuplicateKey = 7003,
    /// Nested too deeply.
    TooDeep = 7004,
    /// Longer than the limit.
    TooLarge = 7005,
    /// JSON, but not a JSON-RPC 2.0 request.
    InvalidRequest = 7006,
    /// No such method.
    MethodNotFound = 7007,
    /// The parameters do not fit the method.
    InvalidParams = 7008,
    /// No more connections are accepted.
    TooManySessions = 7009,
    /// A time limit of the connection has passed.
    ConnectionTimeout = 7010,
    /// The client does not read fast enough.
    SlowReader = 7011,
    /// Too many malformed messages in a row.
    TooManyMistakes = 7012,
    /// The session's role does not allow the method.
    RoleTooLow = 7101,
    /// The session does not hold the control lease.
    NotInControl = 7102,
    /// The call carries the number of an older lease.
    StaleEpoch = 7103,
    /// Not possible in this state of the machine.
    WrongState = 7104,
    /// The drives are not enabled.
    NotEnabled = 7105,
    /// A fault is latched.
    FaultActive = 7106,
    /// Another run is active.
    RunActive = 7107,
    /// A bounded queue is full.
    Busy = 7108,
    /// Another request took it back before it was carried out.
    Cancelled = 7109,
    /// The position of a joint is not relied on.
    PositionUntrusted = 7110,
    /// No job of this name is stored.
    JobUnknown = 7201,
    /// The job has mistakes or cannot be executed on this cell.
    JobInvalid = 7202,
    /// The job is for a tool that is not mounted.
    WrongTool = 7203,
    /// The job could not be made durable.
    Storage = 7204,
    /// The object is written by the controller alone.
    ObjectOwned = 7301,
    /// An object could not be read or written.
    ObjectFailed = 7302,
    /// A defect of this program.
    Internal = 7901,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 29] = [
        Self::ParseError,
        Self::NotUtf8,
        Self::DuplicateKey,
        Self::TooDeep,
        Self::TooLarge,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::TooManySessions,
        Self::ConnectionTimeout,
        Self::SlowReader,
        Self::TooManyMistakes,
        Self::RoleTooLow,
        Self::NotInControl,
        Self::StaleEpoch,
        Self::WrongState,
        Self::NotEnabled,
        Self::FaultActive,
        Self::RunActive,
        Self::Busy,
        Self::Cancelled,
        Self::PositionUntrusted,
        Self::JobUnknown,
        Self::JobInvalid,
        Self::WrongTool,
        Self::Storage,
        Self::ObjectOwned,
        Self::ObjectFailed,
        Self::Internal,
    ];

    /// The stable number, shown as `E7001`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The language of a tag such as `zh_CN.UTF-8` or `en`; English for any other.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        if tag.to_ascii_lowercase().starts_with("zh") { Self::Chinese } else { Self::English }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::English => include_str!("../../config/messages/en.toml"),
            Self::Chinese => include_str!("../../config/messages/zh.toml"),
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stable name, the same in every language.
    pub name: String,
    /// What happened, one sentence.
    pub message: String,
    /// Why such a thing happens.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// The entries of one language by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<u16, Message>);

impl Catalogue {
    /// Reads a catalogue.
    ///
    /// # Errors
    /// Every mistake of the text.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let node = parse_toml(text).map_err(|problem| vec![problem])?;
        let problems = Problems::default();
        let catalogue = Value::root(&node, &problems).table().and_then(|table| {
            let entries: Vec<_> =
                table.named().into_iter().map(|(key, value)| read_entry(key, &value)).collect();
            entries.into_iter().collect::<Option<BTreeMap<_, _>>>().map(Self)
        });
        problems.finish(catalogue)
    }

    /// The catalogue of a language, as it is part of the program. Read once.
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        static ENGLISH: OnceLock<Catalogue> = OnceLock::new();
        static CHINESE: OnceLock<Catalogue> = OnceLock::new();
        let slot = match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        };
        // A test reads every embedded catalogue, so the default never shows.
        slot.get_or_init(|| Self::read(language.text()).unwrap_or_default())
    }

    /// The entry of a number.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<&Message> {
        self.0.get(&number)
    }

    /// The entry of a fault.
    #[must_use]
    pub fn fault(&self, code: FaultCode) -> &Message {
        self.entry(code.number())
    }

    /// The entry of an error.
    #[must_use]
    pub fn error(&self, code: ErrorCode) -> &Message {
        self.entry(code.number())
    }

    /// Every number that has an entry.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.keys().copied()
    }

    fn entry(&self, number: u16) -> &Message {
        const MISSING: &Message = &Message {
            name: String::new(),
            message: String::new(),
            cause: String::new(),
            remedy: String::new(),
        };
        // A test holds the catalogue complete for every code there is.
        self.get(number).unwrap_or(MISSING)
    }
}

fn read_entry(key: &str, value: &Value<'_>) -> Option<(u16, Message)> {
    let number = key.strip_prefix('E').and_then(|digits| digits.parse().ok());
    if number.is_none() {
        value.problem("not a number of a fault or an error", "`E` and four digits", "correct the key");
    }
    let mut table = value.table()?;
    let name = table.identifier("name");
    let mut text = |key| {
        let value = table.required(key, || "text".to_owned())?;
        value.text(500).map(str::to_owned)
    };
    let (message, cause, remedy) = (text("message"), text("cause"), text("remedy"));
    let message = Message { name: name?.to_owned(), message: message?, cause: cause?, remedy: remedy? };
    Some((number?, message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all_codes() -> BTreeSet<u16> {
        let faults = FaultCode::ALL.iter().map(|code| code.number());
        faults.chain(ErrorCode::ALL.iter().map(|code| code.number())).collect()
    }

    #[test]
    fn every_code_has_an_entry_in_every_language_and_every_entry_has_a_code() {
        for language in Language::ALL {
            let catalogue = Catalogue::read(language.text()).expect("the embedded catalogue is valid");
            assert_eq!(catalogue.numbers().collect::<BTreeSet<_>>(), all_codes(), "{language:?}");
            assert_eq!(Catalogue::of(language), &catalogue);
        }
    }

    #[test]
    fn names_are_unique_and_the_same_in_every_language() {
        let english = Catalogue::of(Language::English);
        let chinese = Catalogue::of(Language::Chinese);
        let mut names = BTreeSet::new();
        for number in all_codes() {
            let name = &english.get(number).expect("complete").name;
            assert_eq!(name, &chinese.get(number).expect("complete").name);
            assert!(names.insert(name), "{name} twice");
        }
    }

    #[test]
    fn chinese_text_is_chinese() {
        let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        for number in all_codes() {
            let entry = Catalogue::of(Language::Chinese).get(number).expect("complete");
            for text in [&entry.message, &entry.cause, &entry.remedy] {
                assert!(is_chinese(text), "E{number}: {text}");
            }
        }
    }

    #[test]
    fn mistakes_of_a_catalogue_are_all_reported() {
        let problems = Catalogue::read("[X1]\nname = \"a\"\nmessage = \"b\"\n[E7001]\nname = 3\nkind = 1\n")
            .expect_err("wrong");
        let places: Vec<_> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "E7001.name",
                "E7001.message",
                "E7001.cause",
                "E7001.remedy",
                "E7001.kind",
                "X1",
                "X1.cause",
                "X1.remedy",
            ]
        );
    }

    #[test]
    fn a_language_follows_from_its_tag() {
        assert_eq!(Language::from_tag("zh_CN.UTF-8"), Language::Chinese);
        assert_eq!(Language::from_tag("de_DE"), Language::English);
        assert_eq!(Language::from_tag(""), Language::English);
    }
}
