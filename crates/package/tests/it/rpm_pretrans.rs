//! Scripts in rpm's own Lua, which run where nothing is installed yet.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use packhouse_package::{Error, Format, Moment, Script};

use crate::rpm_dump::dump;
use crate::rpm_fixture::{Root, add, bytes, package, path, try_bytes};

fn lua() -> Script {
    Script::parse(b"#!<lua>\nlocal log = io.open('/log', 'a'); log:write('lua runs\\n'); log:close()\n")
        .unwrap()
}

#[test]
fn a_pretrans_in_lua_runs_and_needs_no_program() {
    let mut package = package("1");
    add(&mut package, "/opt/hello/file", "x");
    package.options.rpm.before_transaction = Some(lua());
    let header = dump(&bytes(&package)).header;
    assert_eq!(header[&1153], "text \"<lua>\"");
    assert!(header[&1049].contains("\"rpmlib(BuiltinLuaScripts)\""), "{}", header[&1049]);
    assert!(!header[&1049].contains("\"<lua>\""), "{}", header[&1049]);
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    assert_eq!(root.act("-i", &package), "lua runs\n");
}

#[test]
fn lua_where_a_shell_text_decides_is_refused() {
    let mut package = package("1");
    package.scripts.insert(Moment::AfterInstall, lua());
    let error = try_bytes(&package).unwrap_err();
    assert!(matches!(error, Error::Option { format: "rpm", option: "after-install", .. }), "{error:?}");
}

#[test]
fn a_deb_has_no_lua() {
    let is_refused = |package: &packhouse_package::Package| {
        let mut out = std::io::Cursor::new(Vec::new());
        let result = Format::Deb.get().write(package, crate::rpm_fixture::one_thread(), &mut out);
        matches!(result, Err(Error::Option { format: "deb", .. }))
    };
    let mut moment = package("1");
    moment.scripts.insert(Moment::AfterInstall, lua());
    assert!(is_refused(&moment));
    let mut config = package("1");
    config.options.deb.config = Some(lua());
    assert!(is_refused(&config));
    let mut purge = package("1");
    purge.files.insert(path("/opt/x"), packhouse_package::Entry::directory()).unwrap();
    purge.options.deb.after_purge = Some(lua());
    assert!(is_refused(&purge));
}
