//! Maintainer scripts, named by the moment they run at.
//!
//! dpkg and rpm call the same few scripts on installation, upgrade and removal, with arguments that tell the
//! cases apart (Debian Policy chapter 6; rpm's `docs/manual/scriptlets.md`). Users forget the arguments, and
//! an upgrade then stops the customer's service. Here a script has one [`Moment`]; the formats generate the
//! glue that calls it then and only then.
//!
//! | moment | deb | rpm |
//! |---|---|---|
//! | before install | `preinst install` | `%pre`, `$1` = 1 |
//! | after install | `postinst configure`, not an upgrade | `%post`, `$1` = 1 |
//! | before upgrade | `preinst upgrade` of the new package | `%pre`, `$1` > 1 |
//! | after upgrade | `postinst configure` with the old version | `%post`, `$1` > 1 |
//! | before remove | `prerm remove` | `%preun`, `$1` = 0 |
//! | after remove | `postrm remove` | `%postun`, `$1` = 0 |

use std::collections::BTreeMap;

use crate::{Error, Result};

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the files of a first installation are unpacked.
    BeforeInstall,
    /// After a first installation.
    AfterInstall,
    /// Before a newer version's files are unpacked; the newer package's script.
    BeforeUpgrade,
    /// After the newer version's files are in place; the newer package's script.
    AfterUpgrade,
    /// Before the files are removed; never on an upgrade.
    BeforeRemove,
    /// After the files are removed; never on an upgrade.
    AfterRemove,
}

impl Moment {
    /// Every moment, in order.
    pub const ALL: [Moment; 6] = [
        Moment::BeforeInstall,
        Moment::AfterInstall,
        Moment::BeforeUpgrade,
        Moment::AfterUpgrade,
        Moment::BeforeRemove,
        Moment::AfterRemove,
    ];

    /// Its name in files and flags, as in `after-remove.sh`.
    pub fn name(self) -> &'static str {
        match self {
            Moment::BeforeInstall => "before-install",
            Moment::AfterInstall => "after-install",
            Moment::BeforeUpgrade => "before-upgrade",
            Moment::AfterUpgrade => "after-upgrade",
            Moment::BeforeRemove => "before-remove",
            Moment::AfterRemove => "after-remove",
        }
    }

    /// Its name as a shell function, as in `after_remove`.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Moment::BeforeInstall => "before_install",
            Moment::AfterInstall => "after_install",
            Moment::BeforeUpgrade => "before_upgrade",
            Moment::AfterUpgrade => "after_upgrade",
            Moment::BeforeRemove => "before_remove",
            Moment::AfterRemove => "after_remove",
        }
    }
}

/// The interpreter within rpm itself, which works before anything is installed.
const LUA: &str = "<lua>";

/// A script: who interprets it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    interpreter: String,
    argument: Option<String>,
    text: String,
}

/// Why a script cannot be packaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is not text.
    #[error("the script is not UTF-8 text")]
    NotText,
    /// It holds a NUL, which a shell silently drops and rpm cannot store.
    #[error("the script holds a NUL byte")]
    Nul,
    /// Windows line ends: the kernel would look for the interpreter `/bin/sh\r`.
    #[error("the script has Windows line ends (CR LF)")]
    WindowsLineEnds,
    /// The interpreter is not an absolute path.
    #[error("the interpreter `{interpreter}` is not an absolute path")]
    Interpreter {
        /// The word behind `#!`.
        interpreter: String,
    },
}

impl Script {
    /// Reads a script file: the interpreter from its `#!` line, `/bin/sh` without one. `#!<lua>` names the one
    /// within rpm.
    ///
    /// # Errors
    /// When it is not text, has Windows line ends, or names its interpreter by a relative path.
    pub fn parse(file: &[u8]) -> Result<Script, ScriptError> {
        let text = std::str::from_utf8(file).map_err(|_| ScriptError::NotText)?;
        if text.contains('\0') {
            return Err(ScriptError::Nul);
        }
        if text.contains("\r\n") {
            return Err(ScriptError::WindowsLineEnds);
        }
        let Some(rest) = text.strip_prefix("#!") else {
            return Ok(Script { interpreter: "/bin/sh".into(), argument: None, text: text.into() });
        };
        let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
        // The kernel splits once: interpreter, then one argument holding the rest (execve(2)).
        let line = line.trim();
        let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if !interpreter.starts_with('/') && line != LUA {
            return Err(ScriptError::Interpreter { interpreter: interpreter.into() });
        }
        let argument = argument.trim();
        Ok(Script {
            interpreter: interpreter.into(),
            argument: (!argument.is_empty()).then(|| argument.to_owned()),
            text: body.into(),
        })
    }

    /// The same script, run by another interpreter.
    #[must_use]
    pub fn interpreted_by(self, interpreter: impl Into<String>) -> Script {
        Script { interpreter: interpreter.into(), argument: None, text: self.text }
    }

    /// A `/bin/sh` script with this text.
    pub fn shell(text: impl Into<String>) -> Script {
        Script { interpreter: "/bin/sh".into(), argument: None, text: text.into() }
    }

    /// The absolute path of the program that runs it; `<lua>` for the interpreter within rpm.
    pub fn interpreter(&self) -> &str {
        &self.interpreter
    }

    /// Whether rpm itself runs it, which no other format can.
    pub fn is_lua(&self) -> bool {
        self.interpreter == LUA
    }

    /// The single argument of the `#!` line, as in `-eu` or `python3`.
    pub fn argument(&self) -> Option<&str> {
        self.argument.as_deref()
    }

    /// The script without its `#!` line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The script as a file with its `#!` line, for a format whose clients start a program.
    ///
    /// # Errors
    /// When only rpm can run it.
    pub(crate) fn to_file(&self, format: &'static str) -> Result<String> {
        self.refuse_lua(format)?;
        let argument = self.argument().map(|argument| format!(" {argument}")).unwrap_or_default();
        Ok(format!("#!{}{argument}\n{}", self.interpreter, self.text))
    }

    /// # Errors
    /// When only rpm can run it.
    pub(crate) fn refuse_lua(&self, format: &'static str) -> Result<()> {
        if !self.is_lua() {
            return Ok(());
        }
        let reason = "that Lua is within rpm; name a program, as in `#!/bin/sh`";
        Err(Error::Option { format, option: "a script for", value: self.interpreter.clone(), reason })
    }
}

/// The scripts of a package, at most one a moment.
pub type Scripts = BTreeMap<Moment, Script>;
