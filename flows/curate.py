"""`thoughtmill curate`: rules and selectors on a file of one's own: what stays, what goes and why, and a report.

The rows become facts as `bring` makes them, and the rules are those of recipes: row by row, in order, then over all
that stayed. What a rule does not pass goes: the row, or of several responses the one that is meant. Nothing is lost:
what does not stay is written beside it, with all that was said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.near_duplicates import Scheme, grow
from filters.rule import Case, Check
from filters.trace import trace
from filters.verifiers import VERIFIERS, pool, verifier
from filters.verifiers.outcome import Outcome
from filters.verifiers.reading import is_several, messages, question_text, reference_text
from filters.words import words
from flows.columns import Finder
from flows.files import Write, open_rows
from pipelines.brought import Given, brought, listed, responses_of
from pipelines.records import Verdict, verdict
from pipelines.reports.markdown import markdown
from pipelines.reports.plots import write_plots
from pipelines.reports.tally import Tally
from pipelines.rows import BadRows, inside
from pipelines.rules import bind_rule, check_said, parse_rule
from pipelines.sources import benchmarks_of, sizes
from pipelines.stage import BoundRule, Order, Step
from pipelines.stages.select import light, select
from pipelines.stages.sift import compared, judged
from pipelines.stages.table import STAGES

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN = "curation"  # what is added to what goes
OF_QUESTIONS = {"form", "answer_form", "no_leak", "gold", "sound", "contamination"}  # row rules that need no response

Row = Mapping[str, Any]


class Rules(NamedTuple):
    """What is asked for: rules that look at rows one after another, and rules over all that stayed."""

    sifting: Step
    selecting: Step | None

    @property
    def all(self) -> list[BoundRule]:
        """In the order in which they are applied."""
        return [*self.sifting.parameters["rules"], *(self.selecting.parameters["rules"] if self.selecting else ())]


class Columns(NamedTuple):
    """Where a row has what. None: not there."""

    question: str
    answer: str | None
    response: str | None
    reward: str | None
    correct: str | None
    domain: str | None
    source: str | None
    id: str | None

    def told(self) -> str:
        """Which columns are read, for a person who let us find them."""
        return ", ".join(f"{name} from {column}" for name, column in self._asdict().items() if column)


@dataclass
class Curated:
    """What came of a file, and where it was written."""

    out: Path
    columns: Columns
    rows: int = 0
    kept: int = 0
    responses: int = 0
    taken_out: int = 0  # responses of rows that stay
    beside: set[str] = field(default_factory=set)  # the columns from which something was taken out with them
    told: Mapping[str, Any] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)


def curate_file(
    path: Path,
    *,
    rules: Sequence[str],
    against: str | None,
    index: Path | None,
    given: Mapping[str, str | None],
    kind: str,
    out: Path,
    force: bool,
    verdicts: bool,
    watch: Callable[[str], None],
) -> Curated:
    """Apply rules (`NAME:key=value,...`) to a JSONL or Parquet file, and write what stays to `out`.

    Beside it, for `kept.jsonl`: `kept.dropped.jsonl`, `kept.random.jsonl` (where a selector chose: as many by
    chance), and a folder `kept.report`. With `verdicts` what stays has the column `curation` too. What is there is
    replaced only by `force`. Raises BadRecipe and BadRows; nothing is written then.
    """
    bound = bind_rules(rules, against, index)
    table = open_rows(path)
    _, first_rows = next(table.chunks(), (0, []))
    if not first_rows:
        raise BadRows(f"{path} has no rows")
    finder = Finder(path, table.names(first_rows), first_rows, given)
    columns = _columns(finder, kind)
    _check_columns(finder, columns, bound)
    report = Curated(_checked_place(path, out, force=force), columns)
    job = _Job(path, table, columns, kind, bound, report, watch, verdicts=verdicts)
    with tempfile.TemporaryFile() as spool:
        chosen = job.look(spool)
        spool.seek(0)
        job.write(spool, chosen)
    if index is not None:
        _grow(index, bound, report)
    return report


def _grow(index: Path, rules: Rules, report: Curated) -> None:
    """Add what stayed to the index, for the next file."""
    kept = (row for _, rows in open_rows(report.out).chunks() for row in rows) if report.kept else ()
    [rule] = (each for each in rules.sifting.parameters["rules"] if each.name == "not_near_duplicate")
    scheme = Scheme(rule.parameters["ngram"], rule.parameters["permutations"])
    questions = (question_text(inside(row, report.columns.question)) for row in kept)
    if path := grow(index, questions, threshold=rule.parameters["at_most"], scheme=scheme):
        report.written.append(path)


def bind_rules(rules: Sequence[str], against: str | None, index: Path | None) -> Rules:
    """The rules of a command line, and those that read what else is named: benchmarks, and an index of questions."""
    tables = [parse_rule(text) for text in rules]
    if against is not None:
        tables = _given_to("contamination", tables, {"against": against})
    if index is not None:
        is_there = index.is_dir() and any(index.glob("*.arrow"))
        tables = _given_to("not_near_duplicate", tables, {"earlier": str(index)} if is_there else {})
    bound = [bind_rule(table, "curate", Path()) for table in tables]
    if doubled := next((each.name for each in bound if [one.name for one in bound].count(each.name) > 1), None):
        raise BadRows(f"the rule {doubled!r} is there twice: curate twice, the second time what stayed")
    if not bound:
        raise BadRows("nothing to do: say --rule NAME (`thoughtmill rules` lists them), --against or --index FOLDER")
    one_by_one = [each for each in bound if each.rule.kind != "snapshot"]
    over_all = [each for each in bound if each.rule.kind == "snapshot"]
    ordered = [each for each in one_by_one if each.rule.kind == "ordered"]
    sifting = Step("curate", STAGES["sift"], {"rules": one_by_one}, Order(ordered, None) if ordered else None)
    return Rules(sifting, Step("curate", STAGES["select"], {"rules": over_all}) if over_all else None)


def _given_to(rule: str, tables: Sequence[dict[str, Any]], what: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rules with this among the parameters of one, which comes last where it was not asked for."""
    asked = any(table["rule"] == rule for table in tables)
    whole = [*tables] if asked else [*tables, {"rule": rule}]
    return [{**what, **table} if table["rule"] == rule else table for table in whole]


# --- A row as facts -----------------------------------------------------------------------------------


def _columns(finder: Finder, kind: str) -> Columns:
    if kind not in VERIFIERS:
        raise BadRows(f"--kind {kind}: no such verifier; there are: {', '.join(VERIFIERS)}")
    question = str(finder.column("question", needed=True))
    response = finder.column("response") or (question if _are_answered(finder, question) else None)
    told_of_responses = ("reward", "correct") if response else ()
    found = {name: finder.column(name) for name in ("answer", "domain", "source", "id", *told_of_responses)}
    columns = dict.fromkeys(Columns._fields) | found | {"question": question, "response": response}
    return Columns(**columns)  # pyright: ignore[reportArgumentType]  # a question is there


def _are_answered(finder: Finder, column: str) -> bool:
    """Whether the column has conversations that end with the assistant."""
    ends = [turns[-1]["role"] for row in finder.rows if (turns := messages(inside(row, column)))]
    return bool(ends) and all(role == "assistant" for role in ends)


def _check_columns(finder: Finder, columns: Columns, rules: Rules) -> None:
    """Raises BadRows where rules look at responses and there are none, or read what nothing says."""
    if COLUMN in finder.names:
        raise BadRows(f"{finder.path} has a column {COLUMN!r} already, which is ours; rename it")
    looks = next((each.name for each in rules.sifting.parameters["rules"] if looks_at_responses(each)), None)
    if looks and columns.response is None:
        there = ", ".join(finder.names)
        raise BadRows(f"{looks} looks at responses: say --response COLUMN; {finder.path} has: {there}")
    said = {rule for rule, column in (("reward", columns.reward), ("given", columns.correct)) if column}
    for each in rules.all:
        check_said(each, said, "curate")
        said.add(each.name)


def looks_at_responses(rule: BoundRule) -> bool:
    """Whether a rule says anything only of what has responses."""
    return rule.rule.kind == "row" and rule.name not in OF_QUESTIONS


def _given(path: Path, index: int, row: Row, columns: Columns, kind: str) -> Given:
    where = f"{path}, row {index + 1}"
    try:
        return Given(
            where=where,
            question=question_text(inside(row, columns.question)),
            answer=_answer(reference_text(inside(row, columns.answer or "")), kind),
            verifier=kind,
            domain=_name(inside(row, columns.domain or "")),
            source=_name(inside(row, columns.source or "")),
            id=inside(row, columns.id or ""),
            responses=["" if each is None else each for each in responses_of(inside(row, columns.response or ""))],
            correct=listed(inside(row, columns.correct or "")),
            rewards=listed(inside(row, columns.reward or "")),
        )
    except ValueError as error:
        raise BadRows(f"{where}: {error}") from error


def _answer(reference: str | None, kind: str) -> str | None:
    """The answer of a reference that is a whole solution, as GSM8K and MATH have them."""
    if reference is None or not verifier(kind).compares or not ("####" in reference or r"\boxed" in reference):
        return reference
    return verifier(kind).final_answer(reference)


def _name(value: Any) -> str | None:
    return None if value is None or isinstance(value, list | dict) else str(value)


# --- Looking, then writing ----------------------------------------------------------------------------


class _Looked(NamedTuple):
    """What one row came to, as it waits in the spool."""

    about: str  # the problem's id
    attempts: Sequence[str]  # their ids
    lengths: Sequence[int]  # of their traces, in words
    verdicts: Sequence[Verdict]

    def stays(self) -> bool:
        """The row stays when all that was said of it passes, and one of its responses stays, if it has any."""
        passes = all(each.status == "pass" for each in self.verdicts if tuple(each.subjects) == (self.about,))
        return passes and (not self.attempts or any(self.staying()))

    def staying(self) -> list[bool]:
        """Which of its responses stay."""
        gone = {each.subjects[0] for each in self.verdicts if each.status != "pass" and len(each.subjects) == 1}
        return [id not in gone for id in self.attempts]

    def by_chance(self, selector: str | None) -> bool:
        """Whether this selector would have taken it by chance."""
        told = (orjson.loads(each.evidence) for each in self.verdicts if each.rule == selector)
        return any(evidence.get("random") for evidence in told)


class _Job:
    """One file on its way: `look` judges every row, `write` reads it once more and parts it."""

    def __init__(
        self,
        path: Path,
        table: Any,
        columns: Columns,
        kind: str,
        rules: Rules,
        report: Curated,
        watch: Callable[[str], None],
        *,
        verdicts: bool,
    ) -> None:
        self._verdicts = verdicts
        self._path, self._table, self._columns, self._kind = path, table, columns, kind
        self._rules, self._report, self._watch = rules, report, watch
        self._selector: str | None = None  # the last rule that chose: its random arm is written

    def look(self, spool: IO[bytes]) -> dict[int, Sequence[Verdict]]:
        """Judge the rows one after another, then choose among those that stayed: the verdicts of that, by row."""
        stayed: dict[int, Case] = {}
        for first, rows in self._table.chunks():
            cases = [self._case(first + i, row) for i, row in enumerate(rows)]
            check = _checked(cases, self._rules.sifting)
            for index, case in enumerate(cases, first):
                looked = self._looked(case, check)
                spool.write(orjson.dumps(looked, default=tuple, option=orjson.OPT_APPEND_NEWLINE))
                if self._rules.selecting and looked.stays():
                    whole = case._replace(verdicts=[*case.verdicts, *looked.verdicts])
                    stayed[index] = light(whole, self._rules.selecting)
            self._report.rows = first + len(rows)
            self._watch(f"{self._report.rows:,} rows")
        if not self._rules.selecting:
            return {}
        chosen: dict[int, Sequence[Verdict]] = dict(
            zip(stayed, select(list(stayed.values()), self._rules.selecting), strict=True)
        )
        self._selector = _last_selector(self._rules.selecting, chosen)
        return chosen

    def _case(self, index: int, row: Row) -> Case:
        given = _given(self._path, index, row, self._columns, self._kind)
        problems, attempts, verdicts = brought(given, draw=index, stage="curate@1")
        return Case(problems[0], None, attempts, verdicts)

    def _looked(self, case: Case, check: Check) -> _Looked:
        step, about = self._rules.sifting, case.problem.id
        verdicts = judged(case, step.parameters["rules"], check, step)
        if not case.problem.question.strip():
            verdicts.append(_nothing(case, "question", "no text in the question's column"))
        if not case.attempts and any(map(looks_at_responses, step.parameters["rules"])):
            verdicts.append(_nothing(case, "response", "no response"))
        attempts = [each.id for each in case.attempts]
        looked = _Looked(about, attempts, [len(words(trace(each))) for each in case.attempts], verdicts)
        if step.order and looked.stays():
            step.order.remember([case.problem])
        return looked

    def write(self, spool: IO[bytes], chosen: Mapping[int, Sequence[Verdict]]) -> None:
        """Write what stays, what goes, a random arm where there was a choice, and the report."""
        tally = Tally(benchmarks=sizes(benchmarks_of([self._rules.sifting])))
        with _Files(
            self._report.out, self._table, arms=bool(self._rules.selecting), verdicts=self._verdicts
        ) as files:
            for first, rows in self._table.chunks():
                for index, row in enumerate(rows, first):
                    looked = _read(spool.readline(), chosen.get(index, ()))
                    self._part(index, row, looked, files, tally)
            self._report.told = tally.told()
            self._report.written = [*files.written, *_write_report(self._report)]

    def _part(self, index: int, row: Row, looked: _Looked, files: _Files, tally: Tally) -> None:
        stays, staying = looked.stays(), looked.staying()
        tally.add(
            f"row {index + 1}",
            question_text(inside(row, self._columns.question)),
            _name(inside(row, self._columns.domain or "")),
            looked.verdicts,
            looked.lengths,
            stays,
            about=looked.about,
        )
        told = {COLUMN: orjson.dumps(_told(looked)).decode()}
        self._report.kept += stays
        self._report.responses += len(staying)
        if stays:
            some = self._some(row, staying)
            files.keep({**some, **told} if self._verdicts else some)
            self._report.taken_out += staying.count(False)
        if not stays or not all(staying):
            gone = row if not stays else self._some(row, [not each for each in staying])
            files.drop({**gone, **told})
        if looked.by_chance(self._selector):
            files.draw(row)

    def _some(self, row: Row, staying: Sequence[bool]) -> Row:
        """The row with some of its responses, and what stands beside each of them in lists of the same length."""
        column = self._columns.response
        if all(staying) or column is None or not is_several(inside(row, column)):
            return row
        home, _, _ = column.rpartition(".") if column not in row else ("", "", "")
        if not home:
            return self._cut(row, staying)
        changed = inner = dict(row)
        *path, last = home.split(".")
        for part in path:
            inner[part] = inner = dict(inner[part])
        inner[last] = self._cut(inner[last], staying)
        return changed

    def _cut(self, values: Row, staying: Sequence[bool]) -> dict[str, Any]:
        lists = {name for name, each in values.items() if isinstance(each, list) and len(each) == len(staying)}
        beside = {name for name in lists if messages(values[name]) is None}
        self._report.beside |= beside
        cut = {name: [each for each, stays in zip(values[name], staying, strict=True) if stays] for name in beside}
        return {**values, **cut}


def _checked(cases: Sequence[Case], step: Step) -> Check:
    """What verifiers say of all that the rules may ask about."""
    asked: dict[str, dict[tuple[str, str], None]] = {}
    for case in cases:
        for name, reference, answer in compared(case, step.parameters["rules"]):
            asked.setdefault(name, {})[reference, answer] = None
    told: dict[str, dict[tuple[str, str], Outcome]] = {n: pool.check(n, list(pairs)) for n, pairs in asked.items()}
    return lambda name, reference, answer: told[name][reference, answer]


def _last_selector(step: Step, chosen: Mapping[int, Sequence[Verdict]]) -> str | None:
    marked = {each.rule for told in chosen.values() for each in told if "random" in orjson.loads(each.evidence)}
    return next((each.label for each in reversed(step.parameters["rules"]) if each.label in marked), None)


def _nothing(case: Case, what: str, reason: str) -> Verdict:
    """A row without what the rules look at."""
    return verdict(
        subjects=[case.problem.id],
        stage="curate@1",
        draw=case.problem.draw,
        rule=f"{what}@1",
        status="fail",
        evidence={"reason": reason},
    )


def _read(line: bytes, chosen: Sequence[Verdict]) -> _Looked:
    about, attempts, lengths, verdicts = orjson.loads(line)
    return _Looked(about, attempts, lengths, [*(Verdict(*each) for each in verdicts), *chosen])


def _told(looked: _Looked) -> list[dict[str, Any]]:
    """All that was said of a row and its responses, for the column of what goes."""
    samples = {id: sample for sample, id in enumerate(looked.attempts)}
    return [
        {
            "rule": each.rule,
            "status": each.status,
            "score": each.score,
            "value": each.value,
            "response": samples.get(each.subjects[0]),
            "evidence": orjson.loads(each.evidence),
        }
        for each in looked.verdicts
    ]


# --- What is written ----------------------------------------------------------------------------------


def _checked_place(path: Path, out: Path, *, force: bool) -> Path:
    """Where to write. Raises BadRows where that cannot be, and where something is and may not be replaced."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    if out.suffix != f".{ending}":
        raise BadRows(f"--out {out}: what comes from {path.name} is written as .{ending}")
    if not out.parent.is_dir():
        raise BadRows(f"--out {out}: no folder {out.parent}")
    places = [out, _beside(out, "dropped"), _beside(out, "random"), _beside(out, "report", "")]
    if path.resolve() in {place.resolve() for place in places}:
        raise BadRows(f"--out {out} would write over the file that is read")
    if not force and (there := next((place for place in places if place.exists()), None)):
        raise BadRows(f"--out {out}: {there} is there already; name another, or say --force to replace it")
    return out


def _beside(out: Path, what: str, ending: str | None = None) -> Path:
    """`kept.jsonl` → `kept.dropped.jsonl`."""
    return out.with_name(f"{out.stem}.{what}{out.suffix if ending is None else ending}")


class _Files:
    """The files of rows, each put in place once it is whole."""

    def __init__(self, out: Path, table: Any, *, arms: bool, verdicts: bool) -> None:
        self._verdicts = verdicts
        self._stack = ExitStack()
        self._places = {"kept": out, "dropped": _beside(out, "dropped")}
        if arms:
            self._places["random"] = _beside(out, "random")
        self._table = table
        self._write: dict[str, Write] = {}

    def __enter__(self) -> _Files:
        for what, place in self._places.items():
            added = _curation if what == "dropped" or (what == "kept" and self._verdicts) else lambda schema: []
            self._write[what] = self._stack.enter_context(self._table.writer(self._part(place), added))
        return self

    def keep(self, row: Row) -> None:
        self._write["kept"]([row])

    def drop(self, row: Row) -> None:
        self._write["dropped"]([row])

    def draw(self, row: Row) -> None:
        if "random" in self._write:
            self._write["random"]([row])

    @property
    def written(self) -> list[Path]:
        return list(self._places.values())

    def __exit__(self, *failed: Any) -> None:
        try:
            self._stack.__exit__(*failed)
            if failed[0] is None:
                _beside(self._places["kept"], "random").unlink(missing_ok=True)  # of an earlier time
                for place in self._places.values():
                    self._part(place).replace(place)
        finally:
            for place in self._places.values():
                self._part(place).unlink(missing_ok=True)

    @staticmethod
    def _part(place: Path) -> Path:
        return place.with_name(f".{place.name}.part")  # what a killed run left is written over


def _curation(schema: pa.Schema) -> list[pa.Field]:
    import pyarrow as pa

    return [pa.field(COLUMN, pa.string())]


def _write_report(report: Curated) -> Iterator[Path]:
    """A folder with the report as JSON, in words, and its plots."""
    folder = _beside(report.out, "report", "")
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_bytes(orjson.dumps(report.told, option=orjson.OPT_INDENT_2))
    (folder / "report.md").write_text(markdown(report.told, write_plots(report.told, folder)), encoding="utf-8")
    yield folder / "report.md"
