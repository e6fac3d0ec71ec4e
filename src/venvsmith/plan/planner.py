"""How one image is planned: what it holds, and the stages that build it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from venvsmith.lock import delta, emit_pins
from venvsmith.model.lock import Lock, Pin
from venvsmith.model.plan import (
    MANIFEST_SCHEMA,
    BuildStage,
    CopyTree,
    ImageSettings,
    Layer,
    Mount,
    OwnDistribution,
    VenvPlan,
)
from venvsmith.model.project import LockKey, Platform, Project
from venvsmith.plan.bases import Bases
from venvsmith.plan.install import pin_files
from venvsmith.plan.layers import Layering, cut_layers
from venvsmith.plan.platforms import assembled, rehearsal
from venvsmith.plan.source import Source, SourceStages, build_pin_files, own_distributions
from venvsmith.plan.steps import SKELETON, Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Assets:
    """Files of venvsmith's own that builds read.

    :param steps: name to content of the scripts in `venvsmith.steps`.
    :param tools: the pin of uv; empty where pip installs.
    :param pip_wheel: a wheel of pip for the project's Python.
    """

    steps: Mapping[str, bytes]
    tools: tuple[Pin, ...]
    pip_wheel: bytes
    sources: Mapping[str, Source] = field(default_factory=dict)
    """What is known of the user's own projects, by the stages whose `source` they are."""
    wheels: Mapping[str, str] = field(default_factory=dict)
    """Hash to path below the project's root of the wheels that lie beside the locks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planner:
    """Plans one image in one variant."""

    steps: Steps
    locks: Mapping[LockKey, Lock]
    layering: Layering
    sources: Mapping[str, Source]

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Return what the image is built for."""
        return self.steps.variant.platforms

    # -- what the image holds ------------------------------------------------------------------

    def venv(self, path: str, stage: str) -> VenvPlan:
        """Plan what one venv holds: for each ancestor what it adds, cut into layers."""
        project = self.steps.project
        layers: list[Layer] = []
        manifests: dict[Platform, str] = {}
        projects: tuple[OwnDistribution, ...] = ()
        for platform in self.platforms:
            locks = self.lineage(stage, platform)
            for lock, parent in zip(locks, [None, *locks], strict=False):
                cut = cut_layers(
                    delta(lock, parent),
                    stage=lock.key.stage,
                    stem=lock.key.stem,
                    cut=project.layers,
                    layering=self.layering,
                )
                own = None if lock.key.single else platform
                layers += (replace(layer, platform=own) for layer in cut)
            held = [layer.name for layer in layers if layer.platform in {None, platform}]
            projects = own_distributions(project, locks[-1], self.sources)
            held += [each.layer for each in projects]
            manifests[platform] = venv_manifest(project, locks[-1], own=projects, layers=held)
        return VenvPlan(
            path=self.steps.prefix + path,
            stage=stage,
            layers=tuple(layers),
            manifests=manifests,
            own=projects,
        )

    def lineage(self, stage: str, platform: Platform) -> list[Lock]:
        """Return the locks of a stage and all that it extends, the root ancestor's first."""
        project, variant = self.steps.project, self.steps.variant.name
        return [
            self.locks[project.lock_key(stage=each.name, variant=variant, platform=platform)]
            for each in project.ancestry(stage)
        ]

    def settings(self, venvs: tuple[VenvPlan, ...]) -> ImageSettings:
        """Return how the image starts, as far as the one below does not say so."""
        image = self.steps.image
        known = self.steps.below.image if self.steps.below else None
        same_path = known is not None and list(known.venvs) == list(image.venvs)
        one_venv = {"VIRTUAL_ENV": venvs[0].path} if len(venvs) == 1 else {}
        labels = {
            "dev.venvsmith.image": image.name,
            "dev.venvsmith.variant": self.steps.variant.name,
            "dev.venvsmith.venvs": ":".join(venv.path for venv in venvs),
            "org.opencontainers.image.title": f"{self.steps.project.name} {image.name}",
        }
        return ImageSettings(
            env={**one_venv, **self.steps.base.env, **image.env},
            path=() if same_path else tuple(f"{venv.path}/bin" for venv in venvs),
            user=image.user,
            workdir=None if known and known.workdir == image.workdir else image.workdir,
            entrypoint=image.entrypoint,
            cmd=image.cmd,
            labels={**labels, **image.labels},
        )

    def files(self, venvs: tuple[VenvPlan, ...], assets: Assets) -> dict[str, bytes]:
        """Return every file that a build of venvsmith's may mount, by its path in the project."""
        project, out = self.steps.project, self.steps.project.output
        files = {f"{out}/steps/{name}": data for name, data in assets.steps.items()}
        files[f"{out}/steps/pip.whl"] = assets.pip_wheel
        files[f"{out}/steps/uv.txt"] = emit_pins(assets.tools).encode()
        for venv in [*venvs, *self.venvs_below()]:
            for platform, text in venv.manifests.items():
                files[self.manifest_path(venv, platform)] = text.encode()
            pins = [
                file
                for each in venv.layers
                for file in pin_files(project, each.name, each.pins, self.steps.wheels)
            ]
            for own in venv.own:
                pins += build_pin_files(project, own.stage, self.sources[own.stage])
            files.update((file.path, emit_pins(file.pins).encode()) for file in pins)
        return files

    def venvs_below(self) -> list[VenvPlan]:
        """Return the venvs of the image that this one builds on, in this one's order."""
        below = self.steps.below
        if below is None:
            return []
        return [self.venv(path, below.image.venvs[path]) for path in self.steps.image.venvs]

    def manifest_path(self, venv: VenvPlan, platform: Platform) -> str:
        """Return where a venv's manifest lies in the project."""
        key = self.steps.project.lock_key(
            stage=venv.stage, variant=self.steps.variant.name, platform=platform
        )
        return f"{self.steps.project.output}/manifests/{key.stem}.json"

    # -- how it is built -----------------------------------------------------------------------

    def stages(self, venvs: tuple[VenvPlan, ...]) -> list[BuildStage]:
        """Return the stages in order, each after what it builds on."""
        work = self.steps.work
        bases = Bases(steps=self.steps)
        stages = [*bases.runtime(), *bases.interpreter(venvs)]
        base = "interpreter"
        if self.steps.project.installer == "uv":
            stages.append(BuildStage(name="tools", parent=base, steps=(self.steps.tools(),)))
            base = "tools"
        built = [own.stage for venv in venvs for own in self.own_projects(venv)]
        for stage in _unique(built):
            stages += self.source_stages.wheel(stage, base=base)
        copies: list[tuple[Platform | None, CopyTree]] = [*bases.python_layers()]
        names = ["venv"] if len(venvs) == 1 else [f"venv-{n}" for n in range(len(venvs))]
        for name, venv in zip(names, venvs, strict=True):
            made, taken = self.venv_stages(venv, name=name, base=base)
            stages += made
            copies += taken
        if self.steps.image.copy:
            stages.append(self.project_files(venvs[0], parent=names[0]))
            copies.append((None, CopyTree(stage="files", path=f"{work}/files")))
        stages += assembled(copies, self.platforms)
        stages += self.rehearsal(venvs)
        gate = CopyTree(stage="rehearsal", path=f"{work}/gate")
        stages.append(BuildStage(name="final", parent="assembled", role="image", copies=(gate,)))
        return stages

    def venv_stages(
        self, venv: VenvPlan, *, name: str, base: str
    ) -> tuple[list[BuildStage], list[tuple[Platform | None, CopyTree]]]:
        """Return the stages of one venv, and what the image takes of them.

        On another image of the family only the layers that it lacks; the empty venv is made all
        the same, since the installers need one where the image has it.
        """
        work, below = self.steps.work, self.steps.below
        skeleton = f"{work}/skeletons/{name}"
        step = self.steps.venv(venv, skeleton=skeleton)
        stages = [BuildStage(name=name, parent=base, steps=(step,))]
        copies: list[tuple[Platform | None, CopyTree]] = []
        if below is None:
            copies.append((None, CopyTree(stage=name, path=skeleton)))
        for layer in venv.layers:
            if below and below.holds(venv.path, layer):
                continue
            stage = f"{name.replace('venv', 'layer')}-{layer.name.replace('.', '-')}"
            tree = f"{work}/layers/{stage}"
            step = self.steps.install(venv, layer, stage=stage, tree=tree)
            stages.append(
                BuildStage(name=stage, parent=name, steps=(step,), platform=layer.platform)
            )
            copies.append((layer.platform, CopyTree(stage=stage, path=tree)))
        for own in self.own_projects(venv):
            stages.append(self.source_stages.layer(venv, own, parent=name))
            tree = self.source_stages.tree(own, parent=name)
            copies.append((None, CopyTree(stage=stages[-1].name, path=tree)))
        return stages, copies

    @property
    def source_stages(self) -> SourceStages:
        """Return what makes the stages of the user's own projects."""
        return SourceStages(steps=self.steps, sources=self.sources)

    def own_projects(self, venv: VenvPlan) -> list[OwnDistribution]:
        """Return the user's own projects that a venv gets here, and not from an image below."""
        below = self.steps.below
        return [own for own in venv.own if below is None or not below.holds(venv.path, own)]

    def project_files(self, venv: VenvPlan, *, parent: str) -> BuildStage:
        """Return the stage that gathers the project's own files as a layer."""
        tree = f"{self.steps.work}/files"
        return BuildStage(
            name="files",
            parent=parent,
            role="files",
            title="Files of the project.",
            context=tuple(
                Mount(
                    source=str(PurePosixPath(file.source)),
                    target=f"{tree}{self.steps.prefix}{file.to}",
                )
                for file in self.steps.image.copy
            ),
            steps=(self.steps.files(venv, tree),),
        )

    def rehearsal(self, venvs: tuple[VenvPlan, ...]) -> list[BuildStage]:
        """Return the stages without whose success there is no image."""
        below = self.venvs_below()
        seen, seen_below = (
            [f"{self.steps.work}/in/{name}-{number}.json" for number in range(len(some))]
            for name, some in (("manifest", venvs), ("below", below))
        )
        promises = {
            platform: [
                Mount(source=self.manifest_path(venv, platform), target=target)
                for venv, target in zip([*venvs, *below], [*seen, *seen_below], strict=True)
            ]
            for platform in self.platforms
        }
        names = ["rehearse.py", "normalise.py"]
        if any(own.version is None for venv in [*venvs, *below] for own in venv.own):
            names.append("versions.py")
        return rehearsal(
            promises,
            scripts=tuple(self.steps.script(name) for name in names),
            steps=(
                *map(self.steps.below_holds, below, seen_below),
                self.steps.rehearse(venvs, seen),
                self.steps.gate(venvs, seen),
            ),
        )


def venv_manifest(
    project: Project,
    lock: Lock,
    *,
    own: Iterable[OwnDistribution] = (),
    layers: Sequence[str] = (),
) -> str:
    """Return the text of the manifest that a venv carries: the lock's versions and the promises.

    A version that only the build knows is null; the build fills it in.

    :param layers: names of the layers that it is made of, in the order in which they are stacked;
        each has brought a list of its files, ``.venvsmith/tree/<name>.txt``.
    """
    ancestry = project.ancestry(lock.key.stage)
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "stage": lock.key.stage,
        "variant": lock.key.variant,
        "platform": str(lock.key.platform),
        "imports": _unique(name for stage in ancestry for name in stage.imports),
        "commands": [list(command) for stage in ancestry for command in stage.commands],
        "pins": {
            **{pin.name: pin.version for pin in lock.pins},
            **{each.name: each.version for each in own},
        },
        "layers": [SKELETON, *layers],
    }
    return json.dumps(manifest, indent=1) + "\n"


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
