"""Several things at a time, and what a failure of one does to the others."""

from __future__ import annotations

from threading import Event

import pytest

from venvsmith.together import together

LONG = 60.0


def test_results_come_in_the_order_of_the_tasks() -> None:
    later = Event()

    def first() -> str:
        assert later.wait(LONG)
        return "first"

    def second() -> str:
        later.set()
        return "second"

    stop = Event()
    assert together([first, second], workers=2, stop=stop) == ["first", "second"]
    assert not stop.is_set()


def test_a_failure_ends_an_earlier_task_that_still_runs() -> None:
    stop = Event()

    def slow() -> None:
        assert stop.wait(LONG), "nobody told it to stop"
        raise KeyError("what it says once it is stopped")

    def broken() -> None:
        raise ValueError("the reason")

    with pytest.raises(ValueError, match="the reason"):
        together([slow, broken], workers=2, stop=stop)


def test_what_has_not_begun_by_then_never_does() -> None:
    begun = []
    stop = Event()

    def broken() -> None:
        raise ValueError("the reason")

    def later() -> None:
        begun.append(stop.wait(LONG))

    with pytest.raises(ValueError, match="the reason"):
        together([broken, *[later] * 9], workers=1, stop=stop)
    assert len(begun) <= 1
