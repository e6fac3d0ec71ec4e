"""Images that lie in files: OCI layouts, ``docker save`` archives, exported root filesystems.

All blobs are checked against its digest and its size; the bytes that are hashed are the bytes that
are read. What is compressed is unpacked into an unnamed temporary file, which no end of this
process leaves behind.
"""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile

from .images import Image
from .layers import LayerTree
from .oci import open_layout
from .saved import open_saved
from .tar import RefusedError, Source
from .tree import Fact


def open_image(asked: Fact) -> Image:
    """Open what a request's ``archive`` names: ``kind``, ``path``, maybe ``tag``, ``platform``.

    :raises RefusedError: where it cannot be judged safely, or does not say which image is meant.
    """
    opener = {"oci": open_layout, "docker-archive": open_saved, "stream": _open_stream}
    try:
        return opener[asked["kind"]](asked)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefusedError("disk-full", f"{tempfile.gettempdir()}: {exc.strerror}") from exc
        name = exc.filename or asked.get("path", "")
        raise RefusedError("malformed", f"{name}: {exc.strerror or exc}") from exc


def _open_stream(asked: Fact) -> Image:
    """Open the root filesystem that a command writes as a plain tar."""
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(
            asked["argv"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            text = done.stderr.decode("utf-8", "backslashreplace").strip()
            raise RefusedError("engine-failed", text or "the engine wrote no root filesystem")
        tree = LayerTree()
        tree.add_layer(Source(os.dup(file.fileno())), "the exported root")
    return Image(tree, dict(asked["config"]), None, "")
