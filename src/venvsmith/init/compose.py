"""From what was gathered to the sections of a first configuration."""

from __future__ import annotations

import re
from typing import Any, Final

from venvsmith.init.emit import Field, Section, emit
from venvsmith.init.heavy import heavy_of, name_of
from venvsmith.init.sketch import DEFAULT_PYTHON, BaseSketch, Note, Place, Sketch

DEFAULT_UID: Final = 1001
BASE: Final = "slim"
_NO_IMPORT: Final = frozenset({"torchcodec", "torchdata", "paddlepaddle", "tensorflow-cpu"})
_WITHOUT_GPU: Final = (
    "Without a GPU, some 200 MB instead of several GB: this variant beside it, or in its place.",
    "[variants.cpu]",
    'base = "slim"',
    'platforms = ["linux/amd64"]',
    'torch-backend = "cpu"',
)


def compose(sketch: Sketch) -> str:
    """Return the text of the configuration."""
    plan = _Composition(sketch)
    sections = [
        plan.project(),
        *plan.indexes(),
        plan.base(),
        *plan.variants(),
        *plan.stages(),
        plan.image(),
    ]
    return emit(plan.header(), sections)


def slug(text: str) -> str:
    """Return a name as stages and images bear it; empty where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")


def _fields(*fields: Field | None) -> tuple[Field, ...]:
    return tuple(entry for entry in fields if entry is not None)


def _field(key: str, value: Any, comment: str = "") -> Field | None:
    """Return a field, or nothing where its value is empty."""
    if value in (None, "", [], {}):
        return None
    return Field(key=key, value=value, comment=comment)


class _Composition:
    """Names and cuts, settled once."""

    def __init__(self, sketch: Sketch) -> None:
        self._sketch = sketch
        self._heavy, self._heavies = heavy_of(sketch.all_requires())
        light = [line for line in sketch.requires if name_of(line) not in self._heavies]
        others = sketch.requires_files or sketch.source is not None
        if self._heavy and not light and not others and not sketch.extras:
            self._heavy, self._heavies, light = "", [], sketch.requires
        self._light = light
        name = slug(sketch.name) or "app"
        self._name = name
        self._main = "dependencies" if sketch.source is not None else name
        if self._main == self._heavy:
            self._main = "app"
        self._own = name if name not in {self._heavy, "dependencies"} else "app"

    @property
    def _last(self) -> str:
        return self._own if self._sketch.source is not None else self._main

    def _notes(self, *places: Place) -> tuple[str, ...]:
        """Return the notes of places, those of one reason together."""
        grouped: dict[tuple[str, str], list[Note]] = {}
        for note in self._sketch.notes:
            if note.place in places:
                grouped.setdefault((note.why, note.todo), []).append(note)
        told = []
        for (why, todo), notes in grouped.items():
            shown = [f"{note.origin}: {note.what}" for note in notes]
            if len(shown) == 1:
                told.append(f"{shown[0]}: {why}; {todo}.")
            else:
                told.append("\n".join([f"{why}; {todo}:", *shown]))
        return tuple(told)

    def header(self) -> list[str]:
        """Return the lines at the top of the file."""
        sketch = self._sketch
        source = f" from {sketch.origin}" if sketch.origin else ""
        variant = self._variants()[0][0]
        lines = [
            f"{sketch.name or self._name}: made{source} by `venvsmith init`.",
            "",
            "  venvsmith lock      resolves the stages together and writes locks/",
            f"  venvsmith build     builds the image `{self._name}:{variant}`, and verifies it",
            "  venvsmith build --engine local      the same without Docker",
        ]
        if sketch.notes:
            lines += [
                "",
                "What could not be carried over stands here as NOTE; delete what is settled.",
            ]
        return lines

    def project(self) -> Section:
        """Return [project]."""
        sketch = self._sketch
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", sketch.name)[:100].strip("-._") or self._name
        venv = sketch.venv if sketch.venv != "/venv" else ""
        fields = _fields(
            Field(key="name", value=name),
            Field(
                key="python",
                value=sketch.python or DEFAULT_PYTHON,
                comment=sketch.python_why or "the minor version that every stage runs",
            ),
            _field("venv", venv, "where the image has it, so that paths stay right"),
            _field("exclude-newer", sketch.exclude_newer),
            _field("no-wheel", sorted(set(sketch.no_wheel)), "may be built from source"),
        )
        notes = self._notes("project") + (() if sketch.indexes else self._notes("indexes"))
        return Section(path=("project",), fields=fields, notes=notes)

    def indexes(self) -> list[Section]:
        """Return [indexes.*]."""
        found = []
        for number, (name, (url, packages)) in enumerate(self._sketch.indexes.items()):
            fields = _fields(
                Field(key="url", value=url),
                Field(key="packages", value=sorted(set(packages)), comment="and from nowhere else"),
            )
            notes = () if number else self._notes("indexes")
            found.append(Section(path=("indexes", name), fields=fields, notes=notes))
        return found

    def base(self) -> Section:
        """Return [bases.slim]."""
        sketch = self._sketch
        python = sketch.python or DEFAULT_PYTHON
        standing = f"python:{python}-slim-bookworm"
        base = sketch.base or BaseSketch(
            build=f"python:{python}-bookworm", runtime=standing, comment=""
        )
        if base.build == base.runtime:
            images = [Field(key="image", value=base.runtime, comment=base.comment)]
        else:
            images = [
                Field(key="build", value=base.build, comment="the venv is made here ..."),
                Field(key="runtime", value=base.runtime, comment="... and copied to here"),
            ]
        kinds = {"apt": "installed from its own packages", "uv": "uv's own build of Python"}
        source = base.python if base.python != "image" else ""
        return Section(
            path=("bases", BASE),
            fields=_fields(*images, _field("python", source, kinds.get(source, ""))),
            notes=self._notes("base"),
        )

    def _variants(self) -> list[tuple[str, str]]:
        """Return the variants' names and torch backends."""
        backends = list(dict.fromkeys(self._sketch.backends))
        if not backends:
            torch = self._heavy == "torch" or "torch" in map(name_of, self._sketch.requires)
            base = self._sketch.base
            return [("cuda" if torch or (base and "cuda" in base.runtime) else "cpu", "")]
        cuda = [backend for backend in backends if backend.startswith("cu")]
        return [("cuda" if cuda == [backend] else slug(backend), backend) for backend in backends]

    def variants(self) -> list[Section]:
        """Return [variants.*], with the choice of the CPU as a comment where torch is there."""
        found = []
        platforms = list(dict.fromkeys(self._sketch.platforms)) or ["linux/amd64"]
        variants = self._variants()
        for number, (name, backend) in enumerate(variants):
            torch = heavy_of(self._sketch.all_requires())[0] == "torch"
            plain = torch and name == "cuda" and not backend
            fields = _fields(
                Field(key="base", value=BASE),
                Field(key="platforms", value=platforms),
                _field("torch-backend", backend, "where torch comes from, as uv's --torch-backend"),
                _field("find-links", self._sketch.find_links),
            )
            found.append(
                Section(
                    path=("variants", name),
                    fields=fields,
                    comment="torch as the index has it: with CUDA" if plain else "",
                    notes=() if number else self._notes("variant"),
                    after=_WITHOUT_GPU if plain else (),
                )
            )
        return found

    def stages(self) -> list[Section]:
        """Return [stages.*], parents first."""
        sketch = self._sketch
        found = [self._heavy_stage()] if self._heavy else []
        entries = list(sketch.requires_files)
        if sketch.source is not None and sketch.source_requires:
            entries.append(
                "pyproject.toml" if sketch.source == "." else f"{sketch.source}/pyproject.toml"
            )
        lonely = sketch.source is not None and not (self._light or entries)
        if not lonely:
            found.append(self._main_stage(entries))
        if sketch.source is not None:
            parent = self._heavy if lonely else self._main
            found.append(self._own_stage(parent, notes=lonely))
        taken = {section.path[1] for section in found}
        for name, lines in sketch.extras.items():
            found.append(self._extra(name, lines, taken))
        return found

    def _heavy_stage(self) -> Section:
        told: dict[str, list[str]] = {}
        for line in self._sketch.requires:
            told.setdefault(name_of(line), []).append(line)
        requires = [line for name in self._heavies for line in told.get(name, [name])]
        modules = [name.replace("-", "_") for name in self._heavies if name not in _NO_IMPORT]
        held = set(self._heavies) - set(told)
        comment = "as the stages below need it: they are resolved together" if held else ""
        return Section(
            path=("stages", self._heavy),
            comment="large, seldom new: layers of its own",
            fields=_fields(
                Field(key="requires", value=requires, comment=comment),
                _field("imports", modules, "must import in the final image"),
            ),
        )

    def _main_stage(self, entries: list[str]) -> Section:
        sketch = self._sketch
        empty = not (self._light or entries or sketch.requires)
        imports = [m for m in sketch.imports if m.partition(".")[0] not in self._heavies]
        last = sketch.source is None
        return Section(
            path=("stages", self._main),
            comment="small, often new" if self._heavy else "",
            notes=self._notes("stage"),
            fields=_fields(
                _field("extends", self._heavy, f"all of `{self._heavy}`, at the same versions"),
                Field(key="requires", value=[], comment='what to install, such as "httpx>=0.27"')
                if empty
                else _field("requires", self._light),
                _field("requires-file", entries, "stays where its requirements are written"),
                _field("imports", imports, "must import in the final image"),
                _field("commands", sketch.commands if last else [], "must exit 0 in it"),
                _field("apt", sketch.apt, "what it needs of Debian at run time"),
            ),
        )

    def _own_stage(self, parent: str, *, notes: bool) -> Section:
        sketch = self._sketch
        imports = [sketch.source_module] if sketch.source_module else []
        imports += [m for m in sketch.imports if m not in imports] if notes else []
        return Section(
            path=("stages", self._own),
            notes=self._notes("stage") if notes else (),
            fields=_fields(
                _field("extends", parent),
                Field(
                    key="source", value=sketch.source, comment="built to a wheel, then installed"
                ),
                _field("imports", imports, "must import in the final image"),
                _field("commands", sketch.commands, "must exit 0 in it"),
                _field("apt", sketch.apt if notes else []),
            ),
        )

    def _extra(self, name: str, lines: list[str], taken: set[str]) -> Section:
        stage = slug(name) or "extra"
        while stage in taken:
            stage = f"{stage}-extra"
        taken.add(stage)
        files = [line for line in lines if re.search(r"pyproject\.toml:", line)]
        parents = [self._main, self._heavy]
        parent = next((p for p in parents if p and p in taken), "")
        return Section(
            path=("stages", stage),
            comment=f"`{name}`: no image has it until one names this stage",
            fields=_fields(
                _field("extends", parent),
                _field("requires", [line for line in lines if line not in files]),
                _field("requires-file", files),
            ),
        )

    def image(self) -> Section:
        """Return [images.*]."""
        sketch = self._sketch
        is_docker = bool(sketch.entries)
        user, entrypoint, workdir = sketch.user, sketch.entrypoint, sketch.workdir
        if not is_docker:
            user, workdir = DEFAULT_UID, workdir or "/app"
            one = sketch.scripts if len(sketch.scripts) == 1 else ["python"]
            entrypoint = entrypoint or one
        after = (
            () if user is not None else ("user = 1001   # not root; gets a passwd line and a home",)
        )
        who = f"{sketch.user_why}; " if sketch.user_why else ""
        copies = [{"from": source, "to": to} for source, to in sketch.copy]
        return Section(
            path=("images", self._name),
            notes=self._notes("image"),
            fields=_fields(
                Field(key="stage", value=self._last),
                _field("workdir", workdir),
                Field(key="user", value=user, comment=f"{who}gets a passwd line and a home")
                if user is not None
                else None,
                _field("env", dict(sketch.env)),
                _field("writable", sketch.writable, "folders that the user may write"),
                _field("copy", copies),
                _field("entrypoint", entrypoint),
                _field("cmd", sketch.cmd),
                _field("labels", dict(sketch.labels)),
            ),
            after=after,
        )
