from pathlib import Path

import pytest

from filters.artifact import artifact


def test_what_counts_is_content_and_names_not_place_or_time(tmp_path: Path):
    for home in ("here", "there"):
        (tmp_path / home / "inner").mkdir(parents=True)
        (tmp_path / home / "inner" / "a.jsonl").write_text("{}")
        (tmp_path / home / ".hidden").write_text(home)
    here, there = artifact(tmp_path / "here"), artifact(str(tmp_path / "there"))
    assert here.digest == there.digest
    assert here.path != there.path


@pytest.mark.parametrize("change", ["other content", "another name", "one more"])
def test_any_change_of_content_changes_the_digest(tmp_path: Path, change: str):
    file = tmp_path / "a.jsonl"
    file.write_text("{}")
    before = artifact(tmp_path)
    match change:
        case "other content":
            file.write_text("[]")
        case "another name":
            file.rename(tmp_path / "b.jsonl")
        case _:
            (tmp_path / "b.jsonl").write_text("")
    assert artifact(tmp_path).digest != before.digest


def test_a_file_alone_is_known_by_its_content(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    assert artifact(tmp_path / "a").digest == artifact(tmp_path / "b").digest


def test_what_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="no file or folder"):
        artifact(tmp_path / "missing")
    with pytest.raises(ValueError, match="is empty"):
        artifact(tmp_path)
