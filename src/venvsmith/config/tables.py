"""Kinds of values that hold others: lists, tables of the user's keys, tables of known keys."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from venvsmith.config.kinds import Kind, Problems, mismatch
from venvsmith.config.wording import join, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.config.scalars import Text


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items are all of one kind."""

    item: Kind
    _: KW_ONLY
    at_least: int = 0
    unique: bool = False

    blank = ()

    @property
    def one(self) -> str:
        """Return the name of its type with an article."""
        return f"a list of {self.item.many}"

    @property
    def many(self) -> str:
        """Return the plural of its type's name."""
        return f"lists of {self.item.many}"

    def read(self, value: object, path: str, problems: Problems) -> tuple[Any, ...]:
        """Return the items; a blank stands where one is wrong."""
        if not isinstance(value, list):
            problems.append((path, mismatch(self, value)))
            return ()
        if len(value) < self.at_least:
            problems.append((path, f"expected at least {self.at_least} item, got an empty list"))
        items = [
            self.item.read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)
        ]
        if self.unique:
            seen = {self.item.blank: -1}
            for index, item in enumerate(items):
                if seen.setdefault(item, index) >= 0 and seen[item] != index:
                    problems.append((f"{path}[{index}]", f"{shown(item)} stands here twice"))
        return tuple(items)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.at_least:
            schema["minItems"] = self.at_least
        if self.unique:
            schema["uniqueItems"] = True
        return schema


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table whose keys the user chooses."""

    key: Text
    value: Kind
    _: KW_ONLY
    at_least: int = 0

    many = "tables"

    @property
    def one(self) -> str:
        """Return the name of its type with an article."""
        return f"a table of {self.value.many}"

    @property
    def blank(self) -> dict[str, Any]:
        """Return an empty table."""
        return {}

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """Return the entries; one whose key is wrong stays, so that what names it is found."""
        if not isinstance(value, dict):
            problems.append((path, mismatch(self, value)))
            return {}
        if len(value) < self.at_least:
            problems.append((path, f"expected at least {self.at_least} entry, got an empty table"))
        entries = {}
        for key, item in value.items():
            below = join(path, key)
            self.key.read(key, below, problems)
            entries[key] = self.value.read(item, below, problems)
        return entries

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {"type": "object", "additionalProperties": self.value.schema()}
        names = {name: rule for name, rule in self.key.schema().items() if name != "type"}
        if names:
            schema["propertyNames"] = names
        if self.at_least:
            schema["minProperties"] = self.at_least
        return schema


@dataclass(frozen=True, slots=True)
class OneOrEach:
    """A value for all, or a table with one for each."""

    single: Text
    table: MapOf

    blank = ""

    @property
    def one(self) -> str:
        """Return the name of its type with an article."""
        return f"{self.single.one} or {self.table.one}"

    @property
    def many(self) -> str:
        """Return the plural of its type's name."""
        return f"{self.single.many} or {self.table.many}"

    def read(self, value: object, path: str, problems: Problems) -> str | dict[str, Any]:
        """Return the value or the table, whichever it is."""
        if isinstance(value, dict):
            return self.table.read(value, path, problems)
        if isinstance(value, str):
            return self.single.read(value, path, problems)
        problems.append((path, mismatch(self, value)))
        return ""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        return {"anyOf": [self.single.schema(), self.table.schema()]}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    :param doc: what it holds, for the reference and for the message where it is missing.
    :param field: the model's name for it, where that differs.
    """

    kind: Kind
    doc: str
    _: KW_ONLY
    required: bool = False
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with known keys.

    :param model: the dataclass that it becomes; its defaults are the keys' defaults.
    :param either: groups of keys of which exactly one has to be there, and whole.
    """

    keys: Mapping[str, Key]
    _: KW_ONLY
    model: type | None = None
    either: tuple[tuple[str, ...], ...] = ()
    doc: str = ""

    one = "a table"
    many = "tables"

    @property
    def blank(self) -> dict[str, Any]:
        """Return the required keys with blanks."""
        return {
            self.field_of(name): key.kind.blank for name, key in self.keys.items() if key.required
        }

    def field_of(self, name: str) -> str:
        """Return the model's field for a key."""
        return self.keys[name].field or name.replace("-", "_")

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """Return what is given, by the model's field names; required keys are always there."""
        if not isinstance(value, dict):
            problems.append((path, mismatch(self, value)))
            return self.blank
        fields = self.blank
        for name, item in value.items():
            below = join(path, name)
            if name in self.keys:
                fields[self.field_of(name)] = self.keys[name].kind.read(item, below, problems)
            else:
                problems.append((below, f"unknown key; {suggestion(name, self.keys)}"))
        for name, key in self.keys.items():
            if key.required and name not in value:
                problems.append((join(path, name), f"missing: {key.doc}"))
        self._choose(value, path, problems)
        return fields

    def _choose(self, value: Mapping[str, object], path: str, problems: Problems) -> None:
        """Note where not exactly one group of `either` is there."""
        if not self.either:
            return
        begun = [group for group in self.either if any(name in value for name in group)]
        if len(begun) == 1:
            for name in begun[0]:
                if name not in value:
                    problems.append((join(path, name), f"missing: {self.keys[name].doc}"))
            return
        groups = ", or ".join(" and ".join(group) for group in self.either)
        verb = "expected either" if not begun else "expected only one of"
        problems.append((path, f"{verb} {groups}"))

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        schema: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"description": key.doc, **self._default(name), **key.kind.schema()}
                for name, key in self.keys.items()
            },
        }
        if required := [name for name, key in self.keys.items() if key.required]:
            schema["required"] = required
        if self.either:
            schema["oneOf"] = [
                {
                    "required": list(group),
                    "not": {
                        "anyOf": [
                            {"required": [name]}
                            for other in self.either
                            if other is not group
                            for name in other
                        ]
                    },
                }
                for group in self.either
            ]
        return schema

    def _default(self, name: str) -> dict[str, Any]:
        default = self.default(name)
        return {} if default in (None, "", (), {}) else {"default": default}

    def default(self, name: str) -> Any:
        """Return the model's default of a key, None where it has none."""
        fields: Mapping[str, Any] = getattr(self.model, "__dataclass_fields__", {})
        declared = fields.get(self.field_of(name))
        default = getattr(declared, "default", None)
        return default if isinstance(default, str | int | tuple) else None
