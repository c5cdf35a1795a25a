//! What a package sets up on the customer's machine beyond its files: services, and the accounts they run as.
//!
//! Each format generates the glue that its distributions use; a project says only what it wants.

/// What a package sets up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Services that are enabled, started, restarted.
    pub services: Services,
    /// Users and groups that must exist before files are theirs and services run as them.
    pub accounts: Vec<Account>,
}

/// Units of the init system, and what becomes of them when the package comes, is upgraded, and goes.
///
/// Whatever is asked for, an administrator's decision stands: what was disabled is not enabled by an upgrade,
/// and a service that does not run is not started by one. Removal stops and disables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The units, as in `orchestrator.service` or `orchestrator.timer`.
    pub units: Vec<String>,
    /// Enable them after a first installation.
    pub enable: bool,
    /// Start them after a first installation.
    pub start: bool,
    /// Restart after an upgrade those that run.
    pub restart_after_upgrade: bool,
}

/// A system user or group, as sysusers.d(5) has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's name, or the group's.
    pub name: String,
    /// Whether it is a user (with a group of the same name) or only a group.
    pub kind: AccountKind,
    /// Groups that the user is a member of besides its own.
    pub groups: Vec<String>,
}

/// What an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A user and a group of the same name.
    User {
        /// Who it is, in words.
        comment: String,
        /// Its home directory; `/` when there is none.
        home: String,
        /// Its login shell; the distribution's nologin when `None`.
        shell: Option<String>,
    },
    /// A group without a user.
    Group,
}
