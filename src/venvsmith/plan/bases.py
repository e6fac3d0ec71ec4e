"""The base images of a build: where a venv runs, where it is built, and the Python of both."""

from __future__ import annotations

from dataclasses import dataclass

from venvsmith.model.plan import BuildStage, CopyTree, VenvPlan
from venvsmith.plan.steps import Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Bases:
    """The stages that make ready what venvs are built and run on."""

    steps: Steps

    def runtime(self) -> list[BuildStage]:
        """Return the stages that end in the runtime base with system packages, user and folders.

        They are one layer, copied from a stage of its own: see `steps/capture.sh`.
        """
        base = self.steps.base
        image = BuildStage(
            name="runtime", parent=base.runtime, parent_is_image=True, title="Where the venv runs."
        )
        packages = self.runtime_packages()
        user = self.steps.user()
        changes = [
            *([self.steps.apt("runtime", packages)] if packages else []),
            *([user] if user is not None else []),
        ]
        if not changes:
            return [image]
        return [
            BuildStage(
                name="system",
                parent=base.runtime,
                parent_is_image=True,
                as_root=True,
                title="System packages and the user of the image.",
                steps=(self.steps.stamp(), *changes, self.steps.capture()),
            ),
            BuildStage(
                name="runtime",
                parent=base.runtime,
                parent_is_image=True,
                title=image.title,
                copies=(CopyTree(stage="system", path=f"{self.steps.work}/system"),),
            ),
        ]

    def runtime_packages(self) -> list[str]:
        """Return the system packages of the image: the base's, then each stage's."""
        project = self.steps.project
        stages = (s for name in self.steps.image.venvs.values() for s in project.ancestry(name))
        python = [f"python{project.python}"] if self.steps.base.python == "apt" else []
        names = [*self.steps.base.apt, *python, *(p for s in stages for p in s.apt)]
        return list(dict.fromkeys(names))

    def interpreter(self, venvs: tuple[VenvPlan, ...]) -> list[BuildStage]:
        """Return the stages in which both bases agree on one interpreter at one path."""
        project, base = self.steps.project, self.steps.base
        found = f"{self.steps.work}/runtime"
        apt = [self.steps.apt("build", [f"python{project.python}"])] if base.python == "apt" else []
        return [
            BuildStage(
                name="runtime-python",
                parent="runtime",
                as_root=True,
                steps=(self.steps.interpreter("runtime", venvs),),
            ),
            BuildStage(
                name="interpreter",
                parent=base.build,
                parent_is_image=True,
                as_root=True,
                title="Where the venv is built. Nothing of this reaches the image but the venv.",
                copies=(CopyTree(stage="runtime-python", path=found, to=found),),
                steps=(*apt, self.steps.interpreter("build", venvs)),
            ),
        ]
