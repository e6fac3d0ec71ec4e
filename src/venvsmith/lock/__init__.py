"""Lockfiles: their text, where they lie, what a stage adds to its parent, and drift."""

from venvsmith.lock.layers import delta
from venvsmith.lock.sizes import read_sizes, sizes_of
from venvsmith.lock.source import build_key, own_project
from venvsmith.lock.store import (
    lock_path,
    needs_tools,
    read_lock,
    read_locks,
    read_tools,
    tools_path,
)
from venvsmith.lock.text import (
    emit_lock,
    emit_pins,
    emit_tools,
    parse_lock,
    parse_pins,
    parse_tools,
)

__all__ = [
    "build_key",
    "delta",
    "emit_lock",
    "emit_pins",
    "emit_tools",
    "lock_path",
    "needs_tools",
    "own_project",
    "parse_lock",
    "parse_pins",
    "parse_tools",
    "read_lock",
    "read_locks",
    "read_sizes",
    "read_tools",
    "sizes_of",
    "tools_path",
]
