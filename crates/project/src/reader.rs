//! Reads TOML tables key by key, noting every problem instead of stopping at the first.
//!
//! serde stops at the first error and forgets places; a project file deserves better. A [`Section`] is one
//! table: asking for a key marks it as known, and [`Section::finish`] reports the keys nobody asked for,
//! with the nearest known one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Place, Problem, Problems, SourceFile};

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is.
    pub place: Place,
}

/// A document being read; collects its problems.
pub struct Document {
    file: Arc<SourceFile>,
    problems: RefCell<Problems>,
}

impl Document {
    pub fn new(file: SourceFile) -> Document {
        Document { file: Arc::new(file), problems: RefCell::default() }
    }

    /// Parses the document, hands its top table to `read`, and reports unknown keys.
    pub fn read<T>(self, read: impl FnOnce(&mut Section<'_>) -> T) -> (T, Problems) {
        let text = self.file.text.clone();
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let place = Place { file: self.file.clone(), span: error.span().unwrap_or(0..0) };
            self.report(Problem::at(&place, format!("not valid TOML: {}", error.message())));
        }
        let mut section = Section::new(&self, String::new(), table.get_ref());
        let value = read(&mut section);
        section.finish();
        (value, self.problems.into_inner())
    }

    fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// A table of the document.
pub struct Section<'a> {
    document: &'a Document,
    /// As in `build.`; empty at the top.
    prefix: String,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    takes_any_key: bool,
}

impl<'a> Section<'a> {
    fn new(document: &'a Document, prefix: String, table: &'a DeTable<'a>) -> Section<'a> {
        Section { document, prefix, table, known: Vec::new(), takes_any_key: false }
    }

    /// Reports a problem with this document.
    pub fn report(&self, problem: Problem) {
        self.document.report(problem);
    }

    pub fn string(&mut self, key: &'static str) -> Option<Located<String>> {
        let value = self.value(key)?;
        self.to_string(key, value)
    }

    pub fn integer(&mut self, key: &'static str) -> Option<Located<i64>> {
        let value = self.value(key)?;
        let number = value.get_ref().as_integer().and_then(|integer| {
            i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        });
        self.typed(key, value, "a whole number", number)
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<Located<bool>> {
        let value = self.value(key)?;
        self.typed(key, value, "`true` or `false`", value.get_ref().as_bool())
    }

    pub fn strings(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let value = self.value(key)?;
        let array = self.typed(key, value, "a list of strings", value.get_ref().as_array())?;
        Some(array.value.iter().filter_map(|item| self.to_string(key, item)).collect())
    }

    /// A command: a list of its words, or a string that is split as a shell splits it, with nothing expanded. The
    /// first word is there and not empty.
    pub fn words(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let value = self.value(key)?;
        let help = "name the program and its arguments: [\"program\", \"argument\"]";
        let place = self.place_of(value.span());
        let problem = |message: &str| Problem::at(&place, message).help(help);
        let words = match value.get_ref().as_str() {
            Some(_) => {
                let text = self.to_string(key, value)?;
                let file = SourceFile { path: self.document.file.path.clone(), text: text.value.into() };
                let (words, cut) = crate::fpm::words::split(&Arc::new(file));
                if cut.is_some() {
                    self.report(problem(&format!("`{}{key}` has a quote that is not closed", self.prefix)));
                    return None;
                }
                words
                    .into_iter()
                    .map(|word| Located { value: word.text, place: text.place.clone() })
                    .collect()
            }
            None => self.strings(key)?,
        };
        if words.first().is_none_or(|word| word.value.is_empty()) {
            self.report(problem(&format!("`{}{key}` names no program", self.prefix)));
            return None;
        }
        Some(words)
    }

    pub fn string_map(&mut self, key: &'static str) -> Option<BTreeMap<String, Located<String>>> {
        let value = self.value(key)?;
        let table = self.typed(key, value, "a table of strings", value.get_ref().as_table())?;
        let items = table.value.iter().filter_map(|(name, item)| {
            Some((name.get_ref().clone().into_owned(), self.to_string(key, item)?))
        });
        Some(items.collect())
    }

    /// Reads the table `key`.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'a>) -> T) -> Option<T> {
        let value = self.value(key)?;
        let table = self.typed(key, value, "a table", value.get_ref().as_table())?;
        let mut section = Section::new(self.document, format!("{}{key}.", self.prefix), table.value);
        let read = read(&mut section);
        section.finish();
        Some(read)
    }

    /// Reads each table of the list `key`, with its place.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'a>, Place) -> T,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let array = self.typed(key, value, "a list of tables", value.get_ref().as_array())?;
        let mut items = Vec::new();
        for item in array.value {
            let Some(table) = self.typed(key, item, "a table", item.get_ref().as_table()) else { continue };
            let mut section = Section::new(self.document, format!("{}{key}.", self.prefix), table.value);
            items.push(read(&mut section, table.place));
            section.finish();
        }
        Some(items)
    }

    /// Reads every table of this section, whatever it is called: for keys that the user names.
    pub fn named_tables<T>(&mut self, mut read: impl FnMut(&mut Section<'a>) -> T) -> BTreeMap<String, T> {
        let mut items = BTreeMap::new();
        for (name, value) in self.table {
            let Some(table) = self.typed(name.get_ref(), value, "a table", value.get_ref().as_table()) else {
                continue;
            };
            let prefix = format!("{}{}.", self.prefix, name.get_ref());
            let mut section = Section::new(self.document, prefix, table.value);
            items.insert(name.get_ref().clone().into_owned(), read(&mut section));
            section.finish();
        }
        self.takes_any_key = true;
        items
    }

    /// The place of `key`, for problems about a value that is there.
    pub fn place(&self, key: &str) -> Option<Place> {
        let (key, _) = self.table.get_key_value(key)?;
        Some(self.place_of(key.span()))
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    fn to_string(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Located<String>> {
        // TOML leaves to its readers what a line end in a string is; a file from Windows says the same as any.
        let text = value.get_ref().as_str().map(|text| text.replace("\r\n", "\n"));
        self.typed(key, value, "a string", text)
    }

    fn typed<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        wanted: &str,
        found: Option<T>,
    ) -> Option<Located<T>> {
        let place = self.place_of(value.span());
        if found.is_none() {
            let what = value.get_ref().type_str();
            let message = format!("`{}{key}` must be {wanted}", self.prefix);
            self.report(Problem::at(&place, message).label(format!("this is of type {what}")));
        }
        found.map(|value| Located { value, place })
    }

    fn place_of(&self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.document.file.clone(), span }
    }

    /// Reports the keys that nobody asked for.
    fn finish(&self) {
        if self.takes_any_key {
            return;
        }
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let message = format!("unknown key `{}{name}`", self.prefix);
            let help = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.report(Problem::at(&self.place_of(key.span()), message).help(help));
        }
    }
}

/// The word most like `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .map(|(_, candidate)| candidate)
}
