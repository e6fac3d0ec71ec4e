"""The templates of Dockerfiles: venvsmith's own, and a user's that extends it block by block.

A user's template is read as a stranger's: it sees the plan and nothing else, opens no file, and
what it can make grow is bounded (`growth`). Jinja has no loop without an end.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import (
    FunctionLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    nodes,
)
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from venvsmith.config.wording import suggestion
from venvsmith.errors import UsageError
from venvsmith.render.growth import (
    BY_NUMBER,
    FILTERS,
    bounded,
    joined,
    refuse_growth,
    refuse_method,
    turns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OURS = "Dockerfile.j2"
_THEIRS = "\0theirs"
_DOCS = "see docs/templates.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class UserTemplate:
    """A user's template.

    :param name: its path as a user would name it, for messages.
    """

    name: str
    text: str


class _Absent(StrictUndefined):
    """A name that is not there, told without what the objects of a plan are called in Python."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        known = _names(self._undefined_obj)
        if self._undefined_hint or not known:
            return super()._undefined_message
        name = str(self._undefined_name)
        return f"there is no '{name}' in it; {suggestion(name, known)}"


class _Code(CodeGenerator):
    """Has `~` join strings as the environment does."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Write a chain of `~`."""
        self.write("concat(map(str, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write(")))")


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which nothing grows without bound."""

    code_generator_class: type[CodeGenerator] = _Code
    concat: Callable[[Iterable[str]], str] = staticmethod(joined)
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may read an attribute."""
        return attr not in BY_NUMBER and bool(super().is_safe_attribute(obj, attr, value))

    def wrap_str_format(self, value: Any) -> None:
        """Leave ``str.format`` to `is_safe_attribute`, which refuses it."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with small things."""
        refuse_growth(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what makes small things."""
        refuse_method(method, args)
        return super().call(context, method, *args, **kwargs)


def render_template(
    template: UserTemplate | None,
    *,
    filters: Mapping[str, Callable[..., str]],
    context: Mapping[str, object],
) -> str:
    """Render a user's template, or venvsmith's own where there is none.

    :raises UsageError: code ``template`` with file, line and cause, where the user's is wrong.
    """
    environment = _environment(template)
    environment.filters.update(filters)
    if template is None:
        return environment.get_template(OURS).render(context)
    try:
        _refuse_foreign(environment, template)
        return joined(environment.get_template(_THEIRS).generate(context))
    except TemplateSyntaxError as exc:
        raise _refusal(template, exc.lineno, exc.message or "cannot be read") from exc
    except TemplateNotFound as exc:
        message = f"there is no template '{exc.name}' here; only {OURS} is"
        raise _refusal(template, _line(exc, template), message) from exc
    except RecursionError as exc:
        raise _refusal(template, _line(exc, template), "a macro calls itself forever") from exc
    except MemoryError as exc:
        raise _refusal(template, _line(exc, template), "it needs too much memory") from exc
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as exc:
        line = _line(exc, template)
        if line is None and not isinstance(exc, TemplateError):
            raise
        raise _refusal(template, line, str(exc) or type(exc).__name__) from exc


@cache
def template_text() -> str:
    """Return the template that ships with venvsmith."""
    packaged = resources.files("venvsmith") / "templates" / OURS
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    # An editable install reads the tree it was made from.
    tree = Path(__file__).parents[3] / "templates" / OURS
    return tree.read_text(encoding="utf-8")


def _environment(template: UserTemplate | None) -> _Environment:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        if name == OURS:
            return template_text(), f"venvsmith:{OURS}", lambda: True
        if template is not None and name == _THEIRS:
            return template.text, template.name, lambda: True
        return None

    environment = _Environment(
        loader=FunctionLoader(load),
        undefined=_Absent,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("cycler", "joiner", "lipsum", "namespace"):
        del environment.globals[name]
    for name in ("center", "format", "random", "xmlattr"):
        del environment.filters[name]
    for name in FILTERS:
        environment.filters[name] = bounded(name, environment.filters[name])
    environment.globals["range"] = turns
    return environment


def _names(thing: object) -> list[str]:
    """Return what a template may name in a part of the plan, or in a table of it."""
    if is_dataclass(thing):
        return [name for name in dir(thing) if not name.startswith("_")]
    return [str(key) for key in thing] if isinstance(thing, Mapping) else []


def _refuse_foreign(environment: _Environment, template: UserTemplate) -> None:
    """Refuse a template that stands for itself, since it would leave out steps; and stray blocks.

    Jinja passes over a block that the extended template does not have.
    """
    known = list(environment.get_template(OURS).blocks)
    extends = False
    for node in environment.parse(template.text).body:
        if isinstance(node, nodes.Extends):
            extends = isinstance(node.template, nodes.Const) and node.template.value == OURS
        elif isinstance(node, nodes.Block) and node.name not in known:
            message = f"there is no block '{node.name}' to fill; there are {', '.join(known)}"
            raise _refusal(template, node.lineno, message)
    if not extends:
        message = f'it has to begin with {{% extends "{OURS}" %}}'
        raise _refusal(template, 1, message)


def _line(exc: BaseException, template: UserTemplate) -> int | None:
    """Return the line of the user's template at which it happened; Jinja rewrites tracebacks."""
    frames = traceback.extract_tb(exc.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == template.name]
    return lines[-1] if lines else None


def _refusal(template: UserTemplate, line: int | None, message: str) -> UsageError:
    where = template.name if line is None else f"{template.name}:{line}"
    return UsageError(message.rstrip("."), where=where, hint=_DOCS, code="template")
