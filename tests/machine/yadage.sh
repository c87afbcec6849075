#!/bin/bash
# Makes the environment of yadage 0.21.2 (yadage.txt), once, and prints the path of its Python.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lock=$here/yadage.txt
folder=${RELANCE_TEST_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/relance-tests}/yadage-$(sha256sum "$lock" | cut -c1-16)

exec 9>"$(mkdir -p "$(dirname "$folder")" && echo "$folder.lock")"
flock 9
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    "${PYTHON:-python3.11}" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2
    touch "$folder/complete"
fi
echo "$folder/bin/python"
