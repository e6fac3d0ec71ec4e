"""The tokens that the configuration names: there, well-formed, and accepted by their service."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING

from venvsmith.network import without_credentials
from venvsmith.preflight.report import Row

if TYPE_CHECKING:
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

HUGGING_FACE = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
"""The variables that huggingface_hub reads, the older name last."""
HUB = "https://huggingface.co"


def check_tokens(at: Situation) -> list[Row]:
    """Look for each token in the environment, then in the project's ``.env``; shows none."""
    if at.project is None:
        return []
    file = at.machine.read(str(at.project.root / ".env"))
    dotenv = read_dotenv(file) if file else {}
    rows = [_token(at, name, dotenv) for name in at.project.preflight.tokens]
    return rows + [_secret(at, name) for name in at.project.build.secrets]


def read_dotenv(text: str) -> dict[str, str]:
    """Return the assignments of an ``.env`` file, variables in them left as they stand."""
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is such a file

    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value or "" for name, value in found.items()}


def _malformed(name: str, value: str) -> tuple[str, str] | None:
    """Return what is wrong with a token's form, in words that do not show it, and how to mend it.

    None where nothing is.
    """
    without = "set it anew, without them"
    if value[:1] in {'"', "'"} or value[-1:] in {'"', "'"}:
        return "has quotes around it, which belong to the shell", without
    if value != value.strip():
        return "has spaces or a line's end around it", without
    if any(c.isspace() or not c.isprintable() for c in value):
        return "has spaces or control characters in it", without
    if not value.isascii():
        return "has characters in it that no token has", without
    if name in HUGGING_FACE and not re.fullmatch(r"hf_[A-Za-z0-9]{10,}", value):
        message = "does not look like one of Hugging Face's, which begin with hf_"
        return message, f"set it to one of {HUB}/settings/tokens"
    return None


def _row(subject: str, status: Status, message: str, mend: str = "") -> Row:
    return Row(
        group="tokens", check="token", subject=subject, status=status, message=message, mend=mend
    )


def _token(at: Situation, name: str, dotenv: dict[str, str]) -> Row:
    value, source = at.machine.env.get(name, ""), "the environment"
    if not value and name in dotenv:
        value, source = dotenv[name], ".env"
    mend = f"export {name}=…, or write it into .env beside the configuration"
    if not value:
        empty = name in at.machine.env or name in dotenv
        message = "empty" if empty else "neither in the environment nor in .env"
        return _row(name, "missing", message, mend)
    if (problem := _malformed(name, value)) is not None:
        return _row(name, "wrong", f"in {source}: {problem[0]}", problem[1])
    if not at.probe:
        return _row(name, "ok", f"in {source}, well-formed; --probe asks its service")
    if name in HUGGING_FACE:
        return _whoami(at, name, value, source)
    return _row(name, "ok", f"in {source}, well-formed; venvsmith knows no service to ask")


def _whoami(at: Situation, name: str, value: str, source: str) -> Row:
    """Ask Hugging Face (or the mirror that HF_ENDPOINT names) whose token it is."""
    hub = at.machine.env.get("HF_ENDPOINT", "").rstrip("/") or HUB
    reply = at.machine.get(f"{hub}/api/whoami-v2", {"Authorization": f"Bearer {value}"})
    shown = without_credentials(hub)
    if reply.status == 200:  # noqa: PLR2004
        return _row(name, "ok", f"in {source}; {shown} knows it{_owner(reply.body)}")
    if reply.status in {401, 403}:
        mend = f"make a new one at {shown}/settings/tokens"
        return _row(name, "wrong", f"{shown} refuses it (status {reply.status})", mend)
    why = reply.why or f"it answers with status {reply.status}"
    return _row(name, "unknown", f"in {source}; {shown} cannot be asked: {why}")


def _owner(body: str) -> str:
    try:
        owner = str(json.loads(body)["name"])
    except (ValueError, KeyError, TypeError):
        return ""
    return f" as {owner}" if owner.isprintable() else ""


def _secret(at: Situation, name: str) -> Row:
    """Look for a build secret, which a build does without where it is not there."""
    if at.machine.env.get(name):
        return Row(
            group="tokens", check="secret", subject=name, status="ok", message="in the environment"
        )
    return Row(
        group="tokens",
        check="secret",
        subject=name,
        status="warning",
        message="a build secret that is not in the environment: steps go without it",
        mend=f"export {name}=…, where a step needs it",
    )
