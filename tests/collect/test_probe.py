"""The probe as a whole: what it may use, where it may run."""

import ast
import sys
from pathlib import Path

import pytest

from venvsmith.collect import CollectRequest, bundle, collect
from venvsmith.target import open_target

OLDEST = (3, 8)


@pytest.mark.parametrize("name", sorted(bundle.sources()))
def test_the_probe_is_old_python_and_the_standard_library_alone(name: str) -> None:
    tree = ast.parse(bundle.sources()[name], feature_version=OLDEST)
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").split(".")[0])
    assert imported <= sys.stdlib_module_names


@pytest.mark.engine
@pytest.mark.parametrize(("image", "minor"), [("bullseye", "3.9"), ("trixie", "3.13")])
def test_it_runs_under_other_pythons(image: str, minor: str) -> None:
    with open_target(f"venvsmith-test/{image}:1") as target:
        facts = collect(target, CollectRequest(imports={"": ("json",)}))
    (env,) = facts.environments
    assert env.kind == "system"
    assert env.interpreter is not None
    assert env.interpreter.minor == minor
    assert [result.status for result in env.imports] == ["ok"]
    # The locale that Python gives itself is none of the image's.
    assert "LC_CTYPE" not in facts.system.env
    assert (facts.missing, facts.probe_problems) == ((), ())


def test_a_tools_venv_that_nothing_points_to_stands_behind_the_systems_packages(
    tmp_path: Path,
) -> None:
    site = tmp_path / "usr/local/lib/python3.11/site-packages/app-1.dist-info"
    for folder in (site, tmp_path / "usr/local/bin", tmp_path / "srv/tool", tmp_path / "usr/bin"):
        folder.mkdir(parents=True)
    (site / "METADATA").write_text("Name: app\nVersion: 1\n")
    python = tmp_path / "usr/local/bin/python3.11"
    python.write_bytes(Path(sys.executable).resolve().read_bytes())
    python.chmod(0o755)
    (tmp_path / "usr/local/bin/python3").symlink_to("python3.11")
    (tmp_path / "srv/tool/pyvenv.cfg").write_text("home = /usr/local/bin\n")
    with open_target(f"rootfs:{tmp_path}") as target:
        facts = collect(target, CollectRequest())
    assert [env.path for env in facts.environments] == ["/usr/local", "/srv/tool"]
    assert [dist.name for dist in facts.environments[0].distributions] == ["app"]
