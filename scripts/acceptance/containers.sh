#!/bin/sh
# Builds examples/orchestrator for debian/12 as its users do, in a container, and judges the result in a clean one:
# the base image comes from its Dockerfile, goes to a registry and is pulled from there; `mix release` runs inside;
# apt installs, upgrades and removes the package; the installed service answers.
#
#   scripts/acceptance/containers.sh target/release/packhouse
#
# Takes Docker, Debian's docker-registry and its package archive, and two minutes: the base image is built anew each
# time, because an image that Docker still has is not really pulled. KEEP=1 leaves the project behind.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: scripts/acceptance/containers.sh PACKHOUSE" >&2
    exit 2
fi
packhouse=$(realpath -- "$1")
script=$(realpath -- "$0")
repository=${script%/scripts/acceptance/containers.sh}

# Which engine is used is the user's to say.
docker_config=${DOCKER_CONFIG:-${HOME:-/root}/.docker}
. "$repository/scripts/acceptance/judging.sh"
export DOCKER_CONFIG="$docker_config"
needs docker docker-registry git curl
"$repository/scripts/base-image.sh" debian 12

port=${PORT:-5042}
registry=
clean=
stop() {
    [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
    [ -z "$clean" ] || docker rm --force --volumes "$clean" >/dev/null 2>&1 || true
    docker image ls --quiet "127.0.0.1:${port:-0}/orchestrator/*" | sort -u | xargs -r docker image rm --force >/dev/null || true
}

# --- a registry -----------------------------------------------------------------------------------------------

cat >"$work/registry.yml" <<TEXT
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: 127.0.0.1:$port}
TEXT
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
tries=0
until curl -fs "http://127.0.0.1:$port/v2/" >/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$registry" 2>/dev/null; then
        cat "$work/registry.log" >&2
        exit 1
    fi
    sleep 0.1
done

# --- the project ----------------------------------------------------------------------------------------------

project="$work/project"
mkdir "$project"
(cd "$repository/examples/orchestrator" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$project")
sed -i "s|^repository = .*|repository = \"127.0.0.1:$port/orchestrator/dist-{distribution}\"|" "$project/dist/packhouse.toml"
git -C "$project" init --quiet --initial-branch=main
commit() {
    git -C "$project" add --all
    git -C "$project" -c user.name=Test -c user.email=test@example.com commit --quiet --message "$1"
}
commit "version 0.1.0"
in_project() { "$packhouse" -C "$project" "$@"; }
package() { ls "$project"/pkg/orchestrator_*.deb; }

# --- the base image -------------------------------------------------------------------------------------------

image="127.0.0.1:$port/orchestrator/dist-debian"
tag=12-$(date -u +%Y.%W)
must "base builds the image of debian/12 and pushes it" in_project base debian 12 --push
# The week may have turned meanwhile.
[ -n "$(docker image ls --quiet "$image:$tag")" ] || tag=12-$(date -u +%Y.%W)
listed() { curl -fs "http://127.0.0.1:$port/v2/orchestrator/dist-debian/tags/list" | grep -q "\"$1\""; }
ok "the registry has the tag of the week, $tag" listed "$tag"
ok "the registry has the tag that moves" listed 12-latest
ok "the record has the digest" grep -q '"digest": "sha256:[0-9a-f]\{64\}"' "$project/pkg/base-images.json"
must "the engine forgets the image" docker image rm "$image:$tag" "$image:12-latest"

# --- the package, twice ---------------------------------------------------------------------------------------

must "build pulls the image, and builds and packages in a container" in_project build debian 12
ok "it was pulled" grep -q "^\$ docker pull $image:12-latest" "$project/pkg/logs/debian-12.log"
ok "mix ran there" grep -q "Release created" "$project/pkg/logs/debian-12.log"
old=$(package)
must "there is one package" test -s "$old"
cp "$old" "$work/old.deb"
must "the same commit is built again" in_project build debian 12
ok "it makes the same bytes in another container" cmp "$work/old.deb" "$old"
ok "no container is left" test -z "$(docker ps --all --quiet --filter label=packhouse.project=orchestrator)"

sed -i 's/@version "0.1.0"/@version "0.2.0"/' "$project/mix.exs"
commit "version 0.2.0"
must "the next version is built" in_project build debian 12
cp "$(package)" "$work/new.deb"

# --- a clean machine ------------------------------------------------------------------------------------------

clean=$(docker run --detach --init debian:12 sleep infinity)
inside() { docker exec --env DEBIAN_FRONTEND=noninteractive "$clean" "$@"; }
answers() { # VERSION: the service starts as its unit starts it, and is healthy
    docker exec "$clean" sh -c 'rm -f /tmp/log; install -d -o orchestrator /run/orchestrator'
    docker exec --detach --user orchestrator --workdir /tmp --env ORCHESTRATOR_PORT=4480 --env RELEASE_TMP=/run/orchestrator \
        --env ORCHESTRATOR_MONITORS=/etc/orchestrator/monitors.conf \
        "$clean" sh -c 'exec /usr/bin/orchestrator start >/tmp/log 2>&1'
    # shellcheck disable=SC2016 # for the shell inside
    health=$(docker exec "$clean" bash -c '
        for try in $(seq 300); do
            if exec 3<>/dev/tcp/127.0.0.1/4480; then break; fi 2>/dev/null
            sleep 0.1
        done
        printf "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3
        cat <&3') || true
    # As its own user: root in a container may not look at other users' processes.
    # shellcheck disable=SC2016 # for the shell inside
    docker exec --user orchestrator "$clean" sh -c '
        for process in /proc/[0-9]*; do
            case $(readlink "$process/exe") in */beam.smp) running=${process#/proc/} && kill "$running" ;; esac
        done 2>/dev/null
        tries=0
        while [ -e "/proc/$running" ] && [ $((tries += 1)) -lt 300 ]; do sleep 0.1; done' || true
    docker exec "$clean" sh -c 'cat /tmp/log'
    echo "$health"
    echo "$health" | grep -q "\"status\":\"ok\",\"version\":\"$1\""
}
must "a clean debian:12 has package lists" inside apt-get update -q
must "the first package is there" docker cp "$work/old.deb" "$clean:/tmp/old.deb"
must "the second package is there" docker cp "$work/new.deb" "$clean:/tmp/new.deb"
must "apt installs the package and what it depends on" inside apt-get install -q -y --no-install-recommends /tmp/old.deb
ok "the installed service answers" answers 0.1.0
ok "a customer edits the settings" inside sh -c 'echo "ORCHESTRATOR_API_TOKEN=the-customers" >>/etc/default/orchestrator'
must "apt upgrades" inside apt-get install -q -y --no-install-recommends /tmp/new.deb
ok "the customer's edit is kept" inside grep -q the-customers /etc/default/orchestrator
ok "the upgraded service answers" answers 0.2.0
must "apt removes" inside apt-get remove -q -y orchestrator
ok "no program is left" not inside sh -c 'ls -d /usr/lib/orchestrator /usr/bin/orchestrator'
ok "the configuration is kept" inside grep -q the-customers /etc/default/orchestrator
must "apt purges" inside apt-get purge -q -y orchestrator
ok "no configuration is left" not inside ls /etc/default/orchestrator

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks hold"
