"""The base images of a build: where a venv runs, where it is built, and the Python of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from venvsmith.model.plan import BuildStage, CopyTree, Step, VenvPlan
from venvsmith.model.project import Platform
from venvsmith.plan.steps import Steps
from venvsmith.plan.system import apt, python_stages, python_tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Bases:
    """The stages that make ready what venvs are built and run on."""

    steps: Steps

    @property
    def native(self) -> bool:
        """Return whether the venv is built on the builder's own platform for several others.

        Only uv can: pip installs for another platform only with ``--target``, which makes no
        scripts. So pip builds on each platform itself.
        """
        return len(self.steps.variant.platforms) > 1 and self.steps.project.installer == "uv"

    def runtime(self) -> list[BuildStage]:
        """Return the stages that end in the runtime base with system packages, user and folders.

        They are one layer, copied from a stage of its own: see `steps/capture.sh`.
        """
        base, below = self.steps.base.runtime, self.steps.below
        if below is not None:
            base = below.ref.tag
        title = "Where the venv runs."
        packages = self.runtime_packages()
        user = self.steps.user()
        changes = [
            *([apt(self.steps, "runtime", packages)] if packages else []),
            *([user] if user is not None else []),
        ]
        if not changes:
            return [BuildStage(name="runtime", parent=base, parent_is_image=True, title=title)]
        stages: list[BuildStage] = []
        noted = self.steps.base_user
        if noted is not None:
            stages.append(
                BuildStage(
                    name=noted.stage,
                    parent=base,
                    parent_is_image=True,
                    title="The image runs as its base does.",
                    steps=(self.steps.note_user(noted.path),),
                )
            )
        return [
            *stages,
            BuildStage(
                name="system",
                parent=base,
                parent_is_image=True,
                as_root=True,
                title="System packages and the user of the image.",
                copies=() if noted is None else (noted,),
                steps=(self.steps.stamp(), *changes, self.steps.capture()),
            ),
            BuildStage(
                name="runtime",
                parent=base,
                parent_is_image=True,
                title=title,
                copies=(CopyTree(stage="system", path=f"{self.steps.work}/system"),),
            ),
        ]

    def runtime_packages(self) -> list[str]:
        """Return the system packages of the image: the base's, then each stage's.

        On an image of the family only those that it lacks.
        """
        project, below = self.steps.project, self.steps.below
        stages = (s for name in self.steps.image.venvs.values() for s in project.ancestry(name))
        names = [*self.steps.base.apt, *self.python_packages, *(p for s in stages for p in s.apt)]
        if below is not None:
            held = below.packages | {*self.steps.base.apt, *self.python_packages}
            names = [name for name in names if name not in held]
        return list(dict.fromkeys(names))

    @property
    def python_packages(self) -> list[str]:
        """Return the system packages that bring Python where the base lacks it."""
        return [f"python{self.steps.project.python}"] if self.steps.base.python == "apt" else []

    def interpreter(self, venvs: tuple[VenvPlan, ...]) -> list[BuildStage]:
        """Return the stages in which both bases agree on one interpreter at one path."""
        base = self.steps.base
        found = f"{self.steps.work}/runtime"
        brought = python_stages(self.steps, native=self.native) if self.own_python else []
        here = (python_tree(self.steps),) if self.own_python else ()
        question = self.steps.interpreter("runtime", venvs)
        # Where system packages do not bring Python, the base says where it lies, so that installing
        # need not wait for them, nor an image on another one for that. For other platforms it is
        # the base as the builder's platform has it. The rehearsal proves it where it will run.
        bare = BuildStage(
            name="runtime-python",
            parent=base.runtime,
            parent_is_image=True,
            as_root=True,
            native=self.native,
            title="Where does the runtime base have its Python?",
            copies=here,
            steps=(*self.python("runtime-python"), question),
        )
        own = BuildStage(
            name="runtime-python", parent="runtime", as_root=True, copies=here, steps=(question,)
        )
        return [
            *brought,
            own if self._waits_for_packages else bare,
            BuildStage(
                name="interpreter",
                parent=base.build,
                parent_is_image=True,
                as_root=True,
                native=self.native,
                title="Where the venv is built. Nothing of this reaches the image but the venv.",
                copies=(CopyTree(stage="runtime-python", path=found, to=found), *here),
                steps=(*self.python("build"), self.steps.interpreter("build", venvs)),
            ),
        ]

    @property
    def _waits_for_packages(self) -> bool:
        """Return whether the runtime base has its Python only once system packages are there."""
        if self.native or self.steps.below is not None:
            return False
        return any("python" in package for package in self.runtime_packages())

    def python(self, where: str) -> Sequence[Step]:
        """Return the steps that bring Python into a base that is to have it from elsewhere."""
        packages = self.python_packages
        return [apt(self.steps, where, packages)] if packages else []

    @property
    def own_python(self) -> bool:
        """Return whether the bases get a Python of uv's own."""
        return self.steps.base.python == "uv"

    def python_layers(self) -> list[tuple[Platform | None, CopyTree]]:
        """Return the layers, each of a platform or (None) of all, that bring an image Python."""
        if not self.own_python or self.steps.below is not None:
            return []
        platforms = self.steps.variant.platforms if self.native else (None,)
        return [(platform, python_tree(self.steps, platform)) for platform in platforms]
