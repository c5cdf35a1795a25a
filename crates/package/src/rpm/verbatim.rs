//! A header as a spec file would have it, for a package that somebody else described (`packhouse fpm`): relations as
//! rpmbuild reads them, scriptlets as they stand, directories as they are listed.

use super::dependency::{Dependencies, Entry, check_version};
use super::header::Header;
use super::rich;
use super::tag::sense;
use crate::{Error, Relation, Result};

/// What is written as it stands, instead of what Packhouse makes of everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verbatim {
    /// `ARCH`, any word.
    pub arch: String,
    /// `OS`, any word; `linux` when empty.
    pub os: String,
    /// Texts that `/bin/sh` runs, at most one a kind.
    pub scriptlets: Vec<(Scriptlet, String)>,
    /// rpm expands macros in the scriptlets, on the customer's machine (`%post -e`).
    pub expands: bool,
}

/// The scriptlets of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scriptlet {
    /// `%pre`
    Pre,
    /// `%post`
    Post,
    /// `%preun`
    Preun,
    /// `%postun`
    Postun,
    /// `%pretrans`
    Pretrans,
    /// `%posttrans`
    Posttrans,
    /// `%verifyscript`
    Verify,
}

const SHELL: &str = "/bin/sh";
/// `RPMSCRIPT_FLAG_EXPAND` of rpm's `lib/rpmscript.h`.
const EXPAND: u32 = 1;

impl Scriptlet {
    /// Tags of text, interpreter and flags, and when the interpreter is needed.
    fn tags(self) -> (u32, u32, u32, u32) {
        match self {
            Scriptlet::Pre => (1023, 1085, 5020, sense::PRE),
            Scriptlet::Post => (1024, 1086, 5021, sense::POST),
            Scriptlet::Preun => (1025, 1087, 5022, sense::PREUN),
            Scriptlet::Postun => (1026, 1088, 5023, sense::POSTUN),
            Scriptlet::Pretrans => (1151, 1153, 5024, sense::PRETRANS),
            Scriptlet::Posttrans => (1152, 1154, 5025, sense::POSTTRANS),
            Scriptlet::Verify => (1079, 1091, 5026, sense::VERIFY),
        }
    }
}

impl Verbatim {
    /// Puts the scriptlets, and requires what runs them.
    pub(super) fn put_scriptlets(&self, header: &mut Header, dependencies: &mut Dependencies) {
        for (scriptlet, text) in &self.scriptlets {
            let (text_tag, interpreter_tag, flags_tag, when) = scriptlet.tags();
            header.put_text(interpreter_tag, SHELL);
            // rpmbuild cuts off blanks at the end (`parseScript` in `build/parseScript.c`).
            let text = text.trim_end();
            if !text.is_empty() {
                header.put_text(text_tag, text);
            }
            if self.expands {
                header.put_int32(flags_tag, EXPAND);
            }
            dependencies.requires.insert(Entry::any(SHELL, when | sense::INTERPRETER));
        }
        if self.expands && !self.scriptlets.is_empty() {
            dependencies.require_rpmlib("ScriptletExpansion", "4.9.0-1");
        }
    }

    /// `%{_isa}` without its parentheses, from rpm's `installplatform`.
    pub(super) fn isa(&self) -> Option<&'static str> {
        Some(match self.arch.as_str() {
            "x86_64" => "x86-64",
            "i386" | "i486" | "i586" | "i686" | "athlon" | "geode" | "pentium3" | "pentium4" => "x86-32",
            "aarch64" => "aarch-64",
            "armv7hl" => "armv7hl-32",
            "armv7hnl" => "armv7hnl-32",
            "armv6hl" => "armv6hl-32",
            "mips" => "mips-32",
            "ppc64" | "ppc64le" => "ppc-64",
            "ppc" => "ppc-32",
            "riscv64" => "riscv-64",
            "s390x" => "s390-64",
            _ => return None,
        })
    }

    /// `arch_canon` in rpm's `rpmrc.in`; 255 for what it does not know.
    pub(super) fn lead_arch(&self) -> u16 {
        match self.arch.as_str() {
            "x86_64" | "i386" | "i486" | "i586" | "i686" | "athlon" => 1,
            "mips" => 4,
            "ppc" => 5,
            arch if arch.starts_with("armv") => 12,
            "s390x" => 15,
            "ppc64" | "ppc64le" => 16,
            "aarch64" => 19,
            "riscv64" => 22,
            _ => 255,
        }
    }
}

/// The dependencies of one line, as rpmbuild reads it (`parseRCPOT` in `build/parseReqs.c`): words separated by
/// blanks and commas, of which an operator joins the two beside it. `foo>=1` is one word.
///
/// # Errors
/// Where rpmbuild gives up.
pub(super) fn line(relation: &Relation) -> Result<Vec<Entry>> {
    let wrong = |reason| Error::Relation { relation: relation.to_string(), format: "rpm", reason };
    let text = relation.as_str().trim();
    if rich::is_rich(text) {
        return Ok(vec![Entry::any(rich::normalize(text).map_err(wrong)?, 0)]);
    }
    let mut words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
    let mut entries = Vec::new();
    while let Some(name) = words.next() {
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/' || !c.is_ascii()) {
            return Err(wrong("a dependency starts with a letter, a digit, `_` or `/`"));
        }
        let flags = match words.peek() {
            Some(&"<") => sense::LESS,
            Some(&("<=" | "=<")) => sense::LESS | sense::EQUAL,
            Some(&("=" | "==")) => sense::EQUAL,
            Some(&(">=" | "=>")) => sense::GREATER | sense::EQUAL,
            Some(&">") => sense::GREATER,
            _ => {
                entries.push(Entry::any(name, 0));
                continue;
            }
        };
        words.next();
        let version = words.next().ok_or_else(|| wrong("behind the operator comes a version"))?;
        check_version(version).map_err(wrong)?;
        entries.push(Entry::versioned(name, flags, version));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_by_rpmbuild() {
        let read = |text: &str| {
            let entries = line(&Relation::parse(text).unwrap())?;
            Ok::<_, Error>(
                entries.iter().map(|e| format!("{} {:x} {}", e.name, e.flags, e.version)).collect(),
            )
        };
        let all: Vec<String> = read("a, b >= 2,c x y foo>=1").unwrap();
        assert_eq!(all, ["a 0 ", "b c 2", "c 0 ", "x 0 ", "y 0 ", "foo>=1 0 "]);
        assert_eq!(read("(a  or b)").unwrap(), ["(a or b) 0 "]);
        for wrong in ["a | b", "a >=", "a (>= 1)", "a >= 1-2-3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
