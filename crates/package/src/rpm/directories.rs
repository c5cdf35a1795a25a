//! Which directories an rpm owns.
//!
//! What a package owns is removed with it; what nobody owns stays behind empty for ever. So a package owns
//! every directory that it brings, except those that the distribution has anyway: owning these as well would
//! at best be noise, and at worst stop the installation, because rpm takes two packages that disagree about
//! a directory's mode or owner for a conflict (`rpmfilesCompare` in `lib/rpmfi.c`; `/usr/bin` is 0555 on
//! Fedora, `/etc/sudoers.d` 0750).
//!
//! [`DISTRIBUTION`] names the distribution's directories: those of the packages `filesystem` and `systemd` of
//! Fedora, RHEL and openSUSE, and those that other packages provide for drop-in files. Links of merged `/usr`
//! trees (`/bin`, `/lib`, …) are never owned, whatever the options say: a directory in a link's place breaks
//! the system.

use super::Options;
use crate::PackagePath;

/// Whether a package owns the directory at `path`.
pub(super) fn is_owned(path: &PackagePath, options: &Options) -> bool {
    if is_merged_link(path.as_bytes()) || options.disown_directories.contains(path) {
        return false;
    }
    let is_claimed = options.own_directories.iter().any(|claimed| is_below(path, claimed));
    is_claimed || !is_distributions(path.as_bytes())
}

fn is_below(path: &PackagePath, directory: &PackagePath) -> bool {
    let rest = path.as_bytes().strip_prefix(directory.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// `/bin`, `/lib`, … are links to their namesakes below `/usr` on every distribution of the last years.
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

fn is_merged_link(path: &[u8]) -> bool {
    MERGED.iter().any(|link| link.as_bytes() == path)
}

pub(super) fn is_distributions(path: &[u8]) -> bool {
    let mut components: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    if is_merged_link(components[0]) {
        components.insert(0, b"usr");
    }
    let Some((name, parent)) = components.split_last() else { return false };
    DISTRIBUTION.iter().any(|(directory, names)| {
        let directory = directory.split('/').filter(|component| !component.is_empty());
        directory.clone().count() == parent.len()
            && names.split_whitespace().any(|pattern| fits(pattern, name))
            && directory.zip(parent).all(|(pattern, component)| fits(pattern, component))
    })
}

/// A `*` at the end of a pattern stands for any rest.
fn fits(pattern: &str, component: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => component.starts_with(start.as_bytes()),
        None => pattern.as_bytes() == component,
    }
}

/// Directories and those in them that are the distribution's, sorted.
const DISTRIBUTION: &[(&str, &str)] = &[
    ("/", "afs boot dev efi etc home media mnt opt proc root run selinux srv sys tmp usr var"),
    ("/boot", "efi grub grub2 loader"),
    ("/etc", "NetworkManager X11 alternatives ansible apparmor.d audit avahi bash_completion.d binfmt.d"),
    ("/etc", "ca-certificates chrony cron.d cron.daily cron.hourly cron.monthly cron.weekly cups dbus-1"),
    ("/etc", "default depmod.d dnf docker dracut.conf.d environment.d exports.d fail2ban firewalld fish"),
    ("/etc", "fonts gnupg grub.d gss httpd apache2 init init.d iproute2 kernel krb5.conf.d ld.so.conf.d"),
    ("/etc", "libvirt logrotate.d mail modprobe.d modules-load.d monit.d munin my.cnf.d nginx openldap opt"),
    ("/etc", "pam.d permissions.d php.d pki pm polkit-1 postfix ppp products.d profile.d rc.d rpm"),
    ("/etc", "rc0.d rc1.d rc2.d rc3.d rc4.d rc5.d rc6.d rsyslog.d rwtab.d samba sasl2 security selinux"),
    ("/etc", "skel snmp ssh ssl statetab.d sudoers.d supervisord.d sysconfig sysctl.d systemd telegraf"),
    ("/etc", "terminfo tmpfiles.d tuned udev vim xdg xinetd.d yum yum.repos.d zsh zypp"),
    ("/etc/NetworkManager", "conf.d dispatcher.d system-connections"),
    ("/etc/NetworkManager/dispatcher.d", "no-wait.d pre-down.d pre-up.d"),
    ("/etc/X11", "applnk fontpath.d xinit xorg.conf.d"),
    ("/etc/X11/xinit", "xinitrc.d xinput.d"),
    ("/etc/apparmor.d", "abstractions local tunables"),
    ("/etc/audit", "plugins.d rules.d"),
    ("/etc/dbus-1", "session.d system.d"),
    ("/etc/dnf", "modules.d plugins protected.d repos.override.d vars"),
    ("/etc/docker", "certs.d"),
    ("/etc/fail2ban", "action.d fail2ban.d filter.d jail.d"),
    ("/etc/firewalld", "policies services zones"),
    ("/etc/fonts", "conf.d"),
    ("/etc/httpd", "conf conf.d conf.modules.d"),
    ("/etc/apache2", "conf.d vhosts.d"),
    ("/etc/kernel", "install.d postinst.d"),
    ("/etc/nginx", "conf.d default.d sites-available sites-enabled vhosts.d"),
    ("/etc/pki", "CA ca-trust consumer entitlement nssdb product rpm-gpg tls trust"),
    ("/etc/pki/ca-trust", "extracted source"),
    ("/etc/pki/ca-trust/source", "anchors blacklist blocklist"),
    ("/etc/pki/tls", "certs misc private"),
    ("/etc/pki/trust", "anchors blacklist blocklist"),
    ("/etc/pm", "config.d power.d sleep.d"),
    ("/etc/polkit-1", "localauthority localauthority.conf.d rules.d"),
    ("/etc/rc.d", "init.d rc0.d rc1.d rc2.d rc3.d rc4.d rc5.d rc6.d"),
    ("/etc/rpm", "macros.d"),
    ("/etc/security", "console.apps console.perms.d limits.d namespace.d"),
    ("/etc/selinux", "minimum mls targeted"),
    ("/etc/ssh", "ssh_config.d sshd_config.d"),
    ("/etc/ssl", "certs private"),
    ("/etc/sysconfig", "console modules network-scripts"),
    ("/etc/systemd", "coredump.conf.d journald.conf.d logind.conf.d network networkd.conf.d ntp-units.d"),
    ("/etc/systemd", "resolved.conf.d system system.conf.d timesyncd.conf.d user user.conf.d"),
    (
        "/etc/systemd/system",
        "basic.target.wants default.target.wants getty.target.wants graphical.target.wants",
    ),
    ("/etc/systemd/system", "multi-user.target.wants network-online.target.wants sockets.target.wants"),
    ("/etc/systemd/system", "sysinit.target.wants timers.target.wants"),
    ("/etc/telegraf", "telegraf.d"),
    ("/etc/udev", "hwdb.d rules.d"),
    ("/etc/xdg", "autostart menus systemd"),
    ("/etc/yum", "pluginconf.d protected.d vars"),
    ("/etc/zypp", "credentials.d multiversion.d repos.d services.d vars.d vendors.d"),
    ("/home", "linuxbrew"),
    ("/run", "lock user"),
    ("/srv", "ftp www"),
    ("/usr", "bin etc games include lib lib32 lib64 libexec libx32 local sbin share src tmp X11R6"),
    ("/usr/include", "sys linux"),
    (
        "/usr/lib",
        "NetworkManager binfmt.d cmake credstore debug depmod.d dracut environment.d firewalld firmware",
    ),
    (
        "/usr/lib",
        "fontconfig games gcc girepository-1.0 golang jvm kernel locale modprobe.d modules modules-load.d",
    ),
    ("/usr/lib", "motd.d mozilla node_modules ocf pam.d perl5 pkgconfig python2.* python3.* rpm security"),
    ("/usr/lib", "sysctl.d sysimage systemd sysusers.d tmpfiles.d tuned udev X11"),
    ("/usr/lib/NetworkManager", "VPN conf.d dispatcher.d"),
    ("/usr/lib/debug", ".build-id .dwz bin lib lib64 sbin usr"),
    ("/usr/lib/dracut", "dracut.conf.d modules.d"),
    ("/usr/lib/firewalld", "helpers icmptypes ipsets policies services zones"),
    ("/usr/lib/kernel", "install.d"),
    ("/usr/lib/mozilla", "native-messaging-hosts plugins"),
    ("/usr/lib/python*", "dist-packages site-packages"),
    ("/usr/lib/rpm", "fileattrs macros.d"),
    ("/usr/lib/systemd", "catalog ntp-units.d system system-generators system-preset system-shutdown"),
    ("/usr/lib/systemd", "system-sleep network user user-environment-generators user-generators user-preset"),
    ("/usr/lib/systemd/system", "basic.target.wants graphical.target.wants multi-user.target.wants"),
    ("/usr/lib/systemd/system", "sockets.target.wants sysinit.target.wants timers.target.wants"),
    ("/usr/lib/udev", "hwdb.d rules.d"),
    (
        "/usr/lib64",
        "X11 cmake fontconfig games girepository-1.0 httpd mozilla nagios perl5 pkgconfig pm-utils",
    ),
    ("/usr/lib64", "python2.* python3.* security"),
    ("/usr/lib64/httpd", "modules"),
    ("/usr/lib64/mozilla", "native-messaging-hosts plugins"),
    ("/usr/lib64/nagios", "plugins"),
    ("/usr/lib64/python*", "site-packages"),
    ("/usr/local", "bin etc games include lib lib64 libexec man sbin share src"),
    ("/usr/local/share", "applications info man"),
    ("/usr/local/share/man", "man*"),
    ("/usr/share", "X11 aclocal alsa appdata applications augeas backgrounds bash-completion cmake dbus-1"),
    (
        "/usr/share",
        "desktop-directories dict doc emacs empty fish fontconfig fonts games gettext glib-2.0 gnome",
    ),
    (
        "/usr/share",
        "gtk-doc help icons idl info java javadoc licenses locale man metainfo mime mime-info misc",
    ),
    ("/usr/share", "nginx omf p11-kit perl5 pixmaps pkgconfig polkit-1 ruby selinux sounds systemd terminfo"),
    ("/usr/share", "themes vim wayland-sessions xml xsessions zoneinfo zsh"),
    ("/usr/share/augeas", "lenses"),
    ("/usr/share/bash-completion", "completions helpers"),
    ("/usr/share/dbus-1", "interfaces services session.d system-services system.d"),
    ("/usr/share/emacs", "site-lisp"),
    ("/usr/share/fish", "completions vendor_completions.d vendor_conf.d vendor_functions.d"),
    ("/usr/share/fontconfig", "conf.avail"),
    ("/usr/share/glib-2.0", "schemas"),
    ("/usr/share/gnome", "help"),
    ("/usr/share/gtk-doc", "html"),
    ("/usr/share/icons", "HighContrast hicolor"),
    ("/usr/share/icons/hicolor", "*"),
    ("/usr/share/icons/hicolor/*", "*"),
    ("/usr/share/locale", "*"),
    ("/usr/share/locale/*", "LC_MESSAGES"),
    ("/usr/share/man", "*"),
    ("/usr/share/man/*", "man*"),
    ("/usr/share/mime", "packages"),
    ("/usr/share/p11-kit", "modules"),
    ("/usr/share/polkit-1", "actions rules.d"),
    ("/usr/share/selinux", "devel packages targeted"),
    ("/usr/share/vim", "vimfiles"),
    ("/usr/share/vim/vimfiles", "after autoload doc ftdetect ftplugin plugin syntax"),
    ("/usr/share/xml", "docbook"),
    ("/usr/share/zsh", "site-functions vendor-completions"),
    ("/usr/src", "debug kernels"),
    (
        "/var",
        "account adm cache crash cron db empty ftp games kerberos lib local lock log mail nis opt preserve",
    ),
    ("/var", "run spool tmp www yp"),
    ("/var/cache", "ldconfig man"),
    ("/var/lib", "alternatives dbus games misc rpm rpm-state systemd"),
    ("/var/log", "audit journal"),
    ("/var/spool", "anacron cron lpd mail"),
    ("/var/www", "cgi-bin html"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> PackagePath {
        PackagePath::new(path).unwrap()
    }

    #[test]
    fn the_distributions_directories_are_not_owned() {
        let options = Options::default();
        for directory in [
            "/usr",
            "/etc/sudoers.d",
            "/lib/systemd/system",
            "/usr/lib/systemd/system/multi-user.target.wants",
            "/usr/share/man/man8",
            "/usr/share/man/de/man8",
            "/usr/share/icons/hicolor/48x48/apps",
            "/usr/share/locale/de/LC_MESSAGES",
            "/usr/lib/python3.11/site-packages",
            "/opt",
        ] {
            assert!(!is_owned(&path(directory), &options), "{directory}");
        }
    }

    #[test]
    fn the_packages_own_directories_are_owned() {
        let options = Options::default();
        for directory in [
            "/opt/acme",
            "/usr/lib/hello",
            "/lib/hello",
            "/etc/hello",
            "/etc/systemd/system/hello.service.d",
            "/usr/share/hello/man",
            "/usr/share/doc/hello",
            "/usr/share/licenses/hello",
            "/var/lib/hello",
            "/var/log/hello",
        ] {
            assert!(is_owned(&path(directory), &options), "{directory}");
        }
    }

    #[test]
    fn options_decide_except_about_merged_links() {
        let options = Options {
            own_directories: vec![path("/etc"), path("/lib")],
            disown_directories: vec![path("/opt/acme"), path("/etc/cron.d")],
            ..Options::default()
        };
        let is_owned = |directory| is_owned(&path(directory), &options);
        assert!(is_owned("/etc") && is_owned("/etc/sudoers.d") && is_owned("/lib/systemd"));
        assert!(!is_owned("/lib") && !is_owned("/etc/cron.d") && !is_owned("/opt/acme"));
        assert!(is_owned("/opt/acme/data") && !is_owned("/usr"));
    }
}
