//! `SEC-07`: modes do not depend on the umask. Secrets are their owner's alone, what is public everybody may read.

use std::os::unix::fs::PermissionsExt as _;

use crate::project::{Project, Run, names};

#[test]
fn modes_of_what_is_written_do_not_depend_on_the_umask() {
    let Some([sh]) = packhouse_clients::find(["sh"]) else { return };
    for umask in ["000", "022", "077"] {
        let project = Project::with_targets(&["debian/12"]);
        let mut command = sh.command();
        let script = format!("umask {umask}; exec {} release --all", env!("CARGO_BIN_EXE_packhouse"));
        project.prepare(&mut command).args(["-c", &script]);
        Run::from(command.output().unwrap()).ok();

        let mode = |path: &std::path::Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
        let data = project.beside("home/.local/share/packhouse");
        assert_eq!(mode(&data), 0o700, "umask {umask}");
        for name in names(&data) {
            assert_eq!(mode(&data.join(&name)), 0o600, "umask {umask}: {name}");
        }
        for directory in [project.site(), project.path("pkg")] {
            for name in names(&directory) {
                let of_file = mode(&directory.join(&name));
                assert_eq!(of_file & 0o022, 0, "umask {umask}: others may write {name} ({of_file:o})");
            }
        }
        for name in names(&project.site()) {
            let of_file = mode(&project.site().join(&name));
            assert_eq!(of_file, 0o644, "umask {umask}: {name} is not for everybody ({of_file:o})");
        }
    }
}
