//! Why a script or page could not be made.

/// Why a script or page could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that could not be run or shown safely.
    #[error("`{}` cannot be the site's {field}: {reason}", .value.escape_debug())]
    Value {
        /// What it is.
        field: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The page's template failed.
    #[error("cannot render the download page")]
    Template(#[from] askama::Error),
}

impl Error {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Value { field: "public URL", .. } => Some(
                "set `public-url` in [publish] to the https:// address of the site, without spaces, quotes or \
                 a query"
                    .into(),
            ),
            Error::Value { field: "homepage", .. } => {
                Some("set `homepage` in dist/packhouse.toml to an http:// or https:// address".into())
            }
            _ => None,
        }
    }
}
