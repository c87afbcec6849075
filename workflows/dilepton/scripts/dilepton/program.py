"""How every program of the analysis ends: quietly with 0, or with one message and 2."""

import errno
import signal
import sys
from collections.abc import Callable
from types import FrameType

from dilepton.errors import AnalysisError

FAILED = 2
_WANTED = {
    errno.ENOENT: "a file or folder, found none",
    errno.EISDIR: "a file, found a folder",
    errno.ENOTDIR: "a folder before the last '/', found a file",
}


def run(main: Callable[[], None]) -> None:
    """Run a program's `main` and exit: 0 if it returns, 2 with one line on stderr for a user's error.

    A termination signal becomes an exception, so that `atomic.output` removes what was half written.
    An exception that is neither an AnalysisError nor an OSError is a bug and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        main()
    except AnalysisError as error:
        sys.exit(_reported(str(error)))
    except OSError as error:
        sys.exit(_reported(_described(error)))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(0)


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _reported(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return FAILED


def _described(error: OSError) -> str:
    subject = f"'{error.filename}': " if error.filename else ""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{subject}the disk is full; nothing was written; free some space and run the step again"
    if error.errno == errno.EFBIG:
        return f"{subject}the file would pass this process's size limit; nothing written; raise `ulimit -f`"
    if error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
        return f"{subject}expected {_WANTED[error.errno]} ({reason}); check the path"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{subject}{reason}; ask for permission or choose another path"
    return f"{subject}{reason}"
