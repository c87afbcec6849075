"""Print the events of one channel."""

import sys

sys.stdout.write(" ".join(sys.argv[1:]) + "\n")
