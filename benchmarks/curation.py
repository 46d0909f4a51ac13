"""Novelty, near-duplicates and contamination: what is found, what is missed, and how long it takes.

    python -m benchmarks.curation --data ../shared/data               # every section: some ten minutes
    python -m benchmarks.curation --data ../shared/data planted train # some of them
    python -m benchmarks.curation --data ../shared/data speed --questions 5000 --million 100000

`--data` is a folder with `gsm8k/train.jsonl`, `self_instruct/seed_tasks.jsonl` and `benchmarks/*.jsonl`.

planted  10,000 prompts, of which 500 are near-duplicates of others and 300 hold a benchmark's item, by rules: recall
         of each method by kind of planting, and what it flags among the rest.
train    GSM8K's training set against its own test set and the other benchmarks, with passages.
speed    ROUGE-L novelty of 52,000 prompts against their growing pool, beside rouge-score on a sample; MinHash of a
         million prompts, beside rensa on a sample; decontamination of a million.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from filters import planting
from filters.artifact import artifact
from filters.benchmarks import Item, read
from filters.contamination import Hit, contaminated
from filters.contamination_report import Rate, overlaps
from filters.near_duplicates import near_duplicates, not_near_duplicate
from filters.novelty import not_duplicate, novelty
from filters.rule import Case, Memory
from filters.words import words
from pipelines.records import problem

PROMPTS, NEAR, HELD = 10_000, 500, 300
EDITS = {
    "edited": planting.edited,
    "renumbered": planting.renumbered,
    "renamed": planting.renamed,
    "paraphrased": planting.paraphrased,
}
SENTENCE = re.compile(r"(?<=[.?!])\s+")

CONSOLE = Console(width=118)

# --- Prompts --------------------------------------------------------------------------------------------------


class Planted(NamedTuple):
    """A prompt, and what it was made from; the kind is empty where nothing was planted."""

    text: str
    kind: str = ""


def questions(path: Path, column: str = "question") -> list[str]:
    return [json.loads(line)[column] for line in path.read_bytes().splitlines()]


def clean(data: Path) -> list[str]:
    """What no benchmark holds, as far as is known."""
    return questions(data / "gsm8k/train.jsonl") + questions(data / "self_instruct/seed_tasks.jsonl", "instruction")


def mixed(texts: Sequence[str], chance: Random) -> Iterator[str]:
    """Without end: two to four sentences from anywhere, with other numbers and names."""
    sentences = [SENTENCE.split(text) for text in texts]
    while True:
        parts = [chance.choice(chance.choice(sentences)) for _ in range(chance.randint(2, 4))]
        yield planting.renamed(planting.renumbered(" ".join(parts), chance), chance)


def take(rows: Iterator[str], count: int) -> Iterator[str]:
    return (text for text, _ in zip(rows, range(count), strict=False))


def prompts(data: Path, items: Sequence[Item], chance: Random) -> list[Planted]:
    """The clean ones first, each kind of planting equally often among the rest."""
    sources = clean(data)
    originals = [*sources, *take(mixed(sources, chance), PROMPTS - NEAR - HELD - len(sources))]
    near = [Planted(edit(text, chance), kind) for kind, edit, text in _in_turn(EDITS, originals, NEAR, chance)]
    held = {"verbatim": planting.verbatim, "embedded": planting.embedded(sources), **EDITS}
    del held["edited"]
    asked = [item.question for item in items]
    holding = [
        Planted(plant(text, chance), f"item {kind}") for kind, plant, text in _in_turn(held, asked, HELD, chance)
    ]
    return [*map(Planted, originals), *near, *holding]


def _in_turn(
    kinds: dict[str, planting.Planting], texts: Sequence[str], count: int, chance: Random
) -> Iterator[tuple[str, planting.Planting, str]]:
    each = list(kinds.items())
    for i, text in enumerate(chance.sample(texts, count)):
        yield *each[i % len(each)], text


# --- What is found --------------------------------------------------------------------------------------------


def planted(data: Path) -> None:
    """Recall of each method by kind, and what it flags of what is clean."""
    items = read(data / "benchmarks")
    made = prompts(data, items, Random(4))
    texts = [each.text for each in made]
    hits = list(contaminated(texts, artifact(data / "benchmarks")))
    show_recall(
        "near-duplicates of earlier prompts",
        made,
        [kind for kind in EDITS],
        {
            "exact copies": flagged(not_duplicate(), texts),
            "ROUGE-L > 0.7": flagged(novelty(), texts),
            "MinHash, 3-grams > 0.6": flagged(not_near_duplicate(), texts),
            "MinHash, 2-grams > 0.6": flagged(not_near_duplicate(ngram=2), texts),
        },
    )
    kinds = [f"item {kind}" for kind in ("verbatim", "embedded", "renumbered", "renamed", "paraphrased")]
    methods = {f"{name} alone": [any(hit.method == name for hit in each) for each in hits] for name in METHODS}
    plain = {f"any shared {n}-gram": shares_ngram(texts, items, n) for n in (8, 13)}
    show_recall("items of benchmarks", made, kinds, {**plain, **methods, "all three": [bool(each) for each in hits]})


METHODS = ("n-gram", "fuzzy", "reordered")


def flagged(memory: Memory, texts: Sequence[str]) -> list[bool]:
    """What an ordered rule fails, where what it passes stays."""
    found = []
    for text in texts:
        of = problem(parents=(), stage="bench", draw=0, kind="task", question=text)
        found.append(memory.judge(Case(of)).status == "fail")
        if not found[-1]:
            memory.remember(text)
    return found


def shares_ngram(texts: Sequence[str], items: Sequence[Item], size: int) -> list[bool]:
    """What is mostly done: any n-gram of words that is in any item."""

    def grams(text: str) -> set[str]:
        found = words(text)
        return {" ".join(found[i : i + size]) for i in range(len(found) - size + 1)}

    known = set().union(*(grams(item.question) for item in items))
    return [not known.isdisjoint(grams(text)) for text in texts]


def show_recall(title: str, made: Sequence[Planted], kinds: Sequence[str], found: dict[str, list[bool]]) -> None:
    table = Table("method", title=title, box=None, pad_edge=False, title_justify="left")
    for column in (*kinds, "all planted", "of what is clean", "precision"):
        table.add_column(column.removeprefix("item "), justify="right")
    for method, flags in found.items():
        pairs = list(zip(made, flags, strict=True))
        by_kind = {kind: [flag for each, flag in pairs if each.kind == kind] for kind in kinds}
        every = [flag for flags in by_kind.values() for flag in flags]
        others = [flag for each, flag in pairs if not each.kind]
        right = sum(every) / max(1, sum(every) + sum(others))
        alarms = f"{sum(others)} = {sum(others) / len(others):.2%}"
        table.add_row(method, *(share(each) for each in by_kind.values()), share(every), alarms, f"{right:.1%}")
    CONSOLE.print(table, "")


def share(flags: Sequence[bool]) -> str:
    return f"{sum(flags) / len(flags):.1%}"


def train(data: Path) -> None:
    """GSM8K's training set against every benchmark."""
    items, texts = read(data / "benchmarks"), questions(data / "gsm8k/train.jsonl")
    hits = list(contaminated(texts, artifact(data / "benchmarks")))
    table = Table("benchmark", title="GSM8K train holds", box=None, pad_edge=False, title_justify="left")
    for column in ("items", "found", "questions", "share of the questions", "methods"):
        table.add_column(column, justify="right")
    for each in overlaps(items, hits):
        methods = ", ".join(f"{name} {count}" for name, count in each.methods.items())
        table.add_row(
            each.file, str(each.items), str(each.found), str(each.texts), str(Rate(each.texts, len(texts))), methods
        )
    CONSOLE.print(table, "")
    for text, [best, *_] in [(text, each) for text, each in zip(texts, hits, strict=True) if each]:
        show_hit(text, best)


def show_hit(text: str, hit: Hit) -> None:
    CONSOLE.print(f"{hit.file} #{hit.item}, {hit.method}, {hit.share:.0%}: {hit.question[:300]}", markup=False)
    CONSOLE.print(f"    in: {text[:300]}", f"    passage: {hit.span}", "", sep="\n", markup=False)


# --- How long it takes ----------------------------------------------------------------------------------------


def speed(data: Path, count: int, million: int) -> None:
    table = Table("what", title="speed", box=None, pad_edge=False, title_justify="left")
    for column in ("prompts", "seconds", "CPU s, here", "µs each", "peak MB, here", "gave"):
        table.add_column(column, justify="right")
    sources = [*clean(data), *(item.question for item in read(data / "benchmarks"))]
    pool = [*sources, *take(mixed(sources, Random(1)), count)][:count]
    some = list(take(mixed(clean(data), Random(3)), 20_000))
    every = lambda: repeated(some, million)  # noqa: E731
    rouge = min(100, count)
    measured: list[tuple[str, int, Callable[[], str]]] = [
        ("reading the stream", million, lambda: f"{sum(1 for _ in every()):,} prompts"),
        ("MinHash, near_duplicates", million, lambda: f"{sum(1 for _ in near_duplicates(every())):,} duplicates"),
        ("MinHash, near_duplicates", million // 10, lambda: gave(near_duplicates(repeated(some, million // 10)))),
        ("decontamination", million, lambda: decontaminated(every(), data)),
        ("ROUGE-L, our novelty", count, lambda: f"{sum(flagged(novelty(), pool)):,} not novel"),
        ("ROUGE-L, rouge-score", rouge, lambda: rouge_score(pool, rouge)),
        ("MinHash, rensa", 20_000, lambda: rensa(some)),
    ]
    for name, number, run in measured:
        before, cpu = time.perf_counter(), time.process_time()
        said = run()
        seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        table.add_row(
            name, f"{number:,}", f"{seconds:.1f}", f"{cpu:.1f}", f"{seconds / number * 1e6:.1f}", f"{peak}", said
        )
    CONSOLE.print(table, "")


def repeated(texts: Sequence[str], count: int) -> Iterator[str]:
    """Prompts without end out of these: two halves, of which one or both come from another."""
    chance = Random(2)
    halves = [text.split() for text in texts]
    for _ in range(count):
        one, other = chance.choice(halves), chance.choice(halves)
        yield " ".join([*one[: len(one) // 2], *other[len(other) // 2 :]])


def gave(found: Iterable[object]) -> str:
    return f"{sum(1 for _ in found):,} duplicates"


def decontaminated(texts: Iterable[str], data: Path) -> str:
    return f"{sum(1 for hits in contaminated(texts, artifact(data / 'benchmarks')) if hits):,} with an item"


def rouge_score(pool: Sequence[str], count: int) -> str:
    """Self-Instruct's own way: each question with every one of the pool; the rate tells what all would take."""
    if find_spec("rouge_score") is None:
        return "not installed"
    scorer = import_module("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=False)
    started = time.perf_counter()
    for text in pool[:count]:
        max(scorer.score(text, other)["rougeL"].fmeasure for other in pool[-50:])
    each = (time.perf_counter() - started) / count / 50
    return f"{each * 1e6:,.0f} µs a pair: {each * len(pool) ** 2 / 2 / 3600:,.0f} hours for the growing pool"


def rensa(texts: Sequence[str]) -> str:
    """The same three-word groups in a package written in Rust: candidates only, nothing compared."""
    if find_spec("rensa") is None:
        return "not installed"
    package = import_module("rensa")
    index = package.RMinHashLSH(threshold=0.6, num_perm=128, num_bands=32)
    met = 0
    for number, text in enumerate(texts):
        found, signature = words(text), package.RMinHash(num_perm=128, seed=1)
        signature.update([" ".join(found[i : i + 3]) for i in range(max(1, len(found) - 2))])
        met += bool(index.query(signature))
        index.insert(number, signature)
    return f"{met:,} with a candidate"


# --- The command line -----------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.curation", description="What curation finds, and how fast.")
    parser.add_argument("sections", nargs="*", choices=[[], "planted", "train", "speed"], default=[])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=52_000, help="for ROUGE-L")
    parser.add_argument("--million", type=int, default=1_000_000, help="prompts for MinHash and decontamination")
    options = parser.parse_args()
    sections = options.sections or ["planted", "train", "speed"]
    if "planted" in sections:
        planted(options.data)
    if "train" in sections:
        train(options.data)
    if "speed" in sections:
        speed(options.data, options.questions, options.million)


if __name__ == "__main__":
    main()
