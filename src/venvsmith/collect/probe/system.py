"""What is true of the target as a whole: system, user, loader, programs."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import struct
from typing import Any, Dict, List, Optional, Set, Tuple

from . import elf, shadows
from .addresses import without_credentials
from .discover import Start, which
from .tree import Fact, Tree

ENV_NAMES = frozenset({
    "PATH", "HOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER",
    "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "HF_HOME", "TRANSFORMERS_CACHE", "TORCH_HOME", "NLTK_DATA",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA", "CUDA_VERSION",
    "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "PIP_PREFIX", "PIP_TARGET", "PIP_USER",
})  # fmt: skip
ENV_PREFIXES = ("LD_", "PYTHON", "CONDA_", "UV_")
SECRET = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|AUTH", re.IGNORECASE)
MULTIARCH = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu",
             "armv7l": "arm-linux-gnueabihf", "ppc64le": "powerpc64le-linux-gnu",
             "s390x": "s390x-linux-gnu", "riscv64": "riscv64-linux-gnu",
             "i686": "i386-linux-gnu"}  # fmt: skip
VERSIONED = ("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1")
PROGRAMS = ("python", "python3", "pip", "pip3", "uv", "ffmpeg", "ffprobe", "sox", "git", "sh",
            "bash", "env", "gcc", "cc", "nvidia-smi", "espeak-ng", "tesseract")  # fmt: skip
GLIBC = re.compile(rb"GNU C Library [^\n]{0,80}version (\d+\.\d+)")
MAX_LIBRARIES = 20000
DEPTH = 5
MAX_FOLDERS = 3000
NOT_BY_HAND = frozenset({"site-packages", "dist-packages", "node_modules", "share", "include"})


def describe(tree: Tree, start: Start, programs: List[str], *, inside: bool) -> Fact:
    """Return the facts of the system, as `model.facts.System` without its interpreters."""
    fact: Fact = {"uid": tree.user.uid, "gid": tree.user.gid, "groups": list(tree.user.groups)}
    release = _os_release(tree)
    fact["os_id"] = release.get("ID", "")
    fact["os_version"] = release.get("VERSION_ID", "")
    fact["env"] = shown_env(start.env)
    fact["path"] = start.path
    passwd = _passwd(tree, tree.user.uid)
    fact["has_passwd_entry"] = passwd is not None
    fact["home"] = start.env.get("HOME") or (passwd or "/")
    fact["home_writable"] = writable(tree, fact["home"])
    fact["programs"] = {}
    for name in dict.fromkeys([*PROGRAMS, *programs]):
        place = which(tree, name, start.path)
        if place is not None:
            fact["programs"][name] = place
    fact["mounts"] = _mounts() if inside else []
    fact["start_script"] = shadows.start_script(tree, start)
    fact.update(shadows.start_missing(tree, start))
    _loader(tree, start, fact)
    return fact


def given_env() -> Dict[str, str]:
    """Return the variables that this process was started with.

    Python adds a locale to its own where it was given none: https://peps.python.org/pep-0538/
    """
    env = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read().split(b"\0")
    except OSError:
        return env
    if not any(each.startswith(b"LC_CTYPE=") for each in given):
        env.pop("LC_CTYPE", None)
    return env


def shown_env(env: Dict[str, str]) -> Dict[str, str]:
    """Return the variables that decide what Python and the loader do, without credentials."""
    return {
        name: without_credentials(value)[:4000]
        for name, value in sorted(env.items())
        if (name in ENV_NAMES or name.startswith(ENV_PREFIXES)) and not SECRET.search(name)
    }


def _os_release(tree: Tree) -> Dict[str, str]:
    text = tree.text("/etc/os-release", 64 * 1024) or tree.text("/usr/lib/os-release", 64 * 1024)
    rows = (line.partition("=") for line in (text or "").splitlines())
    return {key: value.strip().strip("\"'") for key, found, value in rows if found}


def _passwd(tree: Tree, uid: int) -> Optional[str]:
    """Return the home folder of a user id, or None where no line names it."""
    for line in (tree.text("/etc/passwd") or "").splitlines():
        cells = line.split(":")
        if len(cells) >= 6 and cells[2] == str(uid):
            return cells[5]
    return None


def writable(tree: Tree, path: str) -> Optional[bool]:
    """Return whether the target's user may write into a folder, by its mode bits."""
    try:
        info = tree.raw_lstat(tree.real(path))
    except OSError:
        return False
    return tree.kind(path) == "dir" and tree.user.may(info, 3)


def _mounts() -> List[str]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="backslashreplace") as file:
            text = file.read(1024 * 1024)
    except OSError:
        return []
    points = [line.split()[4] for line in text.splitlines() if len(line.split()) > 4]
    hidden = ("/proc", "/sys", "/dev")
    return [p for p in dict.fromkeys(points) if p != "/" and not p.startswith(hidden)][:200]


def _loader(tree: Tree, start: Start, fact: Fact) -> None:
    """Fill in the machine, its libc, and what the loader finds without being told where."""
    machine = _machine(tree)
    fact["machine"] = machine
    musl = _musl(tree)
    libraries = system_libraries(tree, machine, musl)
    configured = [] if musl else _configured(tree, "/etc/ld.so.conf", set())
    folders = [*configured, *default_folders(tree, machine, musl)]
    fact["library_dirs"] = list(dict.fromkeys(folders))
    fact["libraries"] = dict(sorted(libraries.items())[:MAX_LIBRARIES])
    fact["library_path"] = library_path(tree, start)
    fact["libraries_off_path"] = _off_path(tree, libraries)
    fact["library_versions"] = _versions(tree, libraries)
    fact["libc"] = "musl" if musl else ("glibc" if "libc.so.6" in libraries else "")
    fact["libc_version"] = (
        _musl_version(tree) if musl else _glibc_version(tree, libraries.get("libc.so.6"))
    )


def _musl(tree: Tree) -> List[str]:
    return [name for name in tree.names("/lib") if name.startswith("ld-musl-")]


def system_libraries(tree: Tree, machine: str, musl: List[str]) -> Dict[str, str]:
    """Return what the loader finds by name: its cache, then its own folders."""
    libraries: Dict[str, str] = {}
    for name, path in read_cache(tree).items():
        if tree.is_file(path):
            libraries.setdefault(name, path)
    for folder in default_folders(tree, machine, musl):
        for name in shared_objects(tree, folder):
            libraries.setdefault(name, f"{folder}/{name}")
    return libraries


def library_path(tree: Tree, start: Start) -> Dict[str, List[str]]:
    """Return the folders of LD_LIBRARY_PATH with the shared objects in them."""
    folders = start.env.get("LD_LIBRARY_PATH", "").split(":")
    return {p: shared_objects(tree, p)[:2000] for p in folders if p.startswith("/")}


def loadable(tree: Tree, start: Start) -> List[str]:
    """Return the names of all libraries that can be loaded without any path of their own."""
    found = list(system_libraries(tree, _machine(tree), _musl(tree)))
    return found + [name for names in library_path(tree, start).values() for name in names]


def _off_path(tree: Tree, libraries: Dict[str, str]) -> Dict[str, str]:
    """Return the shared objects where people put software by hand, by name: the first of each."""
    found: Dict[str, str] = {}
    pending = [(top, 0) for top in ("/opt", "/usr/local", "/srv", "/app")]
    visited = 0
    while pending and visited < MAX_FOLDERS:
        folder, depth = pending.pop()
        visited += 1
        try:
            entries = list(tree.raw_scan(folder))
        except OSError:
            continue
        for name, info in entries:
            if stat.S_ISDIR(info.mode):
                if depth < DEPTH and name not in NOT_BY_HAND:
                    pending.append((f"{folder}/{name}", depth + 1))
            elif name.startswith("lib") and ".so" in name and name not in libraries:
                found.setdefault(name, f"{folder}/{name}")
    return dict(sorted(found.items())[:2000])


def _machine(tree: Tree) -> str:
    for path in ("/bin/sh", "/usr/bin/env", "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            with tree.open(path) as handle:
                found = str(elf.describe(path, handle)["machine"])
        except OSError:
            continue
        if found:
            return found
    return ""


def loader_folders(tree: Tree, machine: str) -> List[str]:
    """Return the folders that the loader of a machine's kind searches without being told."""
    return default_folders(tree, machine, _musl(tree))


def default_folders(tree: Tree, machine: str, musl: List[str]) -> List[str]:
    """Return the folders that the loader searches last, those that are there."""
    if musl:
        text = tree.text("/etc/" + musl[0].replace(".so.1", ".path"), 4096)
        folders = (text or "/lib:/usr/local/lib:/usr/lib").replace("\n", ":").split(":")
        return [folder for folder in folders if folder]
    multiarch = MULTIARCH.get(machine, "")
    folders = [f"{top}/{multiarch}" for top in ("/lib", "/usr/lib") if multiarch]
    folders += ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    real: Dict[str, str] = {}
    for folder in folders:
        if tree.is_dir(folder):
            real.setdefault(tree.real(folder), folder)
    return list(real.values())


def shared_objects(tree: Tree, folder: str) -> List[str]:
    """Return the names of shared objects in a folder that lead to a file."""
    names = (n for n in tree.names(folder) if n.endswith(".so") or ".so." in n)
    return [name for name in names if tree.is_file(f"{folder}/{name}")]


def _configured(tree: Tree, file: str, seen: Set[str]) -> List[str]:
    if file in seen or len(seen) > 200:
        return []
    seen.add(file)
    found: List[str] = []
    for line in (tree.text(file, 64 * 1024) or "").splitlines():
        words = line.split("#", 1)[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                folder = os.path.dirname(os.path.join("/etc", pattern))
                names = fnmatch.filter(tree.names(folder), os.path.basename(pattern))
                for name in names:
                    found += _configured(tree, f"{folder}/{name}", seen)
        elif words:
            found.append(words[0].rstrip("/"))
    return found


def read_cache(tree: Tree) -> Dict[str, str]:
    """Return what ``/etc/ld.so.cache`` maps: library name to path.

    Format: glibc ``sysdeps/generic/dl-cache.h``, the ``glibc-ld.so.cache1.1`` part.
    """
    data = tree.read("/etc/ld.so.cache", 8 * 1024 * 1024) or b""
    base = data.find(b"glibc-ld.so.cache1.1")
    found: Dict[str, str] = {}
    if base < 0 or len(data) < base + 48:
        return found
    order = "<" if data[base + 28] in (0, 2) else ">"
    count = struct.unpack_from(order + "I", data, base + 20)[0]
    for index in range(min(count, MAX_LIBRARIES)):
        at = base + 48 + index * 24
        if at + 24 > len(data):
            break
        _, key, value = struct.unpack_from(order + "iII", data, at)
        name, path = _text(data, base + key), _text(data, base + value)
        if name and path.startswith("/"):
            found.setdefault(name, path)
    return found


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + 4096)
    return data[offset:end].decode("utf-8", "backslashreplace") if 0 <= offset < end else ""


def _versions(tree: Tree, libraries: Dict[str, str]) -> Dict[str, List[str]]:
    found = {}
    for name in VERSIONED:
        if name in libraries:
            try:
                with tree.open(libraries[name]) as handle:
                    found[name] = elf.describe(libraries[name], handle).get("verdef", [])
            except OSError:
                continue
    return found


def _glibc_version(tree: Tree, path: Optional[str]) -> str:
    match = GLIBC.search((tree.read(path, 16 * 1024 * 1024) or b"") if path else b"")
    return match.group(1).decode() if match else ""


def _musl_version(tree: Tree) -> str:
    text = tree.text("/lib/apk/db/installed", 16 * 1024 * 1024) or ""
    match = re.search(r"^P:musl\nV:([\d.]+)", text, re.MULTILINE)
    return match.group(1) if match else ""


def user_of(text: str, tree: Tree) -> Tuple[int, int, Tuple[int, ...]]:
    """Return uid, gid and groups of an image's USER (``name``, ``uid``, ``uid:gid``)."""
    name, _, group = text.partition(":")
    uid, gid, login = 0, 0, name
    rows = [line.split(":") for line in (tree.text("/etc/passwd") or "").splitlines()]
    for cells in rows:
        if len(cells) >= 4 and name in (cells[0], cells[2]) and cells[2].isdigit():
            uid, login = int(cells[2]), cells[0]
            gid = int(cells[3]) if cells[3].isdigit() else 0
            break
    else:
        uid = int(name) if name.isdigit() else 0
    lines: List[Any] = [row.split(":") for row in (tree.text("/etc/group") or "").splitlines()]
    groups = [
        int(c[2]) for c in lines if len(c) >= 4 and c[2].isdigit() and login in c[3].split(",")
    ]
    if group:
        named = [int(c[2]) for c in lines if len(c) >= 3 and c[0] == group and c[2].isdigit()]
        gid = int(group) if group.isdigit() else next(iter(named), 0)
    return uid, gid, tuple(groups)
