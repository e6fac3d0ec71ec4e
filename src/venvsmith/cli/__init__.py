"""The command line: one file a command, imported only when that command runs.

Nothing outside this package knows click; nothing inside it decides anything about a build.
"""
