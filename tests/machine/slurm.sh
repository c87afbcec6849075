#!/bin/bash
# Installs Slurm from the system's own packages (root, Debian or Ubuntu). Does nothing where it is there.
# It starts no service: a test starts a cluster of its own with slurmd.sh and stops it.
set -euo pipefail

missing() {
    local tool
    for tool in sbatch slurmctld slurmd munged; do command -v "$tool" >/dev/null || return 0; done
    return 1
}

if missing; then
    [ "$(id -u)" = 0 ] || { echo "slurm.sh: not root: ask for the packages slurmctld, slurmd, slurm-client and munge" >&2; exit 1; }
    echo "slurm.sh: installing slurmctld slurmd slurm-client munge" >&2
    apt-get update -qq
    # The packages would start their services, for a cluster that nobody has set up.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge >/dev/null
fi
sbatch --version 2>/dev/null || dpkg-query --show --showformat 'slurm-wlm ${Version}\n' slurm-client
