#!/bin/bash
# Installs the Docker engine from the system's own packages (root, Debian or Ubuntu). Does nothing where it is there.
# It starts no service: a test starts a daemon of its own with dockerd.sh and stops it.
set -euo pipefail

if ! dockerd --version >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || { echo "docker.sh: not root: ask for the package docker.io" >&2; exit 1; }
    echo "docker.sh: installing docker.io" >&2
    apt-get update -qq
    # The package would start its service, with the machine's network rules and a fixed folder.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi
dockerd --version
