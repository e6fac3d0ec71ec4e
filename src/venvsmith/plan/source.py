"""Projects of the user's own: built once to a wheel, then installed as a layer of their own."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from venvsmith.errors import ConfigError
from venvsmith.lock.folder import exclusions
from venvsmith.model.lock import Lock, Pin
from venvsmith.model.plan import BuildStage, CopyTree, Mount, OwnDistribution, Step, VenvPlan
from venvsmith.model.project import Project
from venvsmith.plan.bases import Bases
from venvsmith.plan.install import PinFile, pin_files
from venvsmith.plan.steps import EPOCH, Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What has to be known of a stage's own project before it is built.

    :param name: normalised.
    :param version: None where only its build tells it.
    :param build_pins: what builds it.
    """

    name: str
    version: str | None
    build_pins: tuple[Pin, ...]


def own_distributions(
    project: Project, lock: Lock, sources: Mapping[str, Source]
) -> tuple[OwnDistribution, ...]:
    """Return the own projects of a stage and its ancestors, the root's first.

    :raises ConfigError: where one bears the name of a locked distribution, or another's.
    """
    found: list[OwnDistribution] = []
    for stage in project.ancestry(lock.key.stage):
        if stage.source is None:
            continue
        source = sources[stage.name]
        taken = lock.version_of(source.name) or any(own.name == source.name for own in found)
        if taken:
            message = f"its name, '{source.name}', is that of another distribution of the stage"
            raise ConfigError([(f"stages.{stage.name}.source", message)], file=project.file.name)
        found.append(OwnDistribution(stage=stage.name, name=source.name, version=source.version))
    return tuple(found)


def build_pin_files(project: Project, stage: str, source: Source) -> tuple[PinFile, ...]:
    """Return the files of the pins of what builds a source."""
    return pin_files(project, f"{stage}.source.build", source.build_pins)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceStages:
    """Makes the stages that build and install own projects."""

    steps: Steps
    sources: Mapping[str, Source]

    @property
    def work(self) -> str:
        """Return where the build keeps its own things."""
        return self.steps.work

    def wheel(self, stage: str, *, base: str) -> Iterator[BuildStage]:
        """Yield the stages that end with a wheel of one stage's source.

        :param base: the stage in which the interpreter and the installer are.
        """
        yield BuildStage(
            name=f"backend-{stage}",
            parent=base,
            title=f"The project of stage {stage}, built once to a wheel.",
            steps=(self.backend(stage),),
        )
        yield BuildStage(name=f"source-{stage}", parent=base, steps=(self.files(stage),))
        tree = f"{self.work}/source/{stage}"
        yield BuildStage(
            name=f"wheel-{stage}",
            parent=f"backend-{stage}",
            copies=(CopyTree(stage=f"source-{stage}", path=tree, to=tree),),
            steps=(self.build(stage),),
        )

    def layer(self, venv: VenvPlan, own: OwnDistribution, *, parent: str) -> BuildStage:
        """Return the stage whose tree becomes the layer of one own project in one venv.

        :param parent: the stage with the empty venv.
        """
        name = f"own-{parent}-{own.stage}"
        wheels = self.wheels(own.stage)
        tree = self.tree(own, parent=parent)
        return BuildStage(
            name=name,
            parent=parent,
            copies=(CopyTree(stage=f"wheel-{own.stage}", path=wheels, to=wheels),),
            steps=(
                Step(
                    id=f"install:{name}",
                    kind="install",
                    title=f"The project of stage {own.stage}, from its wheel.",
                    run=(
                        self.steps.installer.wheel(
                            venv.path, prefix=f"{tree}{venv.path}", folder=wheels, name=own.name
                        ),
                        self.steps.normalise(venv, tree, name=own.layer),
                    ),
                    mounts=(
                        self.steps.script("normalise.py"),
                        *self.steps.installer.pip_wheel(),
                    ),
                ),
            ),
        )

    def tree(self, own: OwnDistribution, *, parent: str) -> str:
        """Return where one own project is installed."""
        return f"{self.work}/own/{parent}-{own.stage}"

    def wheels(self, stage: str) -> str:
        """Return the folder of one stage's wheel."""
        return f"{self.work}/wheels/{stage}"

    def backend(self, stage: str) -> Step:
        """Install what builds a source, by hash, into a venv of its own."""
        folder = f"{self.work}/backends/{stage}"
        files = build_pin_files(self.steps.project, stage, self.sources[stage])
        install = self.steps.installer.pins(folder, files)
        return Step(
            id=f"backend:{stage}",
            kind="source",
            title=f"What builds it: {len(self.sources[stage].build_pins)} distributions, by hash.",
            run=(self.steps.make_venv(folder), *install.run),
            mounts=install.mounts,
            caches=install.caches,
            network=True,
            secrets=install.secrets,
        )

    def files(self, stage: str) -> Step:
        """Take the project's files, with the times and modes that they have everywhere."""
        project = self.steps.project
        named = project.stages[stage]
        mount = Mount(
            source=str(PurePosixPath(named.source or ".")),
            target=f"{self.work}/in/source-{stage}",
            exclude=exclusions(project, project.root / (named.source or ".")),
        )
        tree = f"{self.work}/source/{stage}"
        python = f"{self.steps.found_interpreter} -I -S -B {self.work}/in"
        return Step(
            id=f"source:{stage}",
            kind="source",
            title="Its files, but for what never belongs into a build.",
            run=(
                f"{python}/source.py {mount.target} {tree} {shlex.join(mount.exclude)}",
                f"{python}/normalise.py {tree} {EPOCH}",
            ),
            mounts=(mount, self.steps.script("source.py"), self.steps.script("normalise.py")),
        )

    def build(self, stage: str) -> Step:
        """Build the wheel: PEP 517, without a network, with nothing but the hashed backend."""
        venv = f"{self.work}/backends/{stage}"
        check = (
            f"[ -e {self.wheels(stage)}/*-none-any.whl ] || {{ echo 'venvsmith: the project holds"
            f" compiled code, and uv builds it once for several platforms: give each platform a"
            f" variant of its own' >&2; exit 1; }}"
        )
        build = (
            f"{self.steps.installer.bare_pip(f'{venv}/bin/python')} wheel --quiet"
            " --disable-pip-version-check --no-cache-dir --no-index --no-deps"
            " --no-build-isolation --check-build-dependencies"
            f" --wheel-dir {self.wheels(stage)} {self.work}/source/{stage}"
        )
        return Step(
            id=f"wheel:{stage}",
            kind="source",
            title="Its wheel, without a network.",
            run=(
                f'export PATH={venv}/bin:"$PATH" SOURCE_DATE_EPOCH={EPOCH} PYTHONHASHSEED=0',
                build,
                *([check] if Bases(steps=self.steps).native else []),
            ),
            mounts=(self.steps.script("pip.whl"),),
            secrets=self.steps.project.build.secrets,
        )
