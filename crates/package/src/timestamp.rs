//! A point in time that goes into a package: given by the caller, never read from a clock here.

use std::fmt;

/// Whole seconds since 1970-01-01 00:00:00 UTC.
///
/// Limited to `u32::MAX` (the year 2106), which is what rpm's header and gzip can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u32);

impl Timestamp {
    /// A timestamp from Unix seconds; `None` before 1970 or after 2106.
    pub fn from_unix(seconds: i64) -> Option<Timestamp> {
        u32::try_from(seconds).ok().map(Timestamp)
    }

    /// Seconds since 1970.
    pub fn as_unix(self) -> u32 {
        self.0
    }

    /// Formatted in UTC by a strftime `format`, as in `%y%m%d%H%M`.
    ///
    /// # Errors
    /// When `format` holds a directive that does not exist.
    pub fn strftime(self, format: &str) -> Result<String, jiff::Error> {
        jiff::fmt::strtime::format(format, &self.to_zoned())
    }

    /// The date as RFC 5322 writes it, for `debian/changelog` and mail: `Fri, 19 May 2023 12:00:00 +0000`.
    pub fn to_rfc2822(self) -> String {
        self.strftime("%a, %d %b %Y %H:%M:%S +0000").expect("the directives are strftime's")
    }

    fn to_zoned(self) -> jiff::Zoned {
        jiff::Timestamp::from_second(i64::from(self.0))
            .expect("32-bit seconds are within jiff's range")
            .to_zoned(jiff::tz::TimeZone::UTC)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.strftime("%Y-%m-%dT%H:%M:%SZ").expect("the directives are strftime's"))
    }
}
