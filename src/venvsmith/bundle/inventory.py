"""What a bundle holds, and the venv that it was frozen from, in the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.bundle.contents import LIBRARY, read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.bundle.installed import CODE_ENDINGS, InstalledModules
from venvsmith.bundle.wants import distributions

if TYPE_CHECKING:
    from collections.abc import Iterable

_OBJECT = re.compile(r"\.(so(\.[\d.]+)?|dylib|dll|pyd)$")
_MODULE_OBJECT = re.compile(r"\.(cpython-\d+[\w-]*|abi3[\w-]*|cp\d+[\w-]*)\.(so|pyd)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """The parts of an application's packages.

    :param modules: full names.
    :param files: data files, paths below site-packages or the bundle's contents.
    :param libraries: names of shared objects that are no modules.
    :param metadata: distributions whose metadata are there, and their versions.
    :param owners: modules to the distribution that brings them, where that is known.
    """

    modules: frozenset[str]
    files: frozenset[str]
    libraries: frozenset[str]
    metadata: Mapping[str, str]
    owners: Mapping[str, str]

    @property
    def tops(self) -> frozenset[str]:
        """Return the top-level names of its modules."""
        return frozenset(name.partition(".")[0] for name in self.modules)

    def only(self, tops: frozenset[str]) -> Inventory:
        """Return what belongs to some top-level packages."""
        names = {name for module, name in self.owners.items() if module.partition(".")[0] in tops}
        return Inventory(
            modules=frozenset(m for m in self.modules if m.partition(".")[0] in tops),
            files=frozenset(f for f in self.files if f.partition("/")[0] in tops),
            libraries=self.libraries,
            metadata={k: v for k, v in self.metadata.items() if k in names},
            owners=self.owners,
        )


def of_bundle(path: Path) -> Inventory:
    """Return what a frozen application holds.

    :raises UsageError: where there is none.
    :raises UnsafeInputError: where it is malformed.
    """
    bundle = read_bundle(path)
    with bundle.archive:
        return Inventory(
            modules=FrozenModules(bundle).known,
            files=_data(bundle.files) - {LIBRARY},
            libraries=_libraries(bundle.files),
            metadata={name: version for name, (version, _) in distributions(bundle).items()},
            owners={},
        )


def of_venv(folder: Path, tops: frozenset[str]) -> Inventory:
    """Return what a venv holds of some top-level packages.

    :raises UsageError: where it is no venv.
    """
    modules = InstalledModules(folder)
    places = tuple(f"{top}/" for top in tops)
    # What lies beside a package is its distribution's: `pillow.libs` beside `PIL`.
    owners = {name for module, name in modules.owners.items() if module.partition(".")[0] in tops}
    beside = modules.files & {path for name in owners for path in modules.recorded[name]}
    inside = {path for path in modules.files if path.startswith(places)}
    return Inventory(
        modules=modules.known,
        files=_data(modules.files),
        libraries=_libraries(inside | beside),
        metadata={name: version for name, (version, _) in modules.distributions.items()},
        owners=modules.owners,
    ).only(tops)


def beside(
    ref: str, venv: Path, bundles: Mapping[str, Inventory], *, lacking: Iterable[str] = ()
) -> dict[str, Inventory]:
    """Return the inventories of bundles and of the venv that they are held against.

    Of the venv, only packages count that a bundle has something of, or looks for in vain; of the
    bundles, only those of the venv: the standard library and the application's own modules are no
    part of it.

    :param ref: the venv's name in what is returned.
    :param lacking: modules that a bundle looks for in vain.
    :raises UsageError: where there is no venv.
    """
    tops = {top for bundle in bundles.values() for top in bundle.tops}
    tops |= {module.partition(".")[0] for module in lacking}
    there = of_venv(venv, frozenset(tops))
    libraries = there.libraries
    found = {
        name: replace(
            bundle.only(there.tops),
            libraries=bundle.libraries & libraries,
            metadata={k: v for k, v in bundle.metadata.items() if k in there.metadata},
        )
        for name, bundle in bundles.items()
    }
    return {**found, ref: there}


def _data(files: Iterable[str]) -> frozenset[str]:
    return frozenset(
        path
        for path in files
        if "/" in path
        and ".dist-info/" not in path
        and not path.endswith(CODE_ENDINGS)
        and not _OBJECT.search(path)
    )


def _libraries(files: Iterable[str]) -> frozenset[str]:
    return frozenset(
        path.rpartition("/")[2]
        for path in files
        if _OBJECT.search(path) and not _MODULE_OBJECT.search(path)
    )
