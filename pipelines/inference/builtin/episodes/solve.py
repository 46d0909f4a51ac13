"""Doing tasks in an environment: reading what is asked, looking at what is there, handing in calls."""

import re
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from ..code.read import chance
from ..faults import Faults
from .read import LISTS, OBSERVED, Call, Seen, block, first, program, seen

NEVER = 0.97  # tasks that are harder than that are hardly ever done

CANCEL = re.compile(r"Cancel all open orders(?: for (?P<item>[\w ]+?))? of (?P<who>\w+),")
COUNT = re.compile(r"Order (?P<order>\w+) is to be for (?P<count>\d+) pieces")
PIECES = re.compile(r"how many pieces of (?P<item>[\w ]+) there are in orders with the status (?P<status>\w+)")
BACK = re.compile(r"(?P<who>\w+) brings back every book that is due up to day (?P<day>\d+)")
RENEW = re.compile(r'reader of "(?P<book>[^"]+)" needs (?P<days>\d+) more days')
OVERDUE = re.compile(r"It is day (?P<day>\d+)\. Report how many books are overdue")
ABOVE = re.compile(r"sum of all amounts above (?P<least>\d+) in the account (?P<account>\w+)")
UNTIL = re.compile(r"balance of the account (?P<account>\w+) at the end of day (?P<day>\d+)")


class Asked(NamedTuple):
    """A task, and all that was said about it so far."""

    question: str
    text: str


def read(prompt: str) -> Asked | None:
    """A task in an environment that is to be done, or gone on with."""
    return Asked(prompt.partition("\n\n")[0], prompt) if "What counts is what you hand in" in prompt else None


def reply(asked: Asked, given: str, *, rng: Random, faults: Faults) -> str:
    """Look first, then hand in calls, of which one is wrong more often for some tasks than for others."""
    found = seen(asked.text)
    missing = _to_look_at(asked, found)
    if missing and asked.text.count(OBSERVED) < 3 and rng.random() >= faults.malformed:
        return f"I look at what there is.\n\n{block(missing)}"
    calls, hard = _calls(asked.question, found), chance(asked.question, "hard")
    if rng.random() < faults.bad_episode * (2 * hard if hard < NEVER else 4):
        calls = _spoilt(calls, rng)
    return f"These calls do it.\n\n```python\n{program(calls)}\n```"


def _to_look_at(asked: Asked, found: Sequence[Seen]) -> list[Call]:
    """The calls that are still needed to know what to do."""
    account = ABOVE.search(asked.question) or UNTIL.search(asked.question)
    tool = LISTS.search(asked.text)
    if account and not first(found, "entries"):
        return [("entries", {"account": account["account"]})]
    if tool and not account and not first(found, tool[1]):
        return [(tool[1], {})]
    order = COUNT.search(asked.question)
    if order and not first(found, "price"):
        return [("price", {"item": _order(found, order["order"])["item"]})]
    return []


def _order(found: Sequence[Seen], name: str) -> dict[str, Any]:
    return next((each for each in first(found, "list_orders") if each["order"] == name), {"item": "?"})


def _calls(question: str, found: Sequence[Seen]) -> list[Call]:
    """What does the task; nothing where it is of no kind that is known."""
    for pattern, does in DOING.items():
        if asked := pattern.search(question):
            return does(asked, found)
    return []


def _report(answer: Any) -> list[Call]:
    return [("report", {"answer": answer})]


def _cancel(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    rows = [each for each in first(found, "list_orders") if each["customer"] == asked["who"]]
    wanted = [each for each in rows if each["status"] == "open" and asked["item"] in (None, each["item"])]
    return [("cancel", {"order": each["order"]}) for each in wanted]


def _count(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    count, price = int(asked["count"]), first(found, "price") or 0
    return [("set_count", {"order": asked["order"], "count": count}), *_report(count * price)]


def _pieces(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    rows = [each for each in first(found, "list_orders") if each["item"] == asked["item"]]
    return _report(sum(each["count"] for each in rows if each["status"] == asked["status"]))


def _take_back(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    rows = [each for each in first(found, "list_loans") if each["reader"] == asked["who"]]
    return [("take_back", {"book": each["book"]}) for each in rows if each["due"] <= int(asked["day"])]


def _renew(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    return [("renew", {"book": asked["book"], "days": int(asked["days"])})]


def _overdue(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    return _report(sum(each["due"] < int(asked["day"]) for each in first(found, "list_loans")))


def _above(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    amounts = [each["amount"] for each in first(found, "entries")]
    return _report(sum(each for each in amounts if each > int(asked["least"])))


def _until(asked: re.Match[str], found: Sequence[Seen]) -> list[Call]:
    rows = first(found, "entries")
    return _report(sum(each["amount"] for each in rows if each["day"] <= int(asked["day"])))


DOING = {
    **{CANCEL: _cancel, COUNT: _count, PIECES: _pieces, BACK: _take_back, RENEW: _renew, OVERDUE: _overdue},
    **{ABOVE: _above, UNTIL: _until},
}


def _spoilt(calls: Sequence[Call], rng: Random) -> list[Call]:
    """One call is forgotten, or one number is off."""
    if not calls:
        return _report(rng.randint(1, 9))
    at = rng.randrange(len(calls))
    tool, given = calls[at]
    numbers = [name for name, value in given.items() if isinstance(value, int)]
    if numbers and rng.random() < 0.7:
        off = (tool, {**given, numbers[0]: given[numbers[0]] + 1})
        return [*calls[:at], off, *calls[at + 1 :]]
    return [*calls[:at], *calls[at + 1 :]]
