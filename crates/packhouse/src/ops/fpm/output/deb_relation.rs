//! Relations in a deb: fpm's `name op version` as Debian writes it, `name (op version)`.

use super::super::log::Log;

/// What becomes of a list.
#[derive(Default)]
pub(super) struct Fixed {
    pub(super) relations: Vec<String>,
    /// `name != version`, which Debian can only say as that it breaks the other.
    pub(super) breaks: Vec<String>,
}

/// A whole list, as fpm translates it.
pub(super) fn fix_all(list: &[String], ignores_iteration: bool, log: &Log<'_>) -> Fixed {
    let mut fixed = Fixed::default();
    for relation in list {
        fix(relation, ignores_iteration, log, &mut fixed);
    }
    fixed
}

fn fix(given: &str, ignores_iteration: bool, log: &Log<'_>, fixed: &mut Fixed) {
    let mut relation = given.to_owned();
    if !relation.contains(['(', ',', '|']) {
        let words: Vec<&str> = relation.split(' ').filter(|word| !word.is_empty()).collect();
        if let [name, operator, version, ..] = words[..] {
            let operator = match operator {
                "<" => "<<",
                ">" => ">>",
                other => other,
            };
            relation = format!("{name} ({operator} {version})");
        }
    }
    if relation.starts_with('/') || relation.contains("rpmlib") {
        return log.warn(format!("Blanking 'dependency' field '{relation}' because it's invalid"));
    }
    relation = with_debian_name(relation, ("dependency", "dependency"), log);
    if relation.contains("(~>") {
        let plain: String = relation.chars().filter(|c| !"()~>".contains(*c)).collect();
        let mut words = plain.split(' ').filter(|word| !word.is_empty());
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let next = next_compatible(version);
        fixed.relations.extend([format!("{name} (>= {version})"), format!("{name} (<< {next})")]);
    } else if versioned(&relation, "!=").is_some() {
        fixed.breaks.push(relation.replace("!=", "="));
    } else if let Some((name, version)) = versioned(&relation, "=").filter(|_| ignores_iteration) {
        let next = next_of_last(version);
        fixed.relations.extend([format!("{name} (>= {version})"), format!("{name} (<< {next})")]);
    } else if let Some((name, version)) = versioned(&relation, ">") {
        fixed.relations.push(format!("{name} (>> {version})"));
    } else {
        let relation = relation.trim_end();
        if !relation.is_empty() {
            fixed.relations.push(relation.to_owned());
        }
    }
}

/// Spells the name in a relation as Debian does, and says so: `what` it is, in the words of each message.
fn with_debian_name(mut relation: String, what: (&str, &str), log: &Log<'_>) -> String {
    let end = relation.find([' ', '(']).unwrap_or(relation.len());
    let (name, rest) = relation.split_at(end);
    if name.contains(|c: char| c.is_ascii_uppercase()) {
        let what = what.0;
        log.warn(format!(
            "Downcasing {what} '{name}' because deb packages  don't work so good with uppercase names"
        ));
        relation = format!("{}{rest}", name.to_lowercase());
    }
    if relation.contains('_') {
        let what = what.1;
        log.warn(format!(
            "Replacing {what} underscores with dashes in '{relation}' because debs don't like underscores"
        ));
        relation = relation.replace('_', "-");
    }
    relation
}

/// The parts of `name (op version)`.
fn versioned<'a>(relation: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let opening = format!("({operator} ");
    let at = relation.find(&opening)?;
    let before = relation[..at].strip_suffix(' ')?.trim_end();
    let name = before.rsplit(char::is_whitespace).next().filter(|name| !name.is_empty())?;
    let rest = &relation[at + opening.len()..];
    Some((name, &rest[..rest.rfind(')')?]))
}

/// As Ruby's `to_i`: the digits in front.
fn number(component: &str) -> u64 {
    let digits = component.bytes().take_while(u8::is_ascii_digit).count();
    component[..digits].parse().unwrap_or(0)
}

/// The least version that `~> version` does not allow.
fn next_compatible(version: &str) -> String {
    let mut components: Vec<u64> = version.split('.').map(number).collect();
    let last = components.len() - 1;
    if last > 0 {
        components[last - 1] += 1;
        components[last] = 0;
    } else {
        components[0] += 1;
    }
    components.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// The version with its last component one higher.
pub(super) fn next_of_last(version: &str) -> String {
    let mut components: Vec<u64> = version.split('.').map(number).collect();
    if let Some(last) = components.last_mut() {
        *last += 1;
    }
    components.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// What is provided: a name, or `name (= version)`; `None` for what Debian cannot say.
pub(super) fn fix_provides(given: &str, log: &Log<'_>) -> Option<String> {
    let mut provides = with_debian_name(given.to_owned(), ("provides", "'provides'"), log);
    if provides.contains('(') && !provides.contains("(=") {
        log.warn(format!("Blanking 'provides' field '{provides}' because it's invalid"));
        return None;
    }
    if let Some((name, version)) = provides.split_once('=') {
        let (name, version) = (name.trim_end(), version.trim_start());
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if is_name && version.starts_with(|c: char| c.is_ascii_digit()) {
            log.warn(format!("Replacing 'provides' entry {provides} with syntax 'name (= version)'"));
            provides = format!("{name} (= {version})");
        }
    }
    Some(provides.trim_end().to_owned()).filter(|provides| !provides.is_empty())
}

/// Whether Debian takes it for something that is provided.
pub(super) fn is_valid_provides(text: &str) -> bool {
    let (name, version) = match text.split_once('(') {
        Some((name, rest)) => {
            (name.trim_end(), rest.strip_prefix("= ").and_then(|rest| rest.strip_suffix(')')))
        }
        None => (text, Some("0")),
    };
    let is_version = |version: &str| {
        !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || "+~.-:".contains(c))
    };
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && version.is_some_and(is_version)
}

#[cfg(test)]
mod tests {
    use super::super::super::log::Level;
    use super::*;

    fn fixed(relation: &str, ignores_iteration: bool) -> (Vec<String>, Vec<String>) {
        let log = Log { level: Level::Fatal, on_message: &|_| {} };
        let fixed = fix_all(&[relation.to_owned()], ignores_iteration, &log);
        (fixed.relations, fixed.breaks)
    }

    #[test]
    fn relations_are_translated_as_fpm_does() {
        for (given, wanted) in [
            ("foo", "foo"),
            ("foo >= 1.0", "foo (>= 1.0)"),
            ("foo  <  1.0", "foo (<< 1.0)"),
            ("foo > 1.0", "foo (>> 1.0)"),
            ("foo (> 1.0)", "foo (>> 1.0)"),
            ("foo (< 1.0)", "foo (< 1.0)"),
            ("a | b", "a | b"),
            ("Foo_Bar = 1_2", "foo-bar (= 1-2)"),
            ("foo ~> 1.2.3", "foo (>= 1.2.3), foo (<< 1.3.0)"),
            ("foo ~> 1", "foo (>= 1), foo (<< 2)"),
            ("foo>=1", "foo>=1"),
            ("foo >=", "foo >="),
            ("/bin/sh", ""),
            ("rpmlib(X) <= 1", ""),
            ("x:any", "x:any"),
        ] {
            assert_eq!(fixed(given, false).0.join(", "), wanted, "{given}");
        }
        assert_eq!(fixed("foo != 2", false), (vec![], vec!["foo (= 2)".to_owned()]));
        assert_eq!(fixed("foo = 1.2.3", true).0, ["foo (>= 1.2.3)", "foo (<< 1.2.4)"]);
    }

    #[test]
    fn what_is_provided_is_translated_as_fpm_does() {
        let log = Log { level: Level::Fatal, on_message: &|_| {} };
        for (given, wanted, is_valid) in [
            ("mail_agent", Some("mail-agent"), true),
            ("p = 3", Some("p (= 3)"), false),
            ("pp = 3", Some("pp (= 3)"), true),
            ("foo(x86-64) = 1", None, false),
            ("foo >= 3", Some("foo >= 3"), false),
            ("a b c", Some("a b c"), false),
        ] {
            let fixed = fix_provides(given, &log);
            assert_eq!(fixed.as_deref(), wanted, "{given}");
            assert_eq!(fixed.is_some_and(|fixed| is_valid_provides(&fixed)), is_valid, "{given}");
        }
    }
}
