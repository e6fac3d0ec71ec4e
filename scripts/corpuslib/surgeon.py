"""Break one thing in the environment that runs this, and say what: one JSON line.

Runs as root in a throwaway container under the image's own Python (3.9 or newer), with the
standard library alone: ``python -I -S surgeon.py SEED SITE-PACKAGES WORKDIR``.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

_SCRIPTS = Path(sys.executable).parent


class Surgeon:
    """One cut, chosen by chance. Each ``_cut_`` method returns what it did, or "" for nothing."""

    def __init__(self, chance: random.Random, site: Path, workdir: Path) -> None:
        self.chance = chance
        self.site = site
        self.workdir = workdir

    def _pick(self, found: list[Path]) -> Path | None:
        return self.chance.choice(sorted(found)) if found else None

    def _file(self, *suffixes: str) -> Path | None:
        seen = (p for p in self.site.rglob("*") if p.suffix in suffixes and p.is_file())
        return self._pick([p for p in seen if "__pycache__" not in p.parts and p.stat().st_size])

    def _package(self) -> Path | None:
        return self._pick([init.parent for init in self.site.glob("*/__init__.py")])

    def _script(self) -> Path | None:
        files = (p for p in _SCRIPTS.iterdir() if p.is_file() and not p.is_symlink())
        return self._pick([p for p in files if p.read_bytes()[:2] == b"#!"])

    def _cut_drop_file(self) -> str:
        if path := self._file(".py", ".so"):
            path.unlink()
        return str(path or "")

    def _cut_drop_init(self) -> str:
        if package := self._package():
            (package / "__init__.py").unlink()
        return str(package or "")

    def _cut_drop_package(self) -> str:
        if package := self._package():
            package.rename(f"{package}.gone")
        return str(package or "")

    def _cut_drop_metadata(self) -> str:
        if info := self._pick(list(self.site.glob("*.dist-info"))):
            info.rename(info.with_suffix(".gone"))
        return str(info or "")

    def _cut_swap_version(self) -> str:
        path = self._pick(list(self.site.glob("*.dist-info/METADATA")))
        if not path:
            return ""
        lines = path.read_text(encoding="utf-8").split("\n")
        lines = ["Version: 0.0.1" if s.startswith("Version:") else s for s in lines]
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    def _cut_close_file(self) -> str:
        if path := self._file(".py", ".so"):
            path.chmod(self.chance.choice((0o600, 0o000)))
        return str(path or "")

    def _cut_close_package(self) -> str:
        if package := self._package():
            package.chmod(0o700)
        return str(package or "")

    def _cut_truncate(self) -> str:
        if path := self._file(".so"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
        return str(path or "")

    def _cut_empty(self) -> str:
        if path := self._file(".py"):
            path.write_bytes(b"")
        return str(path or "")

    def _cut_line(self) -> str:
        package = self._package()
        if not package:
            return ""
        path = package / "__init__.py"
        lines = path.read_text(encoding="utf-8").split("\n")
        number = self.chance.randrange(len(lines))
        lines[number] = "<<<<<<< HEAD"
        path.write_text("\n".join(lines), encoding="utf-8")
        return f"{path}:{number + 1}"

    def _cut_shebang(self) -> str:
        path = self._script()
        if path:
            rest = path.read_bytes().split(b"\n", 1)[1]
            path.write_bytes(b"#!/build/.venv/bin/python\n" + rest)
        return str(path or "")

    def _cut_script_mode(self) -> str:
        if path := self._script():
            path.chmod(path.stat().st_mode & ~0o111)
        return str(path or "")

    def _cut_python_link(self) -> str:
        path = Path(sys.executable)
        if not path.is_symlink():
            return ""
        target = self.chance.choice(("/usr/local/bin/python3.12", "/root/.local/uv/bin/python"))
        path.unlink()
        path.symlink_to(target)
        return f"{path} -> {target}"

    def _cut_config(self) -> str:
        path = _SCRIPTS.parent / "pyvenv.cfg"
        if not path.exists():
            return ""
        path.unlink()
        return str(path)

    def _cut_shadow(self) -> str:
        package = self._package()
        name = self.chance.choice(("logging", "typing", package.name if package else "email"))
        path = self.workdir / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("VALUE = 1\n", encoding="utf-8")
        return str(path)


def main() -> None:
    """Try the cuts in an order of chance until one is possible."""
    chance = random.Random(int(sys.argv[1]))  # noqa: S311 - repeatable, not secret
    surgeon = Surgeon(chance, Path(sys.argv[2]), Path(sys.argv[3]))
    cuts = sorted(name for name in dir(surgeon) if name.startswith("_cut_"))
    chance.shuffle(cuts)
    for cut in cuts:
        if what := getattr(surgeon, cut)():
            print(json.dumps({"kind": cut[5:], "what": what}))
            return


if __name__ == "__main__":
    main()
