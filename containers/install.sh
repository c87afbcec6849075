#!/bin/bash
# Run inside an image build: installs the locked packages of /opt/env/requirements.txt into /opt/env, so that the same
# packages always give the same bytes, readable by any user.
set -euo pipefail
umask 022
# The order of sets, and so of some compiled constants, follows from this.
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=0

# The builder may offer a pip configuration and certificates; nothing of /run stays in the image.
if [ -f /run/relance/pip.conf ]; then export PIP_CONFIG_FILE=/run/relance/pip.conf; fi
if [ -f /run/relance/certificates.crt ]; then
    export PIP_CERT=/run/relance/certificates.crt SSL_CERT_FILE=/run/relance/certificates.crt
fi
if [ -d /run/relance/cache ]; then export PIP_CACHE_DIR=/run/relance/cache; else export PIP_NO_CACHE_DIR=1; fi

# pip lives beside the environment, not in it.
installer=$(mktemp -d /tmp/installer.XXXXXX)
python3 -m venv "$installer"
python3 -m venv --without-pip /opt/env
"$installer/bin/pip" --disable-pip-version-check --python /opt/env/bin/python install --quiet --no-compile \
    --no-deps --only-binary :all: --require-hashes --requirement /opt/env/requirements.txt
rm -rf "$installer" /opt/env/install.sh

cd /opt/env
packages=$(echo lib/python3.*/site-packages)
# What no program of an analysis reads: the packages' own tests, headers, static libraries, Pythia's manual and examples.
find "$packages" -type d \( -name tests -o -name test \) -not -path '*/pyhf/*' -prune -exec rm -rf {} +
find "$packages" -name '*.a' -delete
find "$packages" -type d -name include -prune -exec rm -rf {} +
find "$packages" \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \) -delete
rm -rf share/Pythia8/{examples,htmldoc,pdfdoc} share/man share/doc include
rm -f bin/[Aa]ctivate*

# Compiled once, and trusted whatever the files' times: a read-only image could never write them itself.
# A package may hold files of another Python's syntax; they stay as they are.
compile() { python3 -m compileall -q -f --invalidation-mode unchecked-hash "$@" >/dev/null || true; }
find "$packages" -name __pycache__ -prune -exec rm -rf {} +
compile "$packages"
standard=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
find "$standard" -type d -name __pycache__ -prune -exec rm -rf {} +
compile -x 'site-packages|dist-packages|/test/|lib2to3/tests|idlelib|turtledemo' "$standard"
chmod -R u+rwX,go+rX,go-w /opt/env
