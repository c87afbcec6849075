"""What the shells of a compiled Snakefile do around a step's own command; bash, as Snakemake formats it."""

# Paths in commands begin with a sign for the folder, so that no job depends on where that is. No quotes stand
# within quotes: bash before 4.3, which old images have, would keep them.
_BEGIN = r"""
set -euo pipefail
here=$PWD; sign=/@work@; log={log}
mkdir -p {output} {params.place:q} "${{log%/*}}"
text={params.command:q}
text=${{text//"$sign"/"$here"}}
"""
_END = """for path in {params.promised:q}; do
    found=("$path"*)
    missing="$path is published and wasn't written"
    [ -e "${{found[0]}}" ] || compgen -G "$path" > /dev/null ||
        {{ echo "$missing" >> {log}; echo "$missing" >&2; exit 1; }}
done
"""
COMMAND = f"""{_BEGIN}(cd {{params.place:q}} && exec sh -c "$text") > {{log}} 2>&1
{_END}"""
SCRIPT = f"""{_BEGIN}script={{params.script:q}}
script=${{{{script//"$sign"/"$here"}}}}
printf '%s' "$script" | (cd {{params.place:q}} && exec sh -c "$text") > {{log}} 2>&1
{_END}"""
# Looks for what a publisher asks about; three words each, see support/answers.py. In the step's own image,
# so with nothing but what bash brings.
PUBLISH = r"""
set -euo pipefail
shopt -s globstar nullglob
file={output}
mkdir -p "${{file%/*}}"
here=$PWD; real=$(pwd -P); sign=/@work@; slash='\'; quote='"'; line=$'\n'
expand() {{
    words=()
    while [ $# -gt 0 ]; do
        if [ "$2" = - ]; then
            words+=("$1${{3#:}}")
        else
            for ((number = ${{2%-*}}; number <= ${{2#*-}}; number++)); do words+=("$1$number${{3#:}}"); done
        fi
        shift 3
    done
}}
say() {{
    local text=$1
    text=${{text//"$slash"/"$slash$slash"}}
    text=${{text//"$quote"/"$slash$quote"}}
    text=${{text//"$line"/"$slash"n}}
    printf '"%s"' "$text"
}}
{{
    printf '{{"exists": {{'
    expand {params.exists:q}
    next=
    for path in ${{words[@]+"${{words[@]}}"}}; do
        printf '%s\n ' "$next"; say "$path"
        if [ -e "$path" ]; then printf ': true'; else printf ': false'; fi
        next=,
    done
    printf '}},\n"matches": {{'
    expand {params.matches:q}
    next=
    for pattern in ${{words[@]+"${{words[@]}}"}}; do
        printf '%s\n ' "$next"; say "$pattern"; printf ': ['
        case $pattern in  # where nothing is a sign, bash would leave both slashes
            *[*?[]*) text=${{pattern//"$slash"/"$slash$slash"}} ;;
            *) text=$pattern ;;
        esac
        comma=
        IFS=
        for path in $text; do
            if [ -e "$path" ] || [ -L "$path" ]; then printf '%s' "$comma"; say "$path"; comma=', '; fi
        done
        unset IFS
        printf ']'
        next=,
    done
    printf '}},\n"texts": {{'
    expand {params.texts:q}
    next=
    for path in ${{words[@]+"${{words[@]}}"}}; do
        [ -f "$path" ] || {{ echo "$path is published and wasn't written" >&2; exit 1; }}
        printf '%s\n ' "$next"; say "$path"; printf ': '
        IFS= read -r -d '' text < "$path" || true
        text=${{text//"$real/"/"$sign/"}}
        text=${{text//"$here/"/"$sign/"}}
        say "$text"
        next=,
    done
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
