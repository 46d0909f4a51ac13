"""One test over all cases of a table. pytest's own `parametrize` makes each case a test, which costs milliseconds
where most of them take microseconds; it stays where a case takes long, needs a fixture, or is worth a name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any


def each_of(cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a check of one case a test of all of them, which tells every case that fails, and how.

    A check that takes several parameters is given the parts of a case. Nothing to go through is a failure as well.
    """
    table = list(cases)

    def over_all(check: Callable[..., None]) -> Callable[[], None]:
        whole = len(inspect.signature(check).parameters) == 1

        def test() -> None:
            assert table, "there are no cases"
            told = [_failure(check, (case,) if whole else case) for case in table]
            if failures := [failure for failure in told if failure]:
                raise ExceptionGroup(f"{len(failures)} of {len(table)} cases", failures)

        test.__name__, test.__doc__ = check.__name__, check.__doc__  # wraps() would have pytest look for fixtures
        return test

    return over_all


def _failure(check: Callable[..., None], parts: tuple[Any, ...]) -> Exception | None:
    try:
        check(*parts)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other cases are to be told as well
        error.add_note(f"in the case {', '.join(map(repr, parts)):.500}")
        return error
