//! Names of packages, to the letter.

use crate::project::Project;

const SIX: [&str; 6] = ["ubuntu/20.04", "ubuntu/22.04", "amazon-linux/2", "centos/7", "rhel/7", "rocky/8"];

#[test]
fn six_targets_with_a_format_of_the_projects_own() {
    let project = Project::with_targets(&SIX);
    project.edit("name = \"hello\"", "name = \"metrist-orchestrator\"").edit("1.0.0", "0.1.0");
    project.set("version", "format = \"{version}-{target}-{revision}\"").commit("names");
    project.run("build --all --arch x86_64").ok();
    let revision = project.revision();
    assert_eq!(
        project.packages(),
        [
            format!("metrist-orchestrator-0.1.0_amazon_linux_2_{revision}-1.x86_64.rpm"),
            format!("metrist-orchestrator-0.1.0_centos_7_{revision}-1.x86_64.rpm"),
            format!("metrist-orchestrator-0.1.0_rhel_7_{revision}-1.x86_64.rpm"),
            format!("metrist-orchestrator-0.1.0_rocky_8_{revision}-1.x86_64.rpm"),
            format!("metrist-orchestrator_0.1.0-ubuntu-20.04-{revision}_amd64.deb"),
            format!("metrist-orchestrator_0.1.0-ubuntu-22.04-{revision}_amd64.deb"),
        ]
    );
}

#[test]
fn six_targets_with_the_default_format() {
    let project = Project::with_targets(&SIX);
    project.run("build --all --arch aarch64").ok();
    let revision = project.revision();
    assert_eq!(
        project.packages(),
        [
            format!("hello-1.0.0_amazon_linux_2_2605191200_{revision}-1.aarch64.rpm"),
            format!("hello-1.0.0_centos_7_2605191200_{revision}-1.aarch64.rpm"),
            format!("hello-1.0.0_rhel_7_2605191200_{revision}-1.aarch64.rpm"),
            format!("hello-1.0.0_rocky_8_2605191200_{revision}-1.aarch64.rpm"),
            format!("hello_1.0.0-ubuntu-20.04-2605191200-{revision}_arm64.deb"),
            format!("hello_1.0.0-ubuntu-22.04-2605191200-{revision}_arm64.deb"),
        ]
    );
}

#[test]
fn the_time_is_source_date_epochs_and_its_format_the_projects() {
    let project = Project::with_targets(&["debian/12"]);
    project.run_with(&[("SOURCE_DATE_EPOCH", "946684800")], "build --all").ok();
    assert_eq!(
        project.packages(),
        [format!("hello_1.0.0-debian-12-0001010000-{}_amd64.deb", project.revision())]
    );
    project.set("version", "format = \"{version}-{built:%Y%m%d%H%M}-{target}-{revision}\"");
    project.commit("format");
    project.run("build --all").ok();
    assert_eq!(
        project.packages(),
        [format!("hello_1.0.0-202605191200-debian-12-{}_amd64.deb", project.revision())]
    );
}

#[test]
fn a_target_is_named_in_three_ways() {
    let project = Project::with_targets(&["amazon-linux/2", "ubuntu/22.04"]);
    for words in ["ubuntu 22.04", "ubuntu/22.04", "ubuntu-22.04"] {
        project.run(&format!("build {words}")).ok().prints("pkg/hello_1.0.0-ubuntu-22.04-");
    }
    for words in ["amazon-linux 2", "amazon-linux/2", "amazon-linux-2"] {
        project.run(&format!("build {words}")).ok().prints("pkg/hello-1.0.0_amazon_linux_2_");
    }
}

#[test]
fn the_tags_own_elements_are_in_the_manifest_and_in_the_signed_list() {
    let project = Project::with_targets(&["amazon-linux/2"]);
    project.run("release --all --arch x86_64").ok();
    let manifest: serde_json::Value = serde_json::from_str(&project.read("pkg/manifest.json")).unwrap();
    let entry = &manifest["packages"][0];
    for (field, value) in [
        ("version", "1.0.0"),
        ("target", "amazon-linux-2"),
        ("distribution", "amazon-linux"),
        ("distribution_version", "2"),
        ("built", "2605191200"),
        ("revision", &project.revision()),
        ("arch", "x86_64"),
        ("format", "rpm"),
    ] {
        assert_eq!(entry[field], value, "{field}");
    }
    let list = fs_err::read_to_string(project.site().join("releases.asc")).unwrap();
    for element in ["\"1.0.0\"", "\"amazon-linux-2\"", &format!("\"{}\"", project.revision())] {
        assert!(list.contains(element), "{element} is not in the signed list");
    }
}
