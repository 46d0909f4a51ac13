"""Consistent answers: the same reasoning leads to the same option, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from filters.answers import final_answer
from filters.cascade import last_about, reason
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers.choice import options_in
from filters.verifiers.shuffling import chosen, key_of
from pipelines.records import Attempt, Verdict


def option_consistency(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt that picks the right option twice: as it was asked, and after the options had moved.

    The value is `consistent-right`, `consistent-wrong` or `inconsistent`; choices are compared by what the options
    say. The second choice is that of the stage `recheck`, which shows the attempt its own reasoning. Where the
    reasoning still names letters, another choice tells nothing. ACRE keeps what is consistent and right.
    """
    again = last_about(case, "rechecked")
    if case.problem.verifier == "choice" and again:
        options = options_in(case.problem.question)
        for attempt in case.attempts:
            ruling = _consistent(case, attempt, again.get(attempt.id), options)
            yield ruling._replace(about=(attempt.id,))


def _consistent(case: Case, attempt: Attempt, again: Verdict | None, options: Mapping[str, str]) -> Ruling:
    if again is None or again.status != "pass":
        return unsure("not asked again" if again is None else reason(again))
    key, first = key_of(case.problem.answer, options), chosen(final_answer(attempt, "choice"), options)
    second = again.value or ""
    if key is None or first is None or second not in options:
        return unsure("no option can be read")
    said = orjson.loads(again.context)
    context = {"first": first, "second": second, "model": said.get("model"), "revision": said.get("revision")}
    if options[first] == options[second]:
        if options[first] == options[key]:
            return passed(value="consistent-right", context=context)
        return failed("consistent and wrong", value="consistent-wrong", context=context)
    if left := said.get("letters_left"):
        return unsure(f"the reasoning names {', '.join(left)}", value="inconsistent", context=context)
    return failed("inconsistent: another option once they had moved", value="inconsistent", context=context)
