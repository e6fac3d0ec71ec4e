"""Facts for the rules' fixtures: a healthy environment, with what a case says laid over it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec

from venvsmith.dockerfile.parse import parse
from venvsmith.model.dockerfile import BuildContext
from venvsmith.model.expected import Expected
from venvsmith.model.facts import Facts, MissingFact, Target

SITE = "/venv/lib/python3.11/site-packages"
HEALTHY: dict[str, Any] = {
    "path": "/venv",
    "kind": "venv",
    "config": {"home": "/usr/bin", "version": "3.11.2", "include-system-site-packages": "false"},
    "interpreter": {
        "path": "/venv/bin/python",
        "chain": [
            {"path": "/venv/bin/python", "kind": "link"},
            {"path": "/usr/bin/python3.11", "kind": "file", "mode": 0o100755},
        ],
        "resolves_to": "/usr/bin/python3.11",
        "minor": "3.11",
        "stdlib": "/usr/lib/python3.11",
        "run": {
            "returncode": 0,
            "version": "3.11.2",
            "prefix": "/venv",
            "sys_path": ["/usr/lib/python311.zip", "/usr/lib/python3.11", SITE],
        },
    },
    "lib_minors": ["3.11"],
    "site_packages": [SITE],
    "bin_names": ["activate", "python", "python3", "python3.11"],
    "on_path": True,
}
SYSTEM: dict[str, Any] = {
    "os_id": "debian",
    "os_version": "12",
    "machine": "x86_64",
    "libc": "glibc",
    "libc_version": "2.36",
    "uid": 1001,
    "gid": 1001,
    "home": "/home/app",
    "home_writable": True,
    "has_passwd_entry": True,
    "env": {"PATH": "/venv/bin:/usr/local/bin:/usr/bin:/bin"},
    "path": ["/venv/bin", "/usr/local/bin", "/usr/bin", "/bin"],
    "library_dirs": ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"],
    "libraries": {
        name: f"/lib/x86_64-linux-gnu/{name}"
        for name in (
            "libc.so.6",
            "libm.so.6",
            "libdl.so.2",
            "libpthread.so.0",
            "librt.so.1",
            "libgcc_s.so.1",
            "libstdc++.so.6",
            "ld-linux-x86-64.so.2",
        )
    },
    "library_versions": {
        "libc.so.6": [f"GLIBC_2.{n}" for n in (2, 14, 17, 28, 34, 35, 36)] + ["GLIBC_2.2.5"],
        "libstdc++.so.6": [f"GLIBCXX_3.4.{n}" for n in range(10, 31)] + ["CXXABI_1.3.13"],
        "libgcc_s.so.1": ["GCC_3.0", "GCC_3.3", "GCC_4.2.0"],
    },
}
TARGET: dict[str, Any] = {
    "kind": "image",
    "ref": "example:1",
    "platform": "linux/amd64",
    "config": {"user": "1001", "architecture": "amd64", "env": SYSTEM["env"]},
}


def overlaid(base: Any, over: Any) -> Any:
    """Lay a case's tables over the healthy ones, key by key; lists replace, "null" is None."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = overlaid(base.get(key), value)
        return merged
    return None if over == "null" else deepcopy(over)


def _environment(over: dict[str, Any]) -> dict[str, Any]:
    env: dict[str, Any] = overlaid(HEALTHY, over)
    for key in over.get("without", ()):
        env.pop(key, None)
    env.pop("without", None)
    site = env["site_packages"][0] if env["site_packages"] else SITE
    for dist in env.get("distributions", ()):
        dist.setdefault("version", "1.0")
        dist.setdefault("location", site)
        dist.setdefault("metadata_path", f"{site}/{dist['name']}-{dist['version']}.dist-info")
        dist.setdefault("top_level", [dist["name"].replace("-", "_")])
    for command in env.get("commands", ()):
        command["returncode"] = None if command["returncode"] == "null" else command["returncode"]
    for elf in env.get("elves", ()):
        elf.setdefault("machine", "x86_64")
    return env


def _of_dockerfile(case: dict[str, Any]) -> Facts:
    context = msgspec.convert(case.get("context"), BuildContext | None)
    return Facts(
        target=Target(kind="dockerfile", ref="Dockerfile"),
        dockerfile=replace(parse(case["dockerfile"], "Dockerfile"), context=context),
        missing=tuple(msgspec.convert(m, MissingFact) for m in case.get("missing", [])),
    )


def facts_of(case: dict[str, Any]) -> Facts:
    """Return the facts of a case: its tables over a healthy environment of a healthy image.

    A case with a ``dockerfile`` has its text as the target instead.
    """
    if "dockerfile" in case:
        return _of_dockerfile(case)
    environments = case.get("environments") or [case.get("env", {})]
    raw = {
        "target": overlaid(TARGET, case.get("target", {})),
        "system": overlaid(SYSTEM, case.get("system", {})),
        "environments": [_environment(env) for env in environments],
        "missing": case.get("missing", []),
        "probe_problems": case.get("probe_problems", []),
    }
    return msgspec.convert(raw, Facts)


def expected_of(case: dict[str, Any]) -> Expected:
    """Return what a case expects of its first environment."""
    return msgspec.convert({"source": "locks/app.txt", **case.get("expected", {})}, Expected)
