"""Cards that people edited: nothing of theirs is lost, and all that they left alone is as fresh as can be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.card.merge import MARK, OURS, Card, joined, merged, merged_blocks, taken_apart

PUBLISHED = f"""\
---
license: cc0-1.0
tags:
- synthetic
size_categories:
- "n<1K"
configs:
- config_name: sft
  data_files: sft/*.parquet
---

{MARK}

# sums v1

Problems about sums.

## Numbers

100 rows.

| step | rows |
|---|---:|
| posed | 7 |

## Limits

- Models wrote it.

## Citation

```bibtex
# no heading

## none either
```
"""

FRESH = (
    PUBLISHED.replace("v1", "v2")
    .replace("100 rows", "200 rows")
    .replace("| posed | 7 |", "| posed | 14 |")
    .replace('"n<1K"', '"1K<n<10K"')
    .replace("sft/*.parquet", "sft/train-*.parquet")
    .replace("## Limits", "## Decontamination\n\nNone.\n\n## Limits")
)


# The three laws


# Blocks and keys with few names, so that the three cards have much in common.
WORDS = st.sampled_from(["one", "two", "three", "| a | b |", "```\n# code\n\ncode\n```", "- x\n- y", "<b>"])
BLOCKS = st.lists(WORDS, max_size=5)
HEADINGS = st.lists(st.sampled_from(["# title v1", "# title v2", "## A", "## B", "## C", "## D"]), max_size=5)
KEYS = st.dictionaries(
    st.sampled_from(["license", "tags", "configs", "language", "dataset_info"]),
    st.sampled_from([" mit", " other", "\n- x\n- y", " |\n  text: more"]),
)


@st.composite
def cards(draw: st.DrawFn) -> str:
    header = {key: f"{key}:{value}\n" for key, value in draw(KEYS).items()}
    body = [draw(BLOCKS), *([heading, *draw(BLOCKS)] for heading in draw(HEADINGS))]
    return joined(Card(header, {str(place): blocks for place, blocks in enumerate(body)}))


@settings(max_examples=40, deadline=None)
@given(cards(), cards())
def test_a_card_that_nobody_edited_becomes_the_fresh_one(published: str, fresh: str):
    assert merged(published, published, fresh) == fresh
    assert merged(None, published, fresh) == merged(None, None, fresh) == fresh
    assert merged(published.replace("\n", "\r\n"), published, fresh) == fresh


@settings(max_examples=40, deadline=None)
@given(cards(), cards())
def test_an_edited_card_stays_where_nothing_is_new(edited: str, published: str):
    assert merged(edited, published, published) == edited


@settings(max_examples=40, deadline=None)
@given(cards(), cards(), cards())
def test_merging_a_second_time_changes_nothing(edited: str, published: str, fresh: str):
    once = merged(edited, published, fresh)
    assert merged(once, fresh, fresh) == once


@settings(max_examples=80, deadline=None)
@given(cards(), st.none() | cards(), cards())
def test_nothing_that_people_wrote_is_lost(edited: str, published: str | None, fresh: str):
    result, theirs = taken_apart(merged(edited, published, fresh)), taken_apart(edited)
    was = taken_apart(published or "")
    assert set(blocks_of(edited)) - set(blocks_of(joined(was))) <= set(blocks_of(joined(result)))
    for key in theirs.header.keys() - OURS:
        assert theirs.header[key] in (was.header.get(key), result.header.get(key))


@settings(max_examples=40, deadline=None)
@given(cards(), cards(), cards())
def test_whatever_stands_there_came_from_one_of_the_two(edited: str, published: str, fresh: str):
    result = blocks_of(merged(edited, published, fresh))
    assert set(result) <= set(blocks_of(edited)) | set(blocks_of(fresh))


@settings(max_examples=40, deadline=None)
@given(cards())
def test_a_card_taken_apart_and_joined_is_the_same(card: str):
    assert joined(taken_apart(card)) == card


@settings(max_examples=80, deadline=None)
@given(BLOCKS, BLOCKS, BLOCKS)
def test_of_blocks_each_change_is_applied(base: list[str], now: list[str], today: list[str]):
    assert merged_blocks(base, base, today) == today
    assert merged_blocks(base, now, base) == now
    assert set(now) - set(base) <= set(merged_blocks(base, now, today))


def blocks_of(card: str) -> list[str]:
    return [block for blocks in taken_apart(card).sections.values() for block in blocks]


# What people do


def edited(old: str, new: str) -> str:
    """The next release after somebody replaced this in the last one."""
    assert old in PUBLISHED
    return merged(PUBLISHED.replace(old, new), PUBLISHED, FRESH)


def test_a_section_of_theirs_stays_where_they_put_it():
    theirs = "## Read this first\n\nIt is small.\n\n"
    assert edited("## Numbers\n", f"{theirs}## Numbers\n") == FRESH.replace("## Numbers\n", f"{theirs}## Numbers\n")
    assert edited("## Limits\n", f"{theirs}## Limits\n") == FRESH.replace("## Decont", f"{theirs}## Decont")


def test_a_section_at_the_end_or_before_the_title_stays_there():
    assert merged(f"{PUBLISHED}\n## Thanks\n\nTo Ada.\n", PUBLISHED, FRESH) == f"{FRESH}\n## Thanks\n\nTo Ada.\n"
    assert edited(MARK, f"Moved.\n\n{MARK}") == FRESH.replace(MARK, f"Moved.\n\n{MARK}")


def test_a_section_that_they_removed_stays_removed():
    result = edited("## Limits\n\n- Models wrote it.\n\n", "")
    assert "Limits" not in result
    assert result == FRESH.replace("## Limits\n\n- Models wrote it.\n\n", "")


def test_a_paragraph_of_theirs_stays_among_numbers_that_are_new():
    result = edited("100 rows.\n\n", "100 rows.\n\nBut see below.\n\n")
    assert result == FRESH.replace("200 rows.\n\n", "200 rows.\n\nBut see below.\n\n")


def test_what_both_added_is_there_once():
    theirs = PUBLISHED.replace("- Models wrote it.", "- Models wrote it.\n\nNo person read it.")
    fresh = FRESH.replace("- Models wrote it.", "- Models wrote it.\n\nNo person read it.\n\nSo be careful.")
    assert merged(theirs, PUBLISHED, fresh) == fresh


def test_a_paragraph_of_ours_that_they_changed_stays_theirs():
    result = edited("100 rows.", "About a hundred rows.")
    assert result == FRESH.replace("200 rows.", "About a hundred rows.")
    assert "| posed | 14 |" in result


def test_a_paragraph_of_ours_that_they_removed_stays_removed():
    assert edited("- Models wrote it.\n\n", "") == FRESH.replace("- Models wrote it.\n\n", "")


def test_where_they_moved_sections_their_order_holds():
    limits = "## Limits\n\n- Models wrote it.\n\n"
    moved = PUBLISHED.replace(limits, "").replace("## Numbers\n", f"{limits}## Numbers\n")
    result = merged(moved, PUBLISHED, FRESH)
    assert result.index("## Limits") < result.index("## Numbers") < result.index("200 rows")
    assert "## Decontamination" in result


def test_a_section_that_is_no_longer_written_goes_unless_they_edited_it():
    less = FRESH.replace("## Limits\n\n- Models wrote it.\n\n", "")
    assert merged(f"{PUBLISHED}\nMore.\n", PUBLISHED, less) == f"{less}\nMore.\n"
    assert "Models and Ada wrote it" in merged(PUBLISHED.replace("Models", "Models and Ada"), PUBLISHED, less)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("license: cc0-1.0", "license: cc-by-4.0"),
        ("license: cc0-1.0", "license: cc0-1.0\npretty_name: Sums"),
        ("license: cc0-1.0\n", ""),
        ("- synthetic", "- synthetic\n- arithmetic"),
    ],
    ids=["changed", "added", "removed", "longer"],
)
def test_a_key_of_the_header_that_they_changed_stays_so(old: str, new: str):
    assert edited(old, new) == FRESH.replace(old, new)


def test_keys_that_say_where_the_data_lies_are_ours():
    assert edited("sft/*.parquet", "elsewhere/*.parquet") == FRESH
    assert edited('- "n<1K"', '- "1B<n<10B"') == FRESH
    assert edited('size_categories:\n- "n<1K"\n', "").count("1K<n<10K") == 1


def test_a_key_that_was_only_quoted_in_another_way_is_not_edited():
    pytest.importorskip("yaml")
    fresh = FRESH.replace("- synthetic", "- synthetic\n- reasoning")
    assert merged(PUBLISHED.replace("tags:\n- synthetic", 'tags: ["synthetic"]'), PUBLISHED, fresh) == fresh


def test_a_header_that_is_no_yaml_is_kept_as_it_is():
    assert "language: [en" in edited("license: cc0-1.0", "license: cc0-1.0\nlanguage: [en")


# Cards of which nobody knows what was published


def test_without_what_was_published_a_marked_card_is_ours_but_for_what_we_do_not_write():
    there = PUBLISHED.replace("license: cc0-1.0", "license: mit") + "\n## Thanks\n\nTo Ada.\n"
    wanted = FRESH.replace("license: cc0-1.0", "license: mit") + "\n## Thanks\n\nTo Ada.\n"
    assert merged(there, None, FRESH) == wanted


def test_without_what_was_published_an_unmarked_card_is_theirs_and_gets_what_it_lacks():
    there = "---\nlicense: mit\n---\n\n# Ada's sums\n\nMine.\n\n## Limits\n\nNone at all.\n"
    result = merged(there, None, FRESH)
    assert all(text in result for text in ("license: mit", "# Ada's sums\n\nMine.", "## Limits\n\nNone at all."))
    assert all(text in result for text in ("sft/train-*.parquet", "200 rows.", "```bibtex"))
    assert "# sums v2" not in result
    assert "Models wrote it" not in result


@pytest.mark.parametrize("empty", ["", "\n", "---\n---\n", "# sums"])
def test_an_empty_card_is_filled(empty: str):
    result = merged(empty, None, FRESH)
    assert taken_apart(result).header == taken_apart(FRESH).header
    assert "200 rows." in result
