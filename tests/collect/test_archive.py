"""Images in files: made here, sound ones and those that must be refused."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from venvsmith.collect import CollectRequest, collect
from venvsmith.collect.probe import archive, layers, oci, tar
from venvsmith.errors import UnsafeInputError, UsageError, VenvsmithError
from venvsmith.model.facts import Facts
from venvsmith.target import open_target

Member = tuple[str, bytes | str | None]
"""A file's content, a link's target, or None for a folder."""


def pack(*members: Member) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            file.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return out.getvalue()


def layered(tmp_path: Path, *packed: bytes) -> layers.LayerTree:
    tree = layers.LayerTree()
    for number, data in enumerate(packed):
        (tmp_path / str(number)).write_bytes(data)
        fd = os.open(tmp_path / str(number), os.O_RDONLY)
        tree.add_layer(tar.Source(fd), f"layer {number}")
    return tree


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI layout that a test writes, and then damages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data: bytes) -> dict[str, Any]:
        digest = digest_of(data)
        (self.folder / "blobs/sha256" / digest[7:]).write_bytes(data)
        return {"digest": digest, "size": len(data)}

    def image(self, *packed: bytes, plain: tuple[bytes, ...] | None = None) -> dict[str, Any]:
        diffs = [digest_of(data) for data in plain or packed]
        config = {
            "architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": diffs},
            "config": {"Env": ["PATH=/venv/bin:/usr/bin"], "User": "app", "Cmd": ["python"]},
            "history": [{"created_by": "COPY /venv /venv"}],
        }  # fmt: skip
        manifest = {
            "config": self.blob(json.dumps(config).encode()),
            "layers": [self.blob(data) for data in packed],
        }
        return self.blob(json.dumps(manifest).encode())

    def index(self, *manifests: dict[str, Any], **more: object) -> None:
        (self.folder / "index.json").write_text(json.dumps({"manifests": manifests, **more}))


def look(ref: str) -> Facts:
    with open_target(ref) as target:
        return collect(target, CollectRequest())


ROOT = pack(
    ("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1001:1001::/home/app:/bin/sh\n"),
    ("venv/pyvenv.cfg", b"home = /usr/bin\n"),
    ("venv/bin/python", "/usr/bin/python3.11"),
    ("venv/lib/python3.11/site-packages/a-1.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
    ("venv/lib/python3.11/site-packages/a-1.dist-info/RECORD", b"a.py,sha256=x,1\n"),
    ("venv/lib/python3.11/site-packages/a.py", b"x"),
)


def test_an_oci_layout_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    twice = gzip.compress(ROOT[:3000]) + gzip.compress(ROOT[3000:])
    chosen = layout.image(twice, plain=(ROOT,))
    layout.index({**chosen, "annotations": {oci.REF_NAME: "app:1"}})
    facts = look(f"oci:{tmp_path}:1")

    assert facts.target.digest == chosen["digest"]
    assert facts.target.platform == "linux/amd64"
    assert facts.target.config is not None
    assert facts.target.config.history == ("COPY /venv /venv",)
    assert facts.system.uid == 1001
    (env,) = facts.environments
    assert (env.path, env.on_path) == ("/venv", True)
    assert env.interpreter is not None
    assert [step.kind for step in env.interpreter.chain] == ["link", "missing"]
    assert [p.kind for p in env.distributions[0].record_problems] == ["hash-mismatch"]
    assert [fact.what for fact in facts.missing][-1] == "runs"


def test_whiteouts_remove_what_lies_below_and_nothing_else(tmp_path: Path) -> None:
    below = pack(("a/x", b"1"), ("a/y", b"2"), ("b/z", b"3"), ("c", b"4"), ("d/e/f", b"5"))
    above = pack(
        ("a/new", b"6"), ("a/.wh.x", b""), ("b/.wh..wh..opq", b""), ("b/own", b"7"), (".wh.d", b""),
        ("c/now-a-folder", b"8"),
    )  # fmt: skip
    tree = layered(tmp_path, below, above)

    assert {p: tree.names(p) for p in ("/", "/a", "/b", "/c")} == {
        "/": ["a", "b", "c"], "/a": ["new", "y"], "/b": ["own"], "/c": ["now-a-folder"],
    }  # fmt: skip


def test_links_of_a_lower_layer_lead_upper_files_inside_the_tree(tmp_path: Path) -> None:
    below = pack(
        ("usr/lib/a", b"1"),
        ("lib", "usr/lib"),
        ("etc", None),
        ("out", "../../../etc"),
        ("abs", "/usr"),
    )
    above = pack(("lib/b", b"2"), ("out/c", b"3"), ("abs/lib/.wh.a", b""))
    tree = layered(tmp_path, below, above)

    assert tree.names("/usr/lib") == ["b"]
    assert tree.read("/etc/c") == b"3"
    assert tree.read("/lib/b") == b"2"


@pytest.mark.parametrize(
    ("name", "code"),
    [("../x", "unsafe-path"), ("a/../../x", "unsafe-path"), ("a/.wh.", "malformed")],
)
def test_members_that_mean_no_good_are_refused(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(tar.RefusedError) as caught:
        layered(tmp_path, pack((name, b"")))
    assert caught.value.code == code


def test_long_names_and_odd_bytes_are_read(tmp_path: Path) -> None:
    name = "/".join(["long" * 20] * 5) + "/\udcff"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as file:
            info = tarfile.TarInfo(name)
            info.size = 3
            file.addfile(info, io.BytesIO(b"abc"))
        assert layered(tmp_path, out.getvalue()).read("/" + name) == b"abc"


def damage_blob(layout: Layout) -> None:
    blob = max((layout.folder / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)


def set_digest(text: str) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.index({"digest": text, "size": 5})

    return change


def both_kinds(layout: Layout) -> None:
    layout.index(layout.blob(b'{"layers": [], "manifests": []}'))


def same_key_twice(layout: Layout) -> None:
    (layout.folder / "index.json").write_text('{"manifests": [], "manifests": []}')


def two_images(layout: Layout) -> None:
    layout.index(layout.image(ROOT), layout.image(pack(("x", b""))))


def junk_after_gzip(layout: Layout) -> None:
    layout.index(layout.image(gzip.compress(ROOT) + b"junk", plain=(ROOT,)))


def cut_gzip(layout: Layout) -> None:
    layout.index(layout.image(gzip.compress(ROOT)[:-9], plain=(ROOT,)))


def zstd(layout: Layout) -> None:
    layout.index(layout.image(b"\x28\xb5\x2f\xfd" + bytes(40)))


def other_diff(layout: Layout) -> None:
    layout.index(layout.image(gzip.compress(ROOT), plain=(b"other",)))


def fewer_diffs(layout: Layout) -> None:
    layout.index(layout.image(ROOT, pack(("x", b"")), plain=(ROOT,)))


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (damage_blob, UnsafeInputError, "digest-mismatch"),
        (set_digest("sha256:../../etc/passwd"), UnsafeInputError, "unsupported"),
        (set_digest("sha256:" + "0" * 64), UnsafeInputError, "malformed"),
        (both_kinds, UnsafeInputError, "ambiguous"),
        (same_key_twice, UnsafeInputError, "ambiguous"),
        (two_images, UsageError, "usage"),
        (junk_after_gzip, UnsafeInputError, "malformed"),
        (cut_gzip, UnsafeInputError, "malformed"),
        (zstd, UnsafeInputError, "unsupported"),
        (other_diff, UnsafeInputError, "digest-mismatch"),
        (fewer_diffs, UnsafeInputError, "malformed"),
    ],
)
def test_an_unsound_layout_is_refused(
    tmp_path: Path, change: Callable[[Layout], None], error: type[VenvsmithError], code: str
) -> None:
    layout = Layout(tmp_path)
    layout.index(layout.image(ROOT))
    change(layout)
    with pytest.raises(error) as caught:
        look(f"oci:{tmp_path}")
    assert caught.value.code == code


def test_every_flipped_byte_of_a_layout_is_noticed_or_harmless(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.index(
        layout.image(
            gzip.compress(pack(("etc/passwd", b"x")), mtime=0), plain=(pack(("etc/passwd", b"x")),)
        )
    )
    blobs = sorted((tmp_path / "blobs/sha256").iterdir())
    undetected = []
    for blob in blobs:
        data = blob.read_bytes()
        for offset in range(len(data)):
            blob.write_bytes(data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :])
            try:
                archive.open_image({"kind": "oci", "path": str(tmp_path), "tag": None})
            except tar.RefusedError:
                continue
            undetected.append((blob.name, offset))
        blob.write_bytes(data)
    assert undetected == []


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/sh\n" * 40, b"a word", b""])
def test_a_file_that_is_no_archive_is_called_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passwd"
    file.write_bytes(content)
    said = "passwd: this is no tar archive" if content else "an archive without manifest.json"
    with pytest.raises(UnsafeInputError, match=said), open_target(f"docker-archive:{file}") as it:
        collect(it, CollectRequest(static=True))


def test_no_layout_and_no_file_are_usage_errors(tmp_path: Path) -> None:
    for ref in (f"oci:{tmp_path}", f"docker-archive:{tmp_path}/none.tar"):
        with pytest.raises(UsageError):
            open_target(ref)


@pytest.mark.engine
def test_a_saved_image_says_what_the_image_says(tmp_path: Path) -> None:
    base = "venvsmith-test/bookworm:1"
    file = tmp_path / "saved.tar"
    subprocess.run(["docker", "save", "--output", file, base], check=True)
    saved, live = look(f"docker-archive:{file}"), look(base)
    assert saved.system.libraries == live.system.libraries
    assert saved.system.library_versions == live.system.library_versions
    assert saved.target.platform == live.target.platform
    first, second = saved.environments[0], live.environments[0]
    assert first.site_packages == second.site_packages
    assert first.interpreter is not None
    assert second.interpreter is not None
    assert first.interpreter.chain == second.interpreter.chain
    assert first.interpreter.elf == second.interpreter.elf
    assert sys.executable not in str(saved.environments)
