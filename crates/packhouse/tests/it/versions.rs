//! Where the version comes from, end to end.

use crate::project::Project;

/// The packages of a build whose version comes from `file`.
fn built(file: &str, text: &str) -> Vec<String> {
    let project = Project::with_targets(&["debian/12"]);
    project.edit("literal = \"1.0.0\"", &format!("from = \"{file}\"\nformat = \"{{version}}\""));
    project.write(file, text).commit("version");
    project.run("build --all --arch x86_64").ok();
    project.packages()
}

#[test]
fn the_version_is_read_from_the_projects_own_file() {
    let mix = "defmodule Hello.MixProject do\n  @version \"2.3.4\"\n  def project do\n    [version: @version]\n  end\nend\n";
    assert_eq!(built("mix.exs", mix), ["hello_2.3.4_amd64.deb"]);
    assert_eq!(
        built("Cargo.toml", "[package]\nname = \"hello\"\nversion = \"0.9.1\"\n"),
        ["hello_0.9.1_amd64.deb"]
    );
    assert_eq!(built("package.json", "{\"version\": \"7.0.1\"}\n"), ["hello_7.0.1_amd64.deb"]);
    assert_eq!(built("VERSION", "3.14\n"), ["hello_3.14_amd64.deb"]);
}

#[test]
fn the_version_is_the_newest_tags() {
    let project = Project::with_targets(&["debian/12"]);
    project.edit("literal = \"1.0.0\"", "from = \"git-tag\"\nformat = \"{version}\"").commit("tagged");
    project.git(&["tag", "v4.5.6"]);
    project.run("build --all --arch x86_64").ok();
    assert_eq!(project.packages(), ["hello_4.5.6_amd64.deb"]);
}

#[test]
fn outside_git_a_format_without_a_revision_works() {
    let project = Project::with_targets(&["debian/12"]);
    fs_err::remove_dir_all(project.path(".git")).unwrap();
    project.set("version", "format = \"{version}-{target}-{built}\"");
    project.run_with(&[("SOURCE_DATE_EPOCH", "1779192000")], "release --all --arch x86_64").ok();
    assert_eq!(project.packages(), ["hello_1.0.0-debian-12-2605191200_amd64.deb"]);
    project.run("verify ../site").ok();
}

#[test]
fn a_pyproject_with_a_dynamic_version_says_so() {
    let project = Project::with_targets(&["debian/12"]);
    project.edit("literal = \"1.0.0\"", "from = \"pyproject.toml\"");
    project.write("pyproject.toml", "[project]\nname = \"hello\"\ndynamic = [\"version\"]\n");
    project.run("build --all").exits(2).says("pyproject.toml").says("dynamic");
}
