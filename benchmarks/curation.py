"""Novelty, near-duplicates and contamination: what is found, what is missed, and how long it takes.

    python -m benchmarks.curation --data ../shared/data planted
    python -m benchmarks.curation --data ../shared/data train --out gsm8k.md
    python -m benchmarks.curation --data ../shared/data speed
    python -m benchmarks.curation --data ../shared/data --prompts 2000 --questions 2000 --million 20000  # all, small

`--data` is a folder with `gsm8k/train.jsonl`, `self_instruct/seed_tasks.jsonl` and `benchmarks/*.jsonl`. Nothing is
asserted here.

planted  10,000 prompts, of which 500 are near-duplicates of others and 300 hold a benchmark's item, by rules: recall
         of each method by kind of planting, what it flags among the rest, and precision.
train    GSM8K's training set against its own test set and the other benchmarks, each hit with its passage, and the
         report that `thoughtmill curate` would write.
speed    ROUGE-L novelty of 52,000 prompts against their growing pool, MinHash of a million, decontamination of a
         million: each in a process of its own, beside rouge-score, rensa and plain n-grams on samples.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from filters import planting
from filters.answers import wilson
from filters.artifact import artifact
from filters.benchmarks import Item, read
from filters.contamination import QUOTED, Benchmarks, Hit, Limits, Passage, contaminated
from filters.contamination_report import Overlap, overlaps
from filters.embedding_novelty import embedding_novelty
from filters.near_duplicates import near_duplicates, not_near_duplicate
from filters.novelty import not_duplicate, novelty
from filters.rule import Case, Memory
from filters.words import words
from pipelines.records import problem
from pipelines.reports.markdown import code, markdown
from pipelines.reports.tally import Tally
from pipelines.rules import bind_rule
from pipelines.stage import Step
from pipelines.stages.sift import judged
from pipelines.stages.table import STAGES

CONSOLE = Console(width=136)

# --- Prompts --------------------------------------------------------------------------------------------------

PROMPTS, NEAR, HELD = 10_000, 500, 300
REAL, MADE = "published", "mixed"  # what is clean, as far as is known: whole, or of sentences from everywhere
EDITS = {
    "edited": planting.edited,
    "renumbered": planting.renumbered,
    "renamed": planting.renamed,
    "paraphrased": planting.paraphrased,
}
HOLDING = ("verbatim", "embedded", "renumbered", "renamed", "paraphrased")
SENTENCE = re.compile(r"(?<=[.?!])\s+")


class Prompt(NamedTuple):
    """A prompt, the kind of planting that made it (or REAL or MADE), and what was planted."""

    text: str
    kind: str
    of: str = ""


class Corpus(NamedTuple):
    clean: Sequence[Prompt]
    near: Sequence[Prompt]  # near-duplicates of clean ones
    holding: Sequence[Prompt]  # an item of a benchmark


def corpus(data: Path, items: Sequence[Item], size: int) -> Corpus:
    """So many prompts, a twentieth of them near-duplicates and 3 % holding an item, as many of each kind."""
    chance, sources = Random(4), published(data)
    near, held = size * NEAR // PROMPTS, size * HELD // PROMPTS
    real = sources if len(sources) < size - near - held else chance.sample(sources, size * 3 // 4)
    made = islice(mixed(sources, chance), size - near - held - len(real))
    clean = [*(Prompt(text, REAL) for text in real), *(Prompt(text, MADE) for text in made)]
    around = {"verbatim": planting.verbatim, "embedded": planting.embedded(sources)}
    return Corpus(
        clean,
        list(_planted(EDITS, [each.text for each in clean], near, chance)),
        list(_planted({kind: {**around, **EDITS}[kind] for kind in HOLDING}, _asked(items), held, chance)),
    )


def _planted(
    kinds: Mapping[str, planting.Planting], texts: Sequence[str], count: int, chance: Random
) -> Iterator[Prompt]:
    names = list(kinds)
    for i, text in enumerate(chance.sample(texts, count)):
        name = names[i % len(names)]
        yield Prompt(kinds[name](text, chance), name, text)


def published(data: Path) -> list[str]:
    """What no benchmark is said to hold."""
    return column(data / "gsm8k/train.jsonl", "question") + column(
        data / "self_instruct/seed_tasks.jsonl", "instruction"
    )


def column(path: Path, name: str) -> list[str]:
    return [orjson.loads(line)[name] for line in path.read_bytes().splitlines()]


def mixed(texts: Sequence[str], chance: Random) -> Iterator[str]:
    """Without end: two to four sentences from anywhere, with other numbers and names."""
    sentences = [SENTENCE.split(text) for text in texts]
    while True:
        parts = [chance.choice(chance.choice(sentences)) for _ in range(chance.randint(2, 4))]
        yield planting.renamed(planting.renumbered(" ".join(parts), chance), chance)


def _asked(items: Sequence[Item]) -> list[str]:
    return [item.question for item in items]


# --- What each method flags -----------------------------------------------------------------------------------

Flag = Callable[[Prompt], bool]

PROMISED = "contamination\nn-gram and fuzzy"

ORDERED: Mapping[str, Callable[[], Memory]] = {
    "not_duplicate": not_duplicate,
    "novelty\nat 0.7": novelty,
    "novelty\nat 0.5": partial(novelty, at_most=0.5),
    "not_near_duplicate\nat 0.6": not_near_duplicate,
    "not_near_duplicate\nat 0.4": partial(not_near_duplicate, at_most=0.4),
    "embedding_novelty\nwords, at 0.9": embedding_novelty,
}


def among_earlier(memory: Memory) -> Flag:
    """What an ordered rule fails; what it passes stays for the next to be compared with."""

    def flag(prompt: Prompt) -> bool:
        failed = memory.judge(_case(prompt.text)).status == "fail"
        if not failed:
            memory.remember(prompt.text)
        return failed

    return flag


def among_items(memory: Memory, items: Sequence[Item]) -> Flag:
    """What an ordered rule fails that knows the benchmarks, and nothing else."""
    for item in items:
        memory.remember(item.question)
    return lambda prompt: memory.judge(_case(prompt.text)).status == "fail"


def _case(text: str, draw: int = 0) -> Case:
    return Case(problem(parents=(), stage="benchmark", draw=draw, kind="task", question=text))


NEVER = 2.0  # as a limit: twice the item


class WithoutRuns(Benchmarks):
    """Without the look for equal words, which no limit switches off: 13 in a row count whatever they cover."""

    def _by_runs(self, code: str, text: str, limits: Limits) -> dict[int, Passage]:
        return {}


def looks(items: Sequence[Item]) -> dict[str, Flag]:
    """The looks of the rule `contamination`, one by one and together."""
    whole, without = Benchmarks(items), WithoutRuns(items)
    return {
        "contamination\nn-gram": holds(whole, Limits(alike=NEVER, shared=NEVER)),
        "contamination\nfuzzy": holds(without, Limits(shared=NEVER)),
        "contamination\nreordered": holds(without, Limits(alike=NEVER)),
        PROMISED: holds(whole, Limits(shared=NEVER)),
        "contamination\nall three": holds(whole, Limits()),
    }


def holds(benchmarks: Benchmarks, limits: Limits) -> Flag:
    """Of a prompt that holds an item, whether this item was named; of another, whether any was."""

    def flag(prompt: Prompt) -> bool:
        named = [hit.question for hit in benchmarks.hits(prompt.text, limits)]
        return prompt.of[:QUOTED] in named if prompt.of else bool(named)

    return flag


def shares_ngram(items: Iterable[Item], size: int) -> Callable[[str], bool]:
    """What is mostly done: any n-gram of words that is in any item."""

    def grams(text: str) -> set[str]:
        found = words(text)
        return {" ".join(found[i : i + size]) for i in range(len(found) - size + 1)}

    known = set().union(*(grams(item.question) for item in items))
    return lambda text: not known.isdisjoint(grams(text))


def of_text(flags: Callable[[str], bool]) -> Flag:
    return lambda prompt: flags(prompt.text)


# --- Planted --------------------------------------------------------------------------------------------------


class Count(NamedTuple):
    """k of n."""

    k: int
    n: int

    def __add__(self, other: Any) -> Count:
        return Count(self.k + other.k, self.n + other.n)

    def __str__(self) -> str:
        """The share in percent, and below it Wilson's interval at 95 %."""
        if not self.n:
            return "none"
        low, high = wilson(self.k, self.n)
        return f"{_percent(self.k / self.n)} %\n{_percent(low)} to {_percent(high)}"


def _percent(share: float) -> str:
    """With decimals near none and near all, where they tell something."""
    decimals = 0 if share in (0, 1) else 2 if share < 0.01 else 1 if share < 0.1 or share > 0.95 else 0
    return f"{100 * share:.{decimals}f}"


Counts = Mapping[str, Count]
"""By kind of prompt, how many a method flags."""


def planted(data: Path, size: int) -> None:
    """Recall of each method by kind, and what it flags of what is clean."""
    items = read(data / "benchmarks")
    made = corpus(data, items, size)
    CONSOLE.print(
        f"{len(made.clean):,} clean, {len(made.near)} near-duplicates, {len(made.holding)} with an item", ""
    )
    copies = {name: counted(among_earlier(start()), [*made.clean, *made.near]) for name, start in ORDERED.items()}
    show_recall("Near-duplicates of earlier prompts", list(EDITS), copies)

    flags = {name: among_items(start(), items) for name, start in ORDERED.items()}
    flags |= {f"any shared\n{n}-gram": of_text(shares_ngram(items, n)) for n in (8, 13)}
    flags |= looks(items)
    held = {name: counted(flag, [*made.clean, *made.holding]) for name, flag in flags.items()}
    show_recall("Items of benchmarks, among which all are compared", list(HOLDING), held)
    CONSOLE.print(promise(held[PROMISED]), "")
    show_alarms(made.clean, Benchmarks(items))


def counted(flag: Flag, prompts: Sequence[Prompt]) -> Counts:
    flags = [(prompt.kind, flag(prompt)) for prompt in prompts]
    sizes, found = Counter(kind for kind, _ in flags), Counter(kind for kind, flagged in flags if flagged)
    return {kind: Count(found[kind], size) for kind, size in sizes.items()}


def show_recall(title: str, kinds: Sequence[str], found: Mapping[str, Counts]) -> None:
    table = Table("method", title=title, box=None, pad_edge=False, title_justify="left")
    for name in (*kinds, "all planted", f"alarms\n{REAL}", f"alarms\n{MADE}", "precision"):
        table.add_column(name, justify="right", no_wrap=True)
    for method, counts in found.items():
        planted = sum((counts[kind] for kind in kinds), Count(0, 0))
        alarms = counts[REAL] + counts[MADE]
        precision = Count(planted.k, planted.k + alarms.k)
        shown = [*(counts[kind] for kind in kinds), planted, counts[REAL], counts[MADE], precision]
        table.add_row(method, *map(str, shown))
    CONSOLE.print(table, "")


def promise(counts: Counts) -> str:
    """Whether n-gram plus fuzzy finds 99 % of verbatim and embedded items at 0.5 % false alarms or fewer."""
    found, alarms = counts["verbatim"] + counts["embedded"], counts[REAL] + counts[MADE]
    kept = found.k >= 0.99 * found.n and alarms.k <= 0.005 * alarms.n
    return (
        f"n-gram plus fuzzy finds {found.k} of {found.n} verbatim and embedded items ({found.k / found.n:.1%}; wanted"
        f" 99 % at least) and flags {alarms.k} of {alarms.n:,} clean prompts ({alarms.k / alarms.n:.2%}; wanted 0.5 %"
        f" at most): this {'holds' if kept else 'DOES NOT HOLD'}."
    )


def show_alarms(clean: Sequence[Prompt], benchmarks: Benchmarks) -> None:
    """The first alarms, to be judged by a person: a published prompt may well hold an item."""
    found = ((prompt, benchmarks.hits(prompt.text, Limits(shared=NEVER))) for prompt in clean)
    alarms = ((prompt, hits) for prompt, hits in found if hits)
    CONSOLE.print("Flagged among the clean, by n-gram and fuzzy (the first twenty):")
    for prompt, [best, *_] in islice(alarms, 20):
        CONSOLE.print(f"- {best.file} #{best.item}, {best.method} {best.share:.0%}: {best.question}", markup=False)
        CONSOLE.print(f"  {prompt.kind}: {prompt.text[:QUOTED]}", markup=False)
    CONSOLE.print("")


# --- GSM8K's training set -------------------------------------------------------------------------------------


class Told(NamedTuple):
    """An item in a row of the corpus."""

    row: int  # from 1
    hit: Hit


def train(data: Path, out: Path | None) -> None:
    """GSM8K's training set against every benchmark."""
    items, texts = read(data / "benchmarks"), column(data / "gsm8k/train.jsonl", "question")
    hits = list(contaminated(texts, artifact(data / "benchmarks")))
    found = overlaps(items, hits)
    table = Table(
        *HEAD, title=f"GSM8K train, {len(texts):,} rows, holds", box=None, pad_edge=False, title_justify="left"
    )
    for each in found:
        table.add_row(*_cells(each, len(texts)))
    CONSOLE.print(table, "")
    told = [Told(row, hit) for row, each in enumerate(hits, 1) for hit in each]
    lines = [*_heading(found, len(texts)), *(line for each in found for line in _hits(each.file, told))]
    if out is None:
        CONSOLE.print("\n".join(lines), markup=False, soft_wrap=True)
        return
    out.write_text("\n".join(lines) + "\n\n" + curated(data, items, texts), encoding="utf-8")
    CONSOLE.print(f"{len(told)} hits with their passages, and the report: {out}", "")


HEAD = ("benchmark", "items", "found", "rows", "of the rows", "rows by method")


def _cells(each: Overlap, rows: int) -> list[str]:
    methods = ", ".join(f"{name} {count}" for name, count in sorted(each.methods.items())) or "none"
    share = str(Count(each.texts, rows)).replace("\n", ", ")
    return [each.file, f"{each.items:,}", f"{each.found:,}", f"{each.texts:,}", share, methods]


def _heading(found: Sequence[Overlap], rows: int) -> list[str]:
    table = [HEAD, ["---"] * len(HEAD), *(_cells(each, rows) for each in found)]
    return [
        f"# What GSM8K's {rows:,} training questions hold of benchmarks",
        "",
        *(f"| {' | '.join(row)} |" for row in table),
        "",
    ]


def _hits(file: str, told: Sequence[Told]) -> Iterator[str]:
    """Every hit of a file: the item, how and how much of it was found, and the passage."""
    here = sorted((each for each in told if each.hit.file == file), key=lambda each: (each.hit.item, each.row))
    yield f"## {file}: {len(here) or 'no'} hits"
    yield ""
    for row, hit in here:
        yield f"- item {hit.item}, {hit.method}, {hit.share:.0%} of it: {code(hit.question, QUOTED)}"
        yield f"  - row {row} holds: {code(hit.span, QUOTED)}"
    if here:
        yield ""


def curated(data: Path, items: Sequence[Item], texts: Sequence[str]) -> str:
    """What `thoughtmill curate --against` reports of these questions."""
    bound = bind_rule({"rule": "contamination", "against": str(data / "benchmarks")}, "benchmark", Path())
    step = Step("benchmark", STAGES["sift"], {"rules": [bound]})
    tally = Tally(benchmarks=Counter(item.file for item in items))
    for row, text in enumerate(texts, 1):
        case = _case(text, row)
        told = judged(case, [bound], _no_check, step)
        stays = all(each.status == "pass" for each in told)
        tally.add(f"row {row}", text, None, told, [], stays, about=case.problem.id)
    return markdown(tally.told())


def _no_check(verifier: str, reference: str, answer: str) -> Any:
    raise NotImplementedError("no rule here asks a verifier")


# --- How long it takes ----------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """What one piece of work took, in its process and those that it started."""

    seconds: float
    cpu: float
    before: int | None  # anonymous memory, in bytes; None where it cannot be read
    peak: int | None
    gave: str


Work = Callable[[Path, int], Callable[[], str]]
"""From the data and a number of prompts, what is to be measured; what it returns says what it gave."""


def speed(data: Path, questions: int, million: int) -> None:
    few = min(questions, 100)
    measured: list[tuple[str, Work, int, str]] = [
        ("ROUGE-L, novelty", rouge_l, questions, "52,000 under 120 s"),
        ("ROUGE-L, rouge-score", rouge_score, few, ""),
        ("reading a stream", reading, million, ""),
        ("MinHash, near_duplicates", minhash, million // 4, ""),
        ("MinHash, near_duplicates", minhash, million, "a million under 60 s, flat"),
        ("MinHash, rensa", rensa, million // 10, ""),
        ("decontamination", decontamination, million // 4, ""),
        ("decontamination", decontamination, million, "a million under 120 s"),
        ("any shared 13-gram", plain_ngrams, million // 10, ""),
    ]
    table = Table("what", title="speed", box=None, pad_edge=False, title_justify="left")
    for name in ("prompts", "seconds", "CPU s", "µs each", "MB before", "MB at most", "wanted", "gave"):
        table.add_column(name, justify="left" if name in ("wanted", "gave") else "right")
    for name, work, count, wanted in measured:
        cost = alone(work, data, count)
        each, memory = cost.seconds / max(1, count) * 1e6, [_megabytes(cost.before), _megabytes(cost.peak)]
        row = [f"{count:,}", f"{cost.seconds:.1f}", f"{cost.cpu:.1f}", f"{each:,.1f}", *memory]
        table.add_row(name, *row, wanted, cost.gave)
    CONSOLE.print(
        table, "Seconds are the clock's; memory is anonymous (RssAnon), the started processes included.", ""
    )


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f}"


def alone(work: Work, data: Path, count: int) -> Cost:
    """The cost in a fresh process, so that nothing that went before is in it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, data, count).result()


def _measured(work: Work, data: Path, count: int) -> Cost:
    run = work(data, count)
    before, cpu, started = anonymous(), _cpu(), time.perf_counter()
    seen, over = [before], threading.Event()
    watcher = threading.Thread(target=_watch, args=(seen, over))
    watcher.start()
    try:
        gave = run()
        seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    finally:
        over.set()
        watcher.join()
    known = [size for size in seen if size is not None]
    return Cost(seconds, cpu, before, max(known, default=None), gave)


def _watch(seen: list[int | None], over: threading.Event) -> None:
    while not over.wait(0.1):
        seen.append(anonymous())


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def anonymous() -> int | None:
    """Bytes of memory that no file backs, of this process and of those that it started; None where none tells."""
    own = Path("/proc/self")
    if not (own / "status").exists():
        return None
    started = [pid for task in own.glob("task/*/children") for pid in _text(task).split()]
    return sum(map(_anonymous, [own, *(Path("/proc", pid) for pid in started)]))


def _anonymous(process: Path) -> int:
    found = re.search(r"^RssAnon:\s*(\d+) kB", _text(process / "status"), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _text(path: Path) -> str:
    """What stands in a file of /proc; nothing if its process has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def rouge_l(data: Path, count: int) -> Callable[[], str]:
    pool = _pool(data, count)
    return lambda: f"{sum(map(among_earlier(novelty()), pool)):,} not novel"


def _pool(data: Path, count: int) -> list[Prompt]:
    """Published prompts, then those of benchmarks, then of mixed sentences."""
    sources = [*published(data), *_asked(read(data / "benchmarks"))]
    return [Prompt(text, "") for text in [*sources, *islice(mixed(sources, Random(1)), count)][:count]]


def reading(data: Path, count: int) -> Callable[[], str]:
    stream = _stream(data, count)
    return lambda: f"{sum(map(len, stream)) / max(1, count):.0f} characters each"


def minhash(data: Path, count: int) -> Callable[[], str]:
    stream = _stream(data, count)
    return lambda: f"near-duplicates: {sum(1 for _ in near_duplicates(stream)):,}"


def decontamination(data: Path, count: int) -> Callable[[], str]:
    stream, against = _stream(data, count), artifact(data / "benchmarks")
    return lambda: f"{sum(map(bool, contaminated(stream, against))):,} with an item"


def plain_ngrams(data: Path, count: int) -> Callable[[], str]:
    stream, shares = _stream(data, count), shares_ngram(read(data / "benchmarks"), 13)
    return lambda: f"{sum(map(shares, stream)):,} flagged"


def _stream(data: Path, count: int) -> Iterator[str]:
    """Prompts that are made as they are asked for: the first half of one and the second of another."""
    chance = Random(2)
    halves = [text.split() for text in islice(mixed(published(data), Random(3)), 20_000)]
    pairs = ((chance.choice(halves), chance.choice(halves)) for _ in range(count))
    return (" ".join([*one[: len(one) // 2], *other[len(other) // 2 :]]) for one, other in pairs)


# --- What people use today, where it is installed ---


def rouge_score(data: Path, count: int) -> Callable[[], str]:
    """Self-Instruct's own way: each question with every one of the pool; the rate tells what all would take."""
    if find_spec("rouge_score") is None:
        return lambda: "not installed"
    scorer = import_module("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=False)
    texts = [prompt.text for prompt in _pool(data, count)]

    def run() -> str:
        started = time.perf_counter()
        for text in texts:
            max(scorer.score(text, other)["rougeL"].fmeasure for other in texts[-50:])
        each = (time.perf_counter() - started) / len(texts) / len(texts[-50:])
        return f"{each * 1e6:,.0f} µs a pair: {each * 52_000**2 / 2 / 3600:,.0f} hours for 52,000"

    return run


def rensa(data: Path, count: int) -> Callable[[], str]:
    """The same three-word groups in a package written in Rust: candidates only, nothing compared."""
    if find_spec("rensa") is None:
        return lambda: "not installed"
    package, stream = import_module("rensa"), _stream(data, count)

    def run() -> str:
        index, met = package.RMinHashLSH(threshold=0.6, num_perm=128, num_bands=32), 0
        for number, text in enumerate(stream):
            found, signature = words(text), package.RMinHash(num_perm=128, seed=1)
            signature.update([" ".join(found[i : i + 3]) for i in range(max(1, len(found) - 2))])
            met += bool(index.query(signature))
            index.insert(number, signature)
        return f"{met:,} with a candidate"

    return run


# --- The command line -----------------------------------------------------------------------------------------

SECTIONS = ("planted", "train", "speed")


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.curation", description="What curation finds, and how fast.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all without")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="for planted")
    parser.add_argument("--out", type=Path, help="a Markdown file for train")
    parser.add_argument("--questions", type=int, default=52_000, help="for ROUGE-L")
    parser.add_argument("--million", type=int, default=1_000_000, help="prompts for MinHash and decontamination")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    if not 200 <= options.prompts <= 90_000:
        parser.error(
            f"--prompts {options.prompts}: from 200, for one of each kind, to 90,000, for the items there are"
        )
    sections = options.sections or SECTIONS
    if "planted" in sections:
        planted(options.data, options.prompts)
    if "train" in sections:
        train(options.data, options.out)
    if "speed" in sections:
        speed(options.data, options.questions, options.million)


if __name__ == "__main__":
    main()
