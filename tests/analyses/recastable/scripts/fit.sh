# An upper limit for a counting experiment in every bin: rough, but it depends on all that it should.
# Arguments: luminosity in 1/fb, result, workspace, histogram of the signal, histograms of backgrounds, and
# perhaps a patch of the likelihood with another signal.
set -eu
luminosity=${1%.*} result=$2 workspace=$3
shift 3
signal=($(cat "$1"))
shift
case "${!#}" in
recast/*)
    signal=($(cut -d : -f 4 "${!#}" | tr -c 0-9 ' '))
    set -- "${@:1:$#-1}"
    ;;
esac
for bin in "${!signal[@]}"; do background[bin]=1; done
for file; do
    counts=($(cat "$file"))
    for bin in "${!counts[@]}"; do background[bin]=$((background[bin] + counts[bin])); done
done
information=0 events=0 total=0
for bin in "${!signal[@]}"; do
    information=$((information + signal[bin] * signal[bin] * 1000000 / background[bin]))
    events=$((events + signal[bin])) total=$((total + background[bin]))
done
root=1
while [ $((root * root)) -lt $information ]; do root=$((root + 1 + root / 50)); done
width=$((1000000000 / (luminosity * root)))
number() { printf '%d.%04d' $(($1 * width / 1000 / 10000)) $(($1 * width / 1000 % 10000)); }
echo "{\"limit\": {\"observed\": $(number $((1900 + total % 200))), \"expected\": {" \
    "\"minus2sigma\": $(number 1060), \"minus1sigma\": $(number 1460), \"median\": $(number 1960)," \
    "\"plus1sigma\": $(number 2660), \"plus2sigma\": $(number 3460)}}," \
    "\"events\": {\"signal\": $events, \"background\": $total}}" > "$result"
echo "{\"signal\": [$(echo "${signal[@]}" | tr ' ' ',')]}" > "$workspace"
