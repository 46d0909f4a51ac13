"""What a verifier says: one of four states, with the reason and what it was seen from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

State = Literal["pass", "fail", "unsure", "error"]


class Outcome(NamedTuple):
    """`unsure` could not be decided, `error` is a check that broke itself; neither ever counts as wrong.

    Other states than `pass` have a reason: a fixed sentence that can be counted, with details after ": " if need be.
    `score` is the share of the parts that hold, for what is checked in parts: tests, constraints, steps. `evidence`
    is a JSON object, at most a few kilobytes.
    """

    status: State
    reason: str | None = None
    score: float | None = None
    evidence: Mapping[str, Any] = {}

    @property
    def same(self) -> bool | None:
        """Right, wrong, or None where that was not decided."""
        return {"pass": True, "fail": False}.get(self.status)


def passed(*, score: float | None = None, evidence: Mapping[str, Any] | None = None) -> Outcome:
    return Outcome("pass", None, score, evidence or {})


def failed(reason: str, *, score: float | None = None, evidence: Mapping[str, Any] | None = None) -> Outcome:
    return Outcome("fail", reason, score, evidence or {})


def unsure(reason: str, *, score: float | None = None, evidence: Mapping[str, Any] | None = None) -> Outcome:
    return Outcome("unsure", reason, score, evidence or {})


def broken(reason: str, *, evidence: Mapping[str, Any] | None = None) -> Outcome:
    """The check itself broke: the worker crashed, or confinement failed. Never the fault of the answer."""
    return Outcome("error", reason, None, evidence or {})


def of_comparison(same: bool | None) -> Outcome:
    """The outcome of comparing an answer with its reference; None is a comparison that could not be made."""
    return {
        True: passed(),
        False: failed("wrong answer"),
        None: unsure("cannot be compared with the reference"),
    }[same]
