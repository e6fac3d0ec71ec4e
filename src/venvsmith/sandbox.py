"""Running a program with folders of this machine bound at other paths, without a daemon.

The local engine needs its result at the venv's final path, and `verify` needs to run things there.
bubblewrap gives that to anyone; util-linux's `unshare` to root, or where user namespaces are
allowed. Both see this machine's root read-only otherwise.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from venvsmith.process import Command, run
from venvsmith.scratch import scratch

Kind = Literal["bubblewrap", "unshare"]
_OWN = frozenset({"proc", "dev", "tmp"})
"""Entries of the root that a sandbox has for itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bind:
    """A folder or file of this machine, seen at another path."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A way to run programs with binds."""

    kind: Kind

    def wrap(
        self,
        argv: Sequence[str],
        *,
        binds: Sequence[Bind],
        network: bool,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
    ) -> tuple[str, ...]:
        """Return the argument list that runs ``argv`` inside.

        :param cwd: the working folder inside.
        :param env: the whole environment inside, and nothing secret: every user of this machine
            can read arguments. The caller's where None.
        """
        argv = list(argv)
        if env is not None:
            argv = ["env", "-i", *(f"{key}={value}" for key, value in env.items()), *argv]
        if self.kind == "bubblewrap":
            return _bubblewrap(argv, binds=binds, network=network, cwd=cwd)
        return _unshare(argv, binds=binds, network=network, cwd=cwd)


@cache
def find_sandbox() -> Sandbox | None:
    """Return the best sandbox that works on this machine, or None; tried, not guessed.

    ``VENVSMITH_SANDBOX`` names the only one to try: ``bubblewrap``, ``unshare`` or ``none``.
    """
    wanted = os.environ.get("VENVSMITH_SANDBOX", "")
    kinds: tuple[Kind, ...] = ("bubblewrap", "unshare")
    for kind in kinds:
        if wanted not in {"", kind}:
            continue
        sandbox = Sandbox(kind=kind)
        probe = Bind(source=Path(__file__).parent, target="/venvsmith-probe")
        seen = f"{probe.target}/{Path(__file__).name}"
        argv = sandbox.wrap(["test", "-e", seen], binds=[probe], network=False)
        if run(Command(argv=argv, timeout=20)).returncode == 0:
            return sandbox
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Op:
    kind: Literal["dir", "link", "bind"]
    target: str
    source: str = ""
    writable: bool = False


def _layout(binds: Sequence[Bind]) -> Iterator[_Op]:
    """Yield how to build the root: this machine's entries, opened up where a bind lies below them.

    A mount point cannot be made inside a read-only bind, so each folder on the way to one is made
    anew and its entries are bound one by one.
    """
    targets = {bind.target.rstrip("/"): bind for bind in binds}
    yield from _folder("/", targets)


def _folder(folder: str, targets: Mapping[str, Bind]) -> Iterator[_Op]:
    names: set[str] = set()
    if Path(folder).is_dir() and not Path(folder).is_symlink():
        names = {entry.name for entry in Path(folder).iterdir()}
    below = [t for t in targets if t.startswith(folder.rstrip("/") + "/")]
    names |= {t[len(folder.rstrip("/")) + 1 :].split("/", 1)[0] for t in below}
    for name in sorted(names - (_OWN if folder == "/" else frozenset())):
        path = f"{folder.rstrip('/')}/{name}"
        if path in targets:
            bind = targets[path]
            yield _Op(kind="bind", target=path, source=str(bind.source), writable=bind.writable)
        elif any(t.startswith(path + "/") for t in targets):
            yield _Op(kind="dir", target=path)
            yield from _folder(path, targets)
        elif Path(path).is_symlink():
            yield _Op(kind="link", target=path, source=str(Path(path).readlink()))
        elif Path(path).exists():
            yield _Op(kind="bind", target=path, source=path)


def _bubblewrap(
    argv: Sequence[str], *, binds: Sequence[Bind], network: bool, cwd: str
) -> tuple[str, ...]:
    words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"]
    if not network:
        words.append("--unshare-net")
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - inside
    for op in _layout(binds):
        if op.kind == "dir":
            words += ["--dir", op.target]
        elif op.kind == "link":
            words += ["--symlink", op.source, op.target]
        else:
            words += ["--bind" if op.writable else "--ro-bind", op.source, op.target]
    return (*words, "--chdir", cwd, "--", *argv)


def _unshare(
    argv: Sequence[str], *, binds: Sequence[Bind], network: bool, cwd: str
) -> tuple[str, ...]:
    new = shlex.quote(str(_mount_point()))
    lines = ["mount --make-rprivate /", f"mount -t tmpfs -o mode=755 venvsmith {new}"]
    for op in _layout(binds):
        target = new + shlex.quote(op.target)
        if op.kind == "dir":
            lines.append(f"mkdir -p {target}")
        elif op.kind == "link":
            lines.append(f"ln -s {shlex.quote(op.source)} {target}")
        else:
            make = "mkdir -p" if Path(op.source).is_dir() else "touch"
            lines += [f"{make} {target}", f"mount --rbind {shlex.quote(op.source)} {target}"]
            if not op.writable:
                # Without the right to it (some user namespaces) the bind stays writable.
                lines.append(f"mount -o remount,bind,ro {target} 2>/dev/null || true")
    lines += [
        f"mkdir -p {new}/proc {new}/dev {new}/tmp && chmod 1777 {new}/tmp",  # noqa: S108 - inside
        f"mount --rbind /dev {new}/dev",
        f"mount -t proc proc {new}/proc 2>/dev/null || mount --rbind /proc {new}/proc",
        f'exec chroot {new} sh -c \'cd "$0" && exec "$@"\' {shlex.quote(cwd)} {shlex.join(argv)}',
    ]
    words = ["unshare", "--mount", "--fork", "--pid", "--kill-child"]
    if os.geteuid() != 0:
        words.append("--map-root-user")
    if not network:
        words.append("--net")
    shell = shutil.which("sh") or "/bin/sh"
    return (*words, shell, "-ec", "\n".join(lines))


@cache
def _mount_point() -> Path:
    """Return an empty folder for new roots, each of which only its own program sees.

    It is of this process alone, since a mount hides all that lies below its place.
    """
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(scratch())
