//! What people see of a distribution site: the install script and the download page.
//!
//! Text in, text out: [`install_script`] and [`download_page`] turn the site's [`Head`] and a [`SiteInfo`] into
//! the contents of `install.sh` and `index.html`. Both are read by strangers and one is run as root, so every
//! value is either refused or can only ever be text there: names and URLs have few characters, the
//! rest is escaped.
//!
//! The crate reads no file, no clock and no key; pointers and the head itself are `packhouse-publish`'s.

mod download_page;
mod error;
mod info;
mod install_script;

pub use download_page::download_page;
pub use error::Error;
pub use info::{KeyInfo, Location, SiteInfo};
pub use install_script::{install_command, install_script};

use packhouse_publish::{Head, Object, ObjectPath, layout};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The install script and the download page as objects of the site, in the order they are to be written.
///
/// # Errors
/// When a value cannot be shown or run safely.
pub fn render(head: &Head, info: &SiteInfo) -> Result<Vec<Object>> {
    let object = |name, media_type, text: String| {
        let path = ObjectPath::new(name).expect("the layout's own names are valid");
        Object::mutable(path, media_type, text)
    };
    Ok(vec![
        object(layout::INSTALL_SCRIPT, "text/x-shellscript; charset=utf-8", install_script(head, info)?),
        object(layout::DOWNLOAD_PAGE, "text/html; charset=utf-8", download_page(head, info)?),
    ])
}
