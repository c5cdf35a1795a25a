//! Every honoured flag is looked at, and means what it says.

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::assemble::Payload;
use packhouse_package::{Arch, Mark, Package, PackagePath, Timestamp};

use crate::fpm::flags::{FLAGS, Role};
use crate::{Facts, Plan, Problems, Project, Selection};

const SETTINGS: &str = "name = \"hello\"\nsummary = \"Says hello\"\nmaintainer = \"A <a@example.com>\"\n\
    depends = [\"shared\"]\n[version]\nliteral = \"1.0.0\"\nformat = \"{version}-{target}\"\n";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(arguments: &str) -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.write("dist/packhouse.toml", SETTINGS);
        tree.write("dist/debian/12/Dockerfile", "FROM debian:12\n");
        tree.write("dist/debian/12/fpm.cmd", arguments);
        tree.write("dist/debian/12/inc/etc/hello.conf", "x\n");
        tree.write("dist/debian/12/inc/var/.gitkeep", "");
        tree
    }

    fn write(&self, path: &str, text: &str) -> &Tree {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn plan(&self) -> Result<Plan, Problems> {
        let facts = Facts {
            revision: None,
            reference: None,
            channel: None,
            time: Timestamp::from_unix(1_684_497_600).unwrap(),
            arch: Arch::X86_64,
            engine: None,
            publish_to: None,
        };
        Project::open(self.0.path())?.plan(&Selection::All, &facts)
    }

    fn problems(&self) -> Vec<String> {
        let problems = self.plan().expect_err("the tree has a problem");
        problems.iter().map(|p| format!("{}:{}: {p}", p.path().display(), p.line().unwrap_or(0))).collect()
    }

    fn package(&self) -> Package {
        let plan = self.plan().unwrap_or_else(|problems| panic!("{problems:#?}"));
        let build = self.0.path().join("build");
        fs::create_dir_all(&build).unwrap();
        Package::assemble(&plan.targets[0].spec, &Payload::Build(build)).unwrap()
    }
}

fn path(path: &str) -> PackagePath {
    PackagePath::new(path).unwrap()
}

#[test]
fn no_honoured_flag_is_ignored() {
    for format in ["deb", "rpm", "pacman"] {
        let tree = Tree::new(&format!("-t {format}"));
        let project = Project::open(tree.0.path()).unwrap();
        tree.plan().unwrap();
        let mut asked = project.arguments_of(0).asked();
        let facts = Facts {
            revision: None,
            reference: None,
            channel: None,
            time: Timestamp::from_unix(0).unwrap(),
            arch: Arch::X86_64,
            engine: None,
            publish_to: None,
        };
        project.plan(&Selection::All, &facts).unwrap();
        asked.extend(project.arguments_of(0).asked());
        let is_anothers = |long: &str| {
            ["deb", "rpm", "pacman"]
                .iter()
                .any(|other| *other != format && long.starts_with(&format!("{other}-")))
        };
        for flag in FLAGS.iter().filter(|flag| flag.role == Role::Honoured && !is_anothers(flag.long)) {
            assert!(asked.contains(flag.long), "--{} is honoured, but nobody asks for it", flag.long);
        }
    }
}

#[test]
fn arguments_add_to_lists_and_override_single_values() {
    let tree = Tree::new(
        "-t deb -d 'own (>= 2)' -d shared --license MIT --vendor V --iteration 3 --epoch 1 -a all -m 'B <b@example.com>'",
    );
    let package = tree.package();
    let depends: Vec<&str> =
        package.metadata.relations.depends.iter().map(|relation| relation.as_str()).collect();
    assert_eq!(depends, ["shared", "own (>= 2)"]);
    assert_eq!(package.metadata.license.as_deref(), Some("MIT"));
    assert_eq!(package.metadata.maintainer, "B <b@example.com>");
    assert_eq!(package.metadata.version.version, "1.0.0-debian-12");
    assert_eq!(package.metadata.version.release.as_deref(), Some("3"));
    assert_eq!(package.metadata.version.epoch, Some(1));
    assert_eq!(package.metadata.arch, Arch::Noarch);
}

#[test]
fn inc_is_packaged_without_gitkeep_and_etc_is_configuration() {
    let package = Tree::new("-t deb").package();
    let conf = path("/etc/hello.conf");
    assert!(package.files.entry(&conf).unwrap().is_config(&conf));
    assert!(package.files.entry(&path("/var")).unwrap().is_directory());
    assert!(package.files.entry(&path("/var/.gitkeep")).is_none());
    let package = Tree::new("-t deb --deb-no-default-config-files").package();
    assert_eq!(package.files.entry(&conf).unwrap().mark, Mark::NotConfig);
}

#[test]
fn excludes_prefix_and_config_files_apply() {
    let tree = Tree::new("-t deb -x 'etc/*.bak' --prefix /opt/x --config-files /opt/x/share/settings");
    tree.write("dist/debian/12/inc/etc/old.bak", "").write("dist/debian/12/inc/share/settings", "");
    let package = tree.package();
    assert!(package.files.entry(&path("/opt/x/etc/old.bak")).is_none());
    assert_eq!(package.files.entry(&path("/opt/x/share/settings")).unwrap().mark, Mark::Config);
}

#[test]
fn an_excluded_directory_takes_named_files_with_it() {
    let tree = Tree::new("-t deb -x usr/share/licenses");
    tree.write("build/LICENSE", "x");
    let file = "[[files]]\nsource = \"LICENSE\"\ndestination = \"/usr/share/licenses/hello/LICENSE\"\n";
    tree.write("dist/packhouse.toml", &format!("{SETTINGS}{file}"));
    let package = tree.package();
    assert!(package.files.entry(&path("/usr/share/licenses")).is_none());
}

#[test]
fn files_are_picked_from_the_build_and_get_their_attributes() {
    let tree = Tree::new("-t deb");
    tree.write("build/out/tree/a", "a").write("build/out/tree/sub/b", "b").write("build/out/x", "x");
    tree.write(
        "dist/packhouse.toml",
        &format!(
            "{SETTINGS}[[files]]\nsource = \"out/tree\"\ndestination = \"/usr/lib/hello\"\nowner = \"hello\"\n\
             [[files]]\nsource = \"out/x\"\ndestination = \"/usr/bin/x\"\nmode = \"4755\"\n\
             [[files]]\ntype = \"symlink\"\nsource = \"x\"\ndestination = \"/usr/bin/y\"\n\
             [[files]]\ntype = \"directory\"\ndestination = \"/var/lib/hello\"\nmode = \"0700\"\n"
        ),
    );
    let package = tree.package();
    assert_eq!(package.files.entry(&path("/usr/lib/hello/sub/b")).unwrap().owner.user, "hello");
    assert_eq!(package.files.entry(&path("/usr/bin/x")).unwrap().mode, 0o4755);
    assert_eq!(package.files.entry(&path("/var/lib/hello")).unwrap().mode, 0o700);
    assert!(package.files.entry(&path("/usr/bin/y")).is_some());
}

#[test]
fn scripts_come_from_the_target_then_from_the_shared_directory() {
    let tree = Tree::new("-t deb --template-value port=80");
    tree.write("dist/scripts/after-install.sh", "shared\n").write("dist/scripts/after-remove.sh", "shared\n");
    tree.write("dist/debian/12/after-install.sh", "#!/bin/bash\nown <%= name %> <%= port %>\n");
    let scripts = tree.package().scripts;
    let texts: Vec<(&str, &str)> =
        scripts.iter().map(|(moment, script)| (moment.name(), script.text())).collect();
    assert_eq!(texts, [("after-install", "own hello 80\n"), ("after-remove", "shared\n")]);
}

#[test]
fn what_a_format_refuses_is_said_at_what_the_user_wrote_before_anything_is_built() {
    let version = |text: &str| {
        // Outside Git the default format lacks its revision, which is another problem.
        let format = if text.contains("format") { "" } else { "format = \"{version}-{target}-\"\n" };
        format!("name = \"hello\"\nsummary = \"s\"\nmaintainer = \"m\"\n[version]\n{text}\n{format}")
    };
    for (settings, arguments, wanted) in [
        (version("literal = \"1:0\""), "-t deb", "dist/packhouse.toml:5: `1:0-debian-12-"),
        (version("literal = \"1 0\""), "-t deb", "dist/packhouse.toml:5: `1 0` is no version"),
        (version("literal = \"\""), "-t deb", "dist/packhouse.toml:5: `` is no version"),
        (version("literal = \"1\"\nformat = \"{version}/x\""), "-t rpm", "dist/packhouse.toml:6: `1/x`"),
        (version("literal = \"1\"\nformat = \"{built:%n}\""), "-t rpm", "dist/packhouse.toml:6: `\\n` is no"),
        (SETTINGS.into(), "-t deb\n--iteration a_b", "dist/debian/12/fpm.cmd:2: `1.0.0-debian-12-a_b`"),
        (SETTINGS.into(), "-t deb\n--vendor 'a\nb'", "dist/debian/12/fpm.cmd:2: the package's vendor"),
        (SETTINGS.into(), "-t deb\n-d 'a >= 1 ='", "dist/debian/12/fpm.cmd:2: deb cannot express"),
        (SETTINGS.into(), "-t deb\n\n--deb-priority high", "dist/debian/12/fpm.cmd:3: deb cannot take"),
        (
            format!("homepage = \"a\\nb\"\n{SETTINGS}"),
            "-t deb",
            "dist/packhouse.toml:1: the package's homepage",
        ),
        (
            SETTINGS.replace("\"Says hello\"", "\"\""),
            "-t deb",
            "dist/packhouse.toml:2: the package's summary",
        ),
        (
            format!("{SETTINGS}[build]\nenvironment = {{ \"a=b\" = \"\" }}\n"),
            "-t deb",
            "dist/packhouse.toml:9: `a=b`",
        ),
    ] {
        let tree = Tree::new(arguments);
        tree.write("dist/packhouse.toml", &settings);
        let problems = tree.problems();
        assert!(problems.len() == 1 && problems[0].starts_with(wanted), "{wanted}\n{problems:#?}");
    }
}

#[test]
fn packages_of_two_targets_never_share_a_file() {
    let tree = Tree::new("-t deb");
    tree.write("dist/packhouse.toml", &SETTINGS.replace("{version}-{target}", "{version}"));
    tree.write("dist/ubuntu/22.04/fpm.cmd", "-t deb").write("dist/ubuntu/22.04/Dockerfile", "");
    tree.write("dist/ubuntu/22.04/inc/.gitkeep", "");
    let problems = tree.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(
        problems[0]
            .starts_with("dist/packhouse.toml:7: the packages of debian-12 and ubuntu-22.04 would both")
    );
}

#[test]
fn a_target_may_override_its_version_and_not_what_is_the_projects() {
    let tree = Tree::new("-t deb");
    tree.write("VERSION", "3.0\n");
    tree.write("dist/debian/12/target.toml", "description = \"own\"\n[version]\nfrom = \"VERSION\"\n");
    let package = tree.package();
    assert_eq!(package.metadata.version.version, "3.0-debian-12");
    assert_eq!(package.metadata.description, "own");
    tree.write("dist/debian/12/target.toml", "[sign]\nkey = \"A\"\n[channels]\nstable.branches = [\"x\"]\n");
    let problems = tree.problems().join("\n");
    assert!(problems.contains("target.toml:2: `sign.key` is the whole project's"), "{problems}");
    assert!(problems.contains("target.toml:4: `channels.stable.branches` is the whole"), "{problems}");
}

#[test]
fn a_sign_command_needs_a_key_and_goes_with_no_other() {
    let tree = Tree::new("-t deb");
    let with = |sign: &str| {
        tree.write("dist/packhouse.toml", &format!("{SETTINGS}\n[sign]\n{sign}\n"));
        tree.problems().join("\n")
    };
    for (sign, problem) in [
        ("command = \"x\"", "does not say whose key it signs with"),
        ("key = \"A\"\ncommand = []", "`sign.command` names no program"),
        ("key = \"A\"\ncommand = \"\"", "`sign.command` names no program"),
        ("key = \"A\"\ncommand = \"a 'b\"", "has a quote that is not closed"),
        ("key = \"A\"\ncommand = [\"x\", 7]", "must be a string"),
        ("key = \"A\"\ncommand = \"x\"\nkey-file = \"k\"", "both `command` and `key-file`"),
        ("key = \"A\"\ncommand = \"x\"\npassphrase-file = \"k\"", "both `command` and `passphrase-file`"),
        ("key = \"A\"\ncommand = \"x\"\ncommand-input = \"hash\"", "`hash` is no input of a command"),
        ("key = \"A\"\ncommand = \"x\"\ncommand-timeout = 0", "0 is no time limit"),
        ("key = \"A\"\ncommand = \"x\"\ncommand-timeout = 3601", "3601 is no time limit"),
        ("key = \"A\"\ncommand = \"x\"\ncommand-environment = [\"A=b\"]", "not the name of a variable"),
        (
            "key = \"A\"\ncommand = \"x\"\ncommand-environment = [\"PACKHOUSE_SIGNING_PASSPHRASE\"]",
            "is not handed to other programs",
        ),
        ("key = \"A\"\ncommand-timeout = 5", "`command-timeout` and no `command`"),
        ("key = \"A\"\nkey-file = \"k\"", "names two keys"),
    ] {
        let problems = with(sign);
        assert!(problems.contains(problem), "{sign}: {problems}");
    }
    tree.write("dist/packhouse.toml", SETTINGS);
    tree.write("dist/debian/12/target.toml", "[sign]\ncommand = \"x\"\ncommand-timeout = 3\n");
    let problems = tree.problems().join("\n");
    for key in ["sign.command", "sign.command-timeout"] {
        assert!(problems.contains(&format!("`{key}` is the whole project's")), "{problems}");
    }
}

#[test]
fn a_sign_command_is_words_or_a_string_of_them() {
    let tree = Tree::new("-t deb");
    let words = |command: &str| {
        let sign =
            format!("[sign]\nkey = \"A\"\ncommand = {command}\ncommand-environment = [\"AWS_PROFILE\"]");
        tree.write("dist/packhouse.toml", &format!("{SETTINGS}\n{sign}\n"));
        match tree.plan().unwrap().signing_key {
            Some(crate::SigningKey::Command(command)) => command,
            other => panic!("{other:?}"),
        }
    };
    let command = words("[\"sign it\", \"--key\", \"$HOME\"]");
    assert_eq!(command.words, ["sign it", "--key", "$HOME"]);
    assert_eq!((command.wants_data, command.timeout), (false, 120));
    assert_eq!(command.environment, ["AWS_PROFILE"]);
    assert_eq!(words("\"'sign it' --key $HOME\"").words, ["sign it", "--key", "$HOME"]);
}

#[test]
fn files_from_windows_and_empty_values_are_read() {
    let tree = Tree::new("-t deb\r\n--vendor ''\r\n--iteration ''\r\n--epoch ''\r\n");
    let settings = format!("vendor = \"V\"\ndescription = \"\"\"\na\nb\"\"\"\n{SETTINGS}");
    tree.write("dist/packhouse.toml", &format!("\u{feff}{}", settings.replace('\n', "\r\n")));
    let package = tree.package();
    assert_eq!(package.metadata.description, "a\nb");
    assert_eq!(package.metadata.vendor, None);
    assert_eq!((package.metadata.version.release, package.metadata.version.epoch), (None, None));
}

#[test]
fn a_file_that_is_too_large_or_too_deep_is_a_problem() {
    let tree = Tree::new("-t deb");
    tree.write("dist/packhouse.toml", &"# x\n".repeat(300_000));
    assert!(tree.problems()[0].contains("bytes are more than"), "{:?}", tree.problems());
    tree.write("dist/packhouse.toml", &format!("{SETTINGS}x = {}", "[".repeat(10_000)));
    assert!(tree.problems()[0].contains("recurs"), "{:?}", tree.problems());
}

#[test]
fn an_init_script_is_called_as_its_file() {
    let tree = Tree::new("-t rpm --rpm-init hello.init");
    tree.write("dist/debian/12/hello.init", "#!/bin/sh\n");
    assert_eq!(tree.package().files.entry(&path("/etc/init.d/hello")).unwrap().mode, 0o755);
}

#[test]
fn every_problem_of_the_tree_is_reported_at_once() {
    let tree = Tree::new("-t deb --rpm-digest md5 --deb-field nonsense --after-install missing.sh\n--nope");
    tree.write(
        "dist/packhouse.toml",
        "summary = \"s\"\nmaintainer = \"m\"\nnmae = \"x\"\n[build]\nengine = \"dokcer\"\n",
    );
    tree.write("dist/ubuntu/22.04/fpm.cmd", "-d libc6\n");
    let problems = tree.problems().join("\n");
    for wanted in [
        "dist/packhouse.toml:3: unknown key `nmae`",
        "dist/debian/12/fpm.cmd:2: fpm has no flag `--nope`",
        "dist/ubuntu/22.04/Dockerfile: target ubuntu-22.04 lacks this file",
        "dist/ubuntu/22.04/inc: target ubuntu-22.04 lacks this directory",
        "dist/ubuntu/22.04/fpm.cmd: does not say which format",
    ] {
        assert!(problems.contains(wanted), "{wanted}\nis not in\n{problems}");
    }
    let tree = Tree::new("-t deb --rpm-digest md5 --deb-field nonsense --after-install missing.sh");
    let problems = tree.problems().join("\n");
    for wanted in
        ["`md5` cannot be the digest", "`nonsense` is no control field", "there is no file `missing.sh`"]
    {
        assert!(problems.contains(wanted), "{wanted}\nis not in\n{problems}");
    }
}

#[test]
fn an_apk_is_compressed_with_gzip_and_nothing_else() {
    let gzip = packhouse_package::archive::compress::Compression::GZIP;
    let tree = Tree::new("-t apk");
    assert_eq!(tree.package().options.compression, Some(gzip));
    tree.write("dist/packhouse.toml", &format!("{SETTINGS}[package]\ncompression = \"zstd\"\n"));
    assert_eq!(tree.problems(), ["dist/packhouse.toml:9: the clients of apk packages do not read `zstd`"]);
    let problems = tree.plan().unwrap_err();
    let fix = problems.iter().next().unwrap().fix().unwrap();
    assert_eq!(
        fix,
        "for this target write `compression = \"gzip\"` below [package] in dist/debian/12/target.toml"
    );
    tree.write("dist/debian/12/target.toml", "[package]\ncompression = \"gzip\"\ncompression-level = 6\n");
    assert_eq!(tree.package().options.compression, gzip.with_level(6));
}

#[test]
fn what_only_an_apk_can_say_arrives() {
    let apk = "[apk]\nprovider-priority = 10\nreplaces-priority = 20\ninstall-if = [\"a=1-r0\", \"docs\"]\n\
               trigger = \"dist/scripts/trigger.sh\"\ntrigger-directories = [\"/usr/share/fonts\"]\n";
    let tree = Tree::new("-t apk");
    tree.write("dist/scripts/trigger.sh", "echo\n");
    tree.write("dist/packhouse.toml", &format!("{SETTINGS}{apk}"));
    let options = tree.package().options.apk;
    assert_eq!((options.provider_priority, options.replaces_priority), (Some(10), Some(20)));
    assert_eq!(options.install_if.len(), 2);
    assert_eq!(options.trigger.unwrap().directories, ["/usr/share/fonts"]);
    for (wrong, problem) in [
        ("provider-priority = -1\n", "9: a priority must be a whole number from 0"),
        ("trigger = \"dist/scripts/trigger.sh\"\n", "9: the trigger waits for nothing"),
        ("trigger-directories = [\"/usr\"]\n", "9: there is no script to run"),
        ("install-if = [\"a\\nb\"]\n", "9: `a\\nb` is no relation to a package"),
    ] {
        tree.write("dist/packhouse.toml", &format!("{SETTINGS}[apk]\n{wrong}"));
        assert_eq!(tree.problems(), [format!("dist/packhouse.toml:{problem}")]);
    }
}

#[test]
fn what_only_pacman_can_say_arrives() {
    let tree = Tree::new(
        "-t pacman --pacman-optional-depends 'vim: to edit' --pacman-user web --pacman-group www --pacman-compression xz",
    );
    let options = tree.package().options;
    assert_eq!(options.pacman.optional_depends[0].as_str(), "vim: to edit");
    assert_eq!(options.pacman.owner.unwrap().group, "www");
    assert_eq!(options.compression, Some(Compression::XZ));
}

#[test]
fn plain_archives_have_their_own_default_compression() {
    for (format, compression) in [("tar", "gzip"), ("zip", "gzip"), ("deb", "zstd")] {
        let package = Tree::new(&format!("-t {format}")).package();
        assert_eq!(package.options.compression.unwrap().name(), compression, "{format}");
    }
}

#[test]
fn what_alpine_cannot_say_is_a_problem_where_it_is_written() {
    let tree = Tree::new("-t apk -d 'a | b'");
    let expected = "dist/debian/12/fpm.cmd:1: apk cannot express the relation `a | b`: apk has no alternatives; \
                    depend on a name that each of them provides";
    assert_eq!(tree.problems(), [expected]);
    let tree = Tree::new("-t apk");
    tree.write("dist/packhouse.toml", &SETTINGS.replace("1.0.0", "1.0.0-dev"));
    let problems = tree.problems();
    assert!(
        problems[0].starts_with("dist/packhouse.toml:6: `1.0.0~dev-debian-12` cannot be a version"),
        "{problems:?}"
    );
}
