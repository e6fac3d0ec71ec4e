"""Build the corpus of broken and healthy images, prove each, and score ``venvsmith verify`` on it.

``make corpus`` runs this. Exit 0: the first finding is right on 95 % of the broken images and no
healthy one has an error; 1: not so, or a case does not hold by itself. See docs/corpus.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent))
from corpuslib.cases import WORK, Case, load
from corpuslib.engine import Builder, clean
from corpuslib.score import Result, ask_peers, judge, prove
from corpuslib.table import passed, render

_T = TypeVar("_T")
_MIN_FREE = 5 * 1024**3


def main() -> int:
    arguments = _arguments()
    if arguments.clean:
        print(f"removed {clean()} images")
        return 0
    if arguments.mutate:
        from corpuslib.mutate import mutate  # noqa: PLC0415 - only this mode needs it

        return mutate(arguments.mutate, seed=arguments.seed, pattern=arguments.only or "*")
    cases = (*load("broken", arguments.only or "*"), *load("healthy", arguments.only or "*"))
    if not cases:
        print(f"no case matches {arguments.only!r}", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    results = _run(cases, arguments)
    text = render(results, scored=not arguments.prove)
    print(text)
    print(f"{len(results)} cases in {time.monotonic() - started:.0f} s")
    if not arguments.prove:
        written = [result.to_json() for result in results]
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(written, indent=1), encoding="utf-8")
    if arguments.prove:
        return int(any(result.problem for result in results))
    return int(not passed(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="corpus.py")
    parser.add_argument("--only", metavar="PATTERN", help="names of cases; glob, comma-separated")
    parser.add_argument("--no-peers", action="store_true", help="do not ask pip check and uv")
    parser.add_argument("--prove", action="store_true", help="build and prove; do not verify")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument("--clean", action="store_true", help="remove the images and stop")
    parser.add_argument("--mutate", type=int, metavar="N", help="break N healthy images at random")
    parser.add_argument("--seed", type=int, default=1, help="seed of --mutate")
    parser.add_argument("--output", type=Path, default=WORK / "corpus.json", help="results as JSON")
    return parser.parse_args()


def _run(cases: Iterable[Case], arguments: argparse.Namespace) -> list[Result]:
    builder = Builder()

    def one(case: Case) -> Result:
        bare = Result(name=case.name, kind=case.kind, expect=case.expect)
        if shutil.disk_usage(WORK).free < _MIN_FREE:
            return replace(bare, problem="less than 5 GB of disk left")
        if problem := builder.build(case):
            return _told(replace(bare, problem=f"does not build: {problem}"))
        problem, said = prove(case)
        said = said[-2000:]
        if problem or arguments.prove:
            return _told(replace(bare, problem=problem, symptom=said))
        verdict = judge(case)
        peers = {} if arguments.no_peers else ask_peers(case)
        return _told(replace(bare, symptom=said, verdict=verdict, peers=peers))

    return _map(one, cases, jobs=arguments.jobs)


def _map(work: Callable[[Case], _T], cases: Iterable[Case], *, jobs: int) -> list[_T]:
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(work, cases))


def _told(result: Result) -> Result:
    if result.problem:
        print(
            f"!! {result.name}: {result.problem[-900:]}\n{result.symptom[-600:]}",
            file=sys.stderr,
            flush=True,
        )
    elif result.verdict is None:
        print(f"ok {result.name}", file=sys.stderr, flush=True)
    else:
        print(
            f"{result.verdict.outcome:8} {result.name}: {result.verdict.rule}",
            file=sys.stderr,
            flush=True,
        )
    return result


if __name__ == "__main__":
    sys.exit(main())
