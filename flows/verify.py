"""`thoughtmill verify`: our verifiers on a file of one's own, and what they say beside a label."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.verifiers import VERIFIERS, answer_in, choice, verifier
from filters.verifiers.outcome import Outcome
from filters.verifiers.pool import Item, verify_all
from filters.verifiers.reading import composed, is_several, reference_text, response_text
from flows.columns import Finder
from flows.files import open_rows, type_of
from pipelines.rows import BadRows, inside

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2_000  # responses that are looked at together
SHOWN = 10  # disagreements that are shown


class Columns(NamedTuple):
    """Where a row has what; `reward_model.ground_truth` looks inside. None: not there."""

    question: str | None
    answer: str | None  # None: the rows hold their references in several columns
    response: str
    kind: str | None
    label: str | None
    composes: bool  # whether a reference in several columns goes before `answer`, which nobody named

    def told(self) -> str:
        """Which columns are read, for a person who let us find them."""
        answer = self.answer or "several columns"
        named = {"question": self.question, "answer": answer, "response": self.response}
        named |= {"kind": self.kind, "label": self.label}
        return ", ".join(f"{name} from {column}" for name, column in named.items() if column)


class Asked(NamedTuple):
    """One response of a row, and where it stands."""

    row: int
    sample: int | None  # None where the row has a single response
    item: Item
    label: bool | None


class Disagreement(NamedTuple):
    asked: Asked
    outcome: Outcome


@dataclass
class Report:
    """What came of a file."""

    out: Path
    columns: Columns
    kinds: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # of what did not pass
    labelled: Counter[tuple[bool, str]] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    disagreed: int = 0
    worked: int = 0  # references that were read from a worked solution
    seconds: float = 0.0

    @property
    def responses(self) -> int:
        return self.states.total()

    @property
    def decided(self) -> int:
        return self.states["pass"] + self.states["fail"]

    def add(self, asked: Asked, outcome: Outcome) -> None:
        self.kinds[asked.item.kind] += 1
        self.states[outcome.status] += 1
        if outcome.reason:
            details = outcome.status != "fail"  # of a failure they say what this answer is, and no two are alike
            self.reasons[outcome.status, outcome.reason if details else outcome.reason.partition(": ")[0]] += 1
        if asked.label is None:
            return
        self.labelled[asked.label, outcome.status] += 1
        if outcome.same is not asked.label:
            self.disagreed += 1
            if len(self.disagreements) < SHOWN:
                self.disagreements.append(Disagreement(asked, outcome))


def verify_file(
    path: Path,
    *,
    given: Mapping[str, str | None],
    kind: str,
    out: Path | None,
    column: str,
    watch: Callable[[Report], None],
) -> Report:
    """Verify every response of a JSONL or Parquet file, and write its rows with the verdicts beside them.

    `given` names the columns that do not have a usual name, `kind` a verifier or a column of names. The verdicts go
    into one new column, a struct for each response. Raises BadRows; nothing is written then.
    """
    table = open_rows(path)
    _, first_rows = next(table.chunks(), (0, []))
    names = table.names(first_rows)
    if not first_rows:
        raise BadRows(f"{path} has no rows")
    if column in names:
        raise BadRows(f"{path} has a column {column!r} already; name another with --column")
    columns = _columns(path, names, first_rows, given, kind)
    report = Report(_place(path, out), columns)
    partial = report.out.with_name(f".{report.out.name}.{os.getpid()}.part")
    started = time.monotonic()
    try:
        with table.writer(partial, lambda schema: [_field(schema, column, columns.response)]) as write:
            for first, rows in table.chunks():
                for start, some in _few(rows, columns):
                    verdicts = _verify_rows(path, first + start, some, columns, kind, report)
                    write([{**row, column: verdict} for row, verdict in zip(some, verdicts, strict=True)])
                    report.seconds = time.monotonic() - started
                    watch(report)
        partial.replace(report.out)
    finally:
        partial.unlink(missing_ok=True)
    return report


def _verify_rows(
    path: Path, first: int, rows: Sequence[Mapping[str, Any]], columns: Columns, kind: str, report: Report
) -> list[Any]:
    """For each row what goes into the new column: a verdict, or a list of them where it has several responses."""
    asked = [each for i, row in enumerate(rows) for each in _asked(path, first + i, row, columns, kind, report)]
    outcomes = verify_all([each.item for each in asked])
    verdicts: list[Any] = [[] if is_several(inside(row, columns.response)) else None for row in rows]
    for each, outcome in zip(asked, outcomes, strict=True):
        report.add(each, outcome)
        told = _verdict(each.item, outcome)
        if each.sample is None:
            verdicts[each.row - first] = told
        else:
            verdicts[each.row - first].append(told)
    report.rows += len(rows)
    return verdicts


def _verdict(item: Item, outcome: Outcome) -> dict[str, Any]:
    kind = verifier(item.kind)
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "score": outcome.score,
        # A program or an essay is not told again.
        "answer": answer_in(item.kind, item.response or "") if kind.compares else None,
        "verifier": f"{item.kind}@{kind.version}",
        "evidence": orjson.dumps(dict(outcome.evidence)).decode(),
    }


# --- What a row asks ----------------------------------------------------------------------------------


def _columns(
    path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]], given: Mapping[str, str | None], kind: str
) -> Columns:
    """The columns by their given or usual names, seen in the first rows. Raises BadRows for those that are missed."""

    found = Finder(path, names, rows, given).column
    if kind not in VERIFIERS and kind.partition(".")[0] not in names:
        raise BadRows(
            f"--kind {kind}: neither a verifier nor a column; verifiers: {', '.join(VERIFIERS)};"
            f" columns: {', '.join(names)}"
        )
    by_column = None if kind in VERIFIERS else kind
    composes = given.get("answer") is None
    whole = composes and all(composed(str(inside(row, by_column)) if by_column else kind, row) for row in rows)
    return Columns(
        question=found("question"),
        answer=None if whole else found("answer", needed=True),
        response=str(found("response", needed=True)),
        kind=by_column,
        label=found("label"),
        composes=composes,
    )


def _asked(
    path: Path, index: int, row: Mapping[str, Any], columns: Columns, kind: str, report: Report
) -> Iterator[Asked]:
    where = f"{path}, row {index + 1}"
    name = str(inside(row, columns.kind)) if columns.kind else kind
    if name not in VERIFIERS:
        raise BadRows(f"{where}: no verifier {name!r} in {columns.kind!r}; there are: {', '.join(VERIFIERS)}")
    reference = _reference(where, row, columns, name)
    if reference is not None and (read := _worked(name, reference)) is not None:
        report.worked += 1
        reference = read
    if name == "choice" and reference is not None:
        reference = _with_options(reference, str(inside(row, columns.question or "") or ""))
    response, label = inside(row, columns.response), inside(row, columns.label or "")
    several = is_several(response)
    responses = response if several else [response]
    labels = label if isinstance(label, list) else [label] * len(responses)
    if len(labels) != len(responses):
        raise BadRows(f"{where}: {len(responses)} responses with {len(labels)} labels")
    for sample, (each, right) in enumerate(zip(responses, labels, strict=True)):
        try:
            item = Item(name, reference, response_text(each))
        except ValueError as error:
            raise BadRows(f"{where}: {columns.response!r} {error}") from error
        yield Asked(index, sample if several else None, item, _label(where, right, columns))


def _reference(where: str, row: Mapping[str, Any], columns: Columns, kind: str) -> str | None:
    """A row's reference as text: from its columns of a well-known form, else from the one that is named."""
    whole = composed(kind, row) if columns.composes else None
    if whole is not None and (columns.answer is None or verifier(kind).problem_with(whole) is None):
        return whole
    if columns.answer is None:
        return None
    try:
        return reference_text(inside(row, columns.answer))
    except ValueError as error:
        raise BadRows(f"{where}: {columns.answer!r} {error}") from error


def _worked(name: str, reference: str) -> str | None:
    """The answer of a reference that is a whole solution, as GSM8K and MATH have them."""
    if verifier(name).compares and ("\n" in reference.strip() or "####" in reference or r"\boxed" in reference):
        return verifier(name).final_answer(reference)
    return None


def _with_options(reference: str, question: str) -> str:
    """A key with the options of its question, so that their contents count as answers too."""
    options, key = choice.options_in(question), choice.gold(reference)
    if key not in options or choice.problem_with(declared := orjson.dumps({"key": key, "options": options}).decode()):
        return reference
    return declared


def _label(where: str, value: Any, columns: Columns) -> bool | None:
    """Right or wrong, as true and false, 1 and 0, or their names. Raises BadRows for anything else."""
    told = value.strip().lower() if isinstance(value, str) else value
    if told is None:
        return None
    if told in (True, "true", "yes", "1", "pass", "correct"):
        return True
    if told in (False, -1, "false", "no", "0", "-1", "fail", "incorrect", "wrong"):
        return False
    raise BadRows(f"{where}: {columns.label!r} should be true or false, 1 or 0, not {value!r}"[:300])


def _few(rows: Sequence[Mapping[str, Any]], columns: Columns) -> Iterator[tuple[int, Sequence[Mapping[str, Any]]]]:
    """Runs of rows with about as many responses as are looked at together, each with its place."""
    start, count = 0, 0
    for i, row in enumerate(rows):
        response = inside(row, columns.response)
        count += len(response) if is_several(response) else 1
        if count >= AT_ONCE:
            yield start, rows[start : i + 1]
            start, count = i + 1, 0
    if start < len(rows):
        yield start, rows[start:]


# --- What is written --------------------------------------------------------------------------------------------


def _place(path: Path, out: Path | None) -> Path:
    """Where to write: `math.jsonl` → `math.verified.jsonl` if not said. Raises BadRows where that cannot be."""
    stem, _, ending = path.name.removesuffix(".gz").rpartition(".")
    place = out or path.with_name(f"{stem}.verified.{ending}")
    if place.suffix != f".{ending}":
        raise BadRows(f"--out {place}: what comes from {path.name} is written as .{ending}")
    if place.exists() and place.samefile(path):
        raise BadRows(f"--out {place} is the file that is read")
    return place


def _field(schema: pa.Schema, column: str, response: str) -> pa.Field:
    """The new column in Parquet: a verdict, or a list of them where there is a list of responses."""
    import pyarrow as pa

    names = ("status", "reason", "score", "answer", "verifier", "evidence")
    verdict = pa.struct([(name, pa.float64() if name == "score" else pa.string()) for name in names])
    kind = type_of(schema, response)
    several = (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and not pa.types.is_struct(kind.value_type)
    return pa.field(column, pa.list_(verdict) if several else verdict)
