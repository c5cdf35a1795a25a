//! How long a key lasts, as people say it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// `2y`, `18m`, `12w`, `90d` or `never`, as gpg writes it: a year has 365 days, a month 30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity(pub Option<Duration>);

impl Validity {
    /// So many days.
    pub const fn days(days: u64) -> Validity {
        Validity(Some(Duration::from_secs(days * 86_400)))
    }
}

impl FromStr for Validity {
    type Err = String;

    fn from_str(text: &str) -> Result<Validity, String> {
        if text == "never" {
            return Ok(Validity(None));
        }
        let refuse = || format!("`{}` is no time: say 2y, 18m, 12w, 90d or never", text.escape_debug());
        let unit = text.chars().next_back().ok_or_else(refuse)?;
        let days = match unit {
            'y' => 365,
            'm' => 30,
            'w' => 7,
            'd' => 1,
            _ => return Err(refuse()),
        };
        let digits = &text[..text.len() - 1];
        let count: u64 = digits.parse().map_err(|_| refuse())?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !(1..=100_000).contains(&count) {
            return Err(refuse());
        }
        Ok(Validity::days(count * days))
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("never"),
            Some(duration) => write!(f, "{}d", duration.as_secs() / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_gpg_reads_them() {
        for (text, days) in [("2y", 730), ("18m", 540), ("1w", 7), ("90d", 90)] {
            assert_eq!(text.parse(), Ok(Validity::days(days)), "{text}");
        }
        assert_eq!("never".parse(), Ok(Validity(None)));
        for wrong in ["", "y", "2", "0d", "-1d", "+1d", "2 y", "2Y", "1.5y", "é", "999999y"] {
            assert!(wrong.parse::<Validity>().is_err(), "{wrong}");
        }
    }
}
