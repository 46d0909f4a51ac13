r"""How fast and how right the mathematics verifier is, beside math-verify, on this machine in one run.

    python -m benchmarks.verifiers              # both sections
    python -m benchmarks.verifiers accuracy     # the table of cases, each verdict of both
    python -m benchmarks.verifiers speed --rounds 3

`speed` verifies the 3,118 real responses of ../shared/data (480 of MATH, 2,638 of GSM8K; it stops with a word where
these are not there): math-verify one after another in one process, math-verify in a pool of two processes, and ours
with two workers. All take whole responses and end with verdicts. Each is timed with the start of its processes and
imports, and without (a warm-up of one pair in each process first, for ours one that needs algebra). Rounds go in
turn, so that a slow minute of the machine hits all; medians are printed, nothing is asserted.

`accuracy` runs both over tests/filters/verifiers/tables/math.py. math-verify is used as its documentation says: the
reference parsed as `$...$`, the whole response by its own extraction, `verify(reference, response)`. It never says
"unsure", so what it cannot read counts as failed. Cases whose reference declares a tolerance or several answers are
left out, because only ours can read them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.pool
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from filters.verifiers import answer_in, math
from filters.verifiers.workers import Workers
from tests.filters.verifiers.tables.math import CHEATS, HITS, MISSES

DATA = Path(__file__).parents[2] / "shared" / "data"
PROCESSES = 2
PATIENCE = 20.0  # seconds for one pair of math-verify, whose own limit is five
WARM_UP = (r"\cos^2 x", r"\boxed{1 - \sin^2 x}")

Pair = tuple[str, str]  # reference, response
Verdicts = list[str]  # pass, fail, unsure or error


class Run(NamedTuple):
    """What one way of verifying gave; seconds with and without the start of processes and imports."""

    verdicts: Verdicts
    started: float
    warm: float


# --- The three ways -----------------------------------------------------------------------------------


def _by_math_verify(pair: Pair) -> str:
    from math_verify import parse, verify

    return "pass" if verify(parse(f"${pair[0]}$"), parse(pair[1])) else "fail"


def one_after_another(pairs: Sequence[Pair]) -> Run:
    """math-verify in a new process of its own."""
    return _in_processes(pairs, count=1)


def in_a_pool(pairs: Sequence[Pair]) -> Run:
    """math-verify in as many processes as ours, a few pairs at a time."""
    return _in_processes(pairs, count=PROCESSES)


def _in_processes(pairs: Sequence[Pair], *, count: int) -> Run:
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(count, initializer=_by_math_verify, initargs=(WARM_UP,)) as pool:
        pool.map(_slowly, range(count), chunksize=1)
        ready = time.perf_counter()
        verdicts = pool.map(_by_math_verify, pairs, chunksize=16)
        end = time.perf_counter()
    return Run(verdicts, started=end - begin, warm=end - ready)


def _slowly(_: int) -> None:
    """Take long enough that each process of the pool gets one of these."""
    time.sleep(0.5)


def ours(pairs: Sequence[Pair]) -> Run:
    """Our extraction in a new process, and our comparison with two workers of that process."""
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        verdicts, _ = pool.apply(_ours_at_once, (pairs,))
        started = time.perf_counter() - begin
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return Run(verdicts, started, pool.apply(_ours_at_once, (pairs,), {"warmed": True})[1])


def _ours_at_once(pairs: Sequence[Pair], *, warmed: bool = False) -> tuple[Verdicts, float]:
    return asyncio.run(_ours(pairs, warmed=warmed))


async def _ours(pairs: Sequence[Pair], *, warmed: bool) -> tuple[Verdicts, float]:
    async with Workers(count=PROCESSES) as workers:
        if warmed:
            await asyncio.gather(
                *(_verdicts(workers, [(WARM_UP[0], f"{WARM_UP[1]}{' ' * i}")]) for i in range(PROCESSES))
            )
        begin = time.perf_counter()
        verdicts = await _verdicts(workers, pairs)
        return verdicts, time.perf_counter() - begin


async def _verdicts(workers: Workers, pairs: Sequence[Pair]) -> Verdicts:
    found = [(reference, answer_in("math", response)) for reference, response in pairs]
    asked = [(reference, answer) for reference, answer in found if answer is not None]
    outcomes = iter(await workers.check("math", asked))
    return ["fail" if answer is None else next(outcomes).status for _, answer in found]


# --- Speed --------------------------------------------------------------------------------------------


class Labelled(NamedTuple):
    pair: Pair
    right: bool


def real_responses() -> list[Labelled]:
    """The responses of both sets, with their labels."""
    samples = [
        Labelled((row["answer"], response), score)
        for row in _rows("math_samples/qwen_math_8_samples.jsonl")
        for response, score in zip(row["response"], row["score"], strict=True)
    ]
    solutions = [
        Labelled((str(math.final_answer(row["ground_truth"])), row[model]["solution"]), row[model]["is_correct"])
        for row in _rows("gsm8k/model_solutions_6b.jsonl")
        for model in ("6b_finetuning", "6b_verification")
    ]
    return samples + solutions


def _rows(path: str) -> Iterable[dict]:
    if not (DATA / path).exists():
        raise SystemExit(f"{path} is not at ../shared/data beside the repository")
    return map(json.loads, (DATA / path).read_text().splitlines())


WAYS: dict[str, Callable[[Sequence[Pair]], Run]] = {
    "math-verify, one process": one_after_another,
    f"math-verify, {PROCESSES} processes": in_a_pool,
    f"ours, {PROCESSES} workers": ours,
}


def speed(rounds: int) -> Table:
    """Seconds, rates, and how often each agrees with the labels."""
    labelled = real_responses()
    pairs, labels = [each.pair for each in labelled], [each.right for each in labelled]
    runs: dict[str, list[Run]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            runs[name].append(way(pairs))
    return _show_speed(runs, labels)


def _show_speed(runs: dict[str, list[Run]], labels: list[bool]) -> Table:
    table = Table("way", box=None, pad_edge=False)
    for title in ("s", "responses/s", "ours is", "s with start", "ours is", "agree", "no verdict"):
        table.add_column(title, justify="right", no_wrap=True)
    seconds = {name: (median(r.warm for r in each), median(r.started for r in each)) for name, each in runs.items()}
    best = list(seconds.values())[-1]
    for name, each in runs.items():
        warm, started = seconds[name]
        agree = sum((said == "pass") == right for said, right in zip(each[0].verdicts, labels, strict=True))
        lost = sum(said not in ("pass", "fail") for said in each[0].verdicts)
        ratios = (f"{warm / best[0]:.1f}×", f"{started / best[1]:.1f}×")  # noqa: RUF001
        shown = (f"{warm:.2f}", f"{len(labels) / warm:,.0f}", ratios[0], f"{started:.2f}", ratios[1])
        table.add_row(name, *shown, f"{agree:,} of {len(labels):,}", str(lost))
    return table


# --- Accuracy -----------------------------------------------------------------------------------------

TABLES = {"hits": (HITS, {"pass"}), "misses": (MISSES, {"fail"}), "cheats": (CHEATS, {"fail", "unsure"})}


def accuracy(*, show: bool) -> Table:
    """Verdicts over the table of cases: right, passed wrongly, failed wrongly, undecided or broken."""
    table = Table("cases", "by", box=None, pad_edge=False)
    for title in ("right", "wrong pass", "wrong fail", "unsure"):
        table.add_column(title, justify="right")
    for name, (all_cases, _) in TABLES.items():
        cases = [case for case in all_cases if not case[0].startswith('{"')]
        verdicts = {"math-verify": _patiently(cases), "ours": _ours_at_once(cases, warmed=True)[0]}
        for by, said in verdicts.items():
            counts = Counter(_judged(name, verdict) for verdict in said)
            table.add_row(f"{len(cases)} {name}", by, *(str(counts[kind]) for kind in KINDS))
        if show:
            _print_errors(name, cases, verdicts["math-verify"])
    return table


KINDS = ("right", "wrong pass", "wrong fail", "unsure")


def _judged(name: str, verdict: str) -> str:
    if verdict in TABLES[name][1]:
        return "right"
    return {"pass": "wrong pass", "fail": "wrong fail"}.get(verdict, "unsure")


def _patiently(cases: Sequence[Pair]) -> Verdicts:
    """math-verify over the cases, in a process that is replaced when it hangs or dies."""
    verdicts: Verdicts = []
    pool = _new_pool()
    for reference, response in cases:
        try:
            verdicts.append(pool.apply_async(_by_math_verify, [(_plain(reference), response)]).get(PATIENCE))
        except multiprocessing.TimeoutError:
            verdicts.append("unsure")
            pool.terminate()
            pool = _new_pool()
        except Exception:  # noqa: BLE001 - whatever it raises, it gave no verdict
            verdicts.append("error")
    pool.terminate()
    return verdicts


def _new_pool() -> multiprocessing.pool.Pool:
    return multiprocessing.get_context("spawn").Pool(1)


def _plain(reference: str) -> str:
    """The answer of a reference without the box and the dollar signs around it."""
    return str(math.gold(reference) or reference).strip("$")


def _print_errors(name: str, cases: Sequence[Pair], verdicts: Verdicts) -> None:
    for (reference, response), said in zip(cases, verdicts, strict=True):
        if _judged(name, said) != "right":
            print(f"  {said:6} {reference[:40]!r:44} {response[:70]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        "benchmarks.verifiers", description="Our mathematics verifier beside math-verify."
    )
    parser.add_argument("sections", nargs="*", choices=["accuracy", "speed", []], default=[])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--errors", action="store_true", help="print the cases that math-verify gets wrong")
    options = parser.parse_args()
    console = Console(width=118)
    if "accuracy" in options.sections or not options.sections:
        console.print(accuracy(show=options.errors))
    if "speed" in options.sections or not options.sections:
        console.print(speed(options.rounds))


if __name__ == "__main__":
    main()
