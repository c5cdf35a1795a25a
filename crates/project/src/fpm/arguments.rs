//! The arguments of a target: which flags were given, with which values, and where.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use super::flags::{self, Flag, Role, Value};
use super::words::{self, Word};
use crate::reader::{Located, nearest};
use crate::{Place, Problem, Problems, SourceFile};

/// fpm gives up beyond this size of an options file, too.
const LARGEST_FILE: u64 = 100 * 1024;

/// The flags of an `fpm.cmd` and of the options files it names.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    given: Vec<Given>,
    /// For the test that every honoured flag is looked at.
    asked: RefCell<BTreeSet<&'static str>>,
}

#[derive(Clone, Debug)]
struct Given {
    flag: &'static Flag,
    is_on: bool,
    value: Located<String>,
}

/// Reads the `fpm.cmd` of the target in `directory`, relative to the project at `root`.
pub fn parse(root: &Path, directory: &Path, problems: &mut Problems) -> Arguments {
    let mut arguments = Arguments::default();
    let mut files = vec![directory.join("fpm.cmd")];
    let mut read = BTreeSet::new();
    while let Some(path) = files.pop() {
        if !read.insert(path.clone()) {
            continue; // fpm, too, reads an options file once
        }
        let Some(file) = open(root, &path, problems) else { continue };
        let (words, problem) = words::split(&file);
        let rest = Rest { words: words.into_iter().peekable(), is_cut: problem.is_some() };
        arguments.take(rest, problems);
        if let Some(problem) = problem {
            problems.push(*problem);
        }
        for named in arguments.many("fpm-options-file") {
            match resolve(root, directory, &named.value) {
                Ok(path) => files.push(path),
                Err(reason) => problems.push(Problem::at(&named.place, reason)),
            }
        }
        files.retain(|path| !read.contains(path));
    }
    arguments
}

fn open(root: &Path, path: &Path, problems: &mut Problems) -> Option<Arc<SourceFile>> {
    let there = root.join(path);
    let length = fs::metadata(&there).ok()?.len();
    if length > LARGEST_FILE {
        problems.push(Problem::with(
            path,
            format!("{length} bytes of arguments are more than the {LARGEST_FILE} allowed"),
        ));
        return None;
    }
    match fs::read_to_string(&there) {
        Ok(text) => {
            // A byte order mark, as Windows' editors write it, is not part of the first word.
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            Some(Arc::new(SourceFile { path: path.into(), text: text.into() }))
        }
        Err(error) => {
            problems.push(Problem::with(path, format!("cannot be read as text: {error}")));
            None
        }
    }
}

/// The file that an argument names: relative to the target's directory, else to the project; inside it.
///
/// The result is relative to the project.
///
/// # Errors
/// A sentence, when there is no such file or it is outside the project.
pub fn resolve(root: &Path, directory: &Path, name: &str) -> Result<PathBuf, String> {
    if Path::new(name).is_absolute() {
        return Err(format!("`{name}` is an absolute path; only files of the project go into a release"));
    }
    let mut outside = false;
    for base in [directory, Path::new("")] {
        let Some(path) = normalized(&base.join(name)) else {
            outside = true;
            continue;
        };
        let there = root.join(&path);
        if there.is_file() {
            let real = there.canonicalize().map_err(|error| format!("`{name}` cannot be read: {error}"))?;
            let real_root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
            return if real.starts_with(real_root) {
                Ok(path)
            } else {
                Err(format!("`{name}` leads out of the project by a symbolic link"))
            };
        }
    }
    if outside {
        return Err(format!("`{name}` leads out of the project"));
    }
    Err(format!(
        "there is no file `{name}`, neither in {} nor in the project's directory",
        directory.display()
    ))
}

fn normalized(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

impl Arguments {
    /// The last value of a flag.
    pub fn one(&self, long: &str) -> Option<&Located<String>> {
        self.many(long).last()
    }

    /// Every value of a flag, in order.
    pub fn many(&self, long: &str) -> impl DoubleEndedIterator<Item = &Located<String>> {
        let flag = self.row(long);
        self.given.iter().filter(move |given| given.flag.long == flag).map(|given| &given.value)
    }

    /// Every value of every flag, in order.
    pub fn values(&self) -> impl Iterator<Item = &Located<String>> {
        self.given.iter().map(|given| &given.value)
    }

    /// Whether a switch was turned on or off; `None` when it was not given.
    pub fn switch(&self, long: &str) -> Option<bool> {
        let flag = self.row(long);
        self.given.iter().rfind(|given| given.flag.long == flag).map(|given| given.is_on)
    }

    fn row(&self, long: &str) -> &'static str {
        let row = flags::FLAGS.iter().find(|flag| flag.long == long);
        let name = row.map_or("", |flag| flag.long);
        debug_assert!(!name.is_empty(), "{long} has no row in flags::FLAGS");
        self.asked.borrow_mut().insert(name);
        name
    }

    #[cfg(test)]
    pub(crate) fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.borrow().clone()
    }

    fn take(&mut self, mut rest: Rest, problems: &mut Problems) {
        while let Some(word) = rest.words.next() {
            if word.text == "--" {
                continue; // ends the flags; what follows are inputs, which are reported as such
            }
            if !word.text.starts_with('-') || word.text == "-" {
                let problem =
                    Problem::at(&word.place, format!("`{}` is an input, and a target has none", word.text));
                problems.push(problem.help(
                    "lay files into inc/, or name them in [[files]] of dist/packhouse.toml; quote a value that has blanks",
                ));
                continue;
            }
            self.flag(word, &mut rest, problems);
        }
    }

    fn flag(&mut self, word: Word, rest: &mut Rest, problems: &mut Problems) {
        let (name, mut glued) = split(&word.text);
        let Some((flag, is_off)) = flags::find(name) else {
            problems.push(unknown(name, &word.place));
            if glued.is_none() {
                // Most likely its value: one mistake, one problem.
                rest.words.next_if(|next| !next.text.starts_with('-'));
            }
            return;
        };
        // `-fv1`: a switch, and what follows it is another flag.
        if flag.value == Value::Switch && !name.starts_with("--") && glued.is_some() {
            let more = Word { text: format!("-{}", glued.unwrap_or_default()), place: word.place.clone() };
            self.flag(more, rest, problems);
            glued = None;
        }
        let value = match (flag.value, glued) {
            (Value::Switch, None) => Located { value: String::new(), place: word.place },
            (Value::Switch, Some(_)) => {
                problems.push(Problem::at(&word.place, format!("`{name}` takes no value")));
                return;
            }
            (_, Some(value)) => Located { value: value.to_owned(), place: word.place },
            (_, None) => match rest.words.next() {
                Some(value) => Located { value: value.text, place: value.place },
                None if rest.is_cut => return,
                None => {
                    problems.push(Problem::at(&word.place, format!("`{name}` needs a value")));
                    return;
                }
            },
        };
        match flag.role {
            Role::Refused(reason) => {
                let problem = Problem::at(&value.place, format!("`{name}` cannot apply in a target"));
                problems.push(problem.help(reason));
            }
            Role::NoEffect => {}
            Role::Honoured => self.given.push(Given { flag, is_on: !is_off, value }),
        }
    }
}

/// Words that are not understood yet.
struct Rest {
    words: Peekable<std::vec::IntoIter<Word>>,
    /// The file goes on in a way that could not be read.
    is_cut: bool,
}

/// The flag's name and a value that is glued to it: `--x=v`, `-nfoo`.
fn split(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
    }
    let end = word.char_indices().nth(2).map_or(word.len(), |(end, _)| end);
    let (name, value) = word.split_at(end);
    (name, (!value.is_empty()).then_some(value))
}

fn unknown(name: &str, place: &Place) -> Problem {
    let long = name.trim_start_matches('-');
    if flags::OTHER_TYPES.iter().any(|prefix| long.starts_with(prefix)) {
        let problem = Problem::at(place, format!("`{name}` is for another type of package"));
        return problem.help("a target's package is a deb, rpm, apk, pacman, tar or zip; leave the flag out");
    }
    let known = flags::FLAGS.iter().map(|flag| flag.long);
    let problem = Problem::at(place, format!("fpm has no flag `{name}`"));
    match nearest(long, known) {
        Some(near) => problem.help(format!("did you mean `--{near}`?")),
        None => problem.help("docs/reference/fpm-cmd.md lists every flag"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> (Arguments, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let directory = Path::new("dist/debian/12");
        fs::create_dir_all(root.path().join(directory)).unwrap();
        fs::write(root.path().join("dist/debian/12/fpm.cmd"), text).unwrap();
        fs::write(root.path().join("dist/debian/12/more.txt"), "-d more --fpm-options-file more.txt\n")
            .unwrap();
        let mut problems = Problems::new();
        let arguments = parse(root.path(), directory, &mut problems);
        let shown =
            problems.iter().map(|p| format!("{}: {p} ({})", p.line().unwrap_or(0), p.fix().unwrap_or("-")));
        (arguments, shown.collect())
    }

    fn values(arguments: &Arguments, long: &'static str) -> Vec<String> {
        arguments.many(long).map(|given| given.value.clone()).collect()
    }

    #[test]
    fn every_way_to_write_a_flag_is_read() {
        let (arguments, problems) = parse_text(
            "-t deb -d a --depends b --depends=c -dd\n--epoch 1 --epoch 2 -fn hello --no-deb-auto-config-files --fpm-options-file more.txt",
        );
        assert_eq!(problems, [] as [&str; 0]);
        assert_eq!(values(&arguments, "depends"), ["a", "b", "c", "d", "more"]);
        assert_eq!(arguments.one("epoch").unwrap().value, "2");
        assert_eq!(arguments.one("name").unwrap().value, "hello");
        assert_eq!(arguments.switch("deb-auto-config-files"), Some(false));
    }

    #[test]
    fn every_problem_is_reported_with_line_and_fix() {
        let (_, problems) = parse_text("-t deb\n--dependz a\n-v 1.0\n--snap-yaml x\nsrc=dst\n--license");
        for (problem, wanted) in problems.iter().zip([
            "2: fpm has no flag `--dependz` (did you mean `--depends`?)",
            "3: `-v` cannot apply in a target (the version comes from [version]",
            "4: `--snap-yaml` is for another type",
            "5: `src=dst` is an input",
            "6: `--license` needs a value",
        ]) {
            assert!(problem.starts_with(wanted), "{problems:#?}");
        }
        assert_eq!(problems.len(), 5, "{problems:#?}");
    }

    #[test]
    fn what_follows_an_open_quote_is_one_problem() {
        let (arguments, problems) = parse_text("-t deb\n-d a\n-d 'b\n-d c");
        assert_eq!(values(&arguments, "depends"), ["a"]);
        assert!(problems.len() == 1 && problems[0].starts_with("3: a single quote"), "{problems:#?}");
    }

    #[test]
    fn files_from_windows_and_odd_ends_are_read() {
        let (arguments, problems) = parse_text("\u{feff}-t deb\r\n--vendor ''\r\n--license=\r\n-d -x --\r\n");
        assert_eq!(problems, [] as [&str; 0]);
        assert_eq!(arguments.one("output-type").unwrap().value, "deb");
        assert_eq!(arguments.one("vendor").unwrap().value, "");
        assert_eq!(arguments.one("license").unwrap().value, "");
        assert_eq!(values(&arguments, "depends"), ["-x"]);
    }

    #[test]
    fn files_stay_inside_the_project() {
        let root = tempfile::tempdir().unwrap();
        let directory = Path::new("dist/debian/12");
        fs::create_dir_all(root.path().join(directory)).unwrap();
        fs::write(root.path().join("top.sh"), "").unwrap();
        fs::write(root.path().join("dist/debian/12/own.sh"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("leak.sh")).unwrap();
        assert_eq!(resolve(root.path(), directory, "own.sh").unwrap(), Path::new("dist/debian/12/own.sh"));
        assert_eq!(resolve(root.path(), directory, "top.sh").unwrap(), Path::new("top.sh"));
        assert_eq!(resolve(root.path(), directory, "../../../top.sh").unwrap(), Path::new("top.sh"));
        for bad in ["/etc/passwd", "../../../../etc/passwd", "leak.sh", "missing.sh"] {
            assert!(resolve(root.path(), directory, bad).is_err(), "{bad}");
        }
    }
}
