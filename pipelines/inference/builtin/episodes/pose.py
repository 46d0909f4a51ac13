"""Writing tasks in an environment that was tried out, with evaluation, solution and wrong answers."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from ..faults import Faults
from .read import Call, Seen, program, seen

Row = dict[str, Any]
ORDERS = '{each["order"]: [each["count"], each["status"]] for each in world.call("list_orders")}'
LOANS = '{each["book"]: each["due"] for each in world.call("list_loans")}'
NOTHING = "I have seen nothing in there that a task could be about."


class Task(NamedTuple):
    """A task: what must be done, by which calls; how the environment is looked at, before and after; what is
    reported; and what careless people do."""

    question: str
    calls: list[Call]
    wrong: list[list[Call]]
    look: str = ""
    before: Any = None
    after: Any = None
    reported: Any = None


def read(prompt: str) -> list[Seen] | None:
    """What was seen in an environment in which a task is to be written."""
    asked = prompt.startswith("You have tried out an environment with tools") and "<evaluation>" in prompt
    return seen(prompt) if asked else None


def reply(found: Sequence[Seen], given: str, *, rng: Random, faults: Faults) -> str:
    """All parts in tags, with at most one fault; one part is missing now and then."""
    tool = next((each.tool for each in found if each.came and each.tool in KINDS), None)
    posed = rng.choice(KINDS[tool])(found, rng) if tool else None
    if posed is None:
        return NOTHING
    evaluation, solution = _evaluation(posed), program(posed.calls)
    chance = rng.random()
    if chance < faults.bad_evaluation:
        evaluation = _broken(evaluation, rng)
    elif chance < faults.bad_evaluation + faults.bad_solution:
        solution = program(posed.wrong[0])
    elif chance < faults.bad_evaluation + faults.bad_solution + faults.weak_evaluation:
        evaluation = _weak(posed, rng)
    wrong = "\n---\n".join(program(each) for each in posed.wrong)
    parts = {"question": posed.question, "evaluation": evaluation, "solution": solution, "wrong": wrong}
    if rng.random() < faults.malformed:
        del parts[rng.choice(list(parts))]
    return "\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts.items())


def _evaluation(posed: Task) -> str:
    tests = [f"{posed.look} == {posed.after!r}"] if posed.look else []
    tests += [f"world.reported == {posed.reported!r}"] if posed.reported is not None else []
    return f"def evaluate(world):\n    return {' and '.join(tests)}"


def _broken(evaluation: str, rng: Random) -> str:
    """It is no Python, or it asks the environment for what it does not have."""
    if rng.random() < 0.5:
        return evaluation.replace("(world):", "(world:")
    return evaluation.replace("world.call(", "world.look(").replace("world.reported", "world.answer")


def _weak(posed: Task, rng: Random) -> str:
    """It is content with any change, or with any report; or with everything."""
    if rng.random() < 0.3:
        return "def evaluate(world):\n    return True"
    test = f"{posed.look} != {posed.before!r}" if posed.look else "world.reported is not None"
    return f"def evaluate(world):\n    return {test}"


# --- A shop -------------------------------------------------------------------------------------------


def _orders(found: Sequence[Seen]) -> list[Row]:
    return next(each.came for each in found if each.tool == "list_orders")


def _states(rows: Sequence[Row]) -> dict[str, Any]:
    return {each["order"]: [each["count"], each["status"]] for each in rows}


def _changed(rows: Sequence[Row], which: Sequence[Row], **new: Any) -> list[Row]:
    return [{**each, **new} if each in which else each for each in rows]


def _cancel(found: Sequence[Seen], rng: Random) -> Task | None:
    rows = _orders(found)
    still = [each for each in rows if each["status"] == "open"]
    if not still:
        return None
    who = rng.choice(still)["customer"]
    item = rng.choice(["", *{each["item"] for each in still if each["customer"] == who}])
    mine = [each for each in still if each["customer"] == who and item in ("", each["item"])]
    others = [each for each in still if each not in mine]
    calls = [("cancel", {"order": each["order"]}) for each in mine]
    more = [("cancel", {"order": each["order"]}) for each in others[:1]]
    wrong = [[*calls[:-1], *more], calls[:-1], *([[*calls, *more]] if more else [])]
    what = f"open orders for {item}" if item else "open orders"
    return Task(
        f"Cancel all {what} of {who}, and leave everything else as it is.",
        calls,
        wrong,
        ORDERS,
        _states(rows),
        _states(_changed(rows, mine, status="cancelled")),
    )


def _count(found: Sequence[Seen], rng: Random) -> Task | None:
    rows = _orders(found)
    prices = {each.given["item"]: each.came for each in found if each.tool == "price"}
    still = [each for each in rows if each["status"] == "open" and each["item"] in prices]
    if not still:
        return None
    order = rng.choice(still)
    count = rng.choice([each for each in range(2, 13) if each != order["count"]])
    cost = count * prices[order["item"]]

    def calls(number: int, told: int) -> list[Call]:
        return [("set_count", {"order": order["order"], "count": number}), ("report", {"answer": told})]

    old = order["count"] * prices[order["item"]]
    return Task(
        f"Order {order['order']} is to be for {count} pieces. Change it, and report what it costs then.",
        calls(count, cost),
        [calls(count + 1, cost), calls(count, old), calls(count, cost)[:1], calls(count, cost)[1:]],
        ORDERS,
        _states(rows),
        _states(_changed(rows, [order], count=count)),
        cost,
    )


def _pieces(found: Sequence[Seen], rng: Random) -> Task:
    rows = _orders(found)
    item = rng.choice(rows)["item"]
    status = rng.choice(["open", "sent"])
    told = sum(each["count"] for each in rows if each["item"] == item and each["status"] == status)
    lines = sum(each["item"] == item and each["status"] == status for each in rows)
    all_ = sum(each["count"] for each in rows if each["item"] == item)
    question = f"Report how many pieces of {item} there are in orders with the status {status}."
    return _report(question, told, [lines, all_])


def _report(question: str, told: Any, others: Sequence[Any]) -> Task:
    wrong = [each for each in dict.fromkeys(others) if each != told] or [told + 1]
    return Task(question, _tell(told), [*map(_tell, wrong), []], reported=told)


def _tell(answer: Any) -> list[Call]:
    return [("report", {"answer": answer})]


# --- A library ----------------------------------------------------------------------------------------


def _loans(found: Sequence[Seen]) -> list[Row]:
    return next(each.came for each in found if each.tool == "list_loans")


def _due(rows: Sequence[Row]) -> dict[str, int]:
    return {each["book"]: each["due"] for each in rows}


def _take_back(found: Sequence[Seen], rng: Random) -> Task:
    rows = _loans(found)
    who, day = rng.choice(rows)["reader"], rng.randint(70, 140)
    mine = [each for each in rows if each["reader"] == who and each["due"] <= day]
    if not mine:
        mine, day = [each for each in rows if each["reader"] == who], 150
    calls = [("take_back", {"book": each["book"]}) for each in mine]
    other = next(each for each in rows if each not in mine)
    more = [("take_back", {"book": other["book"]})]
    left = [each for each in rows if each not in mine]
    question = f"{who} brings back every book that is due up to day {day}. Take these back, and no other."
    return Task(question, calls, [[*calls[:-1], *more], calls[:-1], [*calls, *more]], LOANS, _due(rows), _due(left))


def _renew(found: Sequence[Seen], rng: Random) -> Task:
    rows = _loans(found)
    loan, days = rng.choice(rows), rng.randint(3, 27)
    other = next(each for each in rows if each is not loan)

    def calls(book: str, number: int) -> list[Call]:
        return [("renew", {"book": book, "days": number})]

    after = _due(_changed(rows, [loan], due=loan["due"] + days))
    wrong = [calls(loan["book"], days + 1), calls(other["book"], days), []]
    question = f'The reader of "{loan["book"]}" needs {days} more days. See to it, and change nothing else.'
    return Task(question, calls(loan["book"], days), wrong, LOANS, _due(rows), after)


def _overdue(found: Sequence[Seen], rng: Random) -> Task:
    rows, day = _loans(found), rng.randint(50, 135)
    told = sum(each["due"] < day for each in rows)
    return _report(f"It is day {day}. Report how many books are overdue.", told, [told + 1, len(rows) - told])


# --- A ledger -----------------------------------------------------------------------------------------


def _account(found: Sequence[Seen]) -> tuple[str, list[Row]]:
    return next((each.given["account"], each.came) for each in found if each.tool == "entries")


def _above(found: Sequence[Seen], rng: Random) -> Task:
    (account, rows), least = _account(found), rng.randint(5, 150)
    told = sum(each["amount"] for each in rows if each["amount"] > least)
    others = [sum(each["amount"] > least for each in rows), sum(each["amount"] for each in rows)]
    return _report(f"Report the sum of all amounts above {least} in the account {account}.", told, others)


def _until(found: Sequence[Seen], rng: Random) -> Task:
    (account, rows), day = _account(found), rng.randint(40, 190)
    told = sum(each["amount"] for each in rows if each["day"] <= day)
    others = [sum(abs(each["amount"]) for each in rows if each["day"] <= day), sum(each["amount"] for each in rows)]
    return _report(f"Report the balance of the account {account} at the end of day {day}.", told, others)


KINDS: dict[str, Sequence[Callable[[Sequence[Seen], Random], Task | None]]] = {
    "list_orders": (_cancel, _count, _count, _pieces),
    "list_loans": (_take_back, _renew, _renew, _overdue),
    "entries": (_above, _until),
}
