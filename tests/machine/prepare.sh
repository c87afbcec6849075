#!/bin/bash
# Makes every container engine and batch system that the tests use work on this machine; each script does nothing where its tool is there.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
for tool in podman apptainer docker slurm; do bash "$here/$tool.sh"; done
