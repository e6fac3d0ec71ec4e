"""What preflight finds: rows, a verdict, an exit code, and the form that scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

SCHEMA: Final = "venvsmith/preflight/1"

Status = Literal["ok", "warning", "missing", "wrong", "unknown"]
"""``missing`` is not there, ``wrong`` is there and will not do, ``warning`` will do with a remark,
``unknown`` could not be asked."""
Verdict = Literal["ready", "not-ready"]

CONFIGURATION, DRIFT, ENVIRONMENT = 2, 1, 4
"""Exit codes that a row stands for where it is missing or wrong (the contract's own)."""
GROUPS: Final = (
    "project",
    "programs",
    "engine",
    "base images",
    "disk",
    "local engine",
    "registries",
    "tokens",
    "devices",
)
"""Where rows belong, in the order in which they are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One thing that was looked at.

    ``check`` is a stable name for scripts (``token``), ``subject`` what it was asked of
    (``HF_TOKEN``), ``mend`` what to do, empty where there is nothing to do. ``exit_code`` is what
    the run ends with where this row is missing or wrong.
    """

    group: str
    check: str
    subject: str
    status: Status
    message: str
    mend: str = ""
    exit_code: int = ENVIRONMENT

    @property
    def bad(self) -> bool:
        """Return whether this row keeps the machine from being ready."""
        return self.status in {"missing", "wrong"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """The machine that was asked: as Python's ``platform`` names systems, docker architectures."""

    system: str
    arch: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """The whole answer."""

    schema: Literal["venvsmith/preflight/1"] = SCHEMA
    verdict: Verdict
    exit_code: int
    project: str | None
    """The project's name; None where no configuration could be read."""
    host: Host
    probed: bool
    """Whether services were asked if they accept the tokens and logins."""
    checks: tuple[Row, ...]
    counts: Mapping[str, int]
    """How many checks have which status; all statuses are named."""
    seconds: float


def preflight_of(
    rows: Iterable[Row], *, project: str | None, host: Host, probed: bool, seconds: float
) -> Preflight:
    """Return the answer that rows amount to, in the order of their groups.

    A wrong configuration (2) counts before locks that are out of step (1), and both before what
    the machine lacks (4): what no retry mends is told first.
    """
    ordered = tuple(sorted(rows, key=lambda row: GROUPS.index(row.group)))
    codes = {row.exit_code for row in ordered if row.bad}
    order = (CONFIGURATION, DRIFT, ENVIRONMENT)
    code = next((code for code in order if code in codes), 0)
    counted = Counter[str](row.status for row in ordered)
    return Preflight(
        verdict="not-ready" if code else "ready",
        exit_code=code,
        project=project,
        host=host,
        probed=probed,
        checks=ordered,
        counts={name: counted[name] for name in ("ok", "warning", "missing", "wrong", "unknown")},
        seconds=round(seconds, 2),
    )
