"""One HTML file that needs nothing else: for an artifact of a pipeline, or a mail."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from venvsmith.report.plain import clean, plural

if TYPE_CHECKING:
    from venvsmith.model.finding import Finding, Report, ReportedEnvironment

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.3rem}code,pre{font:14px/1.4 ui-monospace,monospace;background:#f3f3f3}
pre{padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}.f{border-left:4px solid #999;
padding:.1rem 0 .1rem 1rem;margin:1.2rem 0}.error{border-color:#c62828}
.warning{border-color:#e09000}
.info{border-color:#0277bd}.pass{color:#2e7d32}.fail{color:#c62828}
.inconclusive{color:#b36b00}
td,th{text-align:left;padding:.1rem .8rem .1rem 0}
details{margin:.5rem 0}.s{color:#666}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}code,pre{background:#262626}}
"""


def form(report: Report, *, color: bool = False, width: int = 0) -> str:  # noqa: ARG001 - one signature
    """Return the report as one page."""
    ref = _(report.target.ref)
    score = "" if report.score is None else f" · score {report.score}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width">',
        f"<title>venvsmith: {ref}</title><style>{STYLE}</style>",
        f"<h1>{ref} <span class={report.verdict}>{report.verdict}</span>{score}</h1>",
        *(_environment(env) for env in report.environments),
        *(_finding(report, f) for f in report.findings if f.root and f.ignored is None),
        _rest(report),
    ]
    return "\n".join(parts) + "\n"


def _(text: str) -> str:
    return escape(clean(text))


def _environment(env: ReportedEnvironment) -> str:
    python = f"Python {env.python.version or '?'}" if env.python else "no working Python"
    there = [p for p in env.packages if p.version is not None or p.locked is not None]
    rows = "".join(
        f"<tr><td>{_(p.name)}<td>{_(p.version or '-')}<td>{_(p.locked or '')}"
        f"<td>{'' if p.available else 'not available'}"
        for p in there
    )
    return (
        f"<details><summary><code>{_(env.path)}</code> · {_(python)} · "
        f"{plural(len(there), 'package')} · {env.status}</summary>"
        f"<table><tr><th>package<th>version<th>locked<th>{rows}</table></details>"
    )


def _finding(report: Report, finding: Finding) -> str:
    others = [report.findings[i] for i in finding.explains]
    items = "".join(f"<li>{_(o.rule)}: {_(o.message)}" for o in others)
    follow = (
        f"<details><summary>explains {plural(len(others), 'more finding')}</summary><ul>{items}"
        "</ul></details>"
        if others
        else ""
    )
    return (
        f'<div class="f {finding.severity}"><b>{_(finding.rule)}</b> '
        f"<span class=s>{finding.severity} · {_(finding.code)} · {_(finding.environment)}</span>"
        f"<p>{_(finding.message)}<p class=s>{_(finding.cause)}<pre>{_(finding.fix)}</pre>{follow}"
        "</div>"
    )


def _rest(report: Report) -> str:
    ignored = "".join(
        f"<li>{_(f.rule)} {_(f.subject)}: {_(f.ignored)}"
        for f in report.findings
        if f.ignored is not None
    )
    skipped = "".join(f"<li>{_(s.rule)}: {_(s.reason)}" for s in report.checks.skipped)
    seconds = report.timings.get("total_s", 0.0)
    return (
        (f"<h2>Ignored</h2><ul>{ignored}</ul>" if ignored else "")
        + f"<p class=s>{plural(report.checks.ran, 'check')} in {seconds:.1f} s"
        + (
            f"<details><summary>not checked</summary><ul>{skipped}</ul></details>"
            if skipped
            else ""
        )
    )
