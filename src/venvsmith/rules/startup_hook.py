"""startup-hook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import RUNS, text_of
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

KNOWN = re.compile(
    r"(^|/)(_virtualenv|distutils-precedence|a1_coverage|pytest-cov|init_cov|"
    r"protobuf-.*nspkg|.*-nspkg|__editable__.*|_?uv_.*|google-generativeai.*)\.pth$"
)
"""Hooks that tools write without a RECORD: virtualenv, setuptools, coverage, namespace packages."""


class StartupHook(Rule):
    """Code that nobody installed runs at every start of the interpreter.

    ## What it looks for
    `sitecustomize` and `usercustomize` modules, and lines of code in `.pth` files, that belong to
    no distribution.

    ## Why it happens
    A tracing agent or a base image put them there, often through `PYTHONPATH`. They run before
    anything else, in every Python that sees them, and may fail, change `sys.path` or end the
    process.

    ## How to see it by hand
    `python -X importtime -c pass 2>&1 | tail`, or `python -I -S -c pass`, which runs none of them.

    ## How to mend it
    Remove the file, or install what it needs:

        RUN rm /venv/lib/python3.11/site-packages/HOOK.pth

    ## When it is fine
    Your own hook that works: reported as a warning. Those of coverage, virtualenv and setuptools
    are known.
    """

    name = "startup-hook"
    code = "VS215"
    claims = RUNS | {"pythonpath-poison", "stdlib-missing"}
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at modules, then at lines of code."""
        run = ctx.env.interpreter.run if ctx.env.interpreter else None
        ended = (
            run is not None
            and run.returncode not in {0, None, 126, 127}
            and "encodings" not in run.stderr
            and "error while loading shared" not in run.stderr
        )
        files = dict.fromkeys(
            [
                *ctx.env.startup_files,
                *(
                    line.file
                    for line in ctx.env.pth
                    if line.is_code and line.distribution is None and not KNOWN.search(line.file)
                ),
            ]
        )
        for path in files:
            if path.startswith(("/usr/lib/python3", "/etc/")) and not ended:
                continue  # Debian's own
            code = next((line.line for line in ctx.env.pth if line.file == path), "")
            stderr = run.stderr if run else ""
            yield self.finding(
                ctx,
                subject=path,
                message=f"{path} runs at every start of Python, and no distribution owns it.",
                cause=(
                    "The interpreter fails there."
                    if ended
                    else "An agent or a tool put it there."
                    if ctx.is_here
                    else "An agent, a base image or a tool put it there."
                ),
                fix=f"{run_line('rm', path)}, or install what it needs",
                severity="error" if ended else "warning",
                evidence={"code": code[:300], "stderr": stderr[-1000:], "ended": ended},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim a start that it breaks, and what its code breaks later."""
        if finding.evidence["ended"]:
            return other.rule in RUNS | {"pythonpath-poison", "stdlib-missing", "interpreter-fails"}
        if other.rule not in RUNS:
            return False
        said = " ".join([text_of(other), *(str(f) for f in other.evidence.get("traceback", ()))])
        return finding.subject in said
