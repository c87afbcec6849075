# Fills masses into bins of equal width. Arguments: file with number and width of bins, masses, output.
set -eu
read -r number width < "$1"
for bin in $(seq 1 "$number"); do counts[bin]=0; done
while read -r mass; do
    bin=$((mass / width + 1))
    counts[bin > number ? number : bin]=$((counts[bin > number ? number : bin] + 1))
done < "$2"
for bin in $(seq 1 "$number"); do echo "${counts[bin]}"; done > "$3"
