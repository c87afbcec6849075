import sys
from pathlib import Path

from shapes import scaled

for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
    sys.stdout.write(f"{scaled.number(int(line), int(sys.argv[2]))}\n")
