"""Print the address of a package index, with the user and the password that secrets hold.

usage: index.py URL USER_FILE PASSWORD_FILE

A file that is missing or empty is a secret that nobody gave. The installer gets the address in a
variable. Runs under Python 3.8 and later.
"""

import sys
from urllib.parse import quote, urlsplit, urlunsplit


def secret(path: str) -> str:
    """Return the content of a secret's file, without the newline that editors add."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except OSError:
        return ""


def main() -> None:
    """Run as a script."""
    url, user, password = sys.argv[1], secret(sys.argv[2]), secret(sys.argv[3])
    parts = urlsplit(url)
    if user or password:
        # An index that takes a token alone takes it as the password of any user.
        login = quote(user or "__token__", safe="") + ":" + quote(password, safe="")
        parts = parts._replace(netloc=login + "@" + parts.netloc)
    print(urlunsplit(parts))


main()
