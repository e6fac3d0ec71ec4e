"""From a project and its locks to a plan: what building one image does, step by step.

Pure: nothing here reads a file or starts a program.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from venvsmith.errors import ConfigError, UsageError
from venvsmith.lock import delta
from venvsmith.model.lock import Lock, Pin
from venvsmith.model.plan import (
    BuildStage,
    CopyTree,
    ImageSettings,
    Layer,
    Mount,
    Plan,
    Step,
    VenvPlan,
)
from venvsmith.model.project import Base, Image, LockKey, Platform, Project, Stage, Variant

EPOCH = 315532800
"""Time of every file in a layer: 1980-01-01, the earliest that zip archives can tell."""
WORK = "/venvsmith"
MANIFEST_SCHEMA = "venvsmith/manifest/1"

_CA = "[ ! -e /run/secrets/ca ] || export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca"
_CA_SECRET = ("ca",)

# Which distributions of a stage get a layer apart under `layers = "balanced"`, by what they change
# along with: CUDA's libraries move with CUDA's releases, torch and triton with torch's. They are
# over 95 % of the bytes of a torch stack and change least often.
_HEAVY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("nvidia", ("nvidia-", "cuda-")),
    ("torch", ("torch", "triton", "pytorch-triton")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assets:
    """Files of venvsmith's own that builds read.

    :param steps: name to content of the scripts in `venvsmith.steps`.
    :param tools: the hashed requirement of uv.
    :param pip_wheel: name and content of a wheel of pip for the project's Python, from virtualenv.
    """

    steps: Mapping[str, bytes]
    tools: bytes
    pip_wheel: bytes


def cut_layers(project: Project, *, stage: str, stem: str, pins: tuple[Pin, ...]) -> tuple[Layer, ...]:
    """Cut what one stage adds into layers, heavy ones first; their union is exactly ``pins``."""
    groups: dict[str, list[Pin]] = {}
    for pin in pins:
        group = _heavy_group(pin.name) if project.layers == "balanced" else ""
        groups.setdefault(group, []).append(pin)
    order = [*(name for name, _ in _HEAVY), ""]
    return tuple(
        Layer(name=f"{stem}.{group}" if group else stem, stage=stage, pins=tuple(groups[group]))
        for group in order
        if group in groups
    )


def plan_image(
    project: Project,
    locks: Mapping[LockKey, Lock],
    assets: Assets,
    *,
    image: str,
    variant: str,
    work: str = WORK,
    prefix: str = "",
) -> Plan:
    """Plan one image in one variant.

    :param locks: at least those of the image's stages and their ancestors, in this variant.
    :param work: where the build keeps its own things.
    :param prefix: put before each venv's path, for a build that cannot have the final path.
    :raises UsageError: for parts of the configuration that builds cannot carry out yet.
    """
    builder = _Planner(
        project=project,
        locks=locks,
        assets=assets,
        image=project.images[image],
        variant=project.variants[variant],
        work=work,
        prefix=prefix,
    )
    return builder.plan()


def venv_manifest(project: Project, lock: Lock) -> str:
    """Return the text of the manifest that a venv carries: the lock's versions and the promises."""
    ancestry = project.ancestry(lock.key.stage)
    return (
        json.dumps(
            {
                "schema": MANIFEST_SCHEMA,
                "stage": lock.key.stage,
                "variant": lock.key.variant,
                "platform": str(lock.key.platform),
                "imports": _unique(name for stage in ancestry for name in stage.imports),
                "commands": [list(command) for stage in ancestry for command in stage.commands],
                "pins": {pin.name: pin.version for pin in lock.pins},
            },
            indent=1,
            ensure_ascii=True,
        )
        + "\n"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planner:
    project: Project
    locks: Mapping[LockKey, Lock]
    assets: Assets
    image: Image
    variant: Variant
    work: str
    prefix: str

    @property
    def base(self) -> Base:
        return self.project.bases[self.variant.base]

    def plan(self) -> Plan:
        self.refuse_unsupported()
        platform = self.variant.platforms[0]
        venvs = tuple(self.venv(path, stage, platform) for path, stage in self.image.venvs.items())
        stages = self.stages(venvs)
        files = self.files(venvs)
        context = {mount.source for s in stages for mount in s.context}
        context |= {mount.source for s in stages for step in s.steps for mount in step.mounts}
        return Plan(
            image=self.image.name,
            variant=self.variant.name,
            platform=platform,
            python=self.project.python,
            work=self.work,
            tags=self.tags(venvs[0].stage),
            venvs=venvs,
            stages=stages,
            settings=self.settings(venvs),
            files={path: data for path, data in files.items() if path in context},
            context=tuple(sorted(context)),
        )

    def refuse_unsupported(self) -> None:
        """Name what this version reads but cannot build, before anything is written."""
        where = f"images.{self.image.name}"
        problems: list[tuple[str, str]] = []
        if self.image.parent is not None:
            problems.append((f"{where}.from", "building on another image"))
        if len(self.variant.platforms) > 1:
            problems.append((f"variants.{self.variant.name}.platforms", "several platforms"))
        if self.base.python == "uv":
            problems.append((f"bases.{self.base.name}.python", 'python = "uv"'))
        if self.base.apt_sources:
            problems.append((f"bases.{self.base.name}.apt-sources", "additional apt sources"))
        if self.project.indexes:
            problems.append(("indexes", "routed indexes"))
        for stage in (s for name in self.image.venvs.values() for s in self.project.ancestry(name)):
            if stage.source is not None:
                problems.append((f"stages.{stage.name}.source", "a project's own source"))
        if problems:
            raise ConfigError(
                [(key, f"{what} cannot be built by this version yet") for key, what in problems],
                file=self.project.file.name,
            )

    # -- what the image holds ------------------------------------------------------------------

    def venv(self, path: str, stage: str, platform: Platform) -> VenvPlan:
        layers: list[Layer] = []
        parent: Lock | None = None
        for ancestor in self.project.ancestry(stage):
            lock = self.lock(ancestor, platform)
            layers += cut_layers(
                self.project,
                stage=ancestor.name,
                stem=lock.key.stem,
                pins=delta(lock, parent),
            )
            parent = lock
        if parent is None:  # pragma: no cover - an ancestry holds at least the stage itself
            raise UsageError(f"stage {stage} has no lock")
        return VenvPlan(
            path=self.prefix + path,
            stage=stage,
            layers=tuple(layers),
            manifest=venv_manifest(self.project, parent),
        )

    def lock(self, stage: Stage, platform: Platform) -> Lock:
        key = self.project.lock_key(stage=stage.name, variant=self.variant.name, platform=platform)
        return self.locks[key]

    def tags(self, stage: str) -> tuple[str, ...]:
        values = {"image": self.image.name, "stage": stage, "variant": self.variant.name}
        own = (tag.format_map(values) for tag in self.image.tags)
        return tuple(_unique([f"{self.image.name}:{self.variant.name}", *own]))

    def settings(self, venvs: tuple[VenvPlan, ...]) -> ImageSettings:
        env = {**self.base.env, **self.image.env}
        if len(venvs) == 1:
            env = {"VIRTUAL_ENV": venvs[0].path, **env}
        labels = {
            "dev.venvsmith.image": self.image.name,
            "dev.venvsmith.variant": self.variant.name,
            "dev.venvsmith.venvs": ":".join(venv.path for venv in venvs),
            "org.opencontainers.image.title": f"{self.project.name} {self.image.name}",
        }
        return ImageSettings(
            env=env,
            path=tuple(f"{venv.path}/bin" for venv in venvs),
            user=self.image.user,
            workdir=self.image.workdir,
            entrypoint=self.image.entrypoint,
            cmd=self.image.cmd,
            labels={**labels, **self.image.labels},
        )

    def files(self, venvs: tuple[VenvPlan, ...]) -> dict[str, bytes]:
        out = self.project.output
        files = {f"{out}/steps/{name}": data for name, data in self.assets.steps.items()}
        files[f"{out}/steps/pip.whl"] = self.assets.pip_wheel
        files[f"{out}/steps/uv.txt"] = self.assets.tools
        for venv in venvs:
            files[self.manifest_path(venv)] = venv.manifest.encode()
            for layer in venv.layers:
                files[f"{out}/deltas/{layer.filename}"] = layer.text().encode()
        return files

    def manifest_path(self, venv: VenvPlan) -> str:
        return f"{self.project.output}/manifests/{venv.stage}.{self.variant.name}.json"

    # -- how it is built -----------------------------------------------------------------------

    def stages(self, venvs: tuple[VenvPlan, ...]) -> tuple[BuildStage, ...]:
        """Return the stages in order, each after what it builds on."""
        stages = [*self.runtime_stages(), *self.interpreter_stages(venvs)]
        tools = "interpreter"
        if self.project.installer == "uv":
            stages.append(BuildStage(name="tools", parent=tools, steps=(self.tools_step(),)))
            tools = "tools"
        copies: list[CopyTree] = []
        done: dict[str, str] = {}
        for number, venv in enumerate(venvs):
            name = "venv" if len(venvs) == 1 else f"venv-{number}"
            skeleton = f"{self.work}/skeletons/{name}"
            step = self.venv_step(venv, name=name, skeleton=skeleton)
            stages.append(BuildStage(name=name, parent=tools, steps=(step,)))
            copies.append(CopyTree(stage=name, path=skeleton))
            for layer in venv.layers:
                stage = _stage_name(name, layer, several=len(venvs) > 1)
                tree = f"{self.work}/layers/{stage}"
                step = self.install_step(venv, layer, stage=stage, tree=tree)
                stages.append(BuildStage(name=stage, parent=name, steps=(step,)))
                copies.append(CopyTree(stage=stage, path=tree))
                done[layer.name] = stage
        if self.image.copy:
            stages.append(self.files_stage(parent="venv" if len(venvs) == 1 else "venv-0", venv=venvs[0]))
            copies.append(CopyTree(stage="files", path=f"{self.work}/files"))
        stages.append(BuildStage(name="assembled", parent="runtime", copies=tuple(copies)))
        stages.append(self.rehearsal_stage(venvs))
        gate = CopyTree(stage="rehearsal", path=f"{self.work}/gate")
        stages.append(BuildStage(name="final", parent="assembled", copies=(gate,)))
        return tuple(stages)

    def runtime_stages(self) -> list[BuildStage]:
        """The runtime base, with what system packages, user and folders add to it as one layer."""
        apt = _unique(
            [
                *self.base.apt,
                *([f"python{self.project.python}"] if self.base.python == "apt" else []),
                *(
                    package
                    for name in self.image.venvs.values()
                    for stage in self.project.ancestry(name)
                    for package in stage.apt
                ),
            ]
        )
        steps: list[Step] = []
        if apt:
            steps.append(self.apt_step("runtime", apt))
        folders = [*self.image.writable]
        lines: list[str] = []
        mounts: tuple[Mount, ...] = ()
        if self.image.workdir is not None:
            lines.append(f"mkdir -p {shlex.quote(self.image.workdir)}")
        if self.image.user is not None or folders:
            mounts = (self.script("user.sh"),)
            words = [str(self.image.user or 0), *folders]
            lines.append(f"sh {self.work}/in/user.sh {shlex.join(words)}")
        if lines:
            title = "Its user, and the folders that it may write to."
            steps.append(Step(id="user", kind="user", title=title, run=tuple(lines), mounts=mounts))
        image = BuildStage(name="runtime", parent=self.base.runtime, parent_is_image=True)
        if not steps:
            return [image]
        stamp = Step(
            id="stamp",
            kind="user",
            title="What changes from here on goes into the image.",
            run=(f"mkdir -p {self.work}/system", f"touch {self.work}/stamp"),
        )
        capture = Step(
            id="capture",
            kind="user",
            title="Collect it, with one time for all files.",
            run=(f"sh {self.work}/in/capture.sh {self.work}/stamp {self.work}/system {EPOCH}",),
            mounts=(self.script("capture.sh"),),
        )
        return [
            BuildStage(
                name="system",
                parent=self.base.runtime,
                parent_is_image=True,
                as_root=True,
                title="System packages and the user of the image.",
                steps=(stamp, *steps, capture),
            ),
            BuildStage(
                name="runtime",
                parent=self.base.runtime,
                parent_is_image=True,
                title="Where the venv will run.",
                copies=(CopyTree(stage="system", path=f"{self.work}/system"),),
            ),
        ]

    def apt_step(self, where: str, packages: list[str]) -> Step:
        return Step(
            id=f"apt:{where}",
            kind="apt",
            title=f"System packages of the {where} base.",
            run=(f"sh {self.work}/in/apt.sh {shlex.join(packages)}",),
            mounts=(self.script("apt.sh"),),
            network=True,
            secrets=_CA_SECRET,
            packages=tuple(packages),
        )

    def interpreter_stages(self, venvs: tuple[VenvPlan, ...]) -> list[BuildStage]:
        """Both bases must have one interpreter at one path, or nothing that follows can work."""
        wanted = shlex.quote(self.base.python_path or "")
        paths = shlex.quote(":".join(venv.path for venv in venvs))
        script = f"sh {self.work}/in/interpreter.sh"
        runtime = Step(
            id="interpreter:runtime",
            kind="interpreter",
            title=f"Which Python {self.project.python} will run the venv?",
            run=(
                f"{script} runtime {self.project.python} {self.work}/runtime {paths} {wanted}",
            ),
            mounts=(self.script("interpreter.sh"),),
        )
        build = Step(
            id="interpreter:build",
            kind="interpreter",
            title="It must be the same one, at the same path, where the venv is built.",
            run=(
                f"{script} build {self.project.python} {self.work}/interpreter {paths} {wanted}"
                f" {self.work}/runtime",
            ),
            mounts=(self.script("interpreter.sh"),),
        )
        steps: tuple[Step, ...] = (build,)
        if self.base.python == "apt":
            steps = (self.apt_step("build", [f"python{self.project.python}"]), build)
        return [
            BuildStage(
                name="runtime-python", parent="runtime", as_root=True, steps=(runtime,)
            ),
            BuildStage(
                name="interpreter",
                parent=self.base.build,
                parent_is_image=True,
                as_root=True,
                title="Where the venv is built. Nothing of this reaches the image but the venv.",
                copies=(
                    CopyTree(
                        stage="runtime-python", path=f"{self.work}/runtime", to=f"{self.work}/runtime"
                    ),
                ),
                steps=steps,
            ),
        ]

    def tools_step(self) -> Step:
        return Step(
            id="tools",
            kind="tools",
            title="uv, by hash, with a pip that needs nothing of the base.",
            run=(
                _CA,
                f"PYTHONPATH={self.work}/in/pip.whl PIP_CONFIG_FILE=/dev/null {self.interpreter}"
                f" -m pip install --quiet --disable-pip-version-check --root-user-action ignore"
                f" --no-cache-dir --no-compile --require-hashes --only-binary :all:"
                f" --target {self.work}/tools --requirement {self.work}/in/uv.txt",
            ),
            mounts=(self.script("pip.whl"), self.script("uv.txt")),
            network=True,
            secrets=_CA_SECRET,
        )

    def venv_step(self, venv: VenvPlan, *, name: str, skeleton: str) -> Step:
        if self.project.installer == "uv":
            make = (
                f"{self.work}/tools/bin/uv venv --quiet --no-config --no-project"
                f" --no-python-downloads --python {self.interpreter} {venv.path}"
            )
        else:
            make = f"{self.interpreter} -I -m venv --without-pip {venv.path}"
        return Step(
            id=f"venv:{venv.path.removeprefix(self.prefix)}",
            kind="venv",
            title=f"The empty venv at {venv.path.removeprefix(self.prefix)}, at its final path.",
            run=(
                make,
                f"mkdir -p {skeleton}{venv.path}",
                f"cp -a {venv.path}/. {skeleton}{venv.path}/",
                self.normalise(venv, skeleton),
            ),
            mounts=(self.script("normalise.py"),),
        )

    def install_step(self, venv: VenvPlan, layer: Layer, *, stage: str, tree: str) -> Step:
        requirement = Mount(
            source=f"{self.project.output}/deltas/{layer.filename}",
            target=f"{self.work}/in/{layer.filename}",
        )
        mounts = [requirement, self.script("normalise.py")]
        if self.project.installer == "uv":
            install = (
                f"{self.work}/tools/bin/uv pip install --no-config --no-python-downloads"
                f" --python {venv.path}/bin/python --prefix {tree}{venv.path}"
                f" --cache-dir {self.work}/cache/uv --link-mode copy"
            )
            if self.variant.torch_backend is not None:
                install += f" --torch-backend {shlex.quote(self.variant.torch_backend)}"
        else:
            mounts.append(self.script("pip.whl"))
            install = (
                f"PYTHONPATH={self.work}/in/pip.whl PIP_CONFIG_FILE=/dev/null {venv.path}/bin/python"
                f" -m pip install --disable-pip-version-check --root-user-action ignore"
                f" --cache-dir {self.work}/cache/pip --prefix {tree}{venv.path}"
                f" --ignore-installed --no-compile --no-warn-script-location"
            )
            if self.variant.torch_backend is not None:
                index = f"https://download.pytorch.org/whl/{self.variant.torch_backend}"
                install += f" --extra-index-url {shlex.quote(index)}"
        install += f" --no-deps --require-hashes {self.only_wheels(layer)}"
        for number, place in enumerate(self.variant.find_links):
            if "://" not in place:
                mounts.append(Mount(source=place, target=f"{self.work}/in/links-{number}"))
                place = f"{self.work}/in/links-{number}"  # noqa: PLW2901 - where it is seen
            install += f" --find-links {shlex.quote(place)}"
        return Step(
            id=f"install:{stage}",
            kind="install",
            title=f"{len(layer.pins)} distributions of stage {layer.stage}.",
            run=(
                _CA,
                f"{install} --requirement {requirement.target}",
                self.normalise(venv, tree),
            ),
            mounts=tuple(mounts),
            caches=(f"{self.work}/cache/{self.project.installer}",),
            network=True,
            secrets=(*_CA_SECRET, *self.project.build.secrets),
        )

    def only_wheels(self, layer: Layer) -> str:
        sources = set(self.project.no_wheel)
        wheels = [pin.name for pin in layer.pins if pin.name not in sources]
        if len(wheels) == len(layer.pins):
            return "--only-binary :all:"
        return " ".join(f"--only-binary {name}" for name in wheels)

    def files_stage(self, *, parent: str, venv: VenvPlan) -> BuildStage:
        root = f"{self.work}/files"
        return BuildStage(
            name="files",
            parent=parent,
            title="Files of the project.",
            context=tuple(
                Mount(source=_clean(copy.source), target=f"{root}{self.prefix}{copy.to}")
                for copy in self.image.copy
            ),
            steps=(
                Step(
                    id="files",
                    kind="files",
                    title="One time and one of two modes for each of them.",
                    run=(
                        f"{venv.path}/bin/python -I -S -B {self.work}/in/normalise.py {root} {EPOCH}",
                    ),
                    mounts=(self.script("normalise.py"),),
                ),
            ),
        )

    def rehearsal_stage(self, venvs: tuple[VenvPlan, ...]) -> BuildStage:
        """The venv must work where it will run, or there is no image: the gate leads through here."""
        context = [self.script("rehearse.py"), self.script("normalise.py")]
        rehearse: list[str] = []
        gate: list[str] = []
        for number, venv in enumerate(venvs):
            manifest = f"{self.work}/in/manifest-{number}.json"
            context.append(Mount(source=self.manifest_path(venv), target=manifest))
            rehearse.append(f"{venv.path}/bin/python {self.work}/in/rehearse.py {manifest}")
            folder = f"{self.work}/gate{venv.path}/.venvsmith"
            gate += [f"mkdir -p {folder}", f"cp {manifest} {folder}/manifest.json"]
        python = f"{venvs[0].path}/bin/python -I -S -B"
        gate.append(f"{python} {self.work}/in/normalise.py {self.work}/gate {EPOCH}")
        return BuildStage(
            name="rehearsal",
            parent="assembled",
            title="Does it work there, as its user, without a network?",
            context=tuple(context),
            steps=(
                Step(
                    id="rehearse",
                    kind="rehearse",
                    title="Import and run what the stages promise.",
                    run=tuple(rehearse),
                    as_user=True,
                ),
                Step(
                    id="gate",
                    kind="rehearse",
                    title="The image takes this along, and so waits for the rehearsal.",
                    run=tuple(gate),
                ),
            ),
        )

    # -- parts of lines ------------------------------------------------------------------------

    @property
    def interpreter(self) -> str:
        return f'"$(head -n 1 {self.work}/interpreter)"'

    def normalise(self, venv: VenvPlan, tree: str) -> str:
        script = f"{self.work}/in/normalise.py"
        return f"{venv.path}/bin/python -I -S -B {script} {tree} {EPOCH} {venv.path}"

    def script(self, name: str) -> Mount:
        return Mount(source=f"{self.project.output}/steps/{name}", target=f"{self.work}/in/{name}")


def _heavy_group(name: str) -> str:
    for group, prefixes in _HEAVY:
        if name.startswith(tuple(p for p in prefixes if p.endswith("-"))) or name in prefixes:
            return group
    return ""


def _stage_name(venv: str, layer: Layer, *, several: bool) -> str:
    name = layer.name.replace(".", "-")
    return f"layer-{name}-{venv}" if several else f"layer-{name}"


def _clean(path: str) -> str:
    return str(PurePosixPath(path))


def _unique(names: object) -> list[str]:
    return list(dict.fromkeys(names))  # type: ignore[call-overload]
