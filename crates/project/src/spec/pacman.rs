//! What only a package of pacman's can say.

use packhouse_package::Relation;
use packhouse_package::pacman::Options;

use super::{Inputs, files};
use crate::{Problem, Problems};

pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> Options {
    let mut optional_depends = Vec::new();
    for written in inputs.arguments.many("pacman-optional-depends") {
        match Relation::parse(&written.value) {
            Some(relation) => optional_depends.push(relation),
            None => {
                let message = format!("`{}` is no package", written.value.escape_debug());
                problems.push(Problem::at(&written.place, message).help("as in `vim: to edit files`"));
            }
        }
    }
    Options { optional_depends, owner: files::owner(inputs, "pacman", problems), verbatim: None }
}
