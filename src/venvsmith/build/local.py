"""The local engine: the same plan on this machine, without a daemon and without a base image.

It takes this host's interpreter of the same minor and checks (does not install) system packages.
Steps run as BuildKit would run them, from the same lines, with the build's folders bound at their
paths; the result is a root folder with a ``manifest.json`` beside it that names the host.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, assert_never

from venvsmith.build.checkout import bring
from venvsmith.build.diff_id import diff_id
from venvsmith.build.failures import step_failure
from venvsmith.build.rootfs import merge, place, remove, settle_folders
from venvsmith.build.secrets import PROXIES, gather_secrets, in_memory, sensitive
from venvsmith.errors import SurroundingsError, VenvsmithError
from venvsmith.files import locked, make_folder
from venvsmith.model.plan import LOCAL_SCHEMA
from venvsmith.patience import TOOL, patience
from venvsmith.plan import EPOCH
from venvsmith.process import Command, Completed, run
from venvsmith.sandbox import Bind, Sandbox
from venvsmith.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venvsmith.model.plan import BuildStage, Mount, Plan, Step
    from venvsmith.model.project import Index, Project

STEP_TIMEOUT = 3600.0
"""Seconds for one step; the longest known, CUDA's libraries over a slow line, takes minutes."""
WORKERS = 2
_PASSED = (
    "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", *PROXIES, "no_proxy", "NO_PROXY",
    "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES",
)  # fmt: skip
"""What of this machine's environment a step sees: how to reach the network."""
_LEFT_BY_UV = (".lock", ".gitignore", "CACHEDIR.TAG")
"""As in `steps/normalise.py`, which takes them out of the layers."""
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalBuild:
    """What the local engine left.

    :param root: the root folder; ``manifest.json`` lies beside it.
    :param missing_packages: system packages of the image that this machine lacks.
    """

    root: Path
    missing_packages: tuple[str, ...]


def build_local(
    plan: Plan,
    *,
    project: Project,
    folder: Path,
    sandbox: Sandbox | None,
    uv_cache: Path,
    say: Callable[[str], None],
    ca_bundle: Path | None = None,
) -> LocalBuild:
    """Carry out a plan on this machine.

    :param folder: what to leave; replaced as a whole when the build has succeeded.
    :param sandbox: None where there is none: the plan's paths must then lie below ``folder``.
    :param uv_cache: this machine's cache of uv.
    :param say: called with a line for each step.
    :raises JudgedError: where a step fails.
    :raises SurroundingsError: where the machine lacks what the plan needs, or the disk refuses.
    """
    here = next((own for own in plan.platforms if own.machine == platform.machine()), None)
    if here is None:
        wanted = " and ".join(map(str, plan.platforms))
        raise SurroundingsError(
            f"{plan.name} is for {wanted}, and this machine is {platform.machine()}",
            hint="build it with --engine docker and a builder for that platform",
        )
    plan = plan.on(here)
    secrets = gather_secrets(project, [plan])
    hide = sensitive(project, secrets)
    if ca_bundle is not None:
        # A sandbox has a /tmp of its own, where the bundle may lie here.
        secrets["ca"] = ca_bundle.read_text("utf-8", "surrogateescape")
    make_folder(folder.parent)
    # Another build of it at the same time would write into the same folder.
    with (
        locked(folder.parent),
        place(folder, in_place=sandbox is None) as fresh,
        in_memory(secrets) as hidden,
    ):
        engine = _Engine(
            plan=plan,
            project=project,
            folder=fresh,
            sandbox=sandbox,
            uv_cache=uv_cache,
            say=say,
            secrets=hidden,
            sensitive=hide,
        )
        engine.carry_out()
        manifest = engine.manifest()
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        remove(fresh / "work")
    return LocalBuild(root=folder / "root", missing_packages=tuple(engine.missing_packages))


@dataclass(kw_only=True, slots=True)
class _Engine:
    plan: Plan
    project: Project
    folder: Path
    sandbox: Sandbox | None
    uv_cache: Path
    say: Callable[[str], None]
    secrets: Path
    """The folder that holds a file for each secret."""
    sensitive: tuple[str, ...]
    """Values that nothing may show."""
    stop: Event = field(default_factory=Event)
    """Once set, running steps are stopped: for the threads, which no interrupt reaches."""
    layers: dict[str, str] = field(default_factory=dict)
    """Stages of the plan to what BuildKit would call their layers; empty without a sandbox."""
    done: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    missing_packages: list[str] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def carry_out(self) -> None:
        """Run all stages; installs, which do not depend on each other, two at a time."""
        self.root.mkdir()
        for venv in self.plan.venvs:
            self.venv_folder(venv.path).mkdir(parents=True)
        cache = self.work / "cache"
        cache.mkdir(parents=True)
        self.uv_cache.mkdir(parents=True, exist_ok=True)
        if self.sandbox is None:
            (cache / "uv").symlink_to(self.uv_cache)
            (self.work / "secrets").symlink_to(self.secrets)
        stages = list(self.plan.stages)
        while stages:
            batch = [stages.pop(0)]
            while stages and _installs(batch[0]) and _installs(stages[0]):
                batch.append(stages.pop(0))
            tasks = [partial(self.stage, stage) for stage in batch]
            together(tasks, workers=WORKERS, stop=self.stop)
        self.tidy()
        settle_folders(self.root, time=EPOCH)

    def stage(self, stage: BuildStage) -> None:
        """Carry out one stage: what it copies, then its steps."""
        for mount in stage.context:
            self.bring(mount)
        if stage.role == "image":
            for copy in stage.copies:
                tree = self.inside(copy.path)
                # What this engine does not carry out leaves no tree.
                if self.sandbox is not None and tree.is_dir():
                    self.layers[copy.stage] = diff_id(tree)
                merge(tree, self.root if self.sandbox else Path("/"))
        for step in stage.steps:
            for mount in step.mounts:
                self.bring(mount)
            self.step(step)

    def tidy(self) -> None:
        """Remove what uv left in a venv that was made at its place, where no layer brought it."""
        for venv in self.plan.venvs if self.sandbox is None else ():
            for name in _LEFT_BY_UV:
                (Path(venv.path) / name).unlink(missing_ok=True)

    def step(self, step: Step) -> None:
        """Carry out one step, or say why this engine cannot."""
        match step.kind:
            case "apt":
                self.check_packages(step)
                self.left_out.append((step.id, "system packages are checked here, not installed"))
            case "python":
                why = "this machine's own Python stands in for uv's"
                self.left_out.append((step.id, why))
            case "user":
                self.left_out.append((step.id, "there is no base image whose users could change"))
            case "interpreter" | "tools" | "source" | "venv" | "install" | "files" | "rehearse":
                self.shell(step)
                self.done.append(step.id)
            case _:
                assert_never(step.kind)

    # -- running -------------------------------------------------------------------------------

    def shell(self, step: Step) -> None:
        self.say(f"{step.id}: {step.title}")
        argv: tuple[str, ...] = ("sh", "-ec", "\n".join(step.run))
        env, cwd = self.build_env(), "/"
        if step.as_user:
            env, cwd = self.run_env(), self.plan.settings.workdir or "/"
        if self.sandbox is not None:
            cwd = cwd if Path(cwd).is_dir() else "/"
            # An image's environment is no secret, and may hold what would change the sandbox too.
            # This machine's may hold a proxy's password, which a list of programs would show.
            shown = env if step.as_user else None
            argv = self.sandbox.wrap(
                argv, binds=self.binds(step), network=step.network, cwd=cwd, env=shown
            )
            env = dict(os.environ) if step.as_user else env
        timeout = patience(TOOL, STEP_TIMEOUT)
        command = Command(argv=argv, timeout=timeout, env=env, secrets=self.sensitive)
        done = run(command, stop=self.stop)
        if done.returncode != 0:
            raise _step_failed(self.plan, step, done, self.project.indexes.values())

    def binds(self, step: Step) -> list[Bind]:
        rehearsing = step.kind == "rehearse"
        binds = [Bind(source=self.work, target=self.plan.work, writable=True)]
        for folder in step.caches:
            if folder.endswith("/uv"):
                binds.append(Bind(source=self.uv_cache, target=folder, writable=True))
                (self.work / "cache" / "uv").mkdir(parents=True, exist_ok=True)
        for name in step.secrets:
            if (self.secrets / name).is_file():
                target = f"/run/secrets/{name}"
                binds.append(Bind(source=self.secrets / name, target=target))
        for venv in self.plan.venvs:
            source = (
                self.root / venv.path.lstrip("/") if rehearsing else self.venv_folder(venv.path)
            )
            binds.append(Bind(source=source, target=venv.path, writable=step.kind == "venv"))
        return binds

    def build_env(self) -> dict[str, str]:
        env = {key: os.environ[key] for key in _PASSED if key in os.environ}
        return {"PATH": _SYSTEM_PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **env}  # noqa: S108

    def run_env(self) -> dict[str, str]:
        settings = self.plan.settings
        path = ":".join([*settings.path, os.environ.get("PATH", _SYSTEM_PATH)])
        return {"HOME": "/tmp", "LANG": "C.UTF-8", **settings.env, "PATH": path}  # noqa: S108

    # -- files ---------------------------------------------------------------------------------

    def inside(self, path: str) -> Path:
        """Return where a path of the build's own folder lies on this machine."""
        return self.work / path.removeprefix(self.plan.work).lstrip("/")

    def venv_folder(self, path: str) -> Path:
        """Return where the empty venv lies while building."""
        if self.sandbox is None:
            return Path(path)
        return self.work / "venvs" / path.strip("/").replace("/", "-")

    def bring(self, mount: Mount) -> None:
        """Put a file of the project (or one that the plan carries) where the steps see it."""
        target = self.inside(mount.target)
        if mount.source in self.plan.files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.plan.files[mount.source])
        else:
            bring(mount, root=self.project.root, to=target)

    def check_packages(self, step: Step) -> None:
        for name in step.packages:
            query = ("dpkg-query", "-W", "-f", "${db:Status-Status}", name)
            if run(Command(argv=query, timeout=20)).text != "installed":
                self.missing_packages.append(name)

    def manifest(self) -> dict[str, object]:
        """Return what says which host stood in for the base image, and how the image starts."""
        path, version, machine, libc = (
            self.inside(f"{self.plan.work}/interpreter").read_text("utf-8").splitlines()[:4]
        )
        settings = self.plan.settings
        return {
            "schema": LOCAL_SCHEMA,
            "image": self.plan.image,
            "variant": self.plan.variant,
            "platform": str(self.plan.platforms[0]),
            "venvs": [venv.path for venv in self.plan.venvs],
            "host": {"python": path, "version": version, "machine": machine, "libc": libc},
            "final_path": self.sandbox is not None,
            "steps": sorted(self.done),
            "layers": self.layers,
            "not_carried_out": [{"step": step, "reason": why} for step, why in self.left_out],
            "missing_packages": self.missing_packages,
            "seen_at": self.seen_at(),
            "config": {
                "env": {**settings.env, "PATH": ":".join([*settings.path, _SYSTEM_PATH])},
                "user": "" if settings.user is None else str(settings.user),
                "workdir": settings.workdir or "/",
                "entrypoint": list(settings.entrypoint or ()),
                "cmd": list(settings.cmd or ()),
                "labels": dict(settings.labels),
            },
        }

    def seen_at(self) -> list[str]:
        """Return the paths of the root folder that the image would have and this host has not.

        Where something is copied to ``/`` itself, they are those names in it that are new here.
        """
        tree = f"{self.plan.work}/files"
        copied = [
            mount.target.removeprefix(tree)
            for stage in self.plan.stages
            if stage.role == "files"
            for mount in stage.context
        ]
        if "/" in copied:
            copied.remove("/")
            names = sorted(f"/{each.name}" for each in self.root.iterdir())
            copied += (name for name in names if not os.path.lexists(name))
        return [*(venv.path for venv in self.plan.venvs), *copied]


def _installs(stage: BuildStage) -> bool:
    return bool(stage.steps) and all(step.kind == "install" for step in stage.steps)


def _step_failed(
    plan: Plan, step: Step, done: Completed, indexes: Iterable[Index]
) -> VenvsmithError:
    text = done.command.redact(done.text) + done.error_text
    lines = [line for line in text.splitlines() if line.strip()]
    return step_failure(plan, step, lines, indexes=indexes, timed_out=done.timed_out)
