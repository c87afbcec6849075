"""Fills the masses into bins."""

import bisect
import json
import sys
from pathlib import Path

edges = [float(edge) for edge in Path(sys.argv[1]).read_text("utf-8").split()]
counts = [0] * (len(edges) - 1)
for line in Path(sys.argv[2]).read_text("utf-8").split():
    counts[min(max(bisect.bisect_right(edges, float(line)) - 1, 0), len(counts) - 1)] += 1
Path(sys.argv[3]).write_text(json.dumps({"edges": edges, "counts": counts}) + "\n", "utf-8")
