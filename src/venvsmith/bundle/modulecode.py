"""What is known of one module's code: what it imports, defines, opens and asks for.

An import is *firm* where importing the module must carry it out: at the top level, under no
condition, in no ``try`` and no ``with``.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import: ``import module`` or ``from module import names``.

    :param module: as written, without the dots that ``level`` counts.
    :param level: how many packages upwards it starts; 0 for an absolute one.
    :param names: what ``from`` takes.
    :param function: the function in which it stands, empty at the top level.
    :param guarded: in a ``try`` or ``with``.
    :param conditional: jumped over under some condition.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    function: str = ""
    guarded: bool = False
    conditional: bool = False

    @property
    def firm(self) -> bool:
        """Tell whether importing the module must carry this out."""
        return not (self.function or self.guarded or self.conditional)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Something that code asks for by a name in it: a data file, a distribution, a module.

    :param guarded: in a ``try`` or ``with``; for a data file, where code goes on without it.
    :param conditional: jumped over under some condition; for a data file, even the first time.
    :param names: identifiers that the same code uses, or its variables have met, through which it
        may reach the module's own folder; for a data file.
    :param meets: identifiers that the file's name meets on its way to where it is used.
    :param dispensable: whether the same code writes files, or goes on where one is not there.
    :param insists: whether the same code raises where a file is not there.
    :param call: the function that is asked, for a distribution.
    :param of: what that function is an attribute of; empty for none.
    """

    what: str
    function: str = ""
    guarded: bool = False
    conditional: bool = False
    dispensable: bool = False
    insists: bool = False
    call: str = ""
    of: str = ""
    names: frozenset[str] = frozenset()
    meets: frozenset[str] = frozenset()

    @property
    def firm(self) -> bool:
        """Tell whether importing the module must ask for it."""
        return not (self.function or self.guarded or self.conditional)


@dataclass(kw_only=True, slots=True)
class ModuleCode:
    """What a module's code says.

    :ivar defines: names of its namespace, each with how often it is bound.
    :ivar open_ended: whether it may define others: a star import, ``__getattr__``, ``globals()``.
    :ivar finds_modules: whether modules below it may come from elsewhere than a file.
    :ivar data: names of data files in code that knows the module's own folder, or calls what does.
    :ivar by_variable: whether it imports modules by names that it computes.
    :ivar words: words at its top level, where it does.
    :ivar lists: packages whose modules it lists by ``pkgutil``, each by the variable that it is in;
        empty for its own, ``?`` where that cannot be told.
    :ivar groups: words in it, where it asks for entry points.
    :ivar folders: functions and variables from which the module's own folder can be had, those of
        ``importlib.resources`` among them.
    :ivar metadata: distributions whose metadata it asks for.
    :ivar dynamic: modules that it imports by a string, with the dots of a relative one.
    :ivar scripted: functions that TorchScript compiles, for which it reads the source.
    """

    imports: list[Import] = field(default_factory=list)
    defines: dict[str, int] = field(default_factory=dict)
    open_ended: bool = False
    finds_modules: bool = False
    data: list[Ask] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    by_variable: bool = False
    words: set[str] = field(default_factory=set)
    lists: list[Ask] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    metadata: list[Ask] = field(default_factory=list)
    dynamic: list[Ask] = field(default_factory=list)
    scripted: list[Ask] = field(default_factory=list)
