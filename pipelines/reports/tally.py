"""What came of every rule, counted: rows and their verdicts as a JSON value.

The rows stream by, in whatever order, and are not kept: a `Tally` holds counters, and of examples and scores those
whose digests are lowest. So neither the order of the rows nor the way they were cut into shards changes a report.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import atanh, ceil, inf, isfinite, sqrt, tanh
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import orjson

from filters.contamination_report import NORMAL, SEED_SOURCE
from filters.entropy import spearman
from pipelines.records import Verdict, digest, to_json

if TYPE_CHECKING:
    pass

SCHEMA = 1  # of the JSON value

EXAMPLES = 10  # of each rule and status
SAMPLED = 4_096  # numbers kept of each kind, for quantiles and correlations
NAMED = 1_000  # different names kept of each kind: reasons, domains, strategies
QUOTED = 200  # characters of a text
STATUSES = ("pass", "fail", "unsure", "error")
QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)

RENARD = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)  # ten steps of equal ratio to each power of ten (ISO 3)
LENGTHS = sorted({0, *(ceil(step * 10**power) for power in range(8) for step in RENARD)})  # from where a bin goes
TENTHS = [tenth / 10 for tenth in range(1, 10)]

T = TypeVar("T")

# --- Texts from outside ---------------------------------------------------------------------------------------


def plain(text: str, most: int = QUOTED) -> str:
    """A text from outside as one line of at most `most` characters, without any that cannot be seen."""
    some = text[: 10 * most]
    seen = some if some.isprintable() else "".join(char if char.isprintable() else " " for char in some)
    line = " ".join(seen.split())
    return line if len(line) <= most and len(some) == len(text) else f"{line[: most - 1]}…"


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds; an empty one where it holds something else."""
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return {}
    return value if isinstance(value, dict) else {}


# --- Counting in bounded space --------------------------------------------------------------------------------


class _Lowest(Generic[T]):
    """Of what comes, the `size` things with the lowest ranks."""

    def __init__(self, size: int) -> None:
        self._size, self._kept, self._bar = size, list[tuple[Any, T]](), None

    def add(self, rank: tuple[Any, ...], make: Callable[[], T]) -> None:
        if self._bar is None or rank < self._bar:
            self._kept.append((rank, make()))
            if len(self._kept) >= 2 * self._size:
                self._cut()

    def _cut(self) -> None:
        self._kept.sort(key=lambda each: each[0])
        if len(self._kept) > self._size:
            del self._kept[self._size :]
            self._bar = self._kept[-1][0]

    def kept(self) -> list[T]:
        self._cut()
        return [thing for _, thing in self._kept]


class _Names:
    """How often each name came. Of too many names those with the lowest digests are kept; the others are `others`."""

    def __init__(self) -> None:
        self.counts = Counter[Hashable]()
        self.others = 0
        self._ranks: dict[Hashable, str] = {}
        self._bar: str | None = None

    def add(self, name: Hashable) -> None:
        if name not in self.counts:
            rank = digest(name)
            if self._bar is not None and rank >= self._bar:
                self.others += 1
                return
            self._ranks[name] = rank
        self.counts[name] += 1
        if len(self.counts) > NAMED:
            last = max(self._ranks, key=self._ranks.__getitem__)
            self._bar = self._ranks.pop(last)
            self.others += self.counts.pop(last)

    def ranked(self) -> list[tuple[Any, int]]:
        """The most frequent first."""
        return sorted(self.counts.items(), key=lambda each: (-each[1], str(each[0])))


class _Numbers:
    """Numbers, their exact mean and ends, and a sample of them for the quantiles between."""

    def __init__(self) -> None:
        self.n, self._low, self._high = 0, inf, -inf
        self._sum: int | Fraction = 0  # exact, so that the order does not matter
        self._sample = _Lowest[float](SAMPLED)

    def add(self, rank: tuple[Any, ...], number: float) -> None:
        self.n += 1
        self._sum += number if isinstance(number, int) else Fraction(number)
        self._low, self._high = min(self._low, number), max(self._high, number)
        self._sample.add(rank, lambda: number)

    def told(self) -> dict[str, Any] | None:
        if not self.n:
            return None
        ordered = sorted(self._sample.kept())
        quantiles = {str(share): ordered[round(share * (len(ordered) - 1))] for share in QUANTILES}
        quantiles |= {"0": self._low, "1": self._high}
        return {"n": self.n, "sampled": len(ordered), "mean": float(self._sum / self.n), "quantiles": quantiles}


# --- One rule -------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    where: str
    rank: str
    question: str  # as it came: it is long, and few rows become examples


class _Read(NamedTuple):
    rule: str  # as it is shown
    told: Verdict
    evidence: dict[str, Any]


class _OfRule:
    """What one rule said."""

    def __init__(self) -> None:
        self.seen = self.takes_out = self.alone = 0
        self._statuses = Counter[str]()
        self._reasons = {status: _Names() for status in STATUSES}
        self._examples = {status: _Lowest[dict[str, Any]](EXAMPLES) for status in STATUSES}
        self._scores = _Numbers()
        self._context: str | None = None  # as it was read last
        self._parameters: dict[str, str] | None = None  # as JSON: what all contexts agree on

    def add(self, row: _Row, place: int, told: Verdict, evidence: Mapping[str, Any]) -> None:
        """Count a verdict. `place` is its place among those of this rule about this row."""
        status = told.status if told.status in STATUSES else "error"
        self._statuses[status] += 1
        reason = evidence.get("reason")
        reason = plain(reason) if isinstance(reason, str) and reason.strip() else None
        if status != "pass":
            self._reasons[status].add(reason or "no reason given")
        if told.score is not None and isfinite(told.score):
            self._scores.add((digest(row.where, place), told.score), told.score)
        if told.context != self._context:
            self._agree(told.context)
        # The first verdict of every row goes before the second of any: ten examples are of ten rows, if there are so
        # many.
        self._examples[status].add((place, row.rank), lambda: _example(row, told, reason, evidence))

    def _agree(self, context: str) -> None:
        self._context = context
        if self._parameters == {}:
            return
        here = _object(context)
        if self._parameters is None:
            told = {key: to_json(value) for key, value in here.items()}
            self._parameters = {key: value for key, value in told.items() if len(key) + len(value) <= 10 * QUOTED}
        old = self._parameters.items()
        self._parameters = {key: value for key, value in old if key in here and to_json(here[key]) == value}

    def told(self) -> dict[str, Any]:
        reasons = [
            {"status": status, "reason": reason, "count": count}
            for status, names in self._reasons.items()
            for reason, count in [*names.ranked(), *([("other reasons", names.others)] if names.others else [])]
        ]
        parameters = sorted((self._parameters or {}).items())
        return {
            "seen": self.seen,
            **{status: self._statuses[status] for status in STATUSES},
            "takes_out": self.takes_out,
            "alone": self.alone,
            "parameters": {plain(key): orjson.loads(value) for key, value in parameters},
            "scores": self._scores.told(),
            "reasons": reasons,
            "examples": {status: kept for status, each in self._examples.items() if (kept := each.kept())},
        }


def _example(row: _Row, told: Verdict, reason: str | None, evidence: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in evidence.items() if key != "reason"}
    return {
        "where": row.where,
        "question": plain(row.question),
        "reason": reason,
        "score": told.score if told.score is None or isfinite(told.score) else None,
        "value": None if told.value is None else plain(told.value),
        "evidence": plain(to_json(rest), 2 * QUOTED) if rest else None,
    }


# --- Benchmarks -----------------------------------------------------------------------------------------------


class _OfFile:
    """What the rows hold of one benchmark file."""

    def __init__(self) -> None:
        self.rows = 0
        self._items = Counter[int]()  # rows by item
        self._methods = Counter[str]()
        self._passages: dict[int, tuple[str, dict[str, Any]]] = {}  # by item, that of the row with the lowest rank

    def add(self, row: _Row, hit: _Found, *, again: bool) -> None:
        """Count an item in a row; `again` when the same was counted there before."""
        self._items[hit.item] += not again
        if hit.told is not None:
            passage = _passage(row, hit.told)
            self._methods[passage["method"]] += 1
            kept = self._passages.get(hit.item)
            if kept is None or row.rank < kept[0]:
                self._passages[hit.item] = row.rank, passage

    def told(self, file: str, size: int | None) -> dict[str, Any]:
        found = len(self._items)
        ranked = sorted(self._items.items(), key=lambda each: (-each[1], each[0]))
        return {
            "file": file,
            "rows": self.rows,
            "found": found,
            "of": size,
            "seed_source": None if size is None else found >= max(2, SEED_SOURCE * size),
            "methods": dict(sorted(self._methods.items())),
            "items": [
                {"item": item, "rows": rows, "example": self._passages[item][1] if item in self._passages else None}
                for item, rows in ranked[:NAMED]
            ],
        }


class _Found(NamedTuple):
    file: str
    item: int
    told: Mapping[str, Any] | None  # the passage, of the best hit


def _hits(evidence: Mapping[str, Any]) -> Iterator[_Found]:
    """Every item that the rule `contamination` names."""
    file, item, others = (evidence.get(name) for name in ("file", "item", "others"))
    if isinstance(file, str) and isinstance(item, int):
        yield _Found(plain(file), item, evidence)
    for other in others if isinstance(others, list) else []:
        file, _, number = str(other).rpartition(" #")
        if file and number.isascii() and number.isdigit() and len(number) < 10:
            yield _Found(plain(file), int(number), None)


def _passage(row: _Row, hit: Mapping[str, Any]) -> dict[str, Any]:
    share = hit.get("share")
    return {
        "where": row.where,
        "method": plain(str(hit.get("method"))),
        "share": share if isinstance(share, int | float) else None,
        "span": plain(str(hit.get("span", ""))),
        "question": plain(str(hit.get("question", ""))),
    }


# --- All rows -------------------------------------------------------------------------------------------------


class Tally:
    """Counts what rules said of rows. Its memory grows with the rules and the benchmarks, not with the rows.

    `benchmarks` tells how many items each benchmark file has, by its name as the rule `contamination` gives it;
    without, the report cannot tell whether a file looks like a source of the rows.
    """

    def __init__(self, *, benchmarks: Mapping[str, int] | None = None) -> None:
        self._sizes = benchmarks or {}
        self._rows = self._accepted = 0
        self._labels: dict[str, str] = {}
        self._rules: defaultdict[str, _OfRule] = defaultdict(_OfRule)
        self._together = Counter[tuple[str, str]]()  # rows that two rules take out
        self._files: defaultdict[str, _OfFile] = defaultdict(_OfFile)
        self._scores = _Lowest[dict[str, float]](SAMPLED)  # of rows, by rule
        self._domains, self._domains_accepted = _Names(), _Names()
        self._lengths, self._bins = _Numbers(), Counter[int]()
        self._rates, self._rate_bins = _Numbers(), Counter[int]()
        self._strategies, self._traces = _Names(), 0

    def add(
        self,
        where: str,
        question: str,
        domain: str | None,
        verdicts: Iterable[Verdict],
        lengths: Sequence[int],
        accepted: bool,
        *,
        about: str,
    ) -> None:
        """Count a row.

        `where` names it, and no other; `verdicts` are those on it and on its attempts, as they were given; `lengths`
        the words of its attempts' traces. A verdict is on the row itself when `about` is its one subject: the id of
        the row's problem. Nothing in these texts makes this fail.
        """
        line = plain(where)
        row = _Row(line, digest(line), question)
        self._rows += 1
        self._accepted += accepted
        read = [_Read(self._label(each.rule), each, _object(each.evidence)) for each in verdicts]
        self._add_verdicts(row, read)
        self._add_row(row, [each for each in read if tuple(each.told.subjects) == (about,)])
        self._add_strategies(read)
        self._add_lengths(row, lengths)
        name = None if domain is None else plain(domain)
        self._domains.add(name)
        if accepted:
            self._domains_accepted.add(name)

    def _label(self, rule: str) -> str:
        if rule not in self._labels:
            self._labels[rule] = plain(rule)
        return self._labels[rule]

    def _add_verdicts(self, row: _Row, read: Sequence[_Read]) -> None:
        places = Counter[str]()
        for each in read:
            self._rules[each.rule].add(row, places[each.rule], each.told, each.evidence)
            places[each.rule] += 1
        for rule, _ in {(each.rule, subject) for each in read for subject in each.told.subjects}:
            self._rules[rule].seen += 1

    def _add_row(self, row: _Row, read: Sequence[_Read]) -> None:
        """What verdicts on the row itself tell."""
        against = sorted({each.rule for each in read if each.told.status != "pass"})
        for rule in against:
            self._rules[rule].takes_out += 1
            self._rules[rule].alone += len(against) == 1
        self._together.update(combinations(against, 2))
        last = {each.rule: each.told.score for each in read}
        scores = {rule: score for rule, score in last.items() if score is not None and isfinite(score)}
        self._scores.add((row.rank,), lambda: scores)
        for rule in scores:
            if _name(rule) == "pass_rate" and 0 <= scores[rule] <= 1:
                self._rates.add((row.rank, rule), scores[rule])
                self._rate_bins[_tenth(scores[rule])] += 1
        self._add_hits(
            row, [hit for each in read if _name(each.rule) == "contamination" for hit in _hits(each.evidence)]
        )

    def _add_hits(self, row: _Row, hits: Sequence[_Found]) -> None:
        for file in {hit.file for hit in hits}:
            self._files[file].rows += 1
        seen: set[tuple[str, int]] = set()
        for hit in hits:
            self._files[hit.file].add(row, hit, again=hit[:2] in seen)
            seen.add(hit[:2])

    def _add_strategies(self, read: Sequence[_Read]) -> None:
        """What was said last of every attempt's strategies."""
        last = {tuple(each.told.subjects): each.evidence for each in read if _name(each.rule) == "strategy_count"}
        for evidence in last.values():
            shown = evidence.get("strategies")
            if isinstance(shown, dict):
                self._traces += 1
                for strategy in {plain(name) for name in shown}:
                    self._strategies.add(strategy)

    def _add_lengths(self, row: _Row, lengths: Sequence[int]) -> None:
        for place, length in enumerate(lengths):
            self._lengths.add((digest(row.where, place), length), length)
            self._bins[bisect_right(LENGTHS, length) - 1] += 1

    def told(self) -> dict[str, Any]:
        """All of it as a JSON value."""
        rules = {rule: self._rules[rule].told() for rule in sorted(self._rules)}
        files = [self._files[file].told(file, self._sizes.get(file)) for file in sorted(self._files)]
        return {
            "schema": SCHEMA,
            "rows": self._rows,
            "accepted": self._accepted,
            "rules": rules,
            "overlap": self._overlap(),
            "contamination": sorted(files, key=lambda each: (-each["rows"], each["file"])),
            "correlations": correlations(self._scores.kept()),
            "pass_rates": self._pass_rates(),
            "lengths": self._lengths_told(),
            "strategies": {"traces": self._traces, "shown": dict(self._strategies.ranked())},
            "domains": [
                {"domain": domain, "rows": rows, "accepted": self._domains_accepted.counts[domain]}
                for domain, rows in self._domains.ranked()
            ],
            "other_domains": {"rows": self._domains.others, "accepted": self._accepted_elsewhere()},
        }

    def _overlap(self) -> list[dict[str, Any]]:
        """Pairs of rules that take out the same rows, the most alike first."""
        out = {rule: each.takes_out for rule, each in self._rules.items()}
        pairs = [
            {"rules": [a, b], "rows": rows, "jaccard": rows / (out[a] + out[b] - rows)}
            for (a, b), rows in self._together.items()
        ]
        return sorted(pairs, key=lambda pair: (-pair["jaccard"], pair["rules"]))

    def _pass_rates(self) -> dict[str, Any] | None:
        told, bins = self._rates.told(), self._rate_bins
        edges = [0.0, 0.0, *TENTHS, 1.0, 1.0]
        counts = [{"from": edges[i], "to": edges[i + 1], "rows": bins[i]} for i in range(12)]
        return told and {**told, "at_0": bins[0], "at_1": bins[11], "bins": counts}

    def _lengths_told(self) -> dict[str, Any] | None:
        told, ends = self._lengths.told(), [*LENGTHS[1:], None]
        return told and {
            **told,
            "bins": [
                {"from": LENGTHS[i], "below": ends[i], "attempts": self._bins[i]}
                for i in range(min(self._bins), max(self._bins) + 1)
            ],
        }

    def _accepted_elsewhere(self) -> int:
        return self._accepted - sum(self._domains_accepted.counts[name] for name in self._domains.counts)


def _name(rule: str) -> str:
    return rule.partition("@")[0]


def _tenth(rate: float) -> int:
    """The bin of a pass rate: 0 and 1 have their own, 0 and 11."""
    return 0 if rate == 0 else 11 if rate == 1 else 1 + bisect_right(TENTHS, rate)


# --- Scores that go together ----------------------------------------------------------------------------------


def correlations(rows: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """For each pair of rules the correlation of their scores' ranks, on the rows that both scored.

    Pairs of which one never varies are left out. A35 asks for semantic entropy beside the pass rate: it comes first.
    """
    rules = sorted({rule for row in rows for rule in row})
    found = []
    for a, b in combinations(rules, 2):
        both = [(row[a], row[b]) for row in rows if a in row and b in row]
        r = spearman([x for x, _ in both], [y for _, y in both]) if len(both) > 1 else None
        if r is not None:
            low, high = rank_interval(r, len(both))
            found.append({"rules": [a, b], "n": len(both), "spearman": r, "low": low, "high": high})
    asked = {"pass_rate", "semantic_entropy"}
    return sorted(found, key=lambda each: (set(map(_name, each["rules"])) != asked, each["rules"]))


def rank_interval(r: float, n: int) -> tuple[float | None, float | None]:
    """The 95 % interval of a rank correlation (Bonett and Wright 2000); None below 4 pairs, and at -1 and 1."""
    if n < 4 or abs(r) >= 1 - 1e-12:
        return None, None
    half = NORMAL * sqrt((1 + r * r / 2) / (n - 3))
    return tanh(atanh(r) - half), tanh(atanh(r) + half)
