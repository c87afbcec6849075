#!/bin/bash
# Installs Podman, buildah, skopeo, mmdebstrap, squashfs-tools, and what image tests need besides (a registry server,
# another clock, another sandbox, a file system that shares blocks), from the system's own packages (root, Debian or
# Ubuntu), and makes sure that `podman run --network none` works. Does nothing where it does already.
set -euo pipefail

packages=(podman buildah skopeo crun runc uidmap mmdebstrap squashfs-tools fuse-overlayfs faketime
    docker-registry bubblewrap btrfs-progs)
dropin=/etc/containers/containers.conf.d/50-limited-machine.conf

say() { echo "podman.sh: $*" >&2; }

missing() {
    local tool
    for tool in podman buildah skopeo runc mmdebstrap sqfstar faketime docker-registry bwrap mkfs.btrfs; do
        command -v "$tool" >/dev/null || return 0
    done
    return 1
}

# A container needs no image to be tried: the folder holds one static program.
runs() {
    local folder status=0
    folder=$(mktemp -d)
    mkdir -p "$folder"/{proc,sys,dev,etc,run,tmp}
    cp "$(command -v busybox || echo /bin/busybox)" "$folder/true"
    timeout 60 podman run --rm --network none --rootfs "$folder" /true true >/dev/null 2>"$folder.log" || status=$?
    [ $status -eq 0 ] || sed 's/^/podman.sh:   /' "$folder.log" >&2
    rm -rf "$folder" "$folder.log"
    return $status
}

if missing || ! command -v busybox >/dev/null; then
    [ "$(id -u)" = 0 ] || { say "not root: ask for the packages ${packages[*]} busybox-static"; exit 1; }
    say "installing ${packages[*]}"
    apt-get update -qq
    # The registry's package would start a service; tests start their own.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${packages[@]}" busybox-static ca-certificates >/dev/null
fi

if ! runs 2>/dev/null; then
    # Where the capability to raise limits is missing, or only runc knows the machine's cgroups, Podman must ask for less.
    [ "$(id -u)" = 0 ] || { say "Podman is there but can't run a container; run 'podman info' to see why"; exit 1; }
    mkdir -p "$(dirname "$dropin")"
    cat > "$dropin.part" <<'CONF'
[engine]
runtime = "runc"

[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
CONF
    mv "$dropin.part" "$dropin"
    say "wrote $dropin"
    runs || { say "Podman still can't run a container with $dropin"; exit 1; }
fi
podman --version
