"""What the shells of a compiled Snakefile do around a step's own command, as Snakemake formats it.

For any POSIX shell: a step's image need have no bash.
"""

# Paths in commands begin with a sign for the folder, so that no job depends on where that is.
_BEGIN = r"""
set -eu
sign=/@work@; log={log}
here=$(printf '%s\n' "$PWD" | sed 's/[&|\]/\\&/g')
mkdir -p {output} {params.place:q} "${{log%/*}}"
text=$(printf '%s\n' {params.command:q} | sed "s|$sign|$here|g")
"""
# Writes files where the command looks for them; they may be longer than a word of a command can be.
MOUNTS = r"""
set -eu
mounted() {{  # PATH TEXT...
    while [ $# -gt 0 ]; do
        text=$(printf '%s.' "${{2#:}}" | sed "s|/@work@|$here|g")
        mkdir -p "${{1%/*}}/"
        printf '%s' "${{text%.}}" > "$1"
        shift 2
    done
}}
here=$(printf '%s\n' "$PWD" | sed 's/[&|\]/\\&/g')
mounted {params.mounts:q}
"""
_END = r"""for path in {params.promised:q}; do
    found=
    IFS=
    for one in "$path"* $path; do [ ! -e "$one" ] || found=yes; done
    unset IFS
    if [ -z "$found" ]; then
        printf "%s is published and wasn't written\n" "$path" | tee -a {log} >&2
        exit 1
    fi
done
"""
COMMAND = f"""{_BEGIN}(cd {{params.place:q}} && exec sh -c "$text") > {{log}} 2>&1
{_END}"""
SCRIPT = f"""{_BEGIN}script=$(printf '%s.' {{params.script:q}} | sed "s|$sign|$here|g")
printf '%s' "${{{{script%.}}}}" | (cd {{params.place:q}} && exec sh -c "$text") > {{log}} 2>&1
{_END}"""
# Looks for what a publisher asks about; three words each, see support/answers.py. Text goes through sed, for
# the ways that shells have of their own to replace some of it take minutes for a megabyte.
PUBLISH = r"""
set -eu
file={output}
mkdir -p "${{file%/*}}"
each() {{  # ANSWER QUESTION...: tells each question with its answer
    answer=$1; next=
    shift
    while [ $# -gt 0 ]; do
        if [ "$2" = - ]; then
            tell "$1${{3#:}}"
        else
            number=${{2%-*}}
            while [ "$number" -le "${{2#*-}}" ]; do
                tell "$1$number${{3#:}}"
                number=$((number + 1))
            done
        fi
        shift 3
    done
}}
tell() {{
    printf '%s\n ' "$next"; say "$1"; printf ': '
    "$answer" "$1"
    next=,
}}
say() {{
    case $1 in
        *[\\\"]*) printf '"'; printf '%s' "$1" | LC_ALL=C sed 's/[\"]/\\&/g'; printf '"' ;;
        *) printf '"%s"' "$1" ;;
    esac
}}
exists() {{ if [ -e "$1" ]; then printf true; else printf false; fi; }}
matches() {{
    case $1 in
        *\\*)
            set -- "$(printf '%s.' "$1" | LC_ALL=C sed 's/\\/[\\\\]/g')"
            set -- "${{1%.}}" ;;
    esac
    comma=
    IFS=
    printf '['
    look "" "$1"
    printf ']'
    unset IFS
}}
look() {{  # FOLDER PATTERN: finds what matches; `**`: any number of folders, or all that is in them
    case /$2/ in
        */'**'/*)
            whole=/$2/
            before=${{whole%%/'**'/*}}
            after=${{whole#"$before"/'**'/}}
            set -- "$1" "${{before#/}}" "${{after%/}}"
            for path in "$1"${{2:+$2/}}; do
                if [ -d "${{path:-.}}" ]; then under "$path" "$3"; fi
            done ;;
        *)
            for path in "$1"$2; do
                case $path in
                    "$1$2") ;;
                    */. | */..) continue ;;
                    */./* | */../*) case $1$2 in */./* | */../*) ;; *) continue ;; esac ;;
                esac
                case $path in "$1"$2) found "$path" ;; esac
            done ;;
    esac
}}
under() {{  # FOLDER PATTERN: looks in a folder, which ends with a slash, and in all folders below
    if [ -n "$2" ]; then look "$1" "$2"; fi
    for path in "$1"*; do
        if [ -z "$2" ]; then found "$path"; fi
        if [ -d "$path" ] && [ ! -L "$path" ]; then under "$path/" "$2"; fi
    done
}}
found() {{
    if [ -e "$1" ] || [ -L "$1" ]; then printf '%s' "$comma"; say "$1"; comma=', '; fi
}}
text() {{
    if [ ! -f "$1" ]; then printf "%s is published and wasn't written\n" "$1" >&2; exit 1; fi
    printf '"'
    LC_ALL=C sed -e "s|$real/|/@work@/|g" -e "s|$here/|/@work@/|g" -e 's/[\"]/\\&/g' < "$1"
    printf '"'
}}
plain() {{ printf '%s\n' "$1" | LC_ALL=C sed 's/[][\.*^$|]/\\&/g'; }}
here=$(plain "$PWD"); real=$(plain "$(pwd -P)")
{{
    printf '{{"exists": {{'
    each exists {params.exists:q}
    printf '}},\n"matches": {{'
    each matches {params.matches:q}
    printf '}},\n"texts": {{'
    each text {params.texts:q}
    printf '}}}}\n'
}} > "$file"
"""
# Commands that share one folder: each step gets a copy of the one before, so that its result can be known,
# compared and restored by itself.
SERIAL = r"""
set -euo pipefail
log=$PWD/{log}
mkdir -p {output} "${{log%/*}}"
copy() {{ cp -a --reflink=auto "$1" "$2" 2> /dev/null || cp -a "$1" "$2"; }}
for folder in {params.begins:q}; do [ ! -d "$folder" ] || copy "$folder/." {output}/; done
for path in {params.given:q}; do mkdir -p {output}/"${{path%/*}}"; copy "$path" {output}/"$path"; done
cd {output}
rm -f .snakemake_timestamp
export REANA_WORKSPACE=$PWD
: > "$log"
for command in {params.commands:q}; do bash -c "$command" >> "$log" 2>&1; done
"""
# Takes what a workflow is run for out of the last folder.
OUTPUTS = r"""
set -euo pipefail
for path in {params.paths:q}; do
    [ -e {input}/"$path" ] || {{ echo "$path is an output and wasn't written" >&2; exit 1; }}
    mkdir -p outputs/"${{path%/*}}"
    rm -rf outputs/"$path"
    cp -a --reflink=auto {input}/"$path" outputs/"$path" 2> /dev/null || cp -a {input}/"$path" outputs/"$path"
done
"""
