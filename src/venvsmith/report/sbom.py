"""What a target holds as a CycloneDX bill of materials.

The format: https://cyclonedx.org/docs/1.6/json/. The text depends on the target and the lock alone:
no time of day, no random serial number.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvsmith.model.facts import Distribution, Environment, Facts
    from venvsmith.model.lock import Pin

# RFC 4122's name-based identifiers need a space; this is our own.
_SPACE = uuid.UUID("6f0d4c0e-7a53-5f0b-9d3e-5b6f4c8d2a11")


def emit_sbom(facts: Facts, pins: Iterable[Pin] = ()) -> str:
    """Return the bill of materials of all environments of a target.

    :param pins: of the lock: a distribution at a locked version gets the hashes of the files that
        the lock admits for it.
    """
    hashes = {(pin.name, pin.version): pin.hashes for pin in pins}
    target = facts.target
    whole = Component(
        name=target.ref,
        type=ComponentType.CONTAINER,
        version=target.digest or None,
        bom_ref="target",
    )
    bom = Bom()
    bom.metadata.component = whole
    # Optional in the format, and another one each time.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    tops: list[Component] = []
    for env in facts.environments:
        components = {
            canonicalize_name(dist.name): _component(dist, env, hashes)
            for dist in env.distributions
            if dist.name and dist.version
        }
        for component in components.values():
            bom.components.add(component)
        for dist in env.distributions:
            own = components.get(canonicalize_name(dist.name))
            if own is not None:
                needs = [components[name] for name in _needs(dist) if name in components]
                bom.register_dependency(own, needs)
        tops += components.values()
    bom.register_dependency(whole, tops)
    content = [target.ref, target.digest or "", *(str(each.bom_ref.value) for each in tops)]
    bom.serial_number = uuid.uuid5(_SPACE, "\n".join(content))
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(
    dist: Distribution, env: Environment, hashes: Mapping[tuple[str, str], tuple[str, ...]]
) -> Component:
    name = canonicalize_name(dist.name)
    purl = PackageURL(type="pypi", name=name, version=dist.version)
    admitted = hashes.get((name, dist.version), ())
    return Component(
        name=name,
        version=dist.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=f"{env.path}#{purl}",
        hashes=[
            HashType(alg=HashAlgorithm.SHA_256, content=each.removeprefix("sha256:"))
            for each in admitted
        ],
        properties=[Property(name="venvsmith:environment", value=env.path)],
    )


def _needs(dist: Distribution) -> Iterator[NormalizedName]:
    """Yield the normalised names of what a distribution always requires where it is."""
    for text in dist.requires:
        try:
            requirement = Requirement(text)
            if requirement.marker is not None and "extra" in str(requirement.marker):
                continue
        except (InvalidRequirement, UndefinedEnvironmentName):
            continue
        yield canonicalize_name(requirement.name)
