"""Break healthy images at random and set what verify says beside what the plain symptom says.

There is no right answer here: the list is for people to read. A line marked ``?`` is one where the
two disagree: the symptom fails and no error was found, or the other way round.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from corpuslib.cases import TAG, Case, load
from corpuslib.engine import Builder, call, run_in
from corpuslib.score import judge_image

_SURGEON = Path(__file__).with_name("surgeon.py")
_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def mutate(count: int, *, seed: int, pattern: str) -> int:
    """Mutate ``count`` healthy images; print a table; return 1 where none could be made."""
    cases = [c for c in load("healthy", pattern) if c.python.startswith(("/venv", "/opt", "/app"))]
    builder = Builder()
    print("| seed | case | broken | plain symptom | verify |\n|---|---|---|---|---|")
    done = 0
    for number in range(seed, seed + count):
        case = random.Random(number).choice(cases)  # noqa: S311 - repeatable, not secret
        if builder.build(case):
            continue
        line = _one(case, number)
        if line:
            print(line, flush=True)
            done += 1
    return int(done == 0)


def _one(case: Case, number: int) -> str | None:
    image = f"{TAG}/mutant-{number}:1"
    cut = _operate(case, image, number)
    if cut is None:
        return None
    try:
        symptom = run_in(image, case.symptom, timeout=case.timeout, extra=case.docker_args)
        said = next(reversed([s for s in symptom.said.splitlines() if s.strip()]), "")[:90]
        findings, code = judge_image(image, case.arguments)
    finally:
        call(["docker", "image", "rm", "-f", image], timeout=60)
    errors = [f for f in findings if f["severity"] == "error"]
    first = f"{errors[0]['rule']}: {errors[0]['message'][:110]}" if errors else f"no error ({code})"
    doubt = "? " if bool(errors) != bool(symptom.code) else ""
    shown = f"rc {symptom.code} {said}".replace("|", "/")
    return f"| {number} | {case.name} | {cut['kind']} {cut['what']} | {shown} | {doubt}{first} |"


def _operate(case: Case, image: str, number: int) -> dict[str, str] | None:
    """Run the surgeon in a container of the image and commit it with the image's own settings."""
    site = run_in(case.image, (case.python, "-c", _SITE), timeout=60)
    config = json.loads(
        call(["docker", "image", "inspect", "-f", "{{json .Config}}", case.image], timeout=60).said
    )
    name = f"{TAG}-surgery-{number}"
    workdir = config.get("WorkingDir") or "/"
    create = ["docker", "create", "--name", name, "--network", "none", "--user", "0"]
    argv = ["-I", "-S", "/surgeon.py", str(number), site.said.strip().splitlines()[-1], workdir]
    try:
        call([*create, "--entrypoint", case.python, case.image, *argv], timeout=60)
        call(["docker", "cp", str(_SURGEON), f"{name}:/surgeon.py"], timeout=60)
        told = call(["docker", "start", "-a", name], timeout=120)
        if told.code:
            return None
        changes = [f"USER {config.get('User') or '0'}"]
        changes += [f"ENTRYPOINT {json.dumps(config.get('Entrypoint') or [])}"]
        changes += [f"CMD {json.dumps(config.get('Cmd') or [])}"]
        flags = [word for change in changes for word in ("--change", change)]
        made = call(["docker", "commit", *flags, name, image], timeout=300)
        if made.code:
            raise RuntimeError(made.said)
        lines = [line for line in told.said.splitlines() if line.startswith("{")]
        return dict(json.loads(lines[-1])) if lines else None
    finally:
        call(["docker", "rm", "-f", name], timeout=60)
