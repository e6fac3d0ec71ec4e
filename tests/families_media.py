"""The media pipeline's family in its small form: the same structure, tiny requirements.

Derived from `examples/media-pipeline`, so that the example is what is tried.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit

EXAMPLE = Path(__file__).parents[1] / "examples" / "media-pipeline" / "venvsmith.toml"
# Each stage's requirements and what they import as: pure or native, none above 2 MB.
SMALL: dict[str, dict[str, str]] = {
    "common": {"packaging==26.0": "packaging"},
    "ml": {"markupsafe==3.0.2": "markupsafe._speedups"},
    "demux": {"idna==3.11": "idna"},
    "tmdb": {"certifi": "certifi"},
    "pre-ner": {"pluggy==1.6.0": "pluggy"},
    "post-ner": {"iniconfig": "iniconfig"},
    "subtitle-gen": {"jinja2==3.1.6": "jinja2"},
    "mux": {"zipp": "zipp"},
    "silero-vad": {"click==8.3.0": "click"},
    "pyannote-vad": {"jinja2==3.1.6": "jinja2"},
    "diarization": {"pyyaml==6.0.3": "yaml._yaml"},
    "asr": {"tomli": "tomli"},
    "second-pass-translation": {"pygments==2.19.2": "pygments"},
    "lyrics-detection": {"sortedcontainers==2.4.0": "sortedcontainers"},
}


def small_family(folder: Path, *, prefix: str, base: str) -> Path:
    """Write the small form into a folder; return its configuration's path.

    :param prefix: before each image's name.
    :param base: the image that both bases become.
    """
    document: Any = tomlkit.parse(EXAMPLE.read_text("utf-8")).unwrap()
    for table in document["bases"].values():
        table.clear()
        table["image"] = base
    for table in document["variants"].values():
        table.pop("torch-backend", None)
    for name, table in document["stages"].items():
        table["requires"] = list(SMALL[name])
        table["imports"] = list(SMALL[name].values())
        table.pop("commands", None)
        if "apt" in table:
            table["apt"] = ["tree"]
            table["commands"] = [["tree", "--version"]]
    images = {}
    for name, table in document["images"].items():
        parent = table.get("from")
        if isinstance(parent, str):
            table["from"] = prefix + parent
        elif parent:
            table["from"] = {variant: prefix + own for variant, own in parent.items()}
        images[prefix + name] = table
    document["images"] = images
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "venvsmith.toml"
    file.write_text(tomlkit.dumps(document), "utf-8")
    return file
