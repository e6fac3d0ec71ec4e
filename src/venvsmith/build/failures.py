"""A build step that failed, told in one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venvsmith.build.secrets import login_hint
from venvsmith.errors import JudgedError, SurroundingsError, VenvsmithError
from venvsmith.files import full_disk
from venvsmith.network import gone_error, network_error, redact_urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvsmith.model.plan import Plan, Step
    from venvsmith.model.project import Index


def step_failure(
    plan: Plan,
    step: Step | None,
    lines: Iterable[str],
    *,
    indexes: Iterable[Index] = (),
    timed_out: bool = False,
) -> VenvsmithError:
    """Return the error for a failed step: our own sentence where there is one, else the last lines.

    A full disk, a network and an index that fail are the surroundings' fault, whatever step met
    them; a locked file that is gone or is another one is not.

    :param step: None where the failing step is not known.
    :param lines: what it printed.
    :param indexes: the project's own.
    """
    told = [redact_urls(line.strip(_FRAME)) for line in lines]
    where = f"{plan.name}: step {step.id}" if step is not None else plan.name
    text = "\n".join(told)
    if (full := full_disk(text, where=where, hint="free some space and build again")) is not None:
        return full
    if timed_out:
        message = f"it took too long; it last said: {' | '.join(told[-1:]) or 'nothing'}"
        hint = "look at the network, then build again; VENVSMITH_TOOL_TIMEOUT gives it more time"
        return SurroundingsError(message, where=where, hint=hint, code="step-timeout")
    if step is not None and step.network:
        error = network_error(text, where=where) or gone_error(text, where=where)
        # What is gone where Python or a system package comes from is no file of an index.
        if error is not None and (step.kind not in {"apt", "python"} or error.exit_code != 1):
            return _naming(error, text, indexes)
    ours = [line.partition("venvsmith: ")[2] for line in told if "venvsmith: " in line]
    plain = [line for line in told if line and not _NOISE.match(line)]
    said = " | ".join(ours[-1:] or plain[-3:]) or "it printed nothing"
    return JudgedError(f"failed: {said}", where=where, code="build-step")


# pip frames what a build backend said, and repeats below it that it failed.
_FRAME = " \t\r\n\u2502\u00d7\u2570\u2500>"
_NOISE = re.compile(
    r"note: |hint: |ERROR: Failed |error: (subprocess-exited|metadata-generation)|"
    r"Encountered error|exit code: |from file://|"
    r"\[end of output\]|\[\d+ lines of output\]|Building wheel for .* did not run|"
    r"(Preparing|Getting|Building|Running) .*(finished with status|did not run)|Processing /"
)


def _naming(error: VenvsmithError, text: str, indexes: Iterable[Index]) -> VenvsmithError:
    """Name the variables of the index that refuses us, where it is one of the project's."""
    hosts = {urlsplit(index.url).netloc: index for index in indexes}
    named = [index for host, index in hosts.items() if host and f"//{host}/" in text]
    if error.code == "index-refused" and len(named) == 1:
        error.hint = login_hint(named[0])
    return error
