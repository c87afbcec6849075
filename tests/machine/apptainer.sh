#!/bin/bash
# Installs Apptainer (root, Debian). Does nothing where it works already.
#
# Debian has Apptainer in unstable only, built for a newer C library than a stable release has. So the package is
# downloaded, not installed; its programs get a C library of their own beside them. The mirror is the one that the
# system's apt configuration names.
set -euo pipefail

say() { echo "apptainer.sh: $*" >&2; }
works() { command -v apptainer >/dev/null && apptainer --version >/dev/null 2>&1; }

libraries=/opt/apptainer/libc

if works; then
    apptainer --version
    exit 0
fi
[ "$(id -u)" = 0 ] || { say "not root: ask for Apptainer, see https://apptainer.org"; exit 1; }

. /etc/os-release
if [ "${ID:-}" != debian ]; then
    # Other distributions may have it as a plain package.
    apt-get update -qq
    if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends apptainer >/dev/null && works; then
        apptainer --version
        exit 0
    fi
    say "no package 'apptainer' for ${PRETTY_NAME:-this system}; see https://apptainer.org for how to install it"
    exit 1
fi

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    patchelf squashfs-tools ca-certificates debian-archive-keyring >/dev/null

archive=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(LABEL)' 'Created-By: Packages' \
    | awk '$2 == "main" && $3 == "Debian" { print $1; exit }')
[ -n "$archive" ] || { say "apt's configuration names no Debian archive with the component main"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch SUITE PACKAGE...: downloads packages of another suite, with apt state of its own.
fetch() {
    local suite=$1 state=$work/$1
    shift
    mkdir -p "$state"/{lists/partial,archives/partial,parts,debs}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" > "$state/sources.list"
    : > "$state/status"
    local options=(
        -o "Dir::Etc::SourceList=$state/sources.list" -o "Dir::Etc::SourceParts=$state/parts"
        -o "Dir::Etc::Preferences=/dev/null" -o "Dir::Etc::PreferencesParts=$state/parts"
        -o "Dir::State::Lists=$state/lists" -o "Dir::State::status=$state/status"
        -o "Dir::Cache::Archives=$state/archives" -o "APT::Sandbox::User=root" -o "Acquire::Languages=none"
    )
    apt-get "${options[@]}" update -qq
    (cd "$state/debs" && apt-get "${options[@]}" download -qq "$@")
}

say "downloading Apptainer and its C library"
fetch unstable apptainer
fetch trixie libc6 libseccomp2 libsqlite3-0

mkdir -p "$work/tree" "$work/libraries" "$libraries"
dpkg-deb -x "$work"/unstable/debs/apptainer_*.deb "$work/tree"
for package in "$work"/trixie/debs/*.deb; do dpkg-deb -x "$package" "$work/libraries"; done
find "$work/libraries" \( -name '*.so' -o -name '*.so.*' \) -not -path '*/gconv/*' -not -path '*/audit/*' -not -path '*/lib64/*' \
    -exec cp -a -t "$libraries" {} +

loader=$(cd "$libraries" && ls ld-linux-*.so.* | head -n 1)
for program in "$work/tree/usr/bin/apptainer" "$work"/tree/usr/libexec/apptainer/bin/starter \
    "$work"/tree/usr/lib/*/apptainer/bin/starter "$work"/tree/usr/lib/apptainer/bin/starter; do
    [ -f "$program" ] || continue
    patchelf --force-rpath --set-interpreter "$libraries/$loader" --set-rpath "$libraries" "$program"
done

configuration=$work/tree/etc/apptainer/apptainer.conf
capabilities=$(awk '/^CapPrm/ { print $2 }' /proc/self/status)
sys_resource=24
if (( (16#$capabilities >> sys_resource & 1) == 0 )) && [ -f "$configuration" ]; then
    # Else Apptainer asks for every capability for root and fails where one of them can't be had.
    sed -i 's/^root default capabilities = .*/root default capabilities = no/' "$configuration"
fi
cp -a "$work/tree/." /
command -v singularity >/dev/null || ln -s apptainer /usr/bin/singularity
works || { say "installed, but 'apptainer --version' fails: $(apptainer --version 2>&1 | head -n 1)"; exit 1; }
apptainer --version
