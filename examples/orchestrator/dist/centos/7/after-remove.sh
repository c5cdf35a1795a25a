#!/bin/sh
# After a removal, never on an upgrade: systemd forgets the unit, also one that had failed.
set -e

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    systemctl reset-failed orchestrator.service 2>/dev/null || true
fi
