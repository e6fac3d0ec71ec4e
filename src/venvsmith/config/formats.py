"""What strings of the configuration have to look like: names, paths, addresses, requirements."""

from __future__ import annotations

import keyword
import posixpath
import re
from urllib.parse import SplitResult, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvsmith.config.scalars import Text
from venvsmith.config.wording import shown

# Docker's own grammar of references, github.com/distribution/reference, names lower-case.
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
IMAGE_TAG = re.compile(_REPOSITORY + _TAG)
"""An image's name, with or without a tag and without a digest."""

_SECRET_NAME = re.compile(
    r"(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_SUPPORTED_MINOR = 8
_SUGGESTED_FORM = {
    ("git+", "hg+", "svn+", "bzr+", "http:", "https:", "file:"): 'write "NAME @ URL"',
    ("/", "~"): "write a path relative to this file: ./PATH",
}


def _python(text: str) -> str:
    match = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})(\..*)?", text, re.ASCII)
    if match is None or int(match[1]) != 3:  # noqa: PLR2004 - Python 3
        message = f'expected a Python minor version such as "3.11", got {shown(text)}'
        raise ValueError(message)
    if match[3]:
        message = f'expected a minor version, got {shown(text)}; write "{match[1]}.{match[2]}"'
        raise ValueError(message)
    if int(match[2]) < _SUPPORTED_MINOR:
        message = f"Python {text} is too old: 3.{_SUPPORTED_MINOR} is the first that is supported"
        raise ValueError(message)
    return f"3.{int(match[2])}"


def _normalised(text: str) -> str:
    """Return the path as it would be without ``.``, ``//`` and ``..``."""
    if "\\" in text:
        message = f"expected a path with forward slashes, got {shown(text)}"
        raise ValueError(message)
    path = posixpath.normpath(text)
    return "/" + path.lstrip("/") if text.startswith("/") else path


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        message = f'expected an absolute path such as "/app", got {shown(text)}'
        raise ValueError(message)
    if (path := _normalised(text)) != text:
        message = f"expected a normalised path, got {shown(text)}; write {shown(path)}"
        raise ValueError(message)
    return text


def _below_root(text: str) -> str:
    if _absolute(text) == "/":
        message = "expected a folder, got the root of the file system"
        raise ValueError(message)
    return text


def _writable(text: str) -> str:
    """Accept a folder that an image can hold."""
    top = _below_root(text).split("/")[1]
    if top in {"dev", "proc", "sys"}:
        message = f"no image holds {shown(text)}: each container gets a /{top} of its own"
        raise ValueError(message)
    return text


def _inside(text: str) -> str:
    """Accept a relative path that stays in the project's folder; return it normalised."""
    if not text or text.startswith(("/", "-")):
        message = f"expected a path relative to the configuration's folder, got {shown(text)}"
        raise ValueError(message)
    path = _normalised(text)
    if path.startswith("../") or path == "..":
        message = f"{shown(text)} lies outside the configuration's folder"
        raise ValueError(message)
    return path


def _in_context(text: str) -> str:
    """Accept what a build can name exactly: Docker reads such paths as patterns, and trims them."""
    path = _inside(text)
    if found := re.search(r"[*?\[\]^]|^!|^\s|\s$", path):
        message = f"{shown(text)} holds {shown(found[0])}, which Docker takes for part of a pattern"
        raise ValueError(
            message if found[0].strip() else f"{shown(text)} begins or ends in a space"
        )
    return path


def _folder(text: str) -> str:
    if (path := _in_context(text)) == ".":
        message = "expected a folder of its own, got the configuration's folder itself"
        raise ValueError(message)
    return path


def _url(text: str) -> SplitResult:
    if re.search(r"\s", text):
        message = f"expected a URL without spaces, got {shown(text)}"
        raise ValueError(message)
    try:
        return urlsplit(text)
    except ValueError as exc:
        message = f"expected a URL, got {shown(text)}"
        raise ValueError(message) from exc


def _index_url(text: str) -> str:
    url = _url(text)
    if "@" in url.netloc:
        # The URL is not shown: what stands before the @ is a secret.
        message = (
            "holds credentials; take them out and set VENVSMITH_INDEX_<NAME>_USERNAME and "
            "VENVSMITH_INDEX_<NAME>_PASSWORD, or use netrc"
        )
        raise ValueError(message)
    if url.scheme not in {"http", "https", "file"} or not (url.netloc or url.scheme == "file"):
        message = f"expected an http, https or file URL, got {shown(text)}"
        raise ValueError(message)
    return text


def _apt_uri(text: str) -> str:
    url = _url(text)
    if "@" in url.netloc:
        message = "holds credentials; they would be readable in the image"
        raise ValueError(message)
    if url.scheme not in {"http", "https"} or not url.netloc:
        message = f"expected an http or https URL, got {shown(text)}"
        raise ValueError(message)
    return text


def _apt_key(text: str) -> str:
    return _apt_uri(text) if "://" in text else _in_context(text)


def _wheels(text: str) -> str:
    if "://" in text:
        return _index_url(text)
    if not text or text.startswith("-"):
        message = f"expected a folder or a URL, got {shown(text)}"
        raise ValueError(message)
    if text.startswith(("/", "..")):
        return _normalised(text)
    return _in_context(text)


def _requirement(text: str) -> str:
    if text.lstrip().startswith("-"):
        message = f"expected a requirement, got the option {shown(text)}"
        raise ValueError(message)
    if text.startswith(("./", "../")):
        return text
    try:
        requirement = Requirement(text)
    except InvalidRequirement as exc:
        message = f'expected a requirement such as "httpx>=0.27", got {shown(text)}'
        forms = (form for starts, form in _SUGGESTED_FORM.items() if text.startswith(starts))
        raise ValueError("; ".join([message, *forms])) from exc
    except RecursionError as exc:
        message = "its marker is nested too deeply"
        raise ValueError(message) from exc
    if requirement.url is not None:
        url = _url(requirement.url)
        if url.password is not None or ("@" in url.netloc and "ssh" not in url.scheme):
            message = "its URL holds credentials; use netrc or an ssh key"
            raise ValueError(message)
    return text


def _requirements_file(text: str) -> str:
    path, colon, group = text.partition(":")
    path = _inside(path)
    if not colon:
        return path
    if posixpath.basename(path) != "pyproject.toml":
        message = f'a group stands in a pyproject.toml: write "pyproject.toml:{group[:40]}"'
        raise ValueError(message)
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", group):
        message = f'expected "pyproject.toml:GROUP", got {shown(text)}'
        raise ValueError(message)
    return f"{path}:{group}"


def _module(text: str) -> str:
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in text.split(".")):
        message = f'expected a module name such as "package.module", got {shown(text)}'
        raise ValueError(message)
    return text


def _env_name(text: str) -> str:
    if _SECRET_NAME.search(text):
        message = (
            "looks like a secret, and whoever has the image can read its environment; name it "
            "under build.secrets, or pass it when the container starts"
        )
        raise ValueError(message)
    return text


def _pattern(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


NAME = Text("a name of a-z, 0-9 and single hyphens", pattern="[a-z0-9]+(-[a-z0-9]+)*", longest=100)
PROJECT_NAME = Text("a name", pattern="[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", longest=100)
PYTHON = Text(parse=_python)
DISTRIBUTION = Text(
    "a distribution's name",
    pattern="[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
    parse=canonicalize_name,
    longest=200,
)
DISTRIBUTIONS = Text(
    'a distribution\'s name or a pattern such as "acme-*"',
    pattern=r"[A-Za-z0-9*]([A-Za-z0-9._*-]*[A-Za-z0-9*])?",
    parse=_pattern,
    longest=200,
)
INDEX_URL = Text(parse=_index_url)
WHEELS = Text(parse=_wheels)
REQUIREMENT = Text(parse=_requirement)
REQUIREMENTS_FILE = Text(parse=_requirements_file)
MODULE = Text(parse=_module)
WORD = Text("a string that is not empty", pattern=r"[\s\S]+")
PROGRAM = Text("the name of a program", pattern=r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*")
IMAGE = Text(
    'an image such as "python:3.11-slim-bookworm"',
    pattern=f"{_REPOSITORY}{_TAG}(?:@sha256:[0-9a-f]{{64}})?",
    longest=512,
)
TAG = Text("a tag", pattern=r"[^\s@]+", longest=512)
VENV = Text(
    'an absolute path of letters, digits and ._+- such as "/venv"',
    pattern="(/[A-Za-z0-9._+-]+)+",
    parse=_below_root,
    # A shebang holds 127 bytes on older kernels, and "/bin/python3.11" follows.
    longest=100,
)
ABSOLUTE = Text(parse=_absolute)
WRITABLE = Text(parse=_writable)
INSIDE = Text(parse=_inside)
IN_CONTEXT = Text(parse=_in_context)
LABEL = Text("a label's name without =", pattern=r"[^=]+")
FOLDER = Text(parse=_folder)
VARIABLE = Text("the name of an environment variable", pattern="[A-Za-z_][A-Za-z0-9_]*")
ENV_NAME = Text(VARIABLE.label, pattern=VARIABLE.pattern, parse=_env_name)
VALUE = Text()
SECRET = Text("the name of a secret", pattern="[A-Za-z0-9_][A-Za-z0-9_.-]*")
CACHE = Text('a cache such as "type=registry,ref=..."', pattern=r"[^\s-]\S*")
# A trailing hyphen would tell apt-get to remove the package.
APT_PACKAGE = Text(
    "a Debian package's name",
    pattern=r"[a-z0-9]([a-z0-9.+-]*[a-z0-9.+])?(:[a-z0-9]+)?(=[A-Za-z0-9][A-Za-z0-9.+:~*-]*)?",
)
APT_URI = Text(parse=_apt_uri)
APT_KEY = Text(parse=_apt_key)
APT_WORD = Text("a word", pattern="[A-Za-z0-9./][A-Za-z0-9._/+-]*")
SHA256 = Text("64 hexadecimal digits", pattern="[0-9a-f]{64}")
GLIBC = Text('a glibc version such as "2_28"', pattern="2_[0-9]{1,3}")
TORCH_BACKEND = Text(
    'a torch backend such as "cpu" or "cu128"',
    pattern=r"cpu|xpu|cu[0-9]{2,3}|rocm[0-9]+(\.[0-9]+){0,2}",
)
