#!/bin/sh
# After a first installation: the service's user, then the service. Packhouse never runs this on an upgrade.
set -e

# The user stays when the package goes: a later user must not get its number, and with it its files.
if ! getent group orchestrator >/dev/null; then
    groupadd --system orchestrator
fi
if ! getent passwd orchestrator >/dev/null; then
    useradd --system --gid orchestrator --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin --comment "Orchestrator" orchestrator
fi

# Without a systemd at all, as in a container, there is no service to care for.
if command -v systemctl >/dev/null 2>&1; then
    # Also where systemd does not run yet, as in an image that is being built: enabling only writes a link.
    systemctl enable --quiet orchestrator.service ||
        echo "orchestrator: cannot enable the service: systemctl enable orchestrator" >&2

    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        # deb-systemd-invoke asks policy-rc.d, by which a Debian administrator forbids starting services.
        if command -v deb-systemd-invoke >/dev/null 2>&1; then
            start=deb-systemd-invoke
        else
            start=systemctl
        fi
        # A service that does not start must not leave a package that is half installed.
        "$start" start orchestrator.service ||
            echo "orchestrator: installed, but it does not start: journalctl -u orchestrator" >&2
    fi
fi
