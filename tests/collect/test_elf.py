import random
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from venvsmith.collect.probe import elf
from venvsmith.collect.probe.tree import Fact, Tree

SITE = Path(sysconfig.get_path("purelib"))
SAMPLES = [*sorted(SITE.rglob("*.so"))[::12], Path(sys.executable).resolve()]


def described(path: Path) -> Fact:
    with Tree().open(str(path)) as handle:
        return elf.describe(str(path), handle)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_reader_says_what_pyelftools_says(path: Path) -> None:
    with path.open("rb") as file:
        oracle = ELFFile(file)
        dynamic = [s for s in oracle.iter_sections() if isinstance(s, DynamicSection)]
        needed = [t.needed for s in dynamic for t in s.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
        verneed = {
            version.name: [aux.name for aux in auxes]
            for section in oracle.iter_sections()
            if isinstance(section, GNUVerNeedSection)
            for version, auxes in section.iter_versions()
        }
        dynsym = oracle.get_section_by_name(".dynsym")
        assert isinstance(dynsym, SymbolTableSection)
        exported = {
            symbol.name for symbol in dynsym.iter_symbols() if symbol.entry.st_shndx != "SHN_UNDEF"
        }
        rodata = oracle.get_section_by_name(".rodata")
        rodata_bytes = rodata.data() if rodata else b""

    fact = described(path)
    assert "error" not in fact
    assert fact["needed"] == needed
    assert fact["verneed"] == verneed
    assert fact["machine"] == {"x64": "x86_64", "AArch64": "aarch64"}[oracle.get_machine_arch()]
    with Tree().open(str(path)) as handle:
        reader = elf.ElfFile(handle)
        wanted = sorted(exported)[:50]
        assert all(reader.exports(name) for name in wanted)
        assert not reader.exports("there_is_no_such_symbol")
        assert {s.name for s in reader.symbols() if s.defined} >= exported - {""}
        assert reader.section(".rodata", 1 << 30) == rodata_bytes


def test_an_extension_is_known_by_its_init_function() -> None:
    extension = next(path for path in SAMPLES if ".cpython-" in path.name)
    assert described(extension)["exports_init"] is True


def mutations(data: bytes, count: int) -> Iterator[bytes]:
    chance = random.Random(20261121)  # noqa: S311 - to be the same each time
    for _ in range(count):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 12)):
            broken[chance.randrange(min(len(broken), 1200))] = chance.randrange(256)
        yield bytes(broken[: chance.choice([len(broken), chance.randrange(len(broken))])])


def test_damaged_files_give_a_fact_and_never_an_exception(tmp_path: Path) -> None:
    sample = min((path for path in SAMPLES if path.suffix == ".so"), key=lambda p: p.stat().st_size)
    file = tmp_path / sample.name
    outcomes = set()
    for data in mutations(sample.read_bytes(), 1500):
        file.write_bytes(data)
        outcomes.add("error" in described(file))
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "not ELF"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "Mach-O, not ELF"),
        (b"INPUT(x)", "not ELF"),
    ],
)
def test_what_is_no_elf_says_what_it_is(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "x.so").write_bytes(content)
    assert described(tmp_path / "x.so")["error"] == error
