"""Reading the records beside the locks and the deltas: JSON that anyone may have edited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from venvsmith.errors import UnsafeInputError
from venvsmith.texts import read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Content = TypeVar("Content")
SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a record: some fifty times the largest that we have seen."""


def read_record(
    path: Path,
    understand: Callable[[Any], Content],
    *,
    root: Path,
    what: str,
    hint: str = "restore it, or delete it and run 'venvsmith lock'",
    code: str = "lock-malformed",
) -> Content | None:
    """Return what a record says; None where there is no such file.

    :param understand: takes the parsed JSON; a ValueError of its own is told as it is, and what
        else looking into unexpected data raises need not be caught there.
    :param root: the configuration's folder, from which the error names the file.
    :param what: what it is a record of, for the error.
    :raises UnsafeInputError: where the file cannot be read, or is not such a record.
    """
    try:
        return understand(json.loads(read_text(path, SIZE_LIMIT)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        why = f"it has no {exc}" if isinstance(exc, KeyError) else str(exc)
        if isinstance(exc, OSError):
            why = str(exc.strerror)
        raise UnsafeInputError(
            f"not a record of {what} ({why})",
            where=path.relative_to(root).as_posix(),
            hint=hint,
            code=code,
        ) from exc


def refuse_schema(content: Any, schema: str) -> None:
    """Refuse a record of another kind or time.

    :raises ValueError: where it does not name the schema.
    """
    if content["schema"] != schema:
        message = f"its schema is {content['schema']!r:.60}, not '{schema}'"
        raise ValueError(message)
