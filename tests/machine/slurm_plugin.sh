#!/bin/bash
# Installs Snakemake's plugin for Slurm (requirements/slurm.txt) into a folder of its own, once, and prints its path.
# With the folder on PYTHONPATH the Python named by PYTHON has it.
set -euo pipefail

lock=$(cd "$(dirname "$0")/../../requirements" && pwd)/slurm.txt
python=${PYTHON:-python3.11}
key=$({ cat "$lock"; "$python" --version; } | sha256sum | cut -c1-16)
folder=${RELANCE_TEST_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/relance-tests}/slurm-$key

exec 9>"$(mkdir -p "$(dirname "$folder")" && echo "$folder.lock")"
flock 9
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target "$folder" -r "$lock" >&2
    touch "$folder/complete"
fi
echo "$folder"
