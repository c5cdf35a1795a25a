#!/bin/sh
# After an upgrade: the new version takes over where the old one ran. A service that the administrator has
# stopped or disabled stays so.
set -e

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    if command -v deb-systemd-invoke >/dev/null 2>&1; then
        restart=deb-systemd-invoke
    else
        restart=systemctl
    fi
    "$restart" try-restart orchestrator.service ||
        echo "orchestrator: upgraded, but it does not restart: journalctl -u orchestrator" >&2
fi
