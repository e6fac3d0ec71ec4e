"""The table of what packages do with the system around them agrees with itself."""

from __future__ import annotations

from venvsmith.data.knowledge import (
    debian_package,
    in_alpine,
    in_full_images,
    libraries_at_run_time,
    load_programs,
    programs_of_packages,
)


def test_a_package_that_rules_tell_to_install_brings_the_program_that_is_missing() -> None:
    for program in load_programs():
        assert program.names[0] in programs_of_packages()[program.package]


def test_what_images_have_from_the_start_is_a_package_of_the_table() -> None:
    assert in_full_images() | in_alpine() <= programs_of_packages().keys()


def test_a_library_of_run_time_leads_back_to_its_package() -> None:
    found = libraries_at_run_time()
    assert (found["libsndfile1"], found["libgl1-mesa-glx"]) == ("libsndfile.so.1", "libGL.so.1")
    others = {name for name, library in found.items() if debian_package(library) != name}
    assert others == {"ffmpeg", "libgl1-mesa-glx"}
