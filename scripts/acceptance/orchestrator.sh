#!/bin/sh
# Packages examples/orchestrator for all its targets with the given packhouse and judges the result as customers
# meet it: dpkg and rpm install, upgrade and remove the packages in scratch roots, and the packaged service runs.
#
#   scripts/acceptance/orchestrator.sh target/release/packhouse
#
# Nothing outside a temporary directory changes: maintainer scripts run in a chroot whose systemctl, useradd, …
# only write down how they were called. KEEP=1 leaves the directory behind.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: scripts/acceptance/orchestrator.sh PACKHOUSE" >&2
    exit 2
fi
packhouse=$(realpath -- "$1")
script=$(realpath -- "$0")
repository=${script%/scripts/acceptance/orchestrator.sh}

# A chroot takes root; a user namespace is enough of it.
if [ "$(id -u)" -ne 0 ]; then
    exec unshare --map-root-user --user -- "$script" "$packhouse"
fi

. "$repository/scripts/acceptance/judging.sh"
needs curl dpkg git gpgv ldd mix rpm

service=
stop() { [ -z "$service" ] || kill -KILL "$service" 2>/dev/null || true; }

project="$work/project"
site="$work/site"
debs="debian/12 ubuntu/20.04 ubuntu/22.04"
rpms="amazon-linux/2 centos/7 rhel/7 rocky/8"

# same SENTENCE EXPECTED ACTUAL
same() { ok "$1" compare "$2" "$3"; }
compare() {
    [ "$1" = "$2" ] || {
        printf 'expected:\n%s\nfound:\n%s\n' "$1" "$2"
        return 1
    }
}

commit() { git -C "$project" -c user.name=Test -c user.email=test@example.com commit --quiet --all --message "$1"; }
release() { "$packhouse" -C "$project" release --all --engine host --to "$site" "$@"; }
listing() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2); }
pointer() { echo "$site/${1%/*}/${1%/*}-${1#*/}.$(uname -m).latest.txt"; }
package_of() { echo "$site/${1%/*}/$(cat "$(pointer "$1")")"; }

# --- the project, twice ---------------------------------------------------------------------------------------

mkdir "$project"
(cd "$repository/examples/orchestrator" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$project")
git -C "$project" init --quiet --initial-branch=main
git -C "$project" add --all
commit "version 0.1.0"
revision=$(git -C "$project" rev-parse --short HEAD)

must "release --all builds, signs and publishes all targets" release
same "the working tree is as it was" "" "$(git -C "$project" status --porcelain)"
ok "verify accepts the site" "$packhouse" -C "$project" verify "$site"

matches() { printf '%s' "$2" | grep -Eq -- "$1" || { echo "$2 is not like $1"; return 1; }; }

for target in $debs $rpms; do
    must "$target: there is a pointer" test -s "$(pointer "$target")"
    file=$(package_of "$target")
    name=$(basename "$file")
    tag=$(echo "$target" | tr / - | sed 's/\./\\./g')
    case "$name" in
    *.deb) pattern="^orchestrator_0\.1\.0-$tag-[0-9]{10}-${revision}_[a-z0-9]+\.deb$" ;;
    *) pattern="^orchestrator-0\.1\.0_$(echo "$tag" | tr - _)_[0-9]{10}_$revision-1\.[a-z0-9_]+\.rpm$" ;;
    esac
    ok "$target: the name has its four elements" matches "$pattern" "$name"
    ok "$target: the signature is one of the published keyring" gpgv --keyring "$site/keyring.gpg" "$file.asc" "$file"
    ok "$target: verify accepts the package" "$packhouse" verify "$file" --keyring "$site/keyring.gpg"
    case "$name" in
    *.deb) configuration=$(dpkg-deb --ctrl-tarfile "$file" | tar --extract --to-stdout ./conffiles) ;;
    *) configuration=$(rpm --query --package --configfiles "$file") ;;
    esac
    same "$target: what is below /etc is configuration" "/etc/default/orchestrator
/etc/orchestrator/monitors.conf" "$(echo "$configuration" | sort)"
done

before=$(listing "$site")
ok "publish --all again succeeds" "$packhouse" -C "$project" publish --all --to "$site"
same "publish --all again changes nothing" "$before" "$(listing "$site")"
for target in $debs $rpms; do
    cp "$(package_of "$target")" "$work/old-$(echo "$target" | tr / -)"
done

# Version 0.2.0 has other defaults, so that every edit of a customer meets a new version of the file.
sed -i 's/@version "0.1.0"/@version "0.2.0"/' "$project/mix.exs"
for file in "$project"/dist/*/*/inc/etc/default/orchestrator "$project/config/monitors.conf"; do
    echo "# new in 0.2.0" >>"$file"
done
commit "version 0.2.0"
must "release --all of the next version" release
for target in $debs $rpms; do
    ok "$target: the pointer names the new version" grep -q 'orchestrator[-_]0\.2\.0[-_]' "$(pointer "$target")"
done
ok "the old version is still there, unchanged" cmp "$work/old-debian-12" "$site"/debian/orchestrator_0.1.0-*.deb

# --- scratch roots --------------------------------------------------------------------------------------------

copy_program() { # ROOT PROGRAM: with the libraries it needs
    for file in "$(realpath "$(command -v "$2")")" $(ldd "$(realpath "$(command -v "$2")")" | grep -o '/[^ ]*'); do
        mkdir -p "$1$(dirname "$file")"
        cp --dereference "$file" "$1$file"
    done
}

make_root() {
    mkdir -p "$1/usr/bin" "$1/usr/sbin" "$1/usr/lib" "$1/usr/lib64" "$1/etc" "$1/run/systemd/system" "$1/tmp" "$1/dev"
    for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$1/$directory"; done
    : >"$1/dev/null"
    # A shell, and what glue around the scripts may reasonably use.
    for program in sh cat chmod chown grep mkdir mv readlink rm sed touch; do copy_program "$1" "$program"; done
    [ -e "$1/usr/bin/sh" ] || ln -s "$(basename "$(realpath /bin/sh)")" "$1/usr/bin/sh"
    for stub in systemctl useradd groupadd $2; do
        printf '#!/bin/sh\necho "%s $*" >>/calls\n' "$stub" >"$1/usr/bin/$stub"
        chmod 0755 "$1/usr/bin/$stub"
    done
    # No user is there yet.
    printf '#!/bin/sh\nexit 2\n' >"$1/usr/bin/getent"
    chmod 0755 "$1/usr/bin/getent"
    : >"$1/calls"
}

calls() { # what the scripts called since the last time
    cat "$1/calls"
    : >"$1/calls"
}

edit() {
    echo "ORCHESTRATOR_API_TOKEN=the-customers" >>"$1/etc/default/orchestrator"
    echo "mine 5s command /bin/true" >>"$1/etc/orchestrator/monitors.conf"
}
keeps_edits() {
    grep -q '^ORCHESTRATOR_API_TOKEN=the-customers$' "$1/etc/default/orchestrator" &&
        grep -q '^mine 5s' "$1/etc/orchestrator/monitors.conf"
}
answers() { # ROOT VERSION: the packaged service starts, by the link customers call, and is healthy
    mkdir -p "$work/run"
    : >"$work/service.log"
    # From another directory than the link's: a relative link must be followed, not read.
    (cd "$work/run" && exec env RELEASE_TMP="$work/run" ORCHESTRATOR_PORT=0 \
        ORCHESTRATOR_MONITORS="$1/etc/orchestrator/monitors.conf" "$1/usr/bin/orchestrator" start) >"$work/service.log" 2>&1 &
    service=$!
    tries=0
    until address=$(grep -o 'http://127[0-9.:]*' "$work/service.log"); do
        tries=$((tries + 1))
        if [ $tries -gt 100 ] || ! kill -0 "$service" 2>/dev/null; then
            cat "$work/service.log"
            return 1
        fi
        sleep 0.1
    done
    health=$(curl -fsS --max-time 5 "$address/health")
    metrics=$(curl -fsS --max-time 5 "$address/metrics")
    kill -TERM "$service"
    status=0
    wait "$service" || status=$?
    service=
    echo "$health $status"
    [ "$status" -eq 0 ] && echo "$health" | grep -q "\"status\":\"ok\",\"version\":\"$2\"" &&
        echo "$metrics" | grep -q "^orchestrator_build_info{version=\"$2\"} 1"
}
gone() { [ -z "$(cd "$1" && ls -d usr/lib/orchestrator usr/bin/orchestrator usr/lib/systemd/system/orchestrator.service 2>/dev/null)" ]; }

installs_and_starts="groupadd --system orchestrator
useradd --system --gid orchestrator --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment Orchestrator orchestrator
systemctl enable --quiet orchestrator.service
systemctl daemon-reload"
stops_and_forgets="systemctl stop orchestrator.service
systemctl disable --quiet orchestrator.service
systemctl daemon-reload
systemctl reset-failed orchestrator.service"

# --- dpkg -----------------------------------------------------------------------------------------------------

root="$work/deb"
make_root "$root" deb-systemd-invoke
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
# Dependencies are not the question here: nothing else is installed in this root.
in_dpkg() { dpkg --root="$root" --force-depends --force-confdef --force-confold --no-triggers "$@" </dev/null; }
deb_start="$installs_and_starts
deb-systemd-invoke start orchestrator.service"

must "dpkg installs" in_dpkg --install "$work/old-debian-12"
same "dpkg: an installation makes the user, enables and starts" "$deb_start" "$(calls "$root")"
same "dpkg: nothing differs from the package" "" "$(in_dpkg --verify orchestrator)"
ok "dpkg: the installed service answers" answers "$root" 0.1.0
same "dpkg: only root reads the settings" 600 "$(stat -c %a "$root/etc/default/orchestrator")"
edit "$root"
must "dpkg upgrades" in_dpkg --install "$(package_of debian/12)"
same "dpkg: an upgrade restarts what runs, nothing else" "systemctl daemon-reload
deb-systemd-invoke try-restart orchestrator.service" "$(calls "$root")"
ok "dpkg: an upgrade keeps the customer's edits" keeps_edits "$root"
ok "dpkg: the new defaults lie beside" grep -q "new in 0.2.0" "$root/etc/default/orchestrator.dpkg-dist"
ok "dpkg: the old version's directories are gone" not test -e "$root/usr/lib/orchestrator/lib/orchestrator-0.1.0"
ok "dpkg: the upgraded service answers" answers "$root" 0.2.0
must "dpkg installs the same version again" in_dpkg --install "$(package_of debian/12)"
same "dpkg: the same version again is an upgrade" "systemctl daemon-reload
deb-systemd-invoke try-restart orchestrator.service" "$(calls "$root")"
must "dpkg removes" in_dpkg --remove orchestrator
same "dpkg: a removal stops and disables" "$stops_and_forgets" "$(calls "$root")"
ok "dpkg: a removal leaves no program" gone "$root"
ok "dpkg: a removal keeps the configuration" keeps_edits "$root"
# `postinst configure` gets the old version here as on an upgrade, although the service was disabled meanwhile.
must "dpkg installs what was removed" in_dpkg --install "$(package_of debian/12)"
same "dpkg: installing what was removed enables and starts" "$deb_start" "$(calls "$root")"
must "dpkg purges" in_dpkg --purge orchestrator
same "dpkg: a purge stops and disables" "$stops_and_forgets" "$(calls "$root")"
rm -f "$root"/etc/default/*.dpkg-* "$root"/etc/orchestrator/*.dpkg-*
ok "dpkg: a purge leaves no configuration" not ls "$root/etc/default/orchestrator" "$root/etc/orchestrator"

# --- rpm ------------------------------------------------------------------------------------------------------

root="$work/rpm"
make_root "$root" ""
# Debian's rpm wants to be told twice that it may install.
in_rpm() { rpm --root "$root" --force-debian "$@" </dev/null; }
must "rpm makes a database" rpm --root "$root" --initdb
rpm_start="$installs_and_starts
systemctl start orchestrator.service"

must "rpm installs" in_rpm --nodeps --install "$work/old-rocky-8"
same "rpm: an installation makes the user, enables and starts" "$rpm_start" "$(calls "$root")"
same "rpm: nothing differs from the package" "" "$(in_rpm --verify --nodeps orchestrator 2>&1)"
ok "rpm: the installed service answers" answers "$root" 0.1.0
same "rpm: only root reads the settings" 600 "$(stat -c %a "$root/etc/default/orchestrator")"
edit "$root"
must "rpm upgrades" in_rpm --nodeps --upgrade "$(package_of rocky/8)"
same "rpm: an upgrade restarts what runs, nothing else" "systemctl daemon-reload
systemctl try-restart orchestrator.service" "$(calls "$root")"
ok "rpm: an upgrade keeps the customer's edits" keeps_edits "$root"
ok "rpm: the new defaults lie beside" grep -q "new in 0.2.0" "$root/etc/default/orchestrator.rpmnew"
ok "rpm: the old version's directories are gone" not test -e "$root/usr/lib/orchestrator/lib/orchestrator-0.1.0"
ok "rpm: the upgraded service answers" answers "$root" 0.2.0
must "rpm installs the same version again" in_rpm --nodeps --reinstall "$(package_of rocky/8)"
same "rpm: the same version again is an upgrade" "systemctl daemon-reload
systemctl try-restart orchestrator.service" "$(calls "$root")"
must "rpm removes" in_rpm --nodeps --erase orchestrator
same "rpm: a removal stops and disables" "$stops_and_forgets" "$(calls "$root")"
ok "rpm: a removal leaves no program" gone "$root"
ok "rpm: a removal keeps the customer's edits" grep -q the-customers "$root/etc/default/orchestrator.rpmsave"

# --- without systemd, as in a container -----------------------------------------------------------------------

root="$work/container"
make_root "$root" ""
rm -r "$root/usr/bin/systemctl" "$root/run/systemd"
must "rpm makes a database in the container" rpm --root "$root" --initdb
must "a container without systemd: installs" in_rpm --nodeps --install "$work/old-centos-7"
must "a container without systemd: upgrades" in_rpm --nodeps --upgrade "$(package_of centos/7)"
must "a container without systemd: removes" in_rpm --nodeps --erase orchestrator
same "a container without systemd: only the user is made" "$(echo "$installs_and_starts" | grep -v systemctl)" "$(calls "$root")"

# --- copies that must stay the same ---------------------------------------------------------------------------

one_of() { # each target has its own file; those of a group are the same
    [ "$(cd "$repository/examples/orchestrator/dist" && sha256sum "$@" | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 1 ]
}
# shellcheck disable=SC2046 # lists of paths without blanks
for kind in after-remove.sh inc/etc/default/orchestrator; do
    ok "all targets have the same $kind" one_of $(for target in $debs $rpms; do echo "$target/$kind"; done)
done
unit=inc/usr/lib/systemd/system/orchestrator.service
ok "systemd 219 has one unit" one_of centos/7/$unit rhel/7/$unit amazon-linux/2/$unit
ok "newer systemd has one unit" one_of debian/12/$unit ubuntu/20.04/$unit ubuntu/22.04/$unit rocky/8/$unit

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks hold"
