"""What of an address may leave the target."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^\s/]*@")
"""All up to the last @ of the host's part: a password may hold one."""


def without_credentials(text: str) -> str:
    """Return the text with no user and no password in its addresses, and all else left there."""
    return _CREDENTIALS.sub("", text)
