#!/bin/bash
# Makes the environment of reana-client 0.9.6 (reana.txt), once, and prints the path of its program.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lock=$here/reana.txt
folder=${RELANCE_TEST_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/relance-tests}/reana-$(sha256sum "$lock" | cut -c1-16)

exec 9>"$(mkdir -p "$(dirname "$folder")" && echo "$folder.lock")"
flock 9
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    "${PYTHON:-python3.11}" -m venv "$folder"
    # The lock has all that is needed; pip would ask for jsonschema[format] beside the jsonschema that is locked.
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock" >&2
    touch "$folder/complete"
fi
echo "$folder/bin/reana-client"
