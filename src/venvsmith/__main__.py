"""`python -m venvsmith`."""

from venvsmith.cli.main import main

main()
