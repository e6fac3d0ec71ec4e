"""What a platform means to wheels: the glibc that they may need, and the values of markers.

Only Linux and CPython are built for, so that a machine and a version say all.
"""

from __future__ import annotations

from venvsmith.errors import UsageError

DEFAULT_MANYLINUX = "2_28"
"""What torch's own wheels ask for; Debian 10, Ubuntu 18.10 and RHEL 8 have it."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}
"""Docker's names of processors to those of Python's ``platform.machine()``."""
_MANYLINUX = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
"""The levels that uv's ``--python-platform`` knows (`uv pip compile --help`, 0.13)."""


def wheel_platform(machine: str, manylinux: str | None) -> str:
    """Return what uv's ``--python-platform`` is for a machine, such as ``aarch64-manylinux_2_28``.

    It is the highest level that uv knows and that does not ask for more than is there.

    :param machine: as ``platform.machine()`` names it.
    :param manylinux: the glibc that wheels may need, ``2_28``; the default where None.
    :raises UsageError: where the level is older than any that wheels are made for today.
    """
    wanted = manylinux or DEFAULT_MANYLINUX
    major, _, minor = wanted.partition("_")
    fitting = [known for known in _MANYLINUX if known <= (int(major), int(minor))]
    if not fitting:
        message = f"manylinux '{wanted}' is older than 2_17, the oldest that can be locked for"
        raise UsageError(message, where="bases", hint="name 2_17 or later")
    return "{}-manylinux_{}_{}".format(machine, *max(fitting))


def marker_environment(python: str, machine: str) -> dict[str, str]:
    """Return the values of PEP 508 markers where a CPython on Linux runs; no extra is asked for.

    :param python: its version; a minor alone, ``3.11``, stands for its first release.
    :param machine: as ``platform.machine()`` names it.
    """
    minor = ".".join(python.split(".")[:2])
    full = f"{python}.0" if python == minor else python
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "python_version": minor,
        "sys_platform": "linux",
        "extra": "",
    }
