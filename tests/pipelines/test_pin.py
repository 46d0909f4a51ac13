"""Which version a name means: the newest, but for an older one that was chosen since it was made."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.release import versions
from pipelines.versions import pin
from pipelines.versions.pin import current, unpin, versions_table
from tests.versions import RECIPE, candidate, together, write_version

STEPS = st.one_of(st.just("make"), st.just("unpin"), st.tuples(st.just("pin"), st.integers(1, 4)))


def make(home: Path) -> Path:
    """The least that is a version."""
    folder = home / f"v{len(versions(home)) + 1}"
    folder.mkdir(parents=True)
    (folder / "version.json").write_bytes(b"{}")
    return folder


@given(st.lists(STEPS, max_size=12))
@settings(max_examples=30, deadline=None)
def test_a_name_means_the_version_that_was_chosen_last_until_another_is_made(steps: list[Any]):
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        meant = make(home).name
        for step in steps:
            match step:
                case "make":
                    meant = make(home).name
                case "unpin":
                    unpin(home)
                    meant = versions(home)[-1].name
                case (_, number) if number <= len(versions(home)):
                    meant = pin.pin(home, f"v{number}").name
                case _:
                    continue
            assert current(home).name == meant


def test_a_rollback_deletes_nothing_and_leaves_nothing_else(tmp_path: Path):
    made = [make(tmp_path) for _ in range(3)]
    assert pin.pin(tmp_path, "v1") == made[0]
    assert versions(tmp_path) == made
    assert {path.name for path in tmp_path.iterdir()} == {"v1", "v2", "v3", pin.FILE}
    unpin(tmp_path)
    unpin(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"v1", "v2", "v3"}


def test_a_pin_whose_version_is_gone_is_none(tmp_path: Path):
    for _ in range(3):
        make(tmp_path)
    pin.pin(tmp_path, "v2")
    shutil.rmtree(tmp_path / "v2")
    assert current(tmp_path).name == "v3"


def test_a_rollback_that_breaks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for _ in range(3):
        make(tmp_path)
    pin.pin(tmp_path, "v2")

    def full(*anything: Any) -> Any:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="Input/output"):
            pin.pin(tmp_path, "v1")
    assert current(tmp_path).name == "v2"
    assert {path.name for path in tmp_path.iterdir()} == {"v1", "v2", "v3", pin.FILE}


def test_a_version_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path):
    with pytest.raises(ValueError, match="has no version yet"):
        current(tmp_path)
    make(tmp_path)
    make(tmp_path)
    for name in ("v3", "1", "", "../v1"):
        with pytest.raises(ValueError, match="there are: v1, v2"):
            pin.pin(tmp_path, name)


def test_the_list_says_what_changed_from_one_to_the_next(tmp_path: Path):
    facts = together(candidate(0), candidate(1, similarity=0.6))
    write_version(tmp_path / "v1", facts, prompts={"pose/plan": "Plan.\n"})
    more = {**RECIPE, "target": {"accepted": 3}}
    write_version(tmp_path / "v2", together(candidate(0)), recipe=more, prompts={"pose/plan": "Plan well.\n"})
    write_version(tmp_path / "v3", facts, recipe=more, prompts={"pose/plan": "Plan well.\n"})
    write_version(
        tmp_path / "v4", together(candidate(0), candidate(2)), recipe=more, prompts={"pose/plan": "Plan well.\n"}
    )
    pin.pin(tmp_path, "v2")
    listed = versions_table(tmp_path)
    assert [(each.name, each.accepted, each.candidates) for each in listed] == [
        ("v1", 2, 2),
        ("v2", 1, 1),
        ("v3", 2, 2),
        ("v4", 2, 2),
    ]
    assert [each.is_current for each in listed] == [False, True, False, False]
    assert [each.changed for each in listed] == [
        "",
        "-1 accepted; target.accepted 2 → 3; prompt pose/plan",
        "+1 accepted",
        "other facts, by the same recipe",
    ]
