#!/bin/bash
# dockerd.sh start FOLDER   starts a Docker daemon whose socket, data and log lie in FOLDER; prints its DOCKER_HOST
# dockerd.sh stop FOLDER    stops that daemon and no other
set -euo pipefail

usage="usage: dockerd.sh start|stop FOLDER"
folder=$(realpath -m "${2:?$usage}")

case ${1:?$usage} in
start)
    mkdir -p "$folder"
    # No bridge and no iptables: containers run with --network none or host, and the machine's rules stay as they are.
    setsid dockerd -H "unix://$folder/docker.sock" --iptables=false --bridge=none --storage-driver overlay2 \
        --data-root "$folder/root" --exec-root "$folder/exec" -p "$folder/pid" </dev/null >"$folder/log" 2>&1 &
    process=$!
    for _ in $(seq 300); do
        if curl --silent --unix-socket "$folder/docker.sock" http://docker/_ping >/dev/null 2>&1; then
            echo "unix://$folder/docker.sock"
            exit 0
        fi
        kill -0 $process 2>/dev/null || break
        sleep 0.1
    done
    echo "dockerd.sh: no Docker daemon on $folder/docker.sock after 30 s; end of its log:" >&2
    tail -n 5 "$folder/log" >&2
    exit 1
    ;;
stop)
    [ -f "$folder/pid" ] || exit 0
    process=$(cat "$folder/pid")
    kill "$process" 2>/dev/null || true
    for _ in $(seq 150); do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$process" 2>/dev/null || true
    # The daemon leaves mounts behind, and the folder could not be deleted.
    awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
