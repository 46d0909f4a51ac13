"""Control sets: the same rows with one thing changed, and the wrong ones, which leave by no other way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.trace_graph import graph
from filters.verifiers import VERIFIERS, answer_in
from flows.make import Made
from pipelines.controls import KINDS, controlled, schema, write_controls
from pipelines.records import Attempt, Fact, Problem, Status, Verdict, to_table, verdict
from pipelines.store import KINDS as FACTS
from pipelines.store import connect, to_parquet
from pipelines.views import sft
from pipelines.views.table import VIEWS, batches, prepare
from tests.each import each_of
from tests.filters.cases import answered, task
from tests.small import Site, verdicts

CHANGED = [kind for kind in KINDS if kind != "wrong"]


def written(version: Path, out: Path, **how: Any) -> list[dict[str, Any]]:
    """The rows of a control set, which are as many as it says."""
    count = write_controls(version, out, **how)
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == count
    return rows


def view(version: Path, name: str) -> list[dict[str, Any]]:
    with connect([version / "facts"]) as connection:
        prepare(connection)
        return [row for batch in batches(connection, VIEWS[name]) for row in batch.to_pylist()]


def said(row: dict[str, Any]) -> str:
    return row["messages"][-1]["content"]


# --- A real release -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A small version in whose accepted problems some attempts are wrong."""
    folder = tmp_path_factory.mktemp("controls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        site = Site(folder)
        site.value["models"]["teacher"]["slip"] = 0.3
        site.stage("expand")["n"] = 4
        yield site.embedded()


@pytest.mark.parametrize("kind", CHANGED)
def test_a_control_set_has_the_rows_of_sft_with_other_words(made: Made, tmp_path: Path, kind: str):
    rows = written(made.folder, tmp_path / "new" / "c.parquet", kind=kind, fraction=0.5)
    originals = view(made.folder, "sft")
    assert len(rows) == len(originals) > 20
    for row, original in zip(rows, originals, strict=True):
        added = {name: row.pop(name) for name in ("control", "fraction", "changed")}
        assert added == {"control": kind, "fraction": 0.5, "changed": said(row) != said(original)}
        assert answer_in("math", said(row)) == answer_in("math", said(original))
        assert row["messages"][:-1] == original["messages"][:-1]
        assert row | {"messages": original["messages"]} == original


def test_every_column_is_typed(made: Made, tmp_path: Path):
    write_controls(made.folder, tmp_path / "c.parquet", kind="digits")
    added = [("control", pa.string()), ("fraction", pa.float64()), ("changed", pa.bool_())]
    assert [(field.name, field.type) for field in schema()][-3:] == added
    assert [(field.name, field.type) for field in schema()][:-3] == [(each.name, each.type) for each in sft.schema()]
    assert pq.read_table(tmp_path / "c.parquet").schema == pa.Table.from_pylist([], schema()).schema


@pytest.mark.parametrize("kind", ["shuffled", "wrong"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: Made, tmp_path: Path, kind: str):
    one, again, other = (tmp_path / name for name in ("one", "again", "other"))
    for out, seed in ((one, 7), (again, 7), (other, 8)):
        write_controls(made.folder, out, kind=kind, fraction=0.6, seed=seed)
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    assert sorted(tmp_path.iterdir()) == [again, one, other]  # and nothing beside them


def test_wrong_attempts_leave_as_a_control_set_and_by_no_view(made: Made, tmp_path: Path):
    rows = written(made.folder, tmp_path / "c.parquet", kind="wrong")
    told = verdicts(made)
    accepted = {each.subjects[0] for each in told if each.rule == "accepted@1" and each.status == "pass"}
    failed = {each.subjects[0] for each in told if each.rule == "answer_matches@2" and each.status == "fail"}
    assert {row["attempt_id"] for row in rows} < failed  # those of problems that were not accepted stay behind
    assert {row["problem_id"] for row in rows} <= accepted
    assert len(rows) >= 5
    hidden = {row["attempt_id"] for row in rows} | {said(row) for row in rows}
    for name in ("sft", "rl", "forms"):
        shown = set(_texts(view(made.folder, name)))
        assert len(shown) > 10
        assert not hidden & shown, name


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


# --- Versions made by hand ------------------------------------------------------------------------------------


def frozen(folder: Path, *facts: Fact) -> Path:
    """A version that holds these facts."""
    (folder / "facts").mkdir(parents=True)
    for name, kind in FACTS.items():
        table = to_table(kind, [fact for fact in facts if isinstance(fact, kind)])
        (folder / "facts" / f"{name}.parquet").write_bytes(to_parquet(table))
    (folder / "version.json").write_text("{}")
    return folder


def on(subject: Problem | Attempt, rule: str, status: Status) -> Verdict:
    return verdict(subjects=[subject.id], stage="sift@1", draw=0, rule=rule, status=status)


OF = task("What is 6 times 7?", "42")

# What was checked, what was said after an appeal, and whether the attempt is wrong.
LABELS: list[tuple[Status | None, Status | None, bool]] = [
    ("fail", None, True),
    ("pass", None, False),
    ("unsure", None, False),
    ("error", None, False),
    (None, None, False),
    ("fail", "fail", True),
    ("fail", "pass", False),
    ("pass", "fail", True),
    ("fail", "unsure", False),
    ("unsure", "fail", True),
]


def labelled(at: Attempt, checked: Status | None, final: Status | None) -> list[Fact]:
    verdicts = [on(at, "answer_matches@2", checked)] if checked else []
    return [at, *verdicts, *([on(at, "label@1", final)] if final else [])]


def test_the_final_label_says_what_is_wrong(tmp_path: Path):
    tried = [answered(OF, f"Try {i}.", i) for i in range(len(LABELS))]
    facts = [fact for at, (*told, _) in zip(tried, LABELS, strict=True) for fact in labelled(at, *told)]
    version = frozen(tmp_path / "v1", OF, on(OF, "accepted@1", "pass"), *facts)
    rows = written(version, tmp_path / "c", kind="wrong")
    wrong = [at.id for at, (*_, is_wrong) in zip(tried, LABELS, strict=True) if is_wrong]
    assert [row["attempt_id"] for row in rows] == wrong
    assert not {row["attempt_id"] for row in view(version, "sft")} & set(wrong)


def test_what_was_cut_or_not_accepted_is_not_even_wrong(tmp_path: Path):
    cut, whole = answered(OF, "So", 0, "length"), answered(OF, "So 41.", 1)
    facts = [OF, *labelled(cut, "fail", None), *labelled(whole, "fail", None)]
    accepted = frozen(tmp_path / "v1", *facts, on(OF, "accepted@1", "pass"))
    refused = frozen(tmp_path / "v2", *facts, on(OF, "accepted@1", "fail"))
    assert [row["attempt_id"] for row in written(accepted, tmp_path / "c", kind="wrong")] == [whole.id]
    assert written(refused, tmp_path / "c", kind="wrong") == []


FAILED = """We need an even prime.
Let me try 4.
But 4 = 2 * 2, so that doesn't work.
Let me try 2.
That works."""


def of_texts(folder: Path, texts: Sequence[str], matches: Status = "pass") -> Path:
    tried = [answered(OF, text, sample) for sample, text in enumerate(texts)]
    facts = [fact for at in tried for fact in labelled(at, matches, None)]
    return frozen(folder, OF, on(OF, "accepted@1", "pass"), *facts)


@pytest.mark.parametrize("kind", ["cleaned", "wrong"])
def test_a_smaller_share_of_the_attempts_lies_within_a_larger_one(tmp_path: Path, kind: str):
    texts = [f"{FAILED}\n\nThe answer is \\boxed{{{number}}}." for number in range(60)]
    version = of_texts(tmp_path / "v1", texts, "fail" if kind == "wrong" else "pass")
    shares = []
    for fraction in (0.2, 0.6, 1.0):
        rows = written(version, tmp_path / "c", kind=kind, fraction=fraction)
        shares.append({row["attempt_id"] for row in rows if row["changed"] or kind == "wrong"})
    assert shares[0] < shares[1] < shares[2]
    assert len(shares[2]) == 60
    assert [5 <= len(shares[0]) <= 19, 25 <= len(shares[1]) <= 47] == [True, True]


def test_cleaned_attempts_have_no_failed_step_and_are_still_right(tmp_path: Path):
    """As the verifier says of the answer that it finds in what was written."""
    texts = [
        f"<think>\n{FAILED}\n</think>\n\n\\boxed{{42}}",
        f"{FAILED}\n\nSo the answer is 42.",
        f"{FAILED}\n#### 42",
    ]
    rows = written(of_texts(tmp_path / "v1", texts), tmp_path / "c", kind="cleaned")
    assert [row["changed"] for row in rows] == [True] * 3
    for row in rows:
        assert not any(step.abandoned for step in graph(said(row)))
        answer = answer_in("math", said(row))
        assert answer is not None
        assert VERIFIERS["math"].check(row["answer"], answer).status == "pass"


# --- One text -------------------------------------------------------------------------------------------------

# How it begins, what was thought, how it ends: only the digits between are others.
LAYOUTS = {
    "tags": ("<think>\n", "We have 1111.\nThen 2222.", "\n</think>\n\nSo 3333.\n\n\\boxed{42}"),
    "a tag that a template opened": ("", "We have 1111.", "</think>\\boxed{42}"),
    "a tag within a thought": ("<think>", "I write </think> 1111", "</think>\n\\boxed{42}"),
    "paragraphs": ("", "We have 1111.\n\nThen 2222.", "\n\nSo 3333 is\n\\boxed{42}\n"),
    "words behind the answer": ("", "We have 1111.", "\n\nSo \\boxed{42}.\n\nThat was all of 5555."),
    "no sign of an answer": ("", "We have 1111.\n\nThen 2222.", "\n\n42"),
    "lines": ("", "We have 1111.\nThen 2222.", "\n#### 42"),
    "sentences": ("", "We have 1111. Then 2222.", " The answer is 42."),
    "an answer alone": ("The answer is 42.", "", ""),
    "nothing": ("", "", ""),
}


@each_of(LAYOUTS)
def test_only_what_was_thought_is_changed(name: str):
    before, thought, after = LAYOUTS[name]
    changed = controlled(before + thought + after, "math", kind="digits", fraction=1.0, key="a")
    assert changed.startswith(before)
    assert changed.endswith(after)
    between = changed[len(before) : len(changed) - len(after)]
    assert [*filter(str.isdigit, between)] != [*filter(str.isdigit, thought)] or not thought
    assert "".join(c for c in between if not c.isdigit()) == "".join(c for c in thought if not c.isdigit())


def test_code_is_an_answer_and_no_thought():
    text = "First 1111.\n\nThen 2222.\n\n```python\ndef f(x):\n    answer = x + 1\n\n    return answer\n```"
    changed = controlled(text, "code", kind="digits", fraction=1.0, key="a")
    assert changed != text
    assert changed.partition("```")[1:] == text.partition("```")[1:]


def test_where_the_answer_would_change_nothing_does():
    """Here it stands where none was expected, and the verifier finds it all the same."""
    text = "~~~python\ndef f(x):\n    return x + 1111\n~~~\n\nI hope that this helps."
    assert controlled(text, "code", kind="digits", fraction=1.0, key="a") == text
    assert controlled(text, None, kind="digits", fraction=1.0, key="a") != text


pieces = st.sampled_from(
    ["\n", "\n\n", "<think>", "</think>", "\\boxed{4}", "```", "wait, ", "so ", "1", "\\[", "The answer is 2.", " "]
)
hostile = st.lists(pieces | st.text(max_size=12), max_size=30).map("".join)


@given(hostile, st.sampled_from(CHANGED), st.sampled_from([None, *VERIFIERS]), st.floats(0.01, 1.0), st.text())
def test_whatever_the_text_its_answer_stays(text: str, kind: str, verifier: str | None, fraction: float, key: str):
    changed = controlled(text, verifier, kind=kind, fraction=fraction, key=key)
    assert controlled(text, verifier, kind=kind, fraction=fraction, key=key) == changed
    assert verifier is None or answer_in(verifier, changed) == answer_in(verifier, text)
    _, closed, said = text.rpartition("</think>")
    assert not closed or changed.endswith(closed + said)


# --- What cannot be written -----------------------------------------------------------------------------------

BAD = [
    ({"kind": "jumbled"}, "there are: shuffled, deleted, digits, keywords, cleaned, wrong"),
    *(({"kind": "wrong", "fraction": share}, "above 0 and at most 1") for share in (0, -1, 1.1, float("nan"))),
]


@pytest.mark.parametrize(("how", "told"), BAD)
def test_a_kind_or_a_share_that_is_none(tmp_path: Path, how: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        write_controls(frozen(tmp_path / "v1"), tmp_path / "c", **how)
    assert not (tmp_path / "c").exists()


def test_a_folder_that_is_no_version(tmp_path: Path):
    with pytest.raises(ValueError, match="name a folder like"):
        write_controls(tmp_path / "none", tmp_path / "c", kind="wrong")
    version = frozen(tmp_path / "v1")
    with pytest.raises(ValueError, match=f"name {version}"):
        write_controls(tmp_path, tmp_path / "c", kind="wrong")
    (version / "facts" / "attempts.parquet").unlink()
    with pytest.raises(ValueError, match="make the version again"):
        write_controls(version, tmp_path / "c", kind="wrong")


def test_a_place_that_is_none(tmp_path: Path):
    version = frozen(tmp_path / "v1")
    with pytest.raises(ValueError, match="name a file in it"):
        write_controls(version, tmp_path, kind="wrong")
    with pytest.raises(ValueError, match="is frozen"):
        write_controls(version, version / "facts" / "c.parquet", kind="wrong")


def test_a_version_without_rows_gives_a_set_without_rows(tmp_path: Path):
    version = frozen(tmp_path / "v1")
    assert [written(version, tmp_path / "c", kind=kind) for kind in KINDS] == [[]] * len(KINDS)
