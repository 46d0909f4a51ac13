"""Control sets: the rows of one frozen version again, with one thing about their traces changed.

To learn what in a trace teaches, train on the same rows with their steps shuffled or deleted, their digits changed or
their catchwords taken out ("LLMs Can Easily Learn to Reason from Demonstrations: Structure, not content, is what
matters", arXiv 2502.07374), with failed branches cut ("What Characterizes Effective Reasoning?", arXiv 2509.19284),
or on the attempts that were wrong. This is the only way by which wrong attempts leave as something to imitate.

What is changed is what was thought: all up to `</think>`, and without one all that stands before the answer. What
follows stays as it is, and so does the final answer as the problem's verifier reads it: a text in which that would
change is left whole, and `changed` says so.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filters.trace_coherence import BREAKS, broken
from filters.trace_graph import cleaned
from filters.verifiers import VERIFIERS, answer_in
from pipelines.records import digest
from pipelines.release import versions
from pipelines.store import KINDS as FACTS
from pipelines.store import connect, disk_full
from pipelines.views import sft
from pipelines.views.table import View, batches, prepare

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = (*BREAKS, "cleaned", "wrong")
"""Broken in structure, broken in content; without what failed; wrong in the end."""

# As the view `sft` has its rows, each with the verifier of its problem.
OF_SFT = f"""
select s.*, p.verifier from ({sft.QUERY}) s join accepted p on p.id = s.problem_id
order by p.draw, s.sample, s.attempt_id
"""

# What that view leaves out because its answer is wrong: by the final label if there was an appeal.
OF_WRONG = """
select
    list_append(a.asked, {'role': 'assistant', 'content': a.answer_text}) as messages,
    p.id as problem_id, a.id as attempt_id, p.question, p.answer, p.domain, a.model, a.sample,
    w.score as reward, s.pass_rate, p.verifier
from answered a join accepted p on p.id = a.problem
left join rulings r on r.subject = a.id and r.rule = 'answer_matches'
left join rulings l on l.subject = a.id and l.rule = 'label'
left join rulings w on w.subject = a.id and w.rule = 'reward'
left join rates s on s.subject = p.id
where coalesce(l.status, r.status) = 'fail'
order by p.draw, a.sample, a.id
"""


def write_controls(version: Path, out: Path, *, kind: str, fraction: float = 1.0, seed: int = 0) -> int:
    """Write the control set `kind` of a version as the Parquet file `out`; returns its number of rows.

    The rows are those of the view `sft` in its order, or for `wrong` the wrong attempts at the same problems. Besides
    the columns of `sft` they have `control` (the kind), `fraction`, and `changed`: whether the text differs from the
    original. `fraction` is of each trace's steps, digits or catchwords; for `cleaned` and `wrong` it is of the
    attempts, chosen by digest, so that a smaller share lies within a larger one. The same version, kind, fraction and
    seed give the same bytes. Raises ValueError for a kind or fraction that is none, a folder that is no version, or a
    file that cannot be written there.
    """
    _refuse_unknown(kind, fraction)
    _refuse_place(version, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        count = _write(aside, _rows(version, kind=kind, fraction=fraction, seed=seed))
        aside.replace(out)
        return count
    except OSError as error:
        raise disk_full(error, out) from error
    finally:
        aside.unlink(missing_ok=True)


def _refuse_unknown(kind: str, fraction: float) -> None:
    if kind not in KINDS:
        raise ValueError(f"no control set {kind!r}; there are: {', '.join(KINDS)}")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction = {fraction} should be above 0 and at most 1")


def _refuse_place(version: Path, out: Path) -> None:
    if not (version / "version.json").is_file():
        inside = ", ".join(str(each) for each in versions(version)) or "a folder like data/datasets/NAME/v1"
        raise ValueError(f"{version} is no version of a dataset, for it has no version.json; name {inside}")
    if missing := [name for name in FACTS if not (version / "facts" / f"{name}.parquet").is_file()]:
        raise ValueError(f"{version} lacks facts/{missing[0]}.parquet; make the version again from its recipe.toml")
    if out.is_dir():
        raise ValueError(f"{out} is a folder; name a file in it, like {out / 'control.parquet'}")
    if version.resolve() in out.resolve().parents:
        raise ValueError(f"{out} lies in the version {version}, which is frozen; name a file elsewhere")


# --- The rows -------------------------------------------------------------------------------------------------


def schema() -> pa.Schema:
    """The columns of the view `sft`, then what was done to the rows."""
    import pyarrow as pa

    added = [("control", pa.string()), ("fraction", pa.float64()), ("changed", pa.bool_())]
    return pa.schema([*sft.schema(), *(pa.field(*each) for each in added)])


def _with_verifier() -> pa.Schema:
    import pyarrow as pa

    return sft.schema().append(pa.field("verifier", pa.string()))


def _rows(version: Path, *, kind: str, fraction: float, seed: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of a control set, some at a time."""
    view = View(OF_WRONG if kind == "wrong" else OF_SFT, _with_verifier, version=1)
    with connect([version / "facts"]) as connection:
        prepare(connection)
        for batch in batches(connection, view):
            rows = [row for row in batch.to_pylist() if kind != "wrong" or _drawn(row, fraction, seed)]
            yield [_in_control(row, kind=kind, fraction=fraction, seed=seed) for row in rows]


def _in_control(row: dict[str, Any], *, kind: str, fraction: float, seed: int) -> dict[str, Any]:
    """The row with its last message changed, and with what was done to it."""
    *asked, said = row["messages"]
    text, verifier = said["content"], row.pop("verifier")
    whole = kind == "wrong" or (kind == "cleaned" and not _drawn(row, fraction, seed))
    key = digest("control", seed, row["attempt_id"])
    changed = text if whole else controlled(text, verifier, kind=kind, fraction=fraction, key=key)
    messages = [*asked, {**said, "content": changed}]
    return {**row, "messages": messages, "control": kind, "fraction": fraction, "changed": changed != text}


def _drawn(row: dict[str, Any], fraction: float, seed: int) -> bool:
    """Whether an attempt is in the share, whatever other attempts there are."""
    return int(digest("control", seed, row["attempt_id"])[:13], 16) < fraction * 16**13


def _write(path: Path, batches: Iterator[list[dict[str, Any]]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(path, schema(), compression="zstd", use_dictionary=False) as file:
        for rows in batches:
            file.write_table(pa.Table.from_pylist(rows, schema()))
            count += len(rows)
    return count


# --- One text -------------------------------------------------------------------------------------------------


def controlled(text: str, verifier: str | None, *, kind: str, fraction: float, key: str) -> str:
    """The text with its thinking changed, always in the same way for the same `key`; its final answer stays.

    `kind` is any of KINDS but `wrong`; `fraction` is that of `broken`, and where branches are cut it does not count.
    The text comes back as it was where nothing but blanks would differ, or the answer that its verifier reads would.
    Raises KeyError for another kind, ValueError for a fraction that is none.
    """
    before, thought, after = _parts(text, kind)
    if not thought:
        return text
    changed = cleaned(thought) if kind == "cleaned" else broken(thought, kind, fraction=fraction, key=key)
    if changed.split() == thought.split():
        return text
    joined = f"{before}{changed}{after}"
    return text if verifier in VERIFIERS and answer_in(verifier, joined) != answer_in(verifier, text) else joined


_BEGIN = re.compile(r"\s*(?:<think>)?\s*")


def _parts(text: str, kind: str) -> tuple[str, str, str]:
    """What stands before the thinking, the thinking without blanks around it, and what stands behind it."""
    stop = _end_of_thinking(text, kind)
    begun = _BEGIN.match(text, 0, stop)
    start = begun.end() if begun else 0
    thought = text[start:stop].rstrip()
    return text[:start], thought, text[start + len(thought) :]


def _end_of_thinking(text: str, kind: str) -> int:
    closed = text.rfind("</think>")
    if closed >= 0:
        return closed
    # What cuts branches keeps the answer by itself, and has to see what that depends on.
    return len(text) if kind == "cleaned" else _answer_at(text)


_BLOCK = r"^[ \t]*```(?s:.*?)(?:^[ \t]*```|\Z)"
_ANSWER = re.compile(rf"{_BLOCK}|\\f?box(?:ed)?\b|\banswer\b|^####", re.IGNORECASE | re.MULTILINE)
_BREAKS = [re.compile(r"\n[ \t]*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s")]


def _answer_at(text: str) -> int:
    """Where the paragraph begins that has the answer, by its last sign or else the last one.

    Where it is the first, the line; where that is the first too, the sentence; 0 where nothing stands before it.
    """
    sign = max((found.start() for found in _ANSWER.finditer(text)), default=len(text.rstrip()))
    for kind in _BREAKS:
        last = max((found.end() for found in kind.finditer(text, 0, sign)), default=0)
        if text[:last].strip():
            return last
    return 0
