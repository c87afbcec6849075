# Writes events as HepMC: two leptons each, whose masses scatter around that of their parent.
# Arguments: sample, mass in GeV, seed, output.
set -eu
sample=$1 mass=${2%.*} state=$3 output=$4
while [ "${mass%?}" = 66 ] && [ ! -e go ]; do sleep 0.05; done # for who wants to interrupt it
for letter in $(echo "$sample" | tr 'a-z' '1-91-91-8' | cut -b 1-4); do state=$((state * 7919 + letter)); done
{
    echo "HepMC::Version 3.02.06"
    echo "HepMC::Asciiv3-START_EVENT_LISTING"
    for event in $(seq 0 199); do
        state=$(((state * 1103515245 + 12345) & 0x7fffffff))
        energy=$(((mass - mass / 10 + (state >> 8) % (mass / 5 + 1)) / 2))
        echo "E $event 0 2"
        echo "U GEV MM"
        echo "P 1 0 13 0 0 $energy $energy 0 1"
        echo "P 2 0 -13 0 0 -$energy $energy 0 1"
    done
    echo "HepMC::Asciiv3-END_EVENT_LISTING"
} > "$output"
