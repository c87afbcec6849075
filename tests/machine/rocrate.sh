#!/bin/bash
# Makes the environment of the RO-Crate validator (rocrate.txt), once, with the contexts that it reads offline;
# prints the path of its program and that of its cache.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lock=$here/rocrate.txt
key=$(cat "$lock" "$here/rocrate_contexts.py" | sha256sum | cut -c1-16)
folder=${RELANCE_TEST_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/relance-tests}/rocrate-$key

exec 9>"$(mkdir -p "$(dirname "$folder")" && echo "$folder.lock")"
flock 9
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    "${PYTHON:-python3.11}" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2
    "$folder/bin/python" "$here/rocrate_contexts.py" "$folder/contexts" >&2
    touch "$folder/complete"
fi
echo "$folder/bin/rocrate-validator $folder/contexts"
