"""A report in words, for a person. Whatever comes from outside stands in it as inert text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filters.answers import wilson
from filters.contamination_report import SEED_SOURCE
from pipelines.records import to_json
from pipelines.reports.tally import EXAMPLES, QUOTED, SAMPLED, STATUSES, plain

if TYPE_CHECKING:
    pass


PAIRS = 20  # of rules that are shown
BARS = 30  # characters of the longest bar
NO_PLOTS = "There are no plots beside this: `pip install 'thoughtmill[plots]'` and make the report again."

_TICKS = re.compile(r"`+")


def markdown(told: Mapping[str, Any], plots: Sequence[Path] = ()) -> str:
    """The report for a person: tables first, examples last; `plots` are the pictures that stand beside it.

    Every text from outside stands in a code span that it cannot leave, so it is neither markup nor a link.
    """
    pictures = {path.stem: f"![{path.stem.replace('_', ' ')}]({path.name})" for path in plots}
    drawn = told["pass_rates"] or told["lengths"] or told["strategies"]["shown"] or told["rows"]
    sections = [
        "# What the rules said",
        _summary(told),
        pictures.get("funnel", ""),
        *_rules(told["rules"]),
        *_reasons(told["rules"]),
        *_overlap(told["overlap"]),
        *_contamination(told["contamination"]),
        *_scores(told["rules"]),
        *_correlations(told["correlations"]),
        *_pass_rates(told["pass_rates"], pictures),
        *_lengths(told["lengths"], pictures),
        *_strategies(told["strategies"], pictures),
        *_domains(told, pictures),
        NO_PLOTS if drawn and not plots else "",
        *_examples(told["rules"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def code(text: object, most: int = QUOTED) -> str:
    """A text from outside as a code span, whatever backticks are in it."""
    line = plain(str(text), most)
    if not line:
        return "(empty)"
    fence = "`" * (1 + max(map(len, _TICKS.findall(line)), default=0))
    space = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{space}{line}{space}{fence}"


def _cell(text: object) -> str:
    """The same in a table, where a pipe needs a backslash, and that no other before it."""
    return re.sub(r"(\\?)\|", lambda pipe: rf"{pipe[1] and pipe[1] + ' '}\|", code(text, 80))


def _table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """Columns of numbers are named with a colon at their end."""
    names = head.split(" | ")
    rule = "|".join("---:" if name.endswith(":") else "---" for name in names)
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(name.rstrip(':') for name in names)} |", f"|{rule}|", *lines])


def _number(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:,.0f}" if abs(number) >= 1000 and abs(number) < 1e15 else f"{number:.3g}"


def _bar(count: int, most: int) -> str:
    return "█" * ceil(BARS * count / most) if count else ""


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _summary(told: Mapping[str, Any]) -> str:
    rows, accepted = told["rows"], told["accepted"]
    if not rows:
        return "There are no rows."
    low, high = wilson(accepted, rows)
    return f"{rows:,} rows, {accepted:,} accepted: {accepted / rows:.1%} (95 % interval {low:.1%} to {high:.1%})."


def _by_effect(rules: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The rules that take out the most first."""
    return sorted(rules.items(), key=lambda each: (-each[1]["takes_out"], -each[1]["fail"], each[0]))


def _rules(rules: Mapping[str, Any]) -> list[str]:
    if not rules:
        return []
    rows = [
        [_cell(rule), *(f"{each[name]:,}" for name in ("seen", *STATUSES, "takes_out", "alone"))]
        for rule, each in _by_effect(rules)
    ]
    table = _table("rule | seen: | pass: | fail: | unsure: | error: | rows it takes out: | it alone:", rows)
    about = (
        "A rule has seen so many problems or attempts. It takes a row out when its verdict on the row itself is"
        " not a pass; it alone, when no other rule does. A rule sees only what came through the steps before it."
    )
    return ["## Rules", table, about]


def _reasons(rules: Mapping[str, Any]) -> list[str]:
    lines = []
    for rule, each in _by_effect(rules):
        if each["reasons"]:
            lines.append(f"- {code(rule)}")
            lines += [f"  - {why['status']}, {why['count']:,}: {code(why['reason'])}" for why in each["reasons"]]
    return ["## Why not", "\n".join(lines)] if lines else []


def _overlap(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not pairs:
        return []
    rows = [[*map(_cell, pair["rules"]), f"{pair['rows']:,}", f"{pair['jaccard']:.2f}"] for pair in pairs[:PAIRS]]
    more = f"And {len(pairs) - PAIRS:,} pairs more." if len(pairs) > PAIRS else ""
    about = "The last column is the share of the rows that either takes out (Jaccard)."
    table = _table("rule | and | rows that both take out: | alike:", rows)
    return ["## Rules that take out the same", table, about, more]


def _contamination(files: Sequence[Mapping[str, Any]]) -> list[str]:
    if not files:
        return []
    source = {True: "yes", False: "no", None: "unknown"}
    rows = [
        [
            _cell(each["file"]),
            f"{each['rows']:,}",
            f"{each['found']:,}" + ("" if each["of"] is None else f" of {each['of']:,}"),
            source[each["seed_source"]],
        ]
        for each in files
    ]
    table = _table("benchmark | rows that hold an item: | different items: | looks like a source of the rows", rows)
    about = (
        f"A benchmark looks like a source when {SEED_SOURCE:.0%} of its items, and two at least, are in the rows;"
        " unknown where the number of its items was not told."
    )
    spans = [line for each in files for line in _spans(each)]
    return ["## Benchmarks", table, about, "\n".join(spans)]


def _spans(file: Mapping[str, Any]) -> Iterator[str]:
    """The items that most rows hold, each with one passage."""
    yield f"- {code(file['file'])}"
    for each in file["items"][:EXAMPLES]:
        yield f"  - item {each['item']}, in {each['rows']:,} rows"
        if found := each["example"]:
            share = "" if found["share"] is None else f", {found['share']:.0%}"
            yield f"    - it begins: {code(found['question'])}"
            yield f"    - {code(found['where'])} holds ({code(found['method'])}{share}): {code(found['span'])}"
    if (more := file["found"] - EXAMPLES) > 0:
        yield f"  - and {more:,} items more"


def _scores(rules: Mapping[str, Any]) -> list[str]:
    scores = {rule: each["scores"] for rule, each in sorted(rules.items()) if each["scores"]}
    if not scores:
        return []
    rows = [
        [_cell(rule), f"{each['n']:,}", _number(each["mean"]), *map(_number, each["quantiles"].values())]
        for rule, each in scores.items()
    ]
    table = _table("rule | scored: | mean: | lowest: | 5 %: | 25 %: | median: | 75 %: | 95 %: | highest:", rows)
    return ["## Scores", table, _sampled(scores.values())]


def _sampled(numbers: Iterable[Mapping[str, Any]]) -> str:
    if all(each["sampled"] == each["n"] for each in numbers):
        return ""
    return (
        f"The quantiles of more than {SAMPLED:,} numbers are those of {SAMPLED:,}, drawn by digest; mean, lowest and"
        " highest are exact."
    )


def _correlations(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not pairs:
        return []
    rows = [
        [*map(_cell, pair["rules"]), f"{pair['n']:,}", f"{pair['spearman']:+.2f}", _interval(pair)]
        for pair in pairs[:PAIRS]
    ]
    more = f"And {len(pairs) - PAIRS:,} pairs more." if len(pairs) > PAIRS else ""
    return ["## Scores that go together", _table("rule | and | rows: | Spearman: | 95 % interval", rows), more]


def _interval(pair: Mapping[str, Any]) -> str:
    return "" if pair["low"] is None else f"{pair['low']:+.2f} to {pair['high']:+.2f}"


def _pass_rates(told: Mapping[str, Any] | None, pictures: Mapping[str, str]) -> list[str]:
    if not told:
        return []
    most = max(each["rows"] for each in told["bins"])
    rows = [[rate_bin(each), f"{each['rows']:,}", _bar(each["rows"], most)] for each in told["bins"]]
    n, never, always = told["n"], told["at_0"], told["at_1"]
    about = (
        f"Of {n:,} problems, {never:,} are never solved ({_percent(never, n)}) and {always:,} always"
        f" ({_percent(always, n)}); the mean is {told['mean']:.2f}."
    )
    return ["## Pass rates", about, pictures.get("pass_rates", ""), _table("pass rate | problems: | ", rows)]


def rate_bin(each: Mapping[str, Any]) -> str:
    """What a bin of pass rates is called. Those between have 0 left out, and else the lower end in."""
    return f"{each['from']:g}" if each["from"] == each["to"] else f"{each['from']:g} to {each['to']:g}"


def _lengths(told: Mapping[str, Any] | None, pictures: Mapping[str, str]) -> list[str]:
    if not told:
        return []
    most = max(each["attempts"] for each in told["bins"])
    rows = [[length_bin(each), f"{each['attempts']:,}", _bar(each["attempts"], most)] for each in told["bins"]]
    middle = told["quantiles"]
    about = (
        f"{told['n']:,} attempts: median {_number(middle['0.5'])} words, 90 % between {_number(middle['0.05'])} and"
        f" {_number(middle['0.95'])}, the longest {_number(middle['1'])}. Bins have equal ratios, not equal widths."
    )
    return ["## Lengths", about, pictures.get("lengths", ""), _table("words | attempts: | ", rows), _sampled([told])]


def length_bin(each: Mapping[str, Any]) -> str:
    """What a bin of lengths is called, both ends included."""
    if each["below"] is None:
        return f"{each['from']:,} and more"
    last = each["below"] - 1
    return f"{last:,}" if last == each["from"] else f"{each['from']:,} to {last:,}"


def _strategies(told: Mapping[str, Any], pictures: Mapping[str, str]) -> list[str]:
    if not told["shown"]:
        return []
    n = told["traces"]
    rows = [[_cell(name), f"{count:,}", _percent(count, n)] for name, count in [*told["shown"].items()][:PAIRS]]
    about = f"Of {n:,} traces so many show it."
    table = _table("strategy | traces: | share:", rows)
    return ["## Strategies", about, pictures.get("strategies", ""), table]


def _domains(told: Mapping[str, Any], pictures: Mapping[str, str]) -> list[str]:
    if not told["domains"]:
        return []
    rows = [[domain_name(each), *_acceptance(each)] for each in told["domains"][:PAIRS]]
    rest = [*told["domains"][PAIRS:], told["other_domains"]]
    others = {name: sum(each[name] for each in rest) for name in ("rows", "accepted")}
    rows += [["others", *_acceptance(others)]] if others["rows"] else []
    table = _table("domain | rows: | accepted: | share: | 95 % interval", rows)
    return ["## Domains", pictures.get("domains", ""), table]


def domain_name(each: Mapping[str, Any]) -> str:
    return "none told" if each["domain"] is None else _cell(each["domain"])


def _acceptance(each: Mapping[str, Any]) -> list[str]:
    low, high = wilson(each["accepted"], each["rows"])
    share = _percent(each["accepted"], each["rows"])
    return [f"{each['rows']:,}", f"{each['accepted']:,}", share, f"{low:.1%} to {high:.1%}"]


def _examples(rules: Mapping[str, Any]) -> list[str]:
    if not rules:
        return []
    about = (
        f"Up to {EXAMPLES} of each, drawn by digest. `thoughtmill show NAME ID` tells the whole story of a row of a"
        " dataset."
    )
    return ["## Examples", about, *(section for rule, each in _by_effect(rules) for section in _of_rule(rule, each))]


def _of_rule(rule: str, told: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {code(rule)}"
    if told["parameters"]:
        yield "The same for all: " + ", ".join(
            f"{code(key)} {code(to_json(value))}" for key, value in told["parameters"].items()
        )
    for status in [*STATUSES[1:], STATUSES[0]]:  # what went is what one asks about
        if examples := told["examples"].get(status):
            yield f"**{status}**, {len(examples)} of {told[status]:,}"
            yield "\n".join(line for each in examples for line in _example_lines(each))


def _example_lines(each: Mapping[str, Any]) -> Iterator[str]:
    yield f"- {code(each['where'])}: {code(each['question'], QUOTED)}"
    score = None if each["score"] is None else f"score {_number(each['score'])}"
    value = None if each["value"] is None else f"value {code(each['value'])}"
    reason = each["reason"] and code(each["reason"])
    evidence = each["evidence"] and code(each["evidence"], 2 * QUOTED)
    if said := [part for part in (reason, score, value, evidence) if part]:
        yield f"  - {', '.join(said)}"
