"""Broken bundles: how each is made, what shows by itself, and what must be told first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bundle_breaking import (
    Breaking,
    cut,
    damaged_code,
    damaged_record,
    foreign,
    other_python,
    renamed,
    without_entries,
    without_files,
    without_modules,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One broken bundle.

    :param says: what the application itself says when it is started.
    :param rule: the rule of the first finding, or the code of the refusal (exit 3).
    :param subject: what the first finding must be about.
    :param static: whether it is to be told without starting anything.
    """

    name: str
    stack: str
    broken: Sequence[Breaking]
    says: str
    rule: str
    subject: str = ""
    static: bool = True


MINOR = sys.version_info[1]
MODULE, DATA, METADATA, NATIVE, SOURCE = (
    f"bundle-{kind}-missing" for kind in ("module", "data", "metadata", "native", "source")
)
BROKEN = (
    Case(
        name="a package gone",
        stack="web",
        broken=[without_modules("certifi")],
        says="from 'certifi' (unknown location)",
        rule=MODULE,
        subject="certifi",
    ),
    Case(
        name="a submodule gone",
        stack="web",
        broken=[without_modules("urllib3.util.retry")],
        says="No module named 'urllib3.util.retry'",
        rule=MODULE,
        subject="urllib3.util.retry",
    ),
    Case(
        name="a submodule that from names, called circular",
        stack="web",
        broken=[without_modules("requests.packages")],
        says="circular import",
        rule=MODULE,
        subject="requests.packages",
    ),
    Case(
        name="a module of the standard library gone",
        stack="web",
        broken=[without_modules("http.cookiejar")],
        says="cannot import name 'cookiejar' from 'http'",
        rule=MODULE,
        subject="http.cookiejar",
    ),
    Case(
        name="a module imported by a string",
        stack="plain",
        broken=[without_modules("wsgiref.util")],
        says="No module named 'wsgiref.util'",
        rule=MODULE,
        subject="wsgiref.util",
    ),
    Case(
        name="a lazily imported module gone",
        stack="lazy",
        broken=[without_modules("huggingface_hub.hf_api")],
        says="No module named 'huggingface_hub.hf_api'",
        rule=MODULE,
        subject="huggingface_hub.hf_api",
        static=False,
    ),
    Case(
        name="a module gone from one file",
        stack="pages",
        broken=[without_modules("jinja2.lexer")],
        says="No module named 'jinja2.lexer'",
        rule=MODULE,
        subject="jinja2.lexer",
    ),
    Case(
        name="a module that only compiled code imports",
        stack="tables",
        broken=[without_files("pandas/_libs/tslibs/base.*.so")],
        says="pandas._libs.tslibs.base",
        rule=MODULE,
        subject="pandas._libs.tslibs.base",
        static=False,
    ),
    Case(
        name="an extension module gone",
        stack="markup",
        broken=[without_files("lxml/etree.*.so")],
        says="cannot import name 'etree' from 'lxml'",
        rule=MODULE,
        subject="lxml.etree",
    ),
    Case(
        name="an extension module of the standard library gone",
        stack="plain",
        broken=[without_files("**/_sqlite3.*.so")],
        says="No module named '_sqlite3'",
        rule=MODULE,
        subject="_sqlite3",
    ),
    Case(
        name="an extension module of another Python",
        stack="markup",
        broken=[renamed("lxml/etree.*.so", f"cpython-3{MINOR}", f"cpython-3{MINOR + 1}")],
        says="cannot import name 'etree' from 'lxml'",
        rule=MODULE,
        subject="lxml.etree",
    ),
    Case(
        name="an extension module behind a try",
        stack="pictures",
        broken=[without_files("PIL/_imaging.*.so")],
        says="cannot import name '_imaging' from 'PIL'",
        rule=MODULE,
        subject="PIL._imaging",
        static=False,
    ),
    Case(
        name="metadata gone",
        stack="web",
        broken=[without_files("requests-*.dist-info")],
        says="No package metadata was found for requests",
        rule=METADATA,
        subject="requests",
    ),
    Case(
        name="a data file gone",
        stack="web",
        broken=[without_files("certifi/cacert.pem")],
        says="cacert.pem",
        rule=DATA,
        subject="cacert.pem",
        static=False,
    ),
    Case(
        name="a folder of data gone",
        stack="resources",
        broken=[without_files("jsonschema_specifications/schemas")],
        says="schemas",
        rule=DATA,
        subject="jsonschema_specifications/schemas",
        static=False,
    ),
    Case(
        name="a .libs folder gone",
        stack="arrays",
        broken=[without_files("numpy.libs", "libscipy_openblas*")],
        says="cannot open shared object file",
        rule=NATIVE,
        subject="libscipy_openblas",
    ),
    Case(
        name="one library of a .libs folder gone",
        stack="media",
        broken=[without_files("av.libs/libavcodec*", "libavcodec*")],
        says="cannot open shared object file",
        rule=NATIVE,
        subject="libavcodec",
    ),
    Case(
        name="metadata gone from one file",
        stack="pages",
        broken=[without_entries("click-")],
        says="No package metadata was found for click",
        rule=METADATA,
        subject="click",
    ),
    Case(
        name="libpython gone from one file",
        stack="pages",
        broken=[without_entries("libpython3")],
        says="libpython3",
        rule=NATIVE,
        subject="libpython3",
    ),
    Case(
        name="libpython gone",
        stack="arrays",
        broken=[without_files("libpython3*")],
        says="libpython3",
        rule=NATIVE,
        subject="libpython3",
    ),
    Case(
        name="the source that TorchScript reads gone",
        stack="scripted",
        broken=[without_files("scripted/*.py")],
        says="could not get source code",
        rule=SOURCE,
        subject="<module>",
    ),
    Case(
        name="base_library.zip gone",
        stack="arrays",
        broken=[without_files("base_library.zip")],
        says="encodings",
        rule=DATA,
        subject="base_library.zip",
    ),
    Case(
        name="an extension module for another processor",
        stack="markup",
        broken=[foreign("lxml/etree.*.so")],
        says="cannot open shared object file",
        rule="arch-mismatch",
        subject="lxml/etree",
    ),
    Case(
        name="a library for another processor",
        stack="media",
        broken=[foreign("av.libs/libavutil*")],
        says="cannot open shared object file",
        rule="arch-mismatch",
        subject="libavutil",
    ),
    Case(
        name="an executable for another processor",
        stack="arrays",
        broken=[foreign("APP")],
        says="Exec format error",
        rule="arch-mismatch",
        subject="arrays",
    ),
    Case(
        name="an extension module cut off",
        stack="markup",
        broken=[cut("lxml/etree.*.so", 0.5)],
        says="",
        rule="bad-elf",
        subject="lxml/etree",
    ),
    Case(
        name="an extension module of no bytes",
        stack="markup",
        broken=[cut("lxml/etree.*.so", 0)],
        says="file too short",
        rule="bad-elf",
        subject="lxml/etree",
    ),
    Case(
        name="base_library.zip cut off",
        stack="plain",
        broken=[cut("base_library.zip", 0.5)],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="a truncated folder's executable",
        stack="arrays",
        broken=[cut("APP", 0.7)],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="a truncated one file",
        stack="pages",
        broken=[cut("APP", 0.9)],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="a module's code damaged",
        stack="web",
        broken=[damaged_code("requests.sessions")],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="a PYZ of another Python",
        stack="web",
        broken=[other_python],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="the last record damaged",
        stack="web",
        broken=[damaged_record],
        says="",
        rule="bundle-malformed",
    ),
    Case(
        name="the folder of its files gone",
        stack="web",
        broken=[without_files("../_internal")],
        says="",
        rule="bundle-incomplete",
    ),
)
