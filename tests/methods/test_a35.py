"""A35, SEED-GRPO: semantic entropy, how much the answers to a question differ in meaning.

Shown elsewhere:
- all alike give 0, K different ones log K, and equivalent forms are one class:
  tests/filters/test_entropy.py::test_semantic_entropy and
  tests/filters/test_entropy.py::test_all_alike_are_exactly_zero
- in whatever order: tests/filters/test_entropy.py::test_entropy_is_between_zero_and_log_k_in_any_order
- no reference is needed: tests/filters/test_entropy.py::test_it_needs_no_reference
- on real answers it goes against the pass rate:
  tests/filters/test_entropy.py::test_on_real_responses_the_more_answers_differ_the_fewer_are_right
"""

from __future__ import annotations

from math import log

import orjson
import pytest

from filters.entropy import beside_pass_rate
from flows.make import Made
from tests.methods import lines
from tests.small import verdicts

K = 4


def row(right: int) -> dict[str, object]:
    """So many of K responses are right, and all others are wrong in ways of their own; one is spelt otherwise."""
    answers = ["12/24"] * (right > 1) + ["1/2"] * (right - (right > 1)) + [str(7 + i) for i in range(K - right)]
    return {"question": f"What is a half, number {right}?", "answer": "1/2", "responses": lines.boxed(*answers)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return lines.run(
        tmp_path_factory.mktemp("a35"), [*map(row, range(K + 1))], lines.sift("pass_rate", "semantic_entropy")
    )


def test_a_version_reports_entropy_beside_the_pass_rate_with_their_correlation(made: Made) -> None:
    """First of all correlations, over all rows that have both, in the report's numbers and in its words."""
    told = beside_pass_rate(verdicts(made))
    first = lines.report(made)["correlations"][0]
    assert [rule.partition("@")[0] for rule in first["rules"]] == ["pass_rate", "semantic_entropy"]
    assert (first["n"], first["spearman"]) == (told["n"], pytest.approx(told["spearman"]))
    assert first["n"] == K + 1
    assert -1 <= first["spearman"] < -0.8
    text = (made.folder / "report" / "report.md").read_text()
    assert "semantic_entropy" in text
    assert f"{first['spearman']:.2f}".lstrip("-") in text


def test_the_facts_of_a_version_have_entropy_and_number_of_classes(made: Made) -> None:
    """0 where all say the same, however it is spelt, and log K where none do."""
    told = lines.told(made, "semantic_entropy")
    by_right = [told[f"What is a half, number {right}?"] for right in range(K + 1)]
    assert [each.score for each in by_right[:2]] == [pytest.approx(log(K))] * 2
    assert by_right[K].score == 0.0
    assert [orjson.loads(each.context)["classes"] for each in by_right] == [4, 4, 3, 2, 1]
