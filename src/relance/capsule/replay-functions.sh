set -eu
umask 022
LC_ALL=C
export LC_ALL
# Nothing of this machine's settings may reach a job.
unset CDPATH APPTAINER_BIND APPTAINER_BINDPATH SINGULARITY_BIND SINGULARITY_BINDPATH
for one in $(env | sed -n -e 's/^\(APPTAINERENV_[A-Za-z0-9_]*\)=.*/\1/p' -e 's/^\(SINGULARITYENV_[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$one"
done

usage() {
    echo "usage: sh replay.sh [--with apptainer|podman|docker] [--only-check] [FOLDER]"
    echo "FOLDER is made (default: ./replay); the files of the analysis come into FOLDER/files, the jobs run there."
    echo "Type the same command again after an interruption: what is done is not done again."
    echo "--only-check compares the products that lie there and runs nothing."
    echo "exit status: 0 every product is as it was, 1 one isn't or a job failed, 2 something is missing here,"
    echo "3 some jobs can't be run by this script; all that could be is as it was"
}

stop() {
    echo "replay: $*" >&2
    exit 2
}

say() {
    echo "replay: $*"
}

# sha256 FILE: prints 64 digits
if command -v sha256sum >/dev/null 2>&1; then
    sha256() { sha256sum <"$1" | cut -c1-64; }
elif command -v shasum >/dev/null 2>&1; then
    sha256() { shasum -a 256 <"$1" | cut -c1-64; }
else
    sha256() { openssl dgst -sha256 -r <"$1" | cut -c1-64; }
fi

# start ARGUMENT...: reads the command line, finds the blobs and a container runtime, goes to the folder
start() {
    engine=
    check=
    work=./replay
    while [ $# -gt 0 ]; do
        case $1 in
        --with)
            [ $# -gt 1 ] || stop "--with needs apptainer, podman or docker"
            engine=$2
            shift
            ;;
        --only-check) check=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*)
            usage >&2
            exit 2
            ;;
        *) work=$1 ;;
        esac
        shift
    done
    here=$(dirname -- "$0")
    here=$(cd -- "$here" && pwd -P)
    case $here in */.relance) here=${here%/.relance} ;; esac
    script=$(sha256 "$0")
    blobs=$here/blobs/sha256
    [ -d "$blobs" ] || blobs=$here/.relance/images/blobs/sha256
    [ -n "$check" ] || choose
    mkdir -p -- "$work"
    work=$(cd -- "$work" && pwd -P)
    case $work in *[:,]*) stop "the folder $work has ':' or ',' in its name, which container runtimes can't mount" ;; esac
    own=$work/state # jobs see nothing of it but the home and temporary folders
    if [ -f "$own/script" ]; then
        [ "$(cat "$own/script")" = "$script" ] || stop "$work holds another replay: name another folder"
    else
        [ -z "$(ls -A "$work")" ] || stop "$work has something in it already: name another folder"
        mkdir "$own"
        echo "$script" >"$own/script"
    fi
    mkdir -p "$own/done" "$own/home" "$own/tmp" "$own/images" "$own/outside" "$work/files"
    cd -- "$work/files"
    mounts=
    kept=0
    equal=0
    different=0
    failed=0
}

# choose: takes the runtime that was asked for, or the first that is there
choose() {
    for one in ${engine:-apptainer singularity podman docker}; do
        case $one in
        apptainer | singularity | podman | docker) ;;
        *) stop "--with is apptainer, podman or docker, not $one" ;;
        esac
        if command -v "$one" >/dev/null 2>&1; then
            [ "$one" != docker ] || docker version >/dev/null 2>&1 || continue
            engine=$one
            say "jobs run in $engine"
            return
        fi
    done
    stop "no container runtime is here (${engine:-apptainer, podman or docker}); install one"
}

# linked PATH: tells whether it, or a folder above it, is a link; what jobs make of it must not be followed
linked() {
    rest=$1
    at=.
    while [ -n "$rest" ]; do
        at=$at/${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        if [ -L "$at" ]; then return 0; fi
    done
    return 1
}

# inside PATH: goes on only if it is no link
inside() {
    if linked "$1"; then stop "$at is a link now: a job made it; name another folder"; fi
}

# above PATH: makes the folder that it lies in
above() {
    case $1 in */*)
        inside "${1%/*}"
        mkdir -p "./${1%/*}"
        ;;
    esac
}

# place SHA256 MODE PATH BLOB...: lays a file of the capsule, made of these blobs
place() {
    wanted=$1
    mode=$2
    path=$3
    shift 3
    above "$path"
    [ ! -f "./$path" ] || [ -L "./$path" ] || [ "$(sha256 "./$path")" != "$wanted" ] || return 0
    rm -f "./$path"
    part=$own/part
    if [ -f "$blobs/$1" ]; then
        : >"$part"
        for blob; do cat "$blobs/$blob" >>"$part"; done
    elif [ -f "$here/$path" ]; then
        cat "$here/$path" >"$part"
    else
        stop "$path is neither among the blobs nor in $here: unpack the capsule's .tar file there"
    fi
    [ "$(sha256 "$part")" = "$wanted" ] || stop "$path is damaged: its sha256 is not $wanted"
    chmod "$mode" "$part"
    mv -f "$part" "./$path"
}

# bring SHA256 SIZE PATH LOCATION...: a file that the capsule doesn't hold must be put there by hand
bring() {
    if [ -f "./$3" ] && [ "$(sha256 "./$3")" = "$1" ]; then return 0; fi
    wanted=$1
    size=$2
    path=$3
    shift 3
    above "$path"
    stop "put this file there first: $work/files/$path ($size bytes, sha256 $wanted${1+; it was at $*})"
}

# outside NUMBER PATH: jobs find the file .outside/NUMBER, which was laid before, at this absolute path
outside() {
    mounts="$mounts $1"
    printf '%s' "$2" >"$own/outside/$1"
}

# lead TARGET PATH: makes a symbolic link
lead() {
    above "$2"
    [ -L "./$2" ] || ln -s "$1" "./$2"
}

# folder PATH
folder() {
    inside "$1"
    mkdir -p "./$1"
}

# image CONFIGURATION MANIFEST SIZE: gives an image, every blob verified, to the runtime
image() {
    config=$1
    manifest=$2
    size=$3
    [ -z "$check" ] || return 0
    stage=$own/images/$config
    case $engine in
    podman | docker) if "$engine" image inspect "sha256:$config" >/dev/null 2>&1; then return 0; fi ;;
    *) if [ -d "$stage.box" ]; then return 0; fi ;;
    esac
    say "preparing the image sha256:$config"
    [ -f "$blobs/$manifest" ] ||
        stop "the images are not here: unpack the capsule's .tar file, or check it out with its images"
    rm -rf "$stage"
    mkdir -p "$stage/blobs/sha256"
    named=$(tr -d ' \n\t\r' <"$blobs/$manifest" | tr '{,}' '\n\n\n' |
        sed -n 's/^"digest":"sha256:\([0-9a-f]*\)"$/\1/p')
    layers=
    for blob in $manifest $named; do
        [ -f "$blobs/$blob" ] && [ "$(sha256 "$blobs/$blob")" = "$blob" ] ||
            stop "blob $blob of the image is missing or damaged"
        [ -e "$stage/blobs/sha256/$blob" ] || ln -s "$blobs/$blob" "$stage/blobs/sha256/$blob"
        case $blob in "$manifest" | "$config") ;; *) layers="$layers${layers:+,}\"blobs/sha256/$blob\"" ;; esac
    done
    case $engine in
    podman | docker)
        printf '[{"Config":"blobs/sha256/%s","RepoTags":["localhost/relance-replay:%s"],"Layers":[%s]}]' \
            "$config" "$config" "$layers" >"$stage/manifest.json"
        (cd "$stage" && tar -chf - manifest.json blobs) | "$engine" load >/dev/null
        "$engine" image inspect "sha256:$config" >/dev/null 2>&1 ||
            "$engine" image inspect "localhost/relance-replay:$config" >/dev/null 2>&1 ||
            stop "$engine did not take the image"
        ;;
    *)
        printf '{"imageLayoutVersion":"1.0.0"}' >"$stage/oci-layout"
        printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s}]}' \
            application/vnd.oci.image.manifest.v1+json "$manifest" "$size" >"$stage/index.json"
        rm -rf "$stage.part"
        "$engine" build --sandbox "$stage.part" "oci:$stage" >"$own/build.log" 2>&1 || {
            cat "$own/build.log" >&2
            stop "$engine could not unpack the image"
        }
        mkdir -p "$stage.part/replay"
        mv "$stage.part" "$stage.box"
        ;;
    esac
    rm -rf "$stage"
}

# what runs a command: Snakemake's shell, or what the image has in its place
shell='command -v bash >/dev/null || exec sh -c "set -eu;  $1"; exec bash -c "set -euo pipefail;  $1"'

# contain CONFIGURATION COMMAND: runs a command in an image, with no network and only the work folder
contain() {
    config=$1
    command=$2
    case $engine in
    podman | docker)
        known=sha256:$config
        "$engine" image inspect "$known" >/dev/null 2>&1 || known=localhost/relance-replay:$config
        set -- run --rm --network none --hostname relance --security-opt label=disable
        [ "$engine" != podman ] || set -- "$@" --http-proxy=false
        [ "$engine" != podman ] || [ "$(id -u)" = 0 ] || set -- "$@" --userns keep-id
        set -- "$@" --user "$(id -u):$(id -g)"
        set -- "$@" --volume "$work/files:/replay" --volume "$own/tmp:/tmp" --workdir /replay
        set -- "$@" --volume "$own/home:/home/relance"
        for one in $mounts; do
            set -- "$@" --volume "$work/files/.outside/$one:$(cat "$own/outside/$one"):ro"
        done
        set -- "$@" --env HOME=/home/relance --env TMPDIR=/tmp --env LANG=C.UTF-8
        set -- "$@" --env OMP_NUM_THREADS=1 --env OPENBLAS_NUM_THREADS=1 --entrypoint sh "$known"
        "$engine" "$@" -c "$shell" sh "$command" </dev/null
        ;;
    *)
        set -- --quiet exec --containall --cleanenv --network none --no-eval
        set -- "$@" --bind "$work/files:/replay" --bind "$own/tmp:/tmp" --pwd /replay
        for one in $mounts; do
            set -- "$@" --bind "$work/files/.outside/$one:$(cat "$own/outside/$one"):ro"
        done
        set -- "$@" --home "$own/home:/home/relance" --env TMPDIR=/tmp --env LANG=C.UTF-8
        set -- "$@" --env OMP_NUM_THREADS=1 --env OPENBLAS_NUM_THREADS=1
        "$engine" "$@" "$own/images/$config.box" sh -c "$shell" sh "$command" </dev/null
        ;;
    esac
}

# logs PATH...: makes room for the logs of the job that comes next
logs() {
    for path; do above "$path"; done
}

# job NUMBER NAME CONFIGURATION COMMAND OUTPUT...: runs a job, unless it is done and its outputs are there
job() {
    number=$1
    name=$2
    config=$3
    command=$4
    shift 4
    [ -z "$check" ] || return 0
    if [ -e "$own/done/$number" ]; then
        whole=yes
        for path; do [ -e "./$path" ] || whole=; done
        [ -z "$whole" ] || return 0
    fi
    rm -f "$own/done/$number"
    for path; do
        above "$path"
        rm -rf "./$path"
    done
    say "job $number of $jobs: $name"
    if contain "$config" "$command"; then status=0; else status=$?; fi
    if [ "$status" -ne 0 ]; then
        echo "replay: job $number ($name) failed with exit status $status; type the same command to try again" >&2
        exit 1
    fi
    for path; do
        [ -e "./$path" ] || {
            echo "replay: job $number ($name) made no $path" >&2
            exit 1
        }
    done
    : >"$own/done/$number"
}

# leave NAME WHY: a job that this script can't run
leave() {
    say "not run: $1: $2"
    kept=$((kept + 1))
}

# same SHA256 PATH: compares a product with the one of then
same() {
    if [ ! -f "./$2" ]; then
        echo "missing  $2"
        failed=$((failed + 1))
    elif ! linked "$2" && [ "$(sha256 "./$2")" = "$1" ]; then
        echo "equal    $2"
        equal=$((equal + 1))
    else
        echo "differs  $2"
        different=$((different + 1))
    fi
}

# finish: says what came of it
finish() {
    say "$equal products are equal to the byte, $different differ, $failed are missing; they lie in $work/files"
    [ "$different" -eq 0 ] ||
        say "bytes may differ by dates and by processors: relance verify compares contents and declared tolerances"
    [ $((different + failed)) -eq 0 ] || exit 1
    if [ "$kept" -ne 0 ]; then
        say "$kept jobs were not run by this script, as told above; what they made came from the capsule"
        exit 3
    fi
}
