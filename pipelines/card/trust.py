"""What a card says of a version's numbers, and of how far they, and the rows, can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters import cascade
from filters.answers import wilson
from filters.table import RULES
from pipelines.card.about import About, funnel, rules_in_order
from pipelines.card.header import licence
from pipelines.card.text import first_line, span, table
from pipelines.recipe import stage_name
from pipelines.stage import says
from pipelines.stages.table import STAGES

FILES = 10  # of benchmarks that are named
SOURCES = 20


def is_builtin(about: About) -> bool:
    """Whether the builtin engine wrote any of it, which is no language model."""
    return any(each["model"] == "builtin" for each in about.ledger["models"].values())


def numbers(about: About) -> list[str]:
    """Where the candidates went, pass rates, lengths, and the pictures that there are."""
    ledger = about.ledger
    steps = [
        [span(each["step"]), f"{each['lost']:,}", f"{each['left']:,}", _most_frequent(ledger, each["step"])]
        for each in funnel(about.recipe, ledger)
    ]
    rows = [
        ["candidates", f"{ledger['candidates']:,}", "", ""],
        *steps,
        ["accepted", f"{ledger['accepted']:,}", "", ""],
    ]
    pictures = [f"![{path.rpartition('/')[2].partition('.')[0].replace('_', ' ')}]({path})" for path in about.plots]
    return [
        "## Numbers",
        "Where the candidates went, step after step:",
        table("step | rows: | left: | most frequent reason", rows),
        *_in_words(about.report),
        "\n\n".join(pictures),
        "[The report](report/report.md) tells what every rule said, with examples.",
    ]


def _most_frequent(ledger: Mapping[str, Any], step: str) -> str:
    reasons = ledger["reasons"].get(step) or {}
    return span(next(iter(reasons))) if reasons else ""


def _in_words(report: Mapping[str, Any]) -> list[str]:
    """Pass rates and lengths, where there are any."""
    rates, lengths = report["pass_rates"], report["lengths"]
    told = []
    if rates:
        told.append(
            f"Of {rates['n']:,} problems that were tried, {rates['at_0']:,} were never solved and {rates['at_1']:,}"
            f" always; the mean pass rate is {rates['mean']:.2f}. It is that of these models, asked in this way."
        )
    if lengths:
        middle = lengths["quantiles"]
        told.append(
            f"Half of {lengths['n']:,} attempts have at most {middle['0.5']:,.0f} words, nineteen in twenty at most"
            f" {middle['0.95']:,.0f}; the longest has {middle['1']:,.0f}."
        )
    return told


def trust(about: About) -> list[str]:
    """What each rule asked and said, and how often verifiers and judges are wrong, where that was measured."""
    order = {name: place for place, name in reversed([*enumerate(rules_in_order(about.recipe))])}
    told = sorted(about.report["rules"].items(), key=lambda each: order.get(_name(each[0]), len(order)))
    rules = [
        [
            span(rule),
            _asked(_name(rule), about.recipe),
            *(f"{each[what]:,}" for what in ("pass", "fail", "unsure", "error", "takes_out")),
        ]
        for rule, each in told
    ]
    measured = cascade.in_words(about.ledger.get("verification", {}))
    return [
        "## How far the verdicts can be trusted",
        "A verdict says what one rule found, and no more. `unsure` means that it could not be decided, `error` that"
        " the check itself broke; neither ever counts as wrong.",
        table("rule | what it asks | pass: | fail: | unsure: | error: | rows it takes out:", rules),
        "How often verifiers and judges are wrong, estimated from what a judge said of a sample:" if measured else "",
        measured or "How often the verifiers are wrong was not measured here.",
    ]


def _name(rule: str) -> str:
    return rule.partition("@")[0]


def _asked(name: str, recipe: Mapping[str, Any]) -> str:
    """What a rule does, or the stage of the recipe that says it."""
    used = [(STAGES[each["use"]], stage_name(each)) for each in recipe.get("stages", ()) if each.get("use") in STAGES]
    runs = [RULES[name].run] if name in RULES else [stage.run for stage, step in used if name in says(stage, step)]
    return first_line(runs[0]) if runs else ""


def decontamination(about: About) -> list[str]:
    """What was done to keep items of benchmarks out, and what was found."""
    told = {rule: each for rule, each in about.report["rules"].items() if rule.startswith("contamination@")}
    ours = [_compared(rule, each) for rule, each in told.items()]
    nothing = (
        "Nothing was done to keep items of benchmarks out: the recipe has no rule `contamination`. Compare with a"
        " benchmark before you report numbers on it."
    )
    files = [
        [span(each["file"]), f"{each['rows']:,}", f"{each['found']:,}"]
        for each in about.report["contamination"][:FILES]
    ]
    return [
        "## Decontamination",
        *(ours or [nothing]),
        table("benchmark | rows that held an item: | different items:", files) if files else "",
        *_seeds_in_benchmarks(about.ledger.get("seeds_in_benchmarks", {})),
    ]


def _compared(rule: str, told: Mapping[str, Any]) -> str:
    return (
        f"The rule {span(rule)} compared {told['seen']:,} problems with the items of benchmarks: {told['fail']:,}"
        f" held one and were left out, {told['unsure']:,} could not be decided. It finds copies and near copies, not"
        " the same problem in other words. [The report](report/report.md#benchmarks) shows the passages."
    )


def _seeds_in_benchmarks(told: Mapping[str, Any]) -> list[str]:
    """Which benchmarks the seeds hold items of, where that was looked at."""
    rows = [
        [span(file), f"{each['found']:,} of {each['items']:,}", "yes" if each["is_source"] else "no"]
        for file, each in told.items()
    ]
    head = "What it is made from holds items of benchmarks:"
    return [head, table("benchmark | items | a source of it", rows)] if rows else []


def seeds(about: About) -> list[str]:
    """Where the seeds come from, and the licence that they leave."""
    rows = [
        [span(each.source or "not told"), span(each.license or "not told"), f"{each.problems:,}"]
        for each in about.sources[:SOURCES]
    ]
    told = licence(each.license for each in about.sources)
    says = {
        "unknown": "At least one source does not name its licence, or names one that is not known here. So the"
        " licence of the whole is not known: look before you pass it on.",
        "mixed": "The sources have licences that no single one covers: each holds for what came from its source.",
    }
    whole = says.get(told.name or "", f"The strictest of them covers the whole: {span(told.id)}.")
    more = len(about.sources) - SOURCES
    return [
        "## Sources and licence",
        table("source of the seeds | licence, as its rows say | problems:", rows) if rows else "",
        f"And {more:,} sources more." if more > 0 else "",
        whole + " The models that wrote the rest may have terms of their own.",
    ]


def limits(about: About) -> list[str]:
    """What nobody should expect of it."""
    return ["## Limits", "\n".join(f"- {each}" for each in _each_limit(about) if each)]


def _each_limit(about: About) -> list[str]:
    rules = about.report["rules"].values()
    unsure, broken = (sum(each[name] for each in rules) for name in ("unsure", "error"))
    cut = sum(each["cut_off"] for each in about.ledger["models"].values())
    n, accepted = about.ledger["candidates"], about.ledger["accepted"]
    low, high = wilson(accepted, n) if n else (0.0, 1.0)
    return [
        _who_wrote_it(about),
        "What passed the checks can be wrong in ways that they do not look at. Answers that agree with each other can"
        " share a mistake.",
        f"{unsure:,} verdicts are `unsure` and {broken:,} broke; {cut:,} attempts were cut off at their limit and are"
        " in no view as answers.",
        f"The checks let {accepted / max(n, 1):.1%} through (95 % interval {low:.1%} to {high:.1%}): what is left is"
        " what they favour, and not a fair sample of what the models write.",
        "" if about.language else "The language was not determined: it is mixed, or none that is known here.",
        "No person has looked for personal data, bias or harm in it.",
    ]


def _who_wrote_it(about: About) -> str:
    if is_builtin(about):
        return "A program wrote the problems and answers, by rules: there is little to learn from their variety."
    return "Models wrote the answers. A right result does not make the way to it right, and fluent text may be false."
