#!/bin/bash
# slurmd.sh start FOLDER   starts a Slurm cluster of this one machine, whose files lie in FOLDER; prints its slurm.conf
# slurmd.sh stop FOLDER    cancels its jobs and stops it, and no other
#
# Jobs are submitted with SLURM_CONF set to that file and FOLDER/bin first on PATH. It keeps no account of jobs.
set -euo pipefail

usage="usage: slurmd.sh start|stop FOLDER"
folder=$(realpath -m "${2:?$usage}")
export SLURM_CONF=$folder/slurm.conf

say() { echo "slurmd.sh: $*" >&2; }

configure() {
    local host ports
    host=$(hostname -s)
    ports=$(python3 -c '
import socket
ends = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(end.getsockname()[1] for end in ends))')
    cat > "$SLURM_CONF" <<CONF
ClusterName=relance
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
NodeName=here NodeHostname=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=here Default=YES MaxTime=INFINITE State=UP
CONF
}

begin() {
    rm -rf "$folder"/state "$folder"/spool
    mkdir -p "$folder"/{state,spool}
    configure
    setsid slurmctld -D </dev/null >"$folder/slurmctld.out" 2>&1 &
    setsid slurmd -D -N here </dev/null >"$folder/slurmd.out" 2>&1 &
    for _ in $(seq 100); do
        [ "$(timeout 5 sinfo --noheader --format %t 2>/dev/null)" = idle ] && return 0
        sleep 0.1
    done
    return 1
}

end() {
    local file processes=()
    for file in "$@"; do
        if [ -f "$folder/$file.pid" ]; then processes+=("$(cat "$folder/$file.pid")"); fi
    done
    kill "${processes[@]}" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "${processes[@]}" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "${processes[@]}" 2>/dev/null || true
}

case ${1:?$usage} in
start)
    mkdir -p "$folder/bin"
    # munged wants its socket to be reachable by every user, and nobody else to be able to write beside it.
    chmod 711 "$folder"
    (umask 077 && head -c 128 /dev/urandom > "$folder/munge.key")
    # Snakemake's plugin unsets SLURM_CONF for srun: on a real cluster the file lies where every command looks.
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" > "$folder/bin/srun"
    chmod +x "$folder/bin/srun"
    munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
    for _ in 1 2 3; do # somebody else may have taken a port meanwhile
        if begin; then
            echo "$SLURM_CONF"
            exit 0
        fi
        end slurmd slurmctld
    done
    say "no cluster after 30 s; the ends of its logs:"
    tail -qn 5 "$folder"/*.log "$folder"/*.out >&2
    end munged
    exit 1
    ;;
stop)
    [ -f "$SLURM_CONF" ] || exit 0
    # What runs a job survives the daemon that started it.
    timeout 5 scancel --user "$(id -un)" 2>/dev/null || true
    for _ in $(seq 100); do
        [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
        sleep 0.1
    done
    end slurmd slurmctld munged
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
