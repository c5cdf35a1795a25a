//! Messages, names of files and exit status, which scripts look at.

use fs_err as fs;

use super::Fpm;

#[test]
fn messages_are_fpms() {
    let fpm = Fpm::new();
    fs::write(fpm.path("there.deb"), "").unwrap();
    for (words, message) in [
        ("-t deb x", "Missing required -s flag. What package source did you want?"),
        ("-s dir x", "Missing required -t flag. What package output did you want?"),
        (
            "-s dir -t nope x",
            r#"Invalid output package (-t flag) type \"nope\". Expected one of: apk, cpan, deb, dir"#,
        ),
        ("-s nope -t deb x", r#"Invalid input package -s flag) type \"nope\". Expected one of: apk"#),
        ("-s dir -t deb", "No parameters given. You need to pass additional command arguments"),
        (
            "-s dir -t deb",
            "Fix the above problems, and you'll be rolling packages in no time!\", :level=>:fatal",
        ),
        (
            "-s dir -t deb file1",
            "No name given for this package (set name with '-n', for example, '-n packagename')",
        ),
        (
            "-s dir -t deb -n x no",
            "Invalid package configuration: Cannot package the path './no', does it exist?",
        ),
        ("-s dir -t deb -n x -C no", "Invalid package configuration: Cannot chdir to 'no'. Does it exist?"),
        (
            "-s dir -t deb -n x -p no/x.deb file1",
            "Parent directory does not exist: no - cannot write to no/x.deb",
        ),
        ("-s dir -t deb -n x -p there.deb file1", "File already exists, refusing to continue: there.deb"),
        ("-s dir -t deb -n x --after-install no file1", "No such file (for after_install): "),
        (
            "-s dir -t deb -n x --config-files /no/file file1",
            "Error trying to use '/no/file' as a config file",
        ),
        ("-s dir -t deb -n x --inputs no", "File given for --inputs does not exist (no)"),
        ("-s dir -t deb -n x --exclude-file no file1", "File given for --exclude-file does not exist (no)"),
        (
            "-s dir -t deb -n x --workdir /no file1",
            "Invalid package argument: The given workdir '/no' does not exist.",
        ),
        (
            "-s dir -t deb --deb-compression lz4",
            "deb compression value of 'lz4' is invalid. Must be one of gz, bzip2",
        ),
        ("--log foo -s dir", r#"Invalid log level, \"foo\". Must be one of: error, warn, info, debug"#),
        ("-s dir -t deb -n x -v 1/2 file1", "The version looks invalid for Debian packages."),
        (
            "-s dir -t deb -n x file1=/opt/a sub/=/opt/a",
            "Tried to treat /opt/a like a directory, but it's a file!",
        ),
        ("-s dir -t deb -n x --provides a~b file1", "Found invalid Provides field values"),
    ] {
        let run = fpm.run(words);
        assert!(run.stdout.contains(message), "{words}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.status, Some(1), "{words}");
    }
    assert_eq!(fpm.read("there.deb"), b"");
}

#[test]
fn usage_errors_are_told_as_clamp_tells_them() {
    let fpm = Fpm::new();
    for (words, message) in [
        ("--nope", "ERROR: Unrecognised option '--nope'\n\nSee: 'fpm --help'\n"),
        ("-s dir -n", "ERROR: option '-n': no value provided\n\nSee: 'fpm --help'\n"),
    ] {
        let run = fpm.run(words);
        assert_eq!((run.stderr.as_str(), run.status), (message, Some(1)), "{words}");
    }
    assert_eq!(fpm.run("--version").stdout, "1.17.0\n");
    let help = fpm.run("--help");
    assert!(help.status == Some(0) && help.stdout.contains("--deb-systemd VALUE"), "{}", help.stdout);
}

#[test]
fn other_languages_packages_are_refused_with_what_to_do() {
    let fpm = Fpm::new();
    for (kind, instead) in
        [("gem", "gem install"), ("npm", "npm install"), ("python", "pip install"), ("cpan", "cpanm")]
    {
        let run = fpm.run(&format!("-s {kind} -t deb json"));
        assert_eq!(run.status, Some(1), "{kind}");
        assert!(run.stderr.contains(instead) && run.stderr.contains("-s dir"), "{}", run.stderr);
    }
    let run = fpm.run("-s dir -t osxpkg -n x file1");
    assert!(run.status == Some(1) && run.stderr.contains("does not write osxpkg"), "{}", run.stderr);
}

#[test]
fn names_are_cleaned_up_and_tokens_filled_in() {
    let fpm = Fpm::new();
    fs::create_dir(fpm.path("out")).unwrap();
    for (words, path) in [
        ("-t deb -n MyApp -v v1.2 -a x86_64", "myapp_1.2_amd64.deb"),
        ("-t deb -n app -v 1.2-3-g1 -a noarch", "app_1.2-3-g1_all.deb"),
        ("-t rpm -n app -v 1.2-3 --iteration 4-5 -a all", "app-1.2_3-4_5.noarch.rpm"),
        ("-t rpm -n app -v 1 -a arm64 -p out", "out/app-1-1.aarch64.rpm"),
        (
            "-t rpm -n app -v 1 --iteration 2 -a x86_64 -p out/NAME.FULLVERSION.ARCH.TYPE",
            "out/app.1-2.x86_64.rpm",
        ),
        ("-t pacman -n app -v 1 -a all --pacman-compression none", "app-1-1-any.pkg.tar"),
        ("-t apk -n app -v 1", "app_1_noarch.apk"),
        ("-t freebsd -n app -v 1 --iteration 0", "app-1.txz"),
        ("-t zip -n app", "app.zip"),
    ] {
        let run = fpm.run(&format!("-s dir -f {words} file1"));
        let line = format!("{{:message=>\"Created package\", :path=>\"{path}\"}}");
        assert!(run.stdout.lines().any(|said| said == line), "{words}: {}{}", run.stdout, run.stderr);
        assert!(fpm.path(path).is_file(), "{path}");
    }
}

#[test]
fn defaults_come_from_the_variable_and_the_files() {
    let fpm = Fpm::new();
    fs::write(fpm.path(".fpm"), "--vendor 'V W' file1\n").unwrap();
    fs::write(fpm.path("more"), "-n fromfile\n--iteration 7\n").unwrap();
    let run = fpm.run_with("-t deb --fpm-options-file more", &[("FPMOPTS", "-s dir -a all")]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    for said in [
        "Loading flags from FPMOPTS environment variable",
        "Loading flags from rc file .fpm",
        "Additional options: -s dir -a all --vendor V W",
        "Additional arguments: file1",
        ":path=>\"fromfile_1.0-7_all.deb\"",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert!(fpm.inspect("fromfile_1.0-7_all.deb").contains("V W"));
}

#[test]
fn templates_are_filled_in_and_what_is_none_is_refused() {
    let fpm = Fpm::new();
    let listing = fpm.listing(
        "-s dir -t deb -n app --template-scripts --after-install before.sh file1",
        "app_1.0_amd64.deb",
    );
    assert!(listing.contains("echo before app"), "{listing}");
    fs::write(fpm.path("ruby.sh"), "#!/bin/sh\n<% system('id') %>\n").unwrap();
    let run = fpm.run("-s dir -t deb -f -n app --template-scripts --after-install ruby.sh file1");
    assert!(
        run.status == Some(1) && run.stderr.contains("in line 2: `<% system('id') %>`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_signature_is_written_beside_the_package_by_the_key_of_the_environment() {
    let fpm = Fpm::new();
    let now = std::time::SystemTime::now();
    let key = packhouse_sign::generate("Fpm <fpm@example.org>", now, None).unwrap();
    let secret = String::from_utf8(key.secret.expose().to_vec()).unwrap();
    let words = "-s dir -t deb -n app --packhouse-sign file1";
    let run = fpm.run(words);
    assert!(run.status == Some(1) && run.stderr.contains("no key signs the package"), "{}", run.stderr);
    assert!(!fpm.path("app_1.0_amd64.deb").exists());
    let run = fpm.run_with(words, &[("PACKHOUSE_SIGNING_KEY", &secret)]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("Created signature\", :path=>\"app_1.0_amd64.deb.asc\""), "{}", run.stdout);
    let keyring = packhouse_sign::Keyring::from_certificates([key.certificate]);
    let mut package = fs::File::open(fpm.path("app_1.0_amd64.deb")).unwrap();
    let signature = fpm.read("app_1.0_amd64.deb.asc");
    let later = now + std::time::Duration::from_secs(60);
    packhouse_sign::verify_detached(&signature, &mut package, &keyring, later).unwrap();
}

#[test]
fn rpm_sign_puts_a_signature_into_the_package_by_the_key_of_the_environment() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let fpm = Fpm::new();
    let key = packhouse_sign::generate("Fpm <fpm@example.org>", std::time::SystemTime::now(), None).unwrap();
    let secret = String::from_utf8(key.secret.expose().to_vec()).unwrap();
    let variables = [("PACKHOUSE_SIGNING_KEY", &*secret)];
    let words = "-s dir -t rpm -n app -a x86_64 -f --rpm-sign";
    let run = fpm.run(&format!("{words} file1"));
    assert!(run.status == Some(1) && run.stderr.contains("no key signs the package"), "{}", run.stderr);
    let name = "app-1.0-1.x86_64.rpm";
    assert!(!fpm.path(name).exists());
    let run = fpm.run_with(&format!("{words} --packhouse-sign file1"), &variables);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let first = fs::read(fpm.path(name)).unwrap();
    // The one beside it is of the signed package.
    let keyring = packhouse_sign::Keyring::from_certificates([key.certificate.clone()]);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let asc = fpm.read("app-1.0-1.x86_64.rpm.asc");
    packhouse_sign::verify_detached(&asc, &mut &first[..], &keyring, later).unwrap();

    let armored = packhouse_sign::Keyring::from_certificates([key.certificate]).to_armored();
    fs::write(fpm.path("key.asc"), armored).unwrap();
    let rpm = |arguments: &[&str]| {
        let mut command = rpm.command();
        command.arg("--dbpath").arg(fpm.path("db")).args(arguments).current_dir(fpm.path(""));
        command.output().unwrap()
    };
    let output = rpm(&["--import", "key.asc"]);
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
    let output = rpm(&["-K", name]);
    let said = packhouse_clients::text(&output);
    assert!(output.status.success() && said.contains("digests signatures OK"), "{said}");
    // The same again: what is signed is dated by the package.
    let run = fpm.run_with(&format!("{words} file1"), &variables);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(fs::read(fpm.path(name)).unwrap() == first);
    // fpm hands the flag to rpmbuild, so that it means nothing elsewhere.
    let run = fpm.run("-s dir -t deb -n app --rpm-sign file1");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let run = fpm.run_with("-s dir -t rpm -n app -f -p /dev/stdout --rpm-sign file1", &variables);
    assert!(run.status == Some(1) && run.stderr.contains("cannot be signed inside"), "{}", run.stderr);
}

#[test]
fn fpm_needs_neither_git_nor_a_project() {
    let fpm = Fpm::new();
    let run = fpm.run_with("-s empty -t rpm -n meta -d foo", &[("PATH", "/nonexistent")]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(fpm.path("meta-1.0-1.noarch.rpm").is_file());
}
