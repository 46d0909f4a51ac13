"""What a person sees in the terminal. Texts of models are printed as they are, never as markup or control codes."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from filters.answers import wilson
from filters.table import RULES
from filters.verifiers import VERIFIERS, answer_in
from pipelines import recipe as recipes
from pipelines.card.merge import MARK
from pipelines.release import versions
from pipelines.remote import store_url
from pipelines.store import data_folder
from pipelines.versions.pin import current

if TYPE_CHECKING:
    from flows.curate import Curated
    from flows.make import Made
    from flows.verify import Report
    from pipelines.bind import Recipe
    from pipelines.export import Exported
    from pipelines.hub.publish import Published

screen = Console(highlight=False, soft_wrap=False)
aside = Console(stderr=True, highlight=False)

LONGEST = 4000  # characters of one text
CARD = 100_000
STYLES = {"pass": "green", "fail": "red", "unsure": "yellow", "error": "magenta"}


class NotThere(Exception):
    """What is asked for does not exist; the message says what does."""


def plain(text: str, *, most: int = LONGEST, style: str = "") -> Text:
    """A text from outside: no markup, no control characters, no more than `most` characters."""
    clean = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    cut = f"\n… {len(clean) - most:,} more characters" if len(clean) > most else ""
    return Text(clean[:most] + cut, style=style)


# ---------------------------------------------------------------------------------------------------------------
# When a run ends


def ledger(made: Made) -> None:
    """The books of a run, and where the dataset is."""
    books = made.ledger
    table = Table("outcome", "draws", "most frequent reason", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for outcome, count in made.outcomes():
        reason = next(iter(books["reasons"].get(outcome, {})), "")
        table.add_row(outcome, f"{count:,}", plain(reason, most=90))
    table.add_row(Text("candidates", style="bold"), Text(f"{books['candidates']:,}", style="bold"), "")
    screen.print(table)
    for role, spent in books["models"].items():
        cost = f", cost {spent['cost']:,.4f}" if "cost" in spent else ""
        screen.print(
            f"{role} ({spent['model']}): {spent['attempts']:,} attempts, {spent['cut_off']:,} cut off,"
            f" {spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens{cost}",
            markup=False,
        )
    for file, told in books.get("seeds_in_benchmarks", {}).items():
        source = ": it looks like their source" if told["is_source"] else ""
        held = f"what it is made from holds {told['found']:,} of the {told['items']:,} items of {file}{source}"
        screen.print(plain(held), style="yellow")
    sent, replayed = made.counts.get("sent", 0), made.counts.get("replayed", 0)
    screen.print(f"this run: {sent:,} requests sent, {replayed:,} replies from the journal")
    if made.wanted and books["accepted"] < made.wanted:
        why = made.ended or "there were no more candidates"
        screen.print(
            plain(f"{books['accepted']:,} accepted of {made.wanted:,} that were asked for: {why}"), style="yellow"
        )
    if made.note:
        screen.print(plain(made.note), style="yellow", soft_wrap=True)
    same = "" if made.is_new else "  (nothing new: this version held the same already)"
    screen.print(Text.assemble(("dataset ", "bold"), f"{made.folder}", same), soft_wrap=True)
    meant = current(made.folder.parent)
    if meant != made.folder:
        told = f"{made.name} means {meant.name}, since it was rolled back; thoughtmill rollback {made.name} "
        screen.print(plain(f"{told}{made.folder.name} makes it mean this one"), style="yellow", soft_wrap=True)


# ---------------------------------------------------------------------------------------------------------------
# Recipes and datasets


def line(recipe: Recipe) -> None:
    """A recipe that was checked, stage by stage."""
    screen.print(f"{recipe.name}: {recipe.value.get('about', '')}", markup=False)
    for step in recipe.steps + ([recipe.selection] if recipe.selection else []):
        given = ", ".join(f"{key}={_brief(value)}" for key, value in step.parameters.items())
        screen.print(f"  {step.name:<10} {given}", markup=False, soft_wrap=True)
    for role, model in recipe.models.items():
        where = f" at {model.url}" if model.url else ""
        screen.print(f"  {role}: {model.engine}:{model.name}{where}", markup=False)
    screen.print("The recipe is in order.", style="green")


def _brief(value: Any) -> str:
    from pipelines.inference.model import Model, Sampling
    from pipelines.rows import Rows, Seeds
    from pipelines.stage import BoundRule

    match value:
        case Model():
            return value.role
        case Sampling():
            return str(value.given())
        case Seeds():
            return f"{len(value.rows):,} seeds"
        case Rows():
            return f"{len(value):,} rows"
        case list():
            return "[" + ", ".join(map(_brief, value)) + "]"
        case BoundRule():
            given = ", ".join(f"{key}={each}" for key, each in value.parameters.items())
            return f"{value.name}({given})"
        case _:
            return str(value)


def everything() -> None:
    """The recipes, and the datasets with their versions."""
    import tomllib

    table = Table("recipe", "", box=None, pad_edge=False)
    for name in recipes.names():
        table.add_row(name, tomllib.loads(recipes.find(name).read_text())["about"])
    screen.print(table)
    table = Table("dataset", "version", "accepted", "candidates", box=None, pad_edge=False)
    for home in sorted((data_folder() / "datasets").glob("*")):
        for folder in versions(home):
            books = orjson.loads((folder / "ledger.json").read_bytes())
            table.add_row(home.name, folder.name, f"{books['accepted']:,}", f"{books['candidates']:,}")
    screen.print(table if table.row_count else "no datasets yet: thoughtmill run RECIPE makes one")


def find_version(name: str) -> Path:
    """The folder of `NAME` (its current version) or `NAME@vN`. Raises NotThere."""
    dataset, _, version = name.partition("@")
    datasets = data_folder() / "datasets"
    there = sorted(path.name for path in datasets.glob("*") if versions(path))
    if dataset not in there:
        told = f"no dataset {dataset!r}; there are: {', '.join(there) or 'none yet'}"
        raise NotThere(f"{told}; thoughtmill pull {name} fetches one from the store" if store_url() else told)
    found = versions(datasets / dataset)
    if not version:
        try:
            return current(datasets / dataset)
        except ValueError as error:
            raise NotThere(str(error)) from error
    if version not in [folder.name for folder in found]:
        raise NotThere(f"no version {version!r} of {dataset}; there are: {', '.join(each.name for each in found)}")
    return datasets / dataset / version


def dataset(folder: Path, name: str) -> None:
    """A version's card, and where it lies."""
    card = (folder / "README.md").read_text()
    screen.print(plain(card.rpartition(f"{MARK}\n\n")[2], most=CARD))
    screen.print(f"folder: {folder}", markup=False, soft_wrap=True)
    screen.print(f"thoughtmill show {name} 0 shows why the first row is there", markup=False)


def exported(made: Exported) -> None:
    """What an export wrote, and what is in no file."""
    parts = ", ".join(f"{count:,} rows in {split}" for split, count in made.splits.items())
    screen.print(plain(parts or "no rows"))
    for reason, count in made.left_out.items():
        screen.print(plain(f"left out {count:,}: {reason}"), style="yellow")
    if made.longest_prompt:
        screen.print(f"the longest prompt has {made.longest_prompt:,} characters", style="dim")
    screen.print(plain(f"wrote {', '.join(made.files)} to {made.folder}"), soft_wrap=True)
    screen.print(plain(f"{made.folder / 'README.md'} says how to train on it"), soft_wrap=True)


def published(made: Published) -> None:
    """Where a version is on the Hub."""
    for note in made.notes:
        screen.print(plain(note), style="yellow", soft_wrap=True)
    if not made.is_new:
        screen.print(plain(f"already there: {made.repo}@{made.tag}, commit {made.sha[:12]}"), soft_wrap=True)
        return
    size = f"{made.files:,} files, {made.bytes / 1e6:,.1f} MB of rows"
    screen.print(plain(f"published {made.repo}@{made.tag}, commit {made.sha[:12]}: {size}"), soft_wrap=True)
    screen.print(plain(f"thoughtmill run --from {made.repo}@{made.tag} makes it again"), soft_wrap=True)


# ---------------------------------------------------------------------------------------------------------------
# Verifying a file


@contextlib.contextmanager
def verifying(*, quiet: bool) -> Iterator[Callable[[Report], None]]:
    """A line that counts responses, on a terminal."""
    with counting("verifying", quiet=quiet) as tell:
        yield lambda report: tell(f"{report.responses:,} responses of {report.rows:,} rows")


@contextlib.contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line that tells how far something has come, on a terminal."""
    if quiet or not aside.is_terminal:
        yield lambda told: None
        return
    with aside.status(what) as status:
        yield lambda told: status.update(f"{what}: {told}")


def verified(report: Report) -> None:
    """What came of a file: counts, agreement with its label, where they part, and how fast it went."""
    kinds = ", ".join(f"{kind}@{VERIFIERS[kind].version}" for kind in report.kinds)
    screen.print(plain(f"{report.responses:,} responses of {report.rows:,} rows, verified as {kinds}"))
    screen.print(plain(report.columns.told(), style="dim"))
    if report.worked:
        screen.print(f"{report.worked:,} references were worked solutions; their final answers were read")
    _states(report)
    if report.labelled:
        _agreement(report)
    per_second = report.responses / report.seconds if report.seconds else 0
    screen.print(f"{per_second:,.0f} responses a second", style="dim")
    screen.print(plain(f"wrote {report.out}"), soft_wrap=True)


def _states(report: Report) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for state in STYLES:
        count = report.states[state]
        if not count:
            continue
        reasons = [(reason, n) for (status, reason), n in report.reasons.most_common() if status == state]
        told = ", ".join(f"{reason} {n:,}" for reason, n in reasons[:4])
        table.add_row(Text(state, style=STYLES[state]), f"{count:,}", plain(told, most=300, style="dim"))
    screen.print(table)
    if report.decided:
        low, high = wilson(report.states["pass"], report.decided)
        rate = report.states["pass"] / report.decided
        screen.print(
            f"right: {rate:.1%} of the {report.decided:,} that were decided (95 % interval {low:.1%} to {high:.1%})"
        )


def _agreement(report: Report) -> None:
    told = report.labelled
    table = Table("label", *STYLES, box=None, pad_edge=False, header_style="dim")
    for right, name in ((True, "right"), (False, "wrong")):
        table.add_row(name, *(f"{told[right, state]:,}" for state in STYLES))
    total = told.total()
    agreed = told[True, "pass"] + told[False, "fail"]
    screen.print(table)
    undecided = sum(told[right, state] for right in (True, False) for state in ("unsure", "error"))
    left = f", of which {undecided:,} undecided" if undecided else ""
    screen.print(f"agrees with the label: {agreed:,} of {total:,}{left} = {agreed / total:.2%}")
    for asked, outcome in report.disagreements:
        where = f"row {asked.row + 1}" + ("" if asked.sample is None else f", response {asked.sample + 1}")
        said = f"{outcome.status} ({outcome.reason})" if outcome.reason else outcome.status
        answer = answer_in(asked.item.kind, asked.item.response or "")
        label = "right" if asked.label else "wrong"
        told_apart = f"reference {_short(asked.item.reference)}, answer {_short(answer)}"
        screen.print(plain(f"  {where}: label {label}, verdict {said}; {told_apart}"), soft_wrap=True)
    if report.disagreed > len(report.disagreements):
        screen.print(f"  and {report.disagreed - len(report.disagreements):,} more", style="dim")


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:60]}…"


# ---------------------------------------------------------------------------------------------------------------
# Curating a file


def curated(report: Curated) -> None:
    """What stayed of a file, what each rule took out and why, and where all is written."""
    screen.print(plain(f"{report.kept:,} of {report.rows:,} rows stay"))
    screen.print(plain(report.columns.told(), style="dim"))
    table = Table("rule", "seen", *STYLES, "why", box=None, pad_edge=False, header_style="dim")
    for name, told in report.told["rules"].items():
        why = ", ".join(f"{each['reason']} {each['count']:,}" for each in told["reasons"][:3])
        states = [f"{told[state]:,}" if told[state] else "" for state in STYLES]
        table.add_row(name, f"{told['seen']:,}", *states, plain(why, most=200, style="dim"))
    screen.print(table)
    if report.taken_out:
        beside = ", ".join(sorted(report.beside))
        screen.print(
            plain(f"of these rows {report.taken_out:,} of {report.responses:,} responses went, from {beside}:"),
            plain("they stand among what was dropped, with the rows that went"),
        )
    for path in report.written:
        screen.print(plain(f"wrote {path}"), soft_wrap=True)


def rules() -> None:
    """Every rule: its kind, what it passes, and its parameters."""
    for name, each in RULES.items():
        parameters = inspect.signature(each.run).parameters.values()
        given = [f"{one.name}={one.default!r}" for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
        screen.print(Text.assemble((name, "bold"), f"  {each.kind}  ", (", ".join(given), "dim")), soft_wrap=True)
        screen.print(Padding((inspect.getdoc(each.run) or "").partition("\n")[0], (0, 0, 0, 4)))
