"""What a push came to, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvsmith.errors import VenvsmithError
    from venvsmith.push.model import Content, Summary, Tag

SCHEMA = "venvsmith/push/1"


def summary_text(summary: Summary) -> str:
    """Return a line for each image and each tag, and one that counts them."""
    lines = [_content_line(content) for content in summary.contents]
    lines += [_tag_line(tag) for tag in summary.tags]
    contents = Counter(str(content.status) for content in summary.contents)
    tags = Counter(str(tag.status) for tag in summary.tags)
    lines.append(f"images: {_counts(contents)}; tags: {_counts(tags)}")
    return "\n".join(lines) + "\n"


def summary_json(summary: Summary) -> str:
    """Return the same as JSON, of the schema ``venvsmith/push/1``."""
    document = {
        "schema": SCHEMA,
        "images": [
            {
                "name": content.shipment.name,
                "repository": content.shipment.repository,
                "image_id": content.shipment.image_id,
                "status": content.status,
                "layers": dict(content.pushed.layers),
                "sent_bytes": content.pushed.sent,
                "error": _error(content.error),
            }
            for content in summary.contents
        ],
        "tags": [
            {
                "tag": tag.tag,
                "status": tag.status,
                "before": tag.before or None,
                "after": tag.after or None,
                "error": _error(tag.error),
            }
            for tag in summary.tags
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _content_line(content: Content) -> str:
    layers = content.pushed.layers
    parts = [
        f"{count} {text}"
        for kind, text in (
            ("pushed", "layers pushed"),
            ("mounted", "taken from another repository"),
            ("there", "there"),
        )
        if (count := layers.get(kind, 0))
    ]
    if content.pushed.sent:
        parts.append(f"{content.pushed.sent / 1e6:.1f} MB before compression")
    told = f" ({', '.join(parts)})" if parts else ""
    shipment = content.shipment
    return f"{content.status:<9}  {shipment.name} to {shipment.repository}{told}"


def _tag_line(tag: Tag) -> str:
    before, after = (digest[:19] or "nothing" for digest in (tag.before, tag.after))
    told = f"{before} -> {after}" if tag.status in {"moved", "new"} else before
    return f"{tag.status:<9}  {tag.tag}  {told}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in counts.items()) or "none"


def _error(error: VenvsmithError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint}
