# Selects events with two leptons and writes their masses, one a line, in GeV. Arguments: events, output.
set -eu
. scripts/kinematics.sh
first=
while read -r kind _ _ _ _ _ _ energy _; do
    if [ "$kind" = E ]; then
        first=
    elif [ "$kind" = P ] && [ -z "$first" ]; then
        first=$energy
    elif [ "$kind" = P ]; then
        pair_mass "$first" "$energy"
    fi
done < "$1" > "$2"
