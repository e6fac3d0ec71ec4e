"""stdlib-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.data.stdlib import standard_library
from venvsmith.rules.framework.follows import IMPORTS, RUNS, missing_module
from venvsmith.rules.framework.mends import remade
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Interpreter
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

SIGNS = ("No module named 'encodings'", "init_fs_encoding", "Could not find platform independent")
OPTIONAL = {
    "distutils": "python3-distutils",
    "ensurepip": "python3-venv",
    "lib2to3": "python3-lib2to3",
    "tkinter": "python3-tk",
    "_tkinter": "python3-tk",
    "venv": "python3-venv",
    "dbm": "python3-gdbm",
}
"""Parts of the standard library that Debian packages by themselves."""


class StdlibMissing(Rule):
    """The interpreter does not find its standard library, or a part of it is gone.

    ## What it looks for
    A folder with `encodings` where the interpreter looks for its standard library, `PYTHONHOME`,
    what the interpreter says when it starts, and modules of the standard library that imports miss.

    ## Why it happens
    Only the interpreter's binary was copied, not `lib/pythonX.Y`; `PYTHONHOME` points elsewhere; a
    slimming step deleted "unused" modules; Debian packages a part by itself (`python3-distutils`,
    `python3-tk`); or the interpreter was compiled without a library (`_sqlite3`, `_ctypes`).

    ## How to see it by hand
    `/venv/bin/python -c "import encodings; print(encodings.__file__)"`, and `env | grep PYTHON`.

    ## How to mend it
    Copy the whole installation, or base the stage on an image that has it:

        COPY --from=build /usr/local/lib/python3.11 /usr/local/lib/python3.11

    ## When it is fine
    Where nothing that is used needs the absent part; then no import misses it and no finding comes.
    """

    name = "stdlib-missing"
    code = "VS305"
    claims = RUNS | {"venv-config-broken"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at how it starts first, then at what imports miss."""
        interpreter = ctx.env.interpreter
        if interpreter is None or interpreter.resolves_to is None:
            return
        if self._is_lost(ctx, interpreter):
            yield self._lost(ctx, interpreter)
            return
        lost = interpreter.stdlib_lacks
        if lost and not (interpreter.stdlib or "").startswith("/usr/lib/python3"):
            yield self._slimmed(ctx, interpreter, lost, started=not ctx.view.nothing_starts)
        for module in sorted({i.missing or "" for i in ctx.view.failed_imports}):
            top = module.partition(".")[0]
            if top in lost:
                continue
            if top in standard_library(ctx.view.minor):
                yield self._part(ctx, interpreter, module)

    @staticmethod
    def _is_lost(ctx: Context, interpreter: Interpreter) -> bool:
        run = interpreter.run
        if run is not None:
            return run.returncode != 0 and any(sign in run.stderr for sign in SIGNS)
        # A copy of the binary tells no minor of its own; that nothing starts tells enough.
        known = interpreter.minor is not None or bool(ctx.view.nothing_starts)
        return interpreter.stdlib is None and known

    def _slimmed(
        self, ctx: Context, interpreter: Interpreter, lost: tuple[str, ...], *, started: bool
    ) -> Finding:
        hit = any((i.missing or "").partition(".")[0] in lost for i in ctx.view.failed_imports)
        return self.finding(
            ctx,
            subject=interpreter.stdlib or interpreter.path,
            message=(
                f"{interpreter.stdlib} lacks {listing(lost)}, "
                f"{'a part' if len(lost) == 1 else 'parts'} of the standard library."
            ),
            cause="A slimming step removed them, or the folder was copied in part.",
            fix=_whole(ctx),
            severity="error" if hit or not started else "warning",
            evidence={"modules": list(lost), "module": None if not started else ""},
        )

    def _lost(self, ctx: Context, interpreter: Interpreter) -> Finding:
        home = ctx.facts.system.env.get("PYTHONHOME")
        minor = interpreter.minor or "3.X"
        return self.finding(
            ctx,
            subject=interpreter.resolves_to or interpreter.path,
            message=(
                f"{interpreter.path} ({interpreter.resolves_to}) does not find its standard "
                f"library" + (f": PYTHONHOME is {home}." if home else ".")
            ),
            cause=(
                f"PYTHONHOME sends it to {home}, which holds none for Python {minor}."
                if home
                else "The interpreter was copied without lib/python" + minor + "."
            ),
            fix=(
                "ENV PYTHONHOME="
                if home and ctx.is_here
                else "Remove ENV PYTHONHOME"
                if home
                else _whole(ctx)
                if ctx.is_here
                else f"COPY --from=build /usr/local/lib/python{minor} /usr/local/lib/python{minor}"
            ),
            evidence={
                "PYTHONHOME": home,
                "stderr": interpreter.run.stderr if interpreter.run else "",
            },
        )

    def _part(self, ctx: Context, interpreter: Interpreter, module: str) -> Finding:
        package = OPTIONAL.get(module.partition(".")[0])
        debian = package and ctx.facts.system.os_id in {"debian", "ubuntu"}
        return self.finding(
            ctx,
            subject=module,
            message=f"{interpreter.resolves_to} lacks {module}, a part of the standard library.",
            cause=(
                f"This system packages it by itself, as {package}."
                if debian
                else "The interpreter was built without it, or a slimming step removed it."
            ),
            fix=(f"RUN apt-get update && apt-get install -y {package}" if debian else _whole(ctx)),
            evidence={"module": module},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim every run where nothing starts, and otherwise what misses that module."""
        module = finding.evidence.get("module")
        lost = finding.evidence.get("modules")
        if module is not None and lost:
            top = (missing_module(other, ctx) or "").partition(".")[0]
            return other.rule in RUNS and top in lost
        if module is None:
            return other.rule in RUNS | {"venv-config-broken"}
        if other.rule in IMPORTS:
            return missing_module(other, ctx) == str(module)
        said = str(other.evidence.get("output", ""))
        return other.rule == "command-failed" and f"No module named '{module}'" in said


def _whole(ctx: Context) -> str:
    minor = ctx.view.minor
    if ctx.is_here:
        return remade(ctx, "", minor=minor) + ", with a Python that is whole"
    return f"Base the stage on an interpreter that is whole: FROM python:{minor or '3.X'}-slim"
