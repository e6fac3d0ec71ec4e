from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from push.conftest import SHARED_BYTES, Family, login_files
from registries import Fault, FaultyRegistry, serving, tags_of
from robust.test_refusing_disks import mounted
from waiting import eventually

pytestmark = pytest.mark.engine
NOTHING = ("", "")


DENIED, REJECTED = (
    f'{{"errors":[{{"code":"{code}","message":"no more of this"}}]}}'
    for code in ("DENIED", "MANIFEST_INVALID")
)


def test_a_bump_sends_what_it_changed_and_an_unchanged_family_nothing(
    family: Family, faulty: FaultyRegistry
) -> None:
    first = family.push("--format", "json")
    assert first.code == 0, first.err
    assert [tag["status"] for tag in first.json["tags"]] == ["new", "new"]
    assert [image["status"] for image in first.json["images"]] == ["pushed", "pushed"]
    # The second image has the first one's layer, which the registry takes from there.
    assert first.json["images"][1]["layers"] == {"mounted": 1, "pushed": 1}
    assert SHARED_BYTES < faulty.content_bytes < SHARED_BYTES * 1.1
    assert family.real_tags() == tuple(tag["after"] for tag in first.json["tags"])

    faulty.content_bytes = 0
    again = family.push()
    assert (again.code, faulty.content_bytes) == (0, 0), again.err
    assert "images: 2 there; tags: 2 there" in again.out

    old = family.real_tags()
    family.build(version=2)
    bumped = family.push("--format", "json")
    assert bumped.code == 0, bumped.err
    assert 1000 < faulty.content_bytes < 10_000
    low, top = bumped.json["tags"]
    assert (low["status"], top["status"]) == ("there", "moved")
    assert (low["after"], top["before"]) == old
    assert family.real_tags() == (low["after"], top["after"])
    assert family.leftovers() == []


FAILURES = [
    (Fault(kind="status", status=401, at="manifest", after=1), 4, "login"),
    (Fault(kind="status", status=400, at="manifest", after=1, body=REJECTED), 1, "rejected"),
    (Fault(kind="status", status=507, at="manifest", after=1), 4, "full"),
    (Fault(kind="status", status=500, at="manifest", after=1), 4, "failed"),
]
"""The first image's content goes well; then the registry forgets the login, rejects, …"""


def test_a_failure_midway_moves_no_tag_and_a_rerun_goes_on_from_there(
    family: Family, faulty: FaultyRegistry
) -> None:
    low, top = family.repositories
    for number, (fault, code, word) in enumerate(FAILURES):
        faulty.put(fault)
        failed = family.push()
        assert faulty.struck, "the fault was not met"
        assert failed.code == code, failed.err
        assert failed.seconds < 60
        line = failed.err.splitlines()[-1]
        assert line.startswith(f"venvsmith: registry-{word}: {family.address}/{top}:"), line
        first = "there" if number else "pushed"
        assert f"images: 1 {first}, 1 failed; tags: 2 not-moved" in failed.out
        assert family.real_tags() == NOTHING
        if not number:
            faulty.seen.clear()
    faulty.put(None)
    done = family.push()
    assert done.code == 0, done.err
    assert all(family.real_tags())
    # What had arrived in the first round was not sent again.
    assert not [path for method, path in faulty.seen if method == "PATCH" and low in path]
    assert family.leftovers() == []


def test_a_broken_connection_and_a_server_that_hiccups_are_tried_again(
    family: Family, faulty: FaultyRegistry
) -> None:
    faulty.put(Fault(kind="reset", at="manifest", times=1))
    done = family.push(family.images[0])
    assert (done.code, faulty.struck) == (0, 1), done.err
    assert "trying again in 1 s" in done.err
    faulty.put(Fault(kind="status", status=503, at="manifest", times=1))
    done = family.push()
    assert (done.code, faulty.struck) == (0, 1), done.err
    assert all(family.real_tags())


def test_a_failure_between_the_tags_tells_which_have_moved(
    family: Family, faulty: FaultyRegistry
) -> None:
    faulty.put(Fault(kind="status", status=403, at="tag", after=1, body=DENIED))
    failed = family.push("--format", "json")
    assert failed.code == 4, failed.err
    low, top = failed.json["tags"]
    assert (low["status"], top["status"]) == ("new", "failed")
    assert family.real_tags() == (low["after"], "")
    faulty.put(None)
    done = family.push("--format", "json")
    assert done.code == 0, done.err
    assert [tag["status"] for tag in done.json["tags"]] == ["there", "new"]


def test_a_registry_that_is_gone_is_told_once_and_in_time(
    family: Family, faulty: FaultyRegistry
) -> None:
    faulty.__exit__()
    gone = family.push()
    assert gone.code == 4
    assert gone.seconds < 60
    errors = [line for line in gone.err.splitlines() if line.startswith("venvsmith: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"venvsmith: registry-unreachable: {family.address}: ")
    assert "images: 1 failed, 1 not-tried; tags: 2 not-moved" in gone.out
    assert [line.split()[-1] for line in gone.out.splitlines()[2:4]] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="reset", at="content"),
        Fault(kind="slow", at="content", rate=50_000),
    ],
    ids=["stopped-midway", "slowed"],
)
def test_content_that_does_not_get_through_ends_in_time(
    family: Family, faulty: FaultyRegistry, fault: Fault
) -> None:
    family.env["VENVSMITH_PUSH_TIMEOUT"] = "3"
    faulty.put(fault)
    stuck = family.push()
    assert stuck.code == 4, stuck.err
    assert stuck.seconds < 60
    assert stuck.err.splitlines()[-1].startswith("venvsmith: push-timeout: ")
    assert family.real_tags() == NOTHING
    assert family.leftovers() == []
    faulty.put(None)
    # The engine may still be sending the layer; whoever pushes it again waits for that.
    family.env["VENVSMITH_PUSH_TIMEOUT"] = "60"
    done = family.push()
    assert done.code == 0, done.err
    assert all(family.real_tags())


def test_a_registry_whose_disk_is_full_loses_nothing(family: Family, tmp_path: Path) -> None:
    family.env["VENVSMITH_PUSH_TIMEOUT"] = "4"
    place = tmp_path / "small"
    with mounted(place, "-t", "tmpfs", "-o", "size=100k", "tmpfs"), serving(place) as address:
        family.address = address
        family.configure()
        full = family.push()
        assert full.code == 4, full.err
        assert "the engine was retrying 1 of its layers" in full.err
        assert family.real_tags() == NOTHING
        subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)
        family.env["VENVSMITH_PUSH_TIMEOUT"] = "60"
        done = family.push()
        assert done.code == 0, done.err
        assert all(family.real_tags())


def test_an_interrupt_leaves_no_name_and_no_login(
    family: Family, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "login.env").write_text("REGISTRY_USERNAME=me\nREGISTRY_PASSWORD=canary\n")
    faulty.put(Fault(kind="slow", at="content", rate=20_000))
    running = family.start("--env-file", str(tmp_path / "login.env"))
    eventually(lambda: faulty.content_bytes or running.poll() is not None)
    assert len(login_files(family.address)) == 1
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert login_files(family.address) == []
    assert family.leftovers() == []
    assert family.real_tags() == NOTHING


def test_what_was_not_built_is_named_with_the_command(family: Family) -> None:
    top = family.images[1]
    family.remove()
    missing = family.push(top)
    assert missing.code == 2
    assert missing.err == (
        f"venvsmith: not-built: not built on this engine: {top}:cpu; run 'venvsmith build {top}'\n"
    )


def test_only_tags_that_name_a_registry_are_pushed(family: Family, faulty: FaultyRegistry) -> None:
    file = family.folder / "venvsmith.toml"
    low = family.images[0]
    text = file.read_text().replace(f"{family.address}/{family.repositories[0]}", "alias")
    file.write_text(text)
    done = family.push()
    assert done.code == 0, done.err
    assert f"{low}.cpu is not pushed: none of its tags names a registry" in done.err
    assert tags_of(family.address, family.repositories[0]) == []
    refused = family.push(low)
    assert refused.code == 2
    assert f"images.{low}.tags: no tag names a registry" in refused.err
