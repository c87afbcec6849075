import sys
from pathlib import Path

from arithmetic import twice  # beside this script

Path(snakemake.output[0]).write_text(f"{twice(snakemake.params.number)}\n{sys.prefix}\n")  # noqa: F821
