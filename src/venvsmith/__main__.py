"""`python -m venvsmith` and the console script: a Ctrl-C while it imports is an interrupt too."""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit with the contract's code."""
    try:
        # The imports take longest of all that a user may want to interrupt at once.
        from venvsmith.cli.main import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        os.write(2, b"venvsmith: interrupted\n")
        sys.exit(130)
    finally:
        # Python recalls an interrupt inside an exec, which dataclasses use, until the next one,
        # and would end by the signal instead of with this code.
        exec("")  # noqa: S102
        # Nobody is there any more to catch one, and Python would print where it was.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
