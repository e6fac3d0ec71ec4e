"""The report in the forms that people and tools read: pure, a `Report` in and a string out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from venvsmith.model.finding import Report

Format = Literal["text", "json", "junit", "sarif", "github", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    report: Report,
    format: Format = "text",  # noqa: A002 - the option's own name
    *,
    color: bool = False,
    width: int = 80,
) -> str:
    """Return a report in one of the contract's formats, ending in a newline.

    :param color: whether ``text`` may carry terminal colours; the other formats never do.
    :param width: columns of ``text``.
    """
    module = importlib.import_module(f"venvsmith.report.as_{format}")
    form: str = module.form(report, color=color, width=width)
    return form
