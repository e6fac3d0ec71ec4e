"""What frozen code says of itself, told by `verify bundle:` on archives of a few lines each."""

from __future__ import annotations

import base64
import sys
import zlib
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code
from venvsmith.bundle.graph import parse
from venvsmith.bundle.opcodes import OPCODES, Version
from venvsmith.verify import Options, examine

MINOR = f"{sys.version_info[0]}{sys.version_info[1]}"
HERE = "import os\nHERE = os.path.dirname(__file__)\n"
LIBRARIES = {
    "importlib": "",
    "importlib.metadata": "def version(name): ...",
    "importlib.resources": "def files(name): ...",
    "torch": "A = 1",
}


def told(
    folder: Path, script: str, sources: dict[str, str] | None = None, *files: str
) -> list[str]:
    """Return the findings about an application of packages that are one file each.

    It is one for Windows, so that none of them is about its executable.

    :param sources: module to text.
    :param files: data files that it holds.
    """
    modules = {**LIBRARIES, **(sources or {})}
    whole = Archive(
        pyz=Pyz(modules={n: zlib.compress(code(t)) for n, t in modules.items()}, kind=1),
        script=code(script),
        extra=[(name, "x", b"", None) for name in files],
        head=b"MZ\x90\0",
        python=f"python{MINOR}.dll".encode(),
    )
    path = folder / "app.exe"
    path.write_bytes(whole.data())
    path.chmod(0o755)
    _, report = examine(f"bundle:{path}", options=Options(static=True))
    return [f"{f.severity} {f.rule} {f.subject}" for f in report.findings]


# -- conditions ------------------------------------------------------------------------------------

GONE = ["error bundle-module-missing gone"]


@pytest.mark.parametrize("test", ["__name__ == '__main__'", "'__main__' == __name__"])
def test_what_a_script_does_as_main_is_what_it_does(tmp_path: Path, test: str) -> None:
    assert told(tmp_path, f"if {test}:\n    import gone\n") == GONE


@pytest.mark.parametrize(
    "script",
    [
        "if __name__ != '__main__':\n    import gone\n",
        "if __name__ == '__main__' and __debug__ > 1:\n    import gone\n",
        "if __name__ == '__main__':\n    import mine\nelse:\n    import gone\n",
        "NAME = 'x'\nif NAME == '__main__':\n    import gone\n",
    ],
)
def test_what_a_script_does_under_any_other_condition_is_not(tmp_path: Path, script: str) -> None:
    assert told(tmp_path, script, {"mine": "A = 1"}) == []


def test_a_module_that_is_imported_is_not_main(tmp_path: Path) -> None:
    main = "if __name__ == '__main__':\n    import gone\n"
    assert told(tmp_path, "import mine", {"mine": main}) == []


@pytest.mark.parametrize("rest", ["", "A = 1\n"])
def test_neither_branch_of_a_condition_is_certain(tmp_path: Path, rest: str) -> None:
    branches = "import sys\nif sys.flags.dev_mode:\n    import gone\nelse:\n    import lost\n"
    assert told(tmp_path, "import mine", {"mine": branches + rest}) == []


# What marshal.dumps(compile(SCRIPT, "", "exec")) gives in each Python, compressed.
SCRIPT = "if __name__ == '__main__':\n    import gone\nelse:\n    import other\n"
COMPILED: dict[Version, str] = {
    (3, 8): (
        "c-l*5Km$xb>;S~YazG-LA%!8EsYob=F@-6IF^Vyd1I%KIVoG5OX3%85#StH$o0ypwAO8}h*AF6+mzbLxA0Ne%o}ZU"
        "`i#5L_BeiHHLlFy50hqYOaErqxH$SB`C)JJ-WD`h`gOQ5~0K)?uzW"
    ),
    (3, 10): (
        "c-l*5Km$xb>;S~Y3P2*2A%!8Esfa6uF@-6IF$zcqGl1DlQA{AVCi5+h`1st!%)I#cmmuAK5RtsZ+|>B^D3<j6ywqE)"
        "`6U^tMJpMKSbz$^#4Uzf95%W6DWy57c8nmq*nk8F0}mq)6964d9Si"
    ),
    (3, 11): (
        "c-l*5Kmtrq`m-94n9h*Okiw7+7As;)VN7AlVT=Nj!3<zFQxp@3t;u|gBR)PiF*7ed{v}AMA4DWCF*h|n{uWDmeqQP="
        "*8Gx;)S{IPpFs+4G5q4N$<0qG%}KQ@;sgpX0&%exkodsN$jEqunY*Lv60_t5X2}~Y{0-hP_<%*A!3PG5*n!FcJi#st"
    ),
    (3, 12): (
        "c-l*5Kmtrq`m+L%n9h*Okiw9y!N5?&n!=dEl*1UsSjhxtF-0*|GHEj3;)svWP0Y-TkADf$<p&YTOUzA;kH5u|o}ZU`"
        "i#5L_BeiHH!)K6!TMWNAY;yBcN^?@}ia3D+j6hs03?x1<Gcq#XVCL?qy2LDbhlT$Mi$D=OP#gdc8YI8"
    ),
    (3, 13): (
        "c-l*5Kmtrq`m+*{n92~t5X@i|!N8En%D@oJ7|i6&Sj3pl1ZFW6F{LwUGT-8ekIzla%!`kI3DV~W5y?x;O^uJg#gd+%"
        "mwJmeza%5IXeGmEkb+wbw>WHa^HWN5QtgU3fdY&`Tr3PEJ}@&fGTvb3?x?!VEP028{|Spg5j#*E0L3#S`v"
    ),
}


@pytest.mark.parametrize("python", COMPILED, ids=str)
@pytest.mark.parametrize("starts", [True, False])
def test_main_is_known_in_the_bytecode_of_each_python(python: Version, *, starts: bool) -> None:
    data = zlib.decompress(base64.b85decode(COMPILED[python]))
    found = parse(data, python, "", starts=starts)
    assert {i.module: i.firm for i in found.imports} == {"gone": starts, "other": False}


def test_each_python_has_its_own_numbers_for_a_comparison() -> None:
    for ops in OPCODES.values():
        assert ops.jump_if_false in ops.jumps_forward | ops.jumps_absolute
        assert ops.compare not in ops.calls | ops.returns | ops.noise


# -- what is asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "from importlib import metadata\nmetadata.version('mine')\n",
        "from importlib.metadata import version\nversion('mine')\n",
        "import importlib.metadata as m\nm.version('mine')\n",
        "import importlib.metadata\nversion = importlib.metadata.version('mine')\n",
    ],
)
def test_metadata_are_asked_for_however_the_module_is_named(tmp_path: Path, call: str) -> None:
    assert told(tmp_path, "import mine", {"mine": call}) == ["error bundle-metadata-missing mine"]


@pytest.mark.parametrize(
    "call",
    [
        "def require(name): ...\nrequire('python')\n",
        "import tools\ntools.version('linux')\n",
        "from tools import inner\ninner.version('linux')\n",
    ],
)
def test_a_function_of_the_same_name_asks_for_no_metadata(tmp_path: Path, call: str) -> None:
    own = f"from importlib.metadata import version\n{call}"
    sources = {"mine": own, "tools": "inner = 1\ndef version(name): ...\n"}
    assert told(tmp_path, "import mine", sources) == []


@pytest.mark.parametrize(
    "call",
    [
        "from importlib import resources\nresources.files('mine').joinpath('a.yaml').read_text()\n",
        "from importlib.resources import files\nfiles('mine').joinpath('a.yaml').read_text()\n",
        "import importlib.resources as r\nr.files('mine').joinpath('a.yaml').read_text()\n",
        "from compat import files\nfiles('mine').joinpath('a.yaml').read_text()\n",
    ],
)
def test_a_resource_is_asked_for_however_the_function_is_named(tmp_path: Path, call: str) -> None:
    compat = "from importlib.resources import files"
    found = told(tmp_path, "import mine", {"mine": call, "compat": compat})
    assert found == ["error bundle-data-missing a.yaml"]


LOOKS = """\
def own():
    path = os.path.join(HERE, 'a.json')
    return open(path) if os.path.exists(path) else None
"""
TRIES = """\
def own():
    try:
        return open(os.path.join(HERE, 'a.json'))
    except FileNotFoundError:
        return None
"""


PATH = "p = os.path.join(HERE, 'a.json')"
UNLESS = "if not os.path.exists(p):"
LOOKS_ELSE_RAISES = """\
def own():
    path = os.path.join(HERE, 'a.json')
    if os.path.exists(path):
        return open(path)
    else:
        raise ValueError(path)
"""
LOOKS_AROUND = """\
def own(folders):
    for folder in (*folders, HERE):
        if os.path.exists(os.path.join(folder, 'a.json')):
            return folder
    print('none')
    raise FileNotFoundError('a.json')
"""


@pytest.mark.parametrize(
    ("function", "severity"),
    [
        ("def load():\n    return open(os.path.join(HERE, 'a.json')).read()\n", "error"),
        ("def save():\n    open(os.path.join(HERE, 'a.json'), 'w').close()\n", "info"),
        ("def save(pathlib):\n    pathlib.Path(HERE, 'a.json').write_text('')\n", "info"),
        (LOOKS, "info"),
        (TRIES, "info"),
        ("P = os.path.join(HERE, 'a.json')\nif os.path.exists(P):\n    open(P)\n", "info"),
        ("from os.path import exists\nopen(os.path.join(HERE, 'a.json'))\n", "error"),
        (f"def own():\n    {PATH}\n    {UNLESS}\n        raise FileNotFoundError(p)\n", "error"),
        (f"def own():\n    {PATH}\n    {UNLESS}\n        raise KeyError('gone')\n", "error"),
        (f"def own():\n    {PATH}\n    assert os.path.exists(p), 'gone'\n", "error"),
        (LOOKS_ELSE_RAISES, "error"),
        (TRIES.replace("return None", "raise KeyError('gone') from None"), "error"),
        (LOOKS_AROUND, "warning"),
        (f"{PATH}\n{UNLESS}\n    raise RuntimeError(p)\n", "error"),
        (f"{PATH}\n{UNLESS}\n    p = None\n", "info"),
    ],
)
def test_a_file_that_code_does_without_may_be_missing_unless_it_raises(
    tmp_path: Path, function: str, severity: str
) -> None:
    found = told(tmp_path, "import mine", {"mine": HERE + function})
    assert found == [f"{severity} bundle-data-missing a.json"]


def test_a_file_without_which_an_indirect_import_raises_is_missed(
    tmp_path: Path,
) -> None:
    needs = f"{HERE}{PATH}\n{UNLESS}\n    raise RuntimeError(p)\n"
    found = told(tmp_path, "import mine", {"mine": "import other", "other": needs})
    assert found == ["error bundle-data-missing a.json"]


def test_a_resource_of_another_package_lies_there(tmp_path: Path) -> None:
    call = "from importlib.resources import files\nfiles('other').joinpath('a.yaml').read_text()\n"
    assert told(tmp_path, "import mine", {"mine": call}, "other/a.yaml") == []


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("@torch.jit.script\ndef f(x):\n    return x\n", ["error bundle-source-missing <module>"]),
        (
            "@torch.jit.script\ndef f(x: int, y: int = 1) -> int:\n    return x\n",
            ["error bundle-source-missing <module>"],
        ),
        (
            "def f(x):\n    return x\nF = torch.jit.script(f)\n",
            ["error bundle-source-missing <module>"],
        ),
        ("ORIGINAL = torch.jit.script\ndef f(x):\n    return x\n", []),
        ("KINDS = [torch.jit.script, torch.jit.trace]\n", []),
        ("def wrap(f):\n    return f\nwrap(torch.jit.script)\n", []),
    ],
)
def test_torchscript_reads_what_is_handed_to_it_and_nothing_else(
    tmp_path: Path, use: str, expected: list[str]
) -> None:
    assert told(tmp_path, "import mine", {"mine": f"import torch\n{use}"}) == expected


# -- what no file brings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "sources"),
    [
        ("import __main__", {}),
        (
            "from gi.repository import Gtk\nimport gi.repository.Gdk",
            {
                "gi": "A = 1",
                "gi.importer": "class DynamicImporter: ...",
                "gi.repository": (
                    "import sys\nfrom ..importer import DynamicImporter\n"
                    "sys.meta_path.append(DynamicImporter('gi.repository'))\ndel sys\n"
                ),
            },
        ),
        (
            "from pk import path\nimport pk.test",
            {
                "pk": "from pk import apipkg\napipkg.initpkg(__name__, {'path': 'x'})\n",
                "pk.apipkg": "def initpkg(name, what): ...",
            },
        ),
        ("from pk import x", {"pk": "def _fill():\n    globals()['x'] = 1\n_fill()\n"}),
        ("from pk import x", {"pk": "exec('x = 1')\n"}),
        ("from pk import x", {"pk": "def _fill(to):\n    setattr(to, 'x', 1)\n"}),
        (
            "import distutils.core\nfrom distutils import log",
            {
                "setuptools": "A = 1",
                "setuptools._distutils": "A = 1",
                "setuptools._distutils.core": "from .. import log\n",
                "setuptools._distutils.log": "A = 1",
            },
        ),
    ],
)
def test_what_appears_without_a_file_is_not_missing(
    tmp_path: Path, script: str, sources: dict[str, str]
) -> None:
    assert told(tmp_path, script, sources) == []


@pytest.mark.parametrize(
    "package", ["A = 1\n", "class K:\n    def keep(self, v):\n        self.x = v\n"]
)
def test_a_submodule_that_nothing_makes_is_missing(tmp_path: Path, package: str) -> None:
    found = told(tmp_path, "from pk import x", {"pk": package})
    assert found == ["error bundle-module-missing pk.x"]
