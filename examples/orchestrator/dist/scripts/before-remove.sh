#!/bin/sh
# Before a removal, never on an upgrade: nothing may run, or start at the next boot, whose files are gone.
set -e

if command -v systemctl >/dev/null 2>&1; then
    if [ -d /run/systemd/system ]; then
        systemctl stop orchestrator.service || true
    fi
    systemctl disable --quiet orchestrator.service || true
fi
