"""`python -m venvsmith` and the console script: a Ctrl-C while it imports is an interrupt too."""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with the contract's code.

    A run that came to its end keeps its code, whatever signal comes while Python takes itself down.
    One that was interrupted may be ended at once by the next Ctrl-C.
    """
    later = signal.SIG_IGN
    try:
        # The imports take longest of all that a user may want to interrupt at once.
        from venvsmith.cli.main import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        later = signal.SIG_DFL
        os.write(2, b"venvsmith: interrupted\n")
        sys.exit(130)
    except SystemExit as end:
        if end.code in _INTERRUPTED:
            later = signal.SIG_DFL
        raise
    finally:
        # Python recalls an interrupt inside an exec, which dataclasses use, until the next one,
        # and would end by the signal instead of with this code.
        exec("")  # noqa: S102
        # Nobody is there any more to catch one, and Python would print where it was.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, later)


_INTERRUPTED = {128 + signal.SIGINT, 128 + signal.SIGTERM}


if __name__ == "__main__":
    main()
