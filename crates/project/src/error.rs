//! Problems of a project's tree, each with its place, rendered over the user's own file by miette.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan};

/// A file of the project as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, relative to the project.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes meant.
    pub span: Range<usize>,
}

/// Something that is wrong with the project's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    message: String,
    location: Location,
    label: Option<String>,
    help: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Location {
    Place(Place),
    Path(PathBuf),
}

impl Problem {
    /// A problem with a part of a file.
    pub fn at(place: &Place, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), location: Location::Place(place.clone()), label: None, help: None }
    }

    /// A problem with a file or directory as a whole.
    pub fn with(path: impl Into<PathBuf>, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), location: Location::Path(path.into()), label: None, help: None }
    }

    /// What is marked in the file.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = Some(label.into());
        self
    }

    /// How to fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// How to fix it, where that is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Problem {
        self.help = help.or(self.help);
        self
    }

    /// The file it is about, relative to the project.
    pub fn path(&self) -> &Path {
        match &self.location {
            Location::Place(place) => &place.file.path,
            Location::Path(path) => path,
        }
    }

    /// The line it is on, from 1, when it is about a part of a file.
    pub fn line(&self) -> Option<usize> {
        let Location::Place(place) = &self.location else { return None };
        let before = place.file.text.get(..place.span.start)?;
        Some(before.matches('\n').count() + 1)
    }

    /// How to fix it.
    pub fn fix(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl Place {
    /// The whole of a file.
    pub fn whole(file: &Arc<SourceFile>) -> Place {
        Place { file: file.clone(), span: 0..0 }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Place(_) => f.write_str(&self.message),
            Location::Path(path) => write!(f, "{}: {}", path.display(), self.message),
        }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        match &self.location {
            Location::Place(place) => Some(place.file.as_ref()),
            Location::Path(_) => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Location::Place(place) = &self.location else { return None };
        let label = Some(self.label.clone().unwrap_or_else(|| "here".into()));
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, place.span.clone()))))
    }
}

impl miette::SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let contents = self.text.read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.path.to_string_lossy().into_owned(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

/// Everything that is wrong with a project's tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// No problem yet.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds one, unless it was reported already (shared settings are read for every target).
    pub fn push(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Problems) {
        other.0.into_iter().for_each(|problem| self.push(problem));
    }

    /// Every problem, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is about this file, relative to the project.
    pub fn is_about(&self, path: &Path) -> bool {
        self.0.iter().any(|problem| problem.path() == path)
    }

    /// Adds those of a later list that do not follow from these: what a file as a whole lacks may be what was
    /// misspelt in it.
    #[must_use]
    pub fn with_independent(mut self, later: Problems) -> Problems {
        let follows = |problem: &Problem| problem.line().is_none() && self.is_about(problem.path());
        let independent: Vec<Problem> = later.0.into_iter().filter(|problem| !follows(problem)).collect();
        independent.into_iter().for_each(|problem| self.push(problem));
        self
    }

    /// `value` if there is no problem.
    ///
    /// # Errors
    /// The problems.
    pub fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }

    fn sorted(mut self) -> Problems {
        self.0.sort_by(|a, b| (a.path(), a.line()).cmp(&(b.path(), b.line())));
        self
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the project has a problem"),
            count => write!(f, "the project has {count} problems"),
        }
    }
}

impl std::error::Error for Problems {}
