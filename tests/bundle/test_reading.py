"""What frozen code says of itself, told by `verify bundle:` on archives of a few lines each."""

from __future__ import annotations

import base64
import io
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code, library
from venvsmith.bundle.bytecode import read_module
from venvsmith.bundle.contents import read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.bundle.graph import parse, walk
from venvsmith.bundle.marshalled import read_code, read_marshal
from venvsmith.bundle.opcodes import OPCODES, Version
from venvsmith.bundle.wants import missing_libraries
from venvsmith.model.facts import Elf
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
    folder: Path,
    script: str,
    sources: dict[str, str] | None = None,
    *files: str,
    library: bytes = library(),
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
        library=library,
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


# What marshal.dumps(compile(HANDLES, "", "exec")) gives in each Python, compressed.
HANDLES = """\
def a(own, p):
    x = __file__ / "a.json"
    try:
        return own(x)
    except (OSError, KeyError):
        return p
def b(own):
    with own(__file__ / "b.json") as x:
        return x
def c(own):
    try:
        own(__file__ / "c.json")
    except ValueError:
        raise KeyError
def d(own):
    if own:
        return own(__file__ / "d.json")
"""
HANDLED: dict[Version, str] = {
    (3, 8): (
        "c-n1|!AiqG5Qb+qX}S$sOYtCh_0U{;(wm4No`i}9to0JwYzk^kWRs$n^kTjH5T5!<c^YTd)`Ze5Gqc%cX1@I=gpE"
        "&-os*?U<P<3Uf(KASSrk#(szy;LN7X4>O8Ve6LQ%=L$Qoo9T;rHrMl}v$E@o~HxmaKye6S(IOpL{|tGfuia&%xoH"
        "}}+&YKq>>8Fru2B=)RA2Eq7o5(Pm~zxFS+PIMu!q7Sp9Yb$w+3w$l`eF@s3js+ArMDFi05lR&3VjH!jzYsSb>#ku"
        "t<nk5n0>9gH%n4S&3EaRf{16t$3gE~9E>UwSPiTI+uCa6eU7dMw#38i}O%t`d$-#TM=ID}}wMr6%KEwws8Ohc8lP"
        "eRSIDlAGXu_3ThNf`uhLdSzB+~p!qO`V=h0Kyl10k@*bi3Q=tTo-fQAt<${E|T#2F>%=JKNf+y;2Apb(3Pxv&~?P"
        "DyF$PuB4Xv^7JK9(@At@rpxEjk(R9e0;=a~dH"
    ),
    (3, 10): (
        "c-n1}&q~8U5XNVAlXM&6AF6oqT7+B*f=3ZSJPGv>u+&RvvneRGkxfc%NiWvB&(T-fm#MSc)|ApL^UX40XMX!73G6"
        "+L;+`UJl1PyF1Fs;N<dji5(xuF#Cu@|s6cL2=gzcQ?6m^OR)1yUFP>)NPvzc2$$rjjw2plM|U;{S2KrpLB54u#JK"
        "*-uNuh)9dvr)*kh~vTAFpXnfdyXEJ%9IvQ>D2D%HP0p^jh`C7mY_VEr9op4&E$YYAVVKdk@89jDkQjfQLzQRAt^V"
        "g3;gxxSQ02B0~}fljs$lN`Pl^5z+DPSHH+J~xJy)~ZOD|dK)FV|f2kQd?3<LE!ZEQmSIXa~!d<E>l3BgtLg?73#="
        "dD|O;WIL+}M_EY_lBNf9Va!skKU(yAmHi#FQ9@+z7)42Iv^Kjt+70E!VkqONojss@#y4LYaR+1&0R8ldTDk8Mji$"
        "v~7ou{Y2IgJKmOe4p$w-?MEiZ!}QL6X<;1`p5TG|2b`{J=K"
    ),
    (3, 11): (
        "c-oDV&r2IY6vyA2*_g=>jV9O}3N~VCvIk2&6g-qd3#A3YQUXPLNi`d3i#26djkOU(dPqURLq(5;f?(|*<AR5<kpC"
        "gY9zsujZ(@F0irM5llbLz*=6&`%dFcA!WqUD3atIE5hF9PqDLR5wIFeL4Ru=3)UUWrT^phO<+C;8)O*yz30oW2D5"
        "KxA)IHoM8txS-G30UpgY1QiVm&9$*0faK<#XPMn!G@fN653*Rb70}_JGZ!EOJC)3OK+D8xtt$-o_(TqQTuA9@X_>"
        "WS{6$yK7R0V!{q~}QYjyNT+pG*dflfa+fY-(`_rDfx&5dvWMHHki&xzJsW0oh>y^PqEt)u(JBy6f0Rtl)sm6vYil"
        "4fqe~m`NjnZDb;UpX;Cgo3@lzHp|G0@A1X<X&hOXogpAy@AJKgY!BRCHbzvzr3fDv2f+gn1f8T1oGR87&${C#X5d"
        "7CJzU4sy}LpwNmM9~U*B+l+rQFsh+wC9yYmq`bkD7aBhgjhlMEy`YLst$iSVvHXUs6MaI6{=dKg{3<5ocPkzIf$3"
        "lmz_!We48YK}5H@l2nv86vu*YgU*ki8zrMV0^Km2lGd97d!r8$OxGD(+nv>4{~FtuSGery=BjgnOrsmQ%&`x{>Lm"
        "ZwtZDs|TSHfoVkt~uF}+R%;45c5s4mw4Zu1bHcL%YS3IXE2mOC$0k`+wp~C%F_|HL#)3NN5`o(!*<gR!7v{$WA4P"
        "k^wAqHamS0L&tvH`mFDAS%=85(nYAr*vy7t*60_S0oss*T;g5RozUZti7ar=-)*YN7p`8%xB7kItwnPQ@+A?4vp="
        "wK5V1_69#U%R+U7+Rf"
    ),
    (3, 12): (
        "c-noE&ubGw6vyA2$z~_nwE0C1YSH+sX)Zz$p$8E>2%=Dxh%{b8noUuOjm)MdDJhiVq1YaR7VN=;C!zG8X()nO@<)"
        "W^(2|q$rb*bA(p~nw*_r*$zR&wk0X!EDbAMWepJ2mRcn3DBh&EG^*<3|l_oa;j^XPo);iP+`b(QggjcXRbItu`U1"
        "~k~g@DCZd1C{X(72jyI%<h6T5E@uuS@l&FYCH>7OtXbGfBybQr@WHpuE^z<Ka`5OoNK<!Je9I6UGbt=*CVye%heS"
        "ZKf73SsHkKz>4J-S85j~e4^-HIj)*kpTjKi0lP=>%v>lE$=eECWO`LQ>@!iEk>qZaIi2e&lzKJeZqk$7rx@|KKKc"
        "XrA2UEO&o*wu|J$R*iK)mPsFrt45>qvw)(0#y0&8M!+frC|skX7#pbua&t=HEw2f;5wcO41}CrZJ^Z$;Bl}b?W)F"
        "25kpIJBxdwHIY0D-0Bk4@7D_Jn4pg7Rf7&3k~i5j|7F}W&!CO%eXh|0m%>reUUQY9CVDL1#51NAhNfyLH~2PRS}k"
        "fLB`FjvQ988uh_4_cDhFwLR`Zd4iMFtIo;7Q&(9ORhdD5|_2rAK;ys|Y(?j=s~Hp4Oa9=Xjg#+%W24Upl>05b|um"
        "u~CQrA0P`&sS;7n96$k+Nld>P#v+|`Mvk8_{>o_btqC@4#Miwo(pN8KAze-&8Ox2AmcQqEeGP!r?S0TDn6D|ql0`"
        "^1x1J0V+KZhA*O=ghlzfW;jEVa2SP5cH~"
    ),
    (3, 13): (
        "c-noE&1(}u7{=e3NwSmOw3`oVu$E*~i%mpD(LxU@cn}1oB1=j!hp^2@ZHbA@Qmvkfr($~uTA>FI-lYFcgNkMe{tc"
        "lySbFlEaW|$#nq=P@X7-u9zvr0>jC_bc4yLet1REwnfK9Lxn_{Il!^&1dg>Z$A=tB4~sasUK(s08jR}FwB%|H>Rp"
        "-AWaf0%(Bl!hmiLc#17)xZe@SWqM`&Ek7?xWlqgCk49jCgNOMb6d><^LV*jUv1RNWlwu--xs1KJpQouTFr2qwO%z"
        "n^1>q<u58P)EDt>5h^Wu#-o&yAJsxk*cld?Pdwt5niLRM!-`IY+HFngCrFNGNjLZN?IPuerzvF#|vtu`gx@|25AC"
        "h_Yh2&X<jJOa9TzINnki@5*2>2;9i6pc^e&>8AEal4;$orZqzFnslWO2uWl~E^_l@t3!NNIrz^bCY1(Wn9z90!jq"
        "3)!(+w-j<W8rxag<DD_<TQv9i39|iWpilpZ=J0pyN>!Uqu}}JC?F8E};YW%sb0(eabu?ehRFkX!a;}jRxmNsK6^*"
        "AaI*s+3%2G%LQc65mo*sZzL>xz5F6R}POfcQ$#?FKGMkkj2&aI=KF(Cs?_r}j{jmrSje*xc`NqC>Q$o>y_-48Da!"
        "7<@X*cpUX5LE>s44H&^y5Fiu;;5D<RlmP99q-%j{NA%p>e5$p_JGg!8E|7D&s->k)Lm8SDN-fh2a%F<btJ$2yj5L"
        "q)b5Ij;8vf<f}DgL(lALJ#weCZh@=NPC3z+N1L+i_H~"
    ),
}


@pytest.mark.parametrize("python", HANDLED, ids=str)
def test_what_code_does_without_is_known_in_the_bytecode_of_each_python(python: Version) -> None:
    data = zlib.decompress(base64.b85decode(HANDLED[python]))
    found = read_module(read_code(data, python), python, is_data=lambda text: ".json" in text)
    asks = [(ask.what[0], ask.guarded, ask.conditional) for ask in found.data]
    assert asks == [
        ("a", True, False),
        ("b", False, False),
        ("c", False, False),
        ("d", False, True),
    ]


def test_slices_among_the_constants_of_3_14_are_read() -> None:
    """Each is its three parts; what is counted among references is counted once."""
    written = b")\x02" + b"\xba" + b"i\x01\0\0\0" + b"N" * 2 + b"r" + bytes(4)
    assert read_marshal(written, (3, 14)) == (slice(1, None, None),) * 2


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


DOES_WITHOUT = """\
try:
    with open(os.path.join(HERE, 'a.json')) as f: X = f.read()
except Exception:
    X = 1

try:
    X = open(os.path.join(HERE, 'a.json')).read()
except:
    X = 1

import store
try:
    store.find(HERE, 'a.json')
except LookupError:
    store.load('a.json')

import contextlib
with contextlib.suppress(OSError):
    X = open(os.path.join(HERE, 'a.json')).read()

if 'a.json' in os.listdir(HERE):
    X = open(os.path.join(HERE, 'a.json'))

import glob
for p in glob.glob(os.path.join(HERE, 'a.json')):
    X = open(p)

import sys
if not hasattr(sys, 'frozen'):
    X = open(os.path.join(HERE, 'a.json'))

CACHE = os.path.join(os.environ.get('X', '/tmp'), 'a.json')
X = open(os.devnull)

CACHE = os.path.join(HERE, 'a.json')

import configparser
X = configparser.ConfigParser().read([os.path.join(HERE, 'a.json')])

NAME = 'a.json'
def save(folder):
    open(os.path.join(folder, NAME), 'w')

import json
def save(x):
    p = os.path.join(HERE, 'a.json')
    json.dump(x, p)

def get():
    return os.path.join(HERE, 'a.json')

def load():
    try:
        return open(os.path.join(HERE, 'a.json'))
    except Exception as e:
        print(e)

def load():
    p = os.path.join(HERE, 'a.json')
    try:
        return open(p)
    except (OSError, ValueError):
        return None

P = os.path.join(HERE, 'a.json')
def load():
    try:
        return open(P)
    except Exception:
        return None

def find():
    for d in (HERE, '/etc'):
        p = os.path.join(d, 'a.json')
        if os.access(p, os.R_OK):
            return p

def load(own):
    if own:
        return open(os.path.join(HERE, 'a.json'))

X = None
def load():
    global X
    if X is not None:
        X = open(os.path.join(HERE, 'a.json')).read()
    return X

X = None
def load(own):
    global X
    if own is None:
        X = open(os.path.join(HERE, 'a.json')).read()
    return X

X = None
def load(own):
    global X
    if X is None:
        X = 1
        if own:
            X = open(os.path.join(HERE, 'a.json')).read()
    return X

import sys
def load(own):
    try:
        return open(os.path.join(HERE, 'a.json'))
    except Exception as e:
        if own:
            sys.exit(1)

import sys
def load(own):
    try:
        return open(os.path.join(HERE, 'a.json'))
    except Exception:
        own(sys.exit)

P = os.path.join(HERE, 'a.json')
try:
    X = session(P)
except Exception:
    X = None
def use():
    return X.run()
"""
NEEDS = """\
X = open(os.path.join(HERE, 'a.json')).read()

P = os.path.join(HERE, 'a.json')
with open(P) as f:
    X = f.read()

NAME = 'a.json'
def load():
    with open(os.path.join(HERE, NAME)) as f:
        return f

P = os.path.join(HERE, 'a.json')
def load():
    return session(P)

def own():
    return os.path.join(HERE, 'a.json')
def load():
    return session(own())

class K:
    NAME = 'a.json'
    def load(self):
        return open(os.path.join(HERE, self.NAME))

class K:
    def __init__(self):
        self.p = os.path.join(HERE, 'a.json')
    def load(self):
        return open(self.p)

try:
    X = open(os.path.join(HERE, 'a.json')).read()
finally:
    print('done')

try:
    X = open(os.path.join(HERE, 'a.json')).read()
except ImportError:
    X = 1

try:
    X = open(os.path.join(HERE, 'a.json')).read()
except Exception as e:
    print(e)
    raise

import sys
def load():
    try:
        return open(os.path.join(HERE, 'a.json'))
    except Exception as e:
        print(e)
        sys.exit(1)

X = None
def load():
    global X
    if X is None:
        with open(os.path.join(HERE, 'a.json')) as f:
            X = f.read()
    return X

X = None
def load():
    global X
    p = os.path.join(HERE, 'a.json')
    if X is None:
        X = open(p).read()
    return X
"""


def test_a_file_that_certainly_is_opened_is_an_error_and_any_other_a_note(tmp_path: Path) -> None:
    """Each is told by the name of the module that asks."""
    spared = len(DOES_WITHOUT.split("\n\n"))
    texts = [*DOES_WITHOUT.split("\n\n"), *NEEDS.split("\n\n")]
    named = [text.replace("a.json", f"m{number}.json") for number, text in enumerate(texts)]
    sources = {f"m{number}": HERE + text + "\n" for number, text in enumerate(named)}
    sources |= dict.fromkeys(("store", "contextlib", "glob", "json", "configparser"), "A = 1")
    found = told(tmp_path, "import " + ", ".join(f"m{n}" for n in range(len(texts))), sources)
    needed = [f"m{number}.json" for number in range(spared, len(texts))]
    errors = {line.split()[-1] for line in found if not line.startswith("info")}
    assert errors == set(needed), [texts[int(n[1:-5])] for n in errors.symmetric_difference(needed)]


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


def test_what_python_starts_from_is_read_too(tmp_path: Path) -> None:
    """What lies in the library counts as far as Python's start or the application comes to it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {
            "encodings/__init__": "import codecs, gone\ntry:\n    import lost\nexcept: ...",
            "codecs": "import _codecs, sunk\n",
            "os": "import never\n",
        }.items():
            archive.writestr(f"{name}.pyc", bytes(16) + code(text))
    found = told(tmp_path, "A = 1", library=file.getvalue())
    assert sorted(found) == [
        "error bundle-module-missing gone",
        "error bundle-module-missing sunk",
    ]


TRIES_IT = "try:\n    from pk import ext\nexcept ImportError:\n    ext = None\n"


@pytest.mark.parametrize(
    ("sources", "tried"),
    [
        ({"pk.a": TRIES_IT, "pk.b": "A = 1"}, True),
        ({"pk.a": TRIES_IT, "pk.b": "def f():\n    from . import ext\n"}, False),
        ({"pk.a": "A = 1"}, False),
    ],
)
def test_a_library_of_a_module_that_is_only_tried_is_told_as_such(
    tmp_path: Path, sources: dict[str, str], *, tried: bool
) -> None:
    packed = {name: zlib.compress(code(text)) for name, text in {"pk": "", **sources}.items()}
    pyz = Pyz(modules=packed, packages=frozenset({"pk"}))
    (tmp_path / "app").write_bytes(Archive(pyz=pyz, script=code("import pk")).data())
    bundle = read_bundle(tmp_path / "app")
    path = "pk/ext.so"
    extension = Elf(path=path, machine="x86_64", needed=("libgone.so.1",), exports_init=True)
    with bundle.archive:
        modules = FrozenModules(bundle)
        graph = walk(modules, scripts=modules.scripts())
        gaps = list(missing_libraries(graph, bundle, {path: extension}))
    found = [(gap.name, gap.certain, gap.tried) for gap in gaps if gap.chain == (path,)]
    assert found == [("libgone.so.1", False, tried)]


def test_a_package_is_read_once_for_all_libraries_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {"pk": "import pk.a", "pk.a": "A = 1"}
    for number in range(5):
        sources[f"pk.b{number}"] = TRIES_IT.replace("ext", f"ext{number}")
    packed = {name: zlib.compress(code(text)) for name, text in sources.items()}
    pyz = Pyz(modules=packed, packages=frozenset({"pk"}))
    (tmp_path / "app").write_bytes(Archive(pyz=pyz, script=code("import pk")).data())
    bundle = read_bundle(tmp_path / "app")
    extensions = {
        path: Elf(path=path, machine="x86_64", needed=(f"{name}.so.1",), exports_init=True)
        for name in ("ext0", "ext1", "ext2", "other")
        for path in [f"pk/{name}.so"]
    }
    read: list[str] = []
    taken = bundle.archive.__class__.code

    def noted(archive: object, name: str) -> bytes | None:
        read.append(name)
        return taken(bundle.archive, name)

    with bundle.archive:
        monkeypatch.setattr(bundle.archive.__class__, "code", noted)
        modules = FrozenModules(bundle)
        graph = walk(modules, scripts=modules.scripts())
        gaps = list(missing_libraries(graph, bundle, extensions))
    assert {gap.name: gap.tried for gap in gaps if gap.chain[0] in extensions} == {
        "ext0.so.1": True,
        "ext1.so.1": True,
        "ext2.so.1": True,
        "other.so.1": False,
    }
    assert sorted(read) == sorted(sources)


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
