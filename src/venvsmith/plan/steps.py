"""The steps of a build: their shell lines, what they mount, whether they use the network.

Values of the configuration reach a line only through `shlex`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from venvsmith.model.plan import NETWORK_SECRETS, CopyTree, Layer, Mount, Step, VenvPlan
from venvsmith.model.platforms import wheel_platform
from venvsmith.model.project import Base, Image, Project, Variant
from venvsmith.plan.families import Below
from venvsmith.plan.install import Installer, pin_files

EPOCH = 315532800
"""Time of every file in a layer: 1980-01-01, the earliest that zip archives can tell."""
SKELETON = "venv"
"""Name of the list of files that the empty venv carries; each layer's has the layer's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Makes the steps of one image in one variant.

    :param work: where the build keeps its own things.
    :param prefix: what stands before each venv's path, where a build cannot have the final path.
    :param below: what the image finds in the one that it builds on.
    :param wheels: hash to path of the wheels that lie beside the locks.
    :param uv_image: what holds ``/uv``, for bases that get a Python of uv's own.
    """

    project: Project
    image: Image
    variant: Variant
    base: Base
    work: str
    prefix: str
    below: Below | None = None
    wheels: Mapping[str, str] = field(default_factory=dict)
    uv_image: str = ""

    # -- the system ----------------------------------------------------------------------------

    def stamp(self) -> Step:
        """Mark the time from which changes of the system count."""
        return Step(
            id="stamp",
            kind="user",
            title="What changes from here on goes into the image.",
            run=(f"mkdir -p {self.work}/system", f"touch {self.work}/stamp"),
        )

    def user(self) -> Step | None:
        """Make the image's user and folders, or return None where they are there."""
        lines: list[str] = []
        mounts: tuple[Mount, ...] = ()
        user = self.image.user
        if self._workdir:
            lines.append(f"mkdir -p {shlex.join(self._workdir)}")
        known = self.below is not None and user in self.below.users
        if (user is not None and not known) or self.image.writable:
            mounts = (self.script("user.sh"),)
            uid = f'"$(cat {self.base_user.to})"' if self.base_user else str(user)
            words = [f"sh {self.work}/in/user.sh", uid, *map(shlex.quote, self.image.writable)]
            lines.append(" ".join(words))
        if not lines:
            return None
        title = "Its user, and the folders that it may write to."
        return Step(id="user", kind="user", title=title, run=tuple(lines), mounts=mounts)

    @property
    def _workdir(self) -> tuple[str, ...]:
        """Return the image's own working directory; nothing where the image below has it."""
        path = self.image.workdir
        known = self.below is not None and path == self.below.image.workdir
        return () if path is None or known else (path,)

    @property
    def base_user(self) -> CopyTree | None:
        """Return where to find whom folders belong to that only the base's USER may write.

        None where the image says so itself, or has no such folders.
        """
        if self.image.user is not None or not self.image.writable:
            return None
        return CopyTree(stage="base-user", path="/tmp/venvsmith-user", to=f"{self.work}/user")  # noqa: S108 - in a build

    def note_user(self, to: str) -> Step:
        """Note whom the base runs as."""
        title = "Whom will the folders belong to that the image may write to?"
        return Step(id="base-user", kind="user", title=title, run=(f"id -u > {to}",))

    def capture(self) -> Step:
        """Collect what changed in the system since the stamp, and the image's own folders."""
        words = [f"{self.work}/stamp", f"{self.work}/system", str(EPOCH)]
        words += [*self._workdir, *self.image.writable]
        return Step(
            id="capture",
            kind="user",
            title="Collect it, with one time for all files.",
            run=(f"sh {self.work}/in/capture.sh {shlex.join(words)}",),
            mounts=(self.script("capture.sh"),),
        )

    # -- the interpreter and the tools -----------------------------------------------------------

    def interpreter(self, where: str, venvs: Sequence[VenvPlan]) -> Step:
        """Find the interpreter of a base; in the build base, hold it against the runtime's."""
        paths = shlex.quote(":".join(venv.path for venv in venvs))
        wanted = shlex.quote(self.base.python_path or "")
        runtime = f"{self.work}/runtime"
        out, other = (
            (runtime, "") if where == "runtime" else (f"{self.work}/interpreter", f" {runtime}")
        )
        python = self.project.python
        title = (
            f"Which Python {python} will run the venv?"
            if where == "runtime"
            else "It must be the same one, at the same path, where the venv is built."
        )
        script = f"sh {self.work}/in/interpreter.sh"
        if self.base.python == "uv":
            # Before whatever else the base calls so; where there is none of uv's, the machine's.
            script = f"PATH=/opt/python/{python}/bin:$PATH {script}"
        return Step(
            id=f"interpreter:{where}",
            kind="interpreter",
            title=title,
            run=(f"{script} {where} {python} {out} {paths} {wanted}{other}",),
            mounts=(self.script("interpreter.sh"),),
        )

    def tools(self) -> Step:
        """Install uv by hash."""
        pip = self.installer.bare_pip(self.found_interpreter)
        return Step(
            id="tools",
            kind="tools",
            title="uv, by hash, with a pip that needs nothing of the base.",
            run=(
                *self.installer.surroundings(),
                self.installer.telling(
                    f"{pip} install --quiet --disable-pip-version-check {self.tools_options}",
                    "tools",
                ),
            ),
            mounts=(self.script("pip.whl"), self.script("uv.txt")),
            network=True,
            secrets=NETWORK_SECRETS,
        )

    # -- the venv ------------------------------------------------------------------------------

    def venv(self, venv: VenvPlan, *, skeleton: str) -> Step:
        """Make an empty venv at its final path, and a copy of it that becomes a layer."""
        path = venv.path.removeprefix(self.prefix)
        return Step(
            id=f"venv:{path}",
            kind="venv",
            title=f"The empty venv, at its final path {path}.",
            run=(
                self.make_venv(venv.path),
                f"mkdir -p {skeleton}{venv.path}",
                f"cp -a {venv.path}/. {skeleton}{venv.path}/",
                self.normalise(venv, skeleton, name=SKELETON),
            ),
            mounts=(self.script("normalise.py"),),
        )

    def install(self, venv: VenvPlan, layer: Layer, *, stage: str, tree: str) -> Step:
        """Install one layer's distributions, and nothing else, into a tree of its own."""
        files = pin_files(self.project, layer.name, layer.pins, self.wheels)
        install = self.installer.pins(
            venv.path, files, prefix=f"{tree}{venv.path}", options=self.foreign(layer)
        )
        return Step(
            id=f"install:{stage}",
            kind="install",
            title=f"{len(layer.pins)} distributions of stage {layer.stage}.",
            run=(*install.run, self.normalise(venv, tree, name=layer.name)),
            mounts=(*install.mounts, self.script("normalise.py")),
            caches=install.caches,
            network=True,
            secrets=install.secrets,
        )

    def foreign(self, layer: Layer) -> str:
        """Return uv's option for a layer that may be for another platform than the building one."""
        if layer.platform is None:
            return ""
        level = wheel_platform(layer.platform.machine, self.base.manylinux)
        return f" --python-platform {level}"

    # -- the user's files, and the rehearsal -----------------------------------------------------

    def files(self, venv: VenvPlan, tree: str) -> Step:
        """Give the project's own files the times and modes of a layer."""
        return Step(
            id="files",
            kind="files",
            title="One time and one of two modes for each of them.",
            run=(self.normalise(venv, tree),),
            mounts=(self.script("normalise.py"),),
        )

    def rehearse(self, venvs: Sequence[VenvPlan], manifests: Sequence[str]) -> Step:
        """Import and run what each venv's manifest promises, as the image's user.

        Where there are several, each as if it had been activated, and none may see another.
        """
        lines: list[str] = []
        for venv, manifest in zip(venvs, manifests, strict=True):
            others = [other.path for other in venvs if other is not venv]
            words = [f"{venv.path}/bin/python", f"{self.work}/in/rehearse.py", manifest, *others]
            if others:
                words = [f"VIRTUAL_ENV={venv.path}", f'PATH={venv.path}/bin:"$PATH"', *words]
            lines.append(" ".join(words))
        return Step(
            id="rehearse",
            kind="rehearse",
            title="Import and run what the stages promise.",
            run=tuple(lines),
            as_user=True,
        )

    def gate(self, venvs: Sequence[VenvPlan], manifests: Sequence[str]) -> Step:
        """Leave what the image takes along, so that it waits for the rehearsal."""
        lines: list[str] = []
        for venv, manifest in zip(venvs, manifests, strict=True):
            folder = f"{self.work}/gate{venv.path}/.venvsmith"
            text = f"{self.settled(venv, manifest)} > {folder}/manifest.json"
            lines += [f"mkdir -p {folder}", text]
        lines.append(self.normalise(venvs[0], f"{self.work}/gate"))
        return Step(
            id="gate",
            kind="rehearse",
            title="The image takes this along, and so waits for the rehearsal.",
            run=tuple(lines),
        )

    def below_holds(self, venv: VenvPlan, manifest: str) -> Step:
        """Stop where the image below is not the one of these locks: an old build of it, say."""
        assert self.below is not None  # noqa: S101 - who asks for this step has it
        path = venv.path.removeprefix(self.prefix)
        carried = f"{path}/.venvsmith/manifest.json"
        same = f'[ "$({self.settled(venv, manifest)})" = "$(cat {carried})" ]'
        complaint = (
            f"venvsmith: {self.below.ref.tag} holds something else at {path} than its lock says:"
            " build it again first"
        )
        return Step(
            id=f"below:{path}",
            kind="rehearse",
            title=f"Is {self.below.ref.tag} the one that the locks describe?",
            run=(f"{same} || {{ echo {shlex.quote(complaint)} >&2; exit 1; }}",),
            as_user=True,
        )

    def settled(self, venv: VenvPlan, manifest: str) -> str:
        """Return the command that prints a manifest, with the versions that only a build tells."""
        if all(own.version is not None for own in venv.own):
            return f"cat {manifest}"
        script = f"{self.work}/in/versions.py"
        return f"{venv.path}/bin/python -I -S -B {script} {manifest} {venv.path}"

    # -- parts of lines ------------------------------------------------------------------------

    @property
    def tools_options(self) -> str:
        """Return how uv is installed: by hash, from a wheel, into a folder of the build's own."""
        return (
            f"--root-user-action ignore --no-cache-dir --no-compile --require-hashes"
            f" --only-binary :all: --target {self.work}/tools"
            f" --requirement {self.work}/in/uv.txt"
        )

    def make_venv(self, path: str) -> str:
        """Return the line that makes an empty venv."""
        if self.project.installer == "uv":
            return (
                f"{self.work}/tools/bin/uv venv --quiet --no-config --no-project"
                f" --no-python-downloads --python {self.found_interpreter} {path}"
            )
        return f"{self.found_interpreter} -I -m venv --without-pip {path}"

    @property
    def installer(self) -> Installer:
        """Return what makes the lines that install."""
        return Installer(
            project=self.project,
            variant=self.variant,
            work=self.work,
            secrets=f"{self.work}/secrets" if self.prefix else "/run/secrets",
            interpreter=self.found_interpreter,
        )

    @property
    def found_interpreter(self) -> str:
        """Return the shell word that gives the interpreter both bases agreed on."""
        return f'"$(head -n 1 {self.work}/interpreter)"'

    def normalise(self, venv: VenvPlan, tree: str, *, name: str = "") -> str:
        """Return the line that makes a tree the same bytes everywhere.

        :param name: of the list of its files, where it is (a part of) the venv.
        """
        script = f"{self.work}/in/normalise.py"
        end = f" {venv.path} {name}" if name else ""
        return f"{venv.path}/bin/python -I -S -B {script} {tree} {EPOCH}{end}"

    def script(self, name: str) -> Mount:
        """Return the mount of a file that ships with venvsmith."""
        return Mount(source=f"{self.project.output}/steps/{name}", target=f"{self.work}/in/{name}")
