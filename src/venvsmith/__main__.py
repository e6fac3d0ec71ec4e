"""`python -m venvsmith` and the console script: a signal while it imports ends it well too."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with the contract's code.

    A run that came to its end keeps its code, whatever signal comes while Python takes itself down.
    One that was interrupted may be ended at once by the next signal.
    """
    try:
        try:
            signal.signal(signal.SIGTERM, _terminate)
            # The imports take longest of all that a user may want to interrupt at once.
            from venvsmith.cli.main import main as run  # noqa: PLC0415

            run()
        finally:
            # Nobody is there any more to catch one, and Python would print where it was.
            _meet(signal.SIG_IGN)
    except KeyboardInterrupt:
        _meet(signal.SIG_DFL)
        os.write(2, b"venvsmith: interrupted\n")
        sys.exit(128 + signal.SIGINT)
    except SystemExit as end:
        if end.code in _INTERRUPTED:
            _meet(signal.SIG_DFL)
        raise
    finally:
        # Python recalls an interrupt inside an exec, which dataclasses use, until the next one,
        # and would end by the signal instead of with this code.
        exec("")  # noqa: S102


def _meet(action: signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - signal's signature
    raise SystemExit(128 + number)


_INTERRUPTED = {128 + signal.SIGINT, 128 + signal.SIGTERM}


if __name__ == "__main__":
    main()
