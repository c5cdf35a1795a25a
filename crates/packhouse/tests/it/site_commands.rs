//! What is done to a site besides publishing: plan, promote, yank, rollback, prune, repair, site check.

use serde_json::Value;

use crate::project::{Project, arch, files};

const POINTER: &str = "debian-12";

/// A project of one target of which each release has another file name: its time is in it.
fn release(project: &Project, epoch: &str, channel: &str) -> String {
    let arguments = format!("release --all --channel {channel} --json");
    let run = project.run_with(&[("SOURCE_DATE_EPOCH", epoch)], &arguments).ok();
    let published = run.documents().pop().unwrap();
    published["packages"][0]["file"].as_str().unwrap().to_owned()
}

fn pointer(project: &Project, suffix: &str) -> Option<String> {
    let name = format!("debian/{POINTER}.{}.latest{suffix}.txt", arch());
    Some(fs_err::read_to_string(project.site().join(name)).ok()?.trim_end().to_owned())
}

fn document(project: &Project, arguments: &str) -> Value {
    project.run(&format!("{arguments} --json")).ok().documents().pop().unwrap()
}

#[test]
fn releases_are_promoted_withdrawn_and_gone_back_from() {
    let project = Project::with_targets(&["debian/12"]);
    let first = release(&project, "1700000000", "preview");
    assert_eq!(pointer(&project, "-preview"), Some(first.clone()));
    assert_eq!(pointer(&project, ""), None);

    project.run("promote --all").ok().prints("Promoted to stable: 1 package").prints(&first);
    assert_eq!(pointer(&project, ""), Some(first.clone()));
    let again = document(&project, "promote debian 12");
    assert_eq!(
        (&again["changed"], &again["packages"][0]),
        (&Value::Bool(false), &format!("debian/{first}").into())
    );

    let second = release(&project, "1700000600", "stable");
    assert_eq!(pointer(&project, ""), Some(second.clone()));
    project.run(&format!("rollback --release {first}")).ok().prints(&format!("→ {first}"));
    assert_eq!(pointer(&project, ""), Some(first.clone()));
    // The same release again does not come back by itself; the next one does.
    release(&project, "1700000600", "stable");
    assert_eq!(pointer(&project, ""), Some(first.clone()));
    let third = release(&project, "1700001200", "stable");
    assert_eq!(pointer(&project, ""), Some(third.clone()));

    project.run(&format!("yank --release {third}")).exits(2).says("for a reason").says("help:");
    project.run(&format!("yank --release {third} --reason broken")).ok().prints("Withdrew 1 package");
    assert_eq!(pointer(&project, ""), Some(first.clone()));
    let run = project.run_with(&[("SOURCE_DATE_EPOCH", "1700001200")], "publish --all").exits(1);
    run.says("was withdrawn: broken").says("--undo");
    project.run("site list").ok().prints("withdrawn: broken").prints("rolled back in stable");
    project.run(&format!("yank --release {third} --undo")).ok();
    assert_eq!(pointer(&project, ""), Some(third));

    project.run("yank --release 9.9.9 --reason x").exits(1).says("the site has no release `9.9.9`");
    project.run("promote rocky 8").exits(1).says("the site has no package in channel `preview`");
    project.run("verify ../site").ok();
    project.run("site check").ok().prints("nothing else is there");
}

#[test]
fn a_target_of_which_everything_is_withdrawn_has_no_pointer() {
    let project = Project::with_targets(&["debian/12"]);
    let only = release(&project, "1700000000", "stable");
    project.run("yank --release 1.0.0 --reason broken").ok().prints("is gone: nothing is offered there");
    assert_eq!(pointer(&project, ""), None);
    assert!(project.site().join("debian").join(only).exists(), "who has its name still finds it");
    project.run("verify ../site").ok();
}

#[test]
fn pruning_shows_first_then_unlists_and_deletes_a_while_later() {
    let project = Project::with_targets(&["debian/12"]);
    let releases: Vec<String> =
        ["1700000000", "1700000600", "1700001200"].map(|epoch| release(&project, epoch, "stable")).into();
    let before = files(&project.site());
    project.run("prune").ok().prints("Nothing to prune");
    let run = project.run("prune --keep 1 --keep-for 0s").ok();
    run.prints(&format!("debian/{}: leaves the list", releases[0])).says("--yes does it");
    assert!(files(&project.site()) == before, "a dry run changed something");

    project.run(&format!("prune --pin {}", releases[0])).ok().prints("Keeps 1 package");
    let pruned = document(&project, "prune --keep 1 --keep-for 0s --yes");
    assert_eq!(pruned["retire"], serde_json::json!([format!("debian/{}", releases[1])]));
    assert_eq!((&pruned["delete"], pruned["waiting"].as_array().unwrap().len()), (&serde_json::json!([]), 2));
    let there = |name: &str| project.site().join("debian").join(name).exists();
    assert!(there(&releases[1]), "who has read the old list still finds it");
    project.run("verify ../site").ok();
    project.run("site check").ok();

    project.run("prune --keep 1 --keep-for 0s --grace 0s --yes").ok().prints("deleted");
    assert!(there(&releases[0]) && !there(&releases[1]) && there(&releases[2]));
    project.run("verify ../site").ok();
    project.run("prune --keep-for 90").exits(2).says("as in 90d");
}

#[test]
fn a_plan_says_what_a_release_would_do_and_does_nothing() {
    let project = Project::with_targets(&["debian/12"]);
    let plan = document(&project, "plan");
    assert!(!project.site().exists() && !project.path("pkg").exists());
    let added: Vec<&str> = plan["added"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((added.len(), plan["replaced"].as_array().unwrap().len()), (9, 0), "{plan}");
    project.run("release --all").ok();
    for name in &added {
        assert!(project.site().join(name).is_file(), "{name}");
    }
    project.run("plan").ok().prints("Nothing would change").prints("published");
    project.write("more", "x").commit("more");
    let plan = project.run_with(&[("SOURCE_DATE_EPOCH", "4000000000")], "plan --json").ok().documents();
    let plan = &plan[0];
    assert_eq!(plan["moved"].as_array().unwrap().len(), 1, "{plan}");
    assert!(plan["replaced"].as_array().unwrap().contains(&"releases.json".into()), "{plan}");
    assert_eq!(plan["removed"], serde_json::json!([]));
}

#[test]
fn a_site_that_is_not_as_it_should_be_is_found_out_and_repaired() {
    let project = Project::with_targets(&["debian/12"]);
    release(&project, "1700000000", "stable");
    let file = project.site().join(format!("debian/debian-12.{}.latest.txt", arch()));
    let whole = files(&project.site());
    fs_err::write(&file, "hello_0.deb\n").unwrap();
    fs_err::remove_file(project.site().join("install.sh")).unwrap();
    fs_err::write(project.site().join("debian/left-behind.deb"), "x").unwrap();
    let run = project.run("site check").exits(1);
    run.prints("names `hello_0.deb`").prints("`debian/left-behind.deb` is there and no release names it");
    project.run("repair").ok().prints("install.sh");
    project.run("repair").ok().prints("Nothing to repair");
    project.run("prune --grace 0s --yes").ok().prints("left-behind.deb");
    project.run("site check").ok();
    let now = files(&project.site());
    assert!(whole.keys().eq(now.keys()), "{:?}", now.keys());
    project.run("verify ../site").ok();
}

#[test]
fn a_bucket_is_a_site_like_any_other() {
    let Some(moto) = packhouse_clients::moto() else { return };
    let project = Project::with_targets(&["debian/12", "rocky/8"]);
    let endpoint = moto.endpoint();
    let variables = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2canary"),
    ];
    let run = |arguments: &str| project.run_with(&variables, arguments);
    project.edit("to = \"../site\"", "to = \"s3://bucket/hello\"").commit("to a bucket");
    run("release --all").exits(2).says("s3://bucket/hello has no public address").says("public-url");
    project.set("publish", "public-url = \"https://dist.example.org/hello\"").commit("with an address");
    // Nobody publishes to a bucket with the key of a machine.
    run("release --all").exits(2).hides("canary");
    project.run("release --all --to ../elsewhere").ok();
    let home = project.beside("home/.local/share/packhouse");
    let secret = fs_err::read_dir(home)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| fs_err::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY BLOCK")));
    fs_err::copy(secret.unwrap(), project.beside("key.asc")).unwrap();
    fs_err::copy(project.beside("elsewhere/keyring.gpg"), project.path("dist/trustedkeys.gpg")).unwrap();
    project.set("sign", "key-file = \"../key.asc\"\nkeyring = \"dist/trustedkeys.gpg\"").commit("with a key");
    let run = |arguments: &str| project.run_with(&variables, arguments).hides("canary").hides("CANARY");
    run("plan").ok().prints("add debian/");
    run("release --all")
        .ok()
        .prints("Published 2 packages")
        .prints("https://dist.example.org/hello/install.sh");
    run("release --all").ok().prints("Nothing new");
    run("verify s3://bucket/hello").ok().prints("2 packages");
    run("site check").ok();
    run("promote --all --from stable --channel lts").ok().prints("latest-lts.txt");
    run("repair").ok().prints("Nothing to repair");
    run("doctor").prints("s3://bucket/hello, with conditional writes");
    let unreachable = [("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"), variables[1], variables[2]];
    let lost = project.run_with(&unreachable, "site list").hides("canary").hides("CANARY").exits(1);
    lost.says("cannot read `releases.json` on s3://bucket/hello").says("nobody answered").says("help:");
}
