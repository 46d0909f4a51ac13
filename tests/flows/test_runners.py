"""Where a run says that its shards are run; whoever runs them, the version is the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows import make
from flows.cli import main
from flows.run import directly
from flows.runners import chosen
from pipelines.recipe import BadRecipe
from tests.small import Site


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Ray were not installed."""
    monkeypatch.setitem(sys.modules, "ray.exceptions", None)


def test_a_recipe_names_its_runner_and_that_changes_neither_facts_nor_versions(site: Site):
    made = site.embedded()
    site.value["run"] = {"runner": "ray"}
    assert make.prepare(site.write()).runner == "ray"
    again = site.embedded()
    assert (again.folder, again.is_new, again.counts.get("sent", 0)) == (made.folder, False, 0)


def test_who_runs_it_may_name_another_one(site: Site):
    site.value["run"] = {"runner": "ray"}
    with chosen(make.prepare(site.write()), "here", workers=3) as there:
        assert there == (directly, 3)
    with chosen(make.prepare(site.write(), changes=["run.runner=here"])) as there:
        assert there == (directly, None)
    with (
        pytest.raises(ValueError, match="no runner 'nowhere'; there are: here, ray"),
        chosen(make.prepare(site.write()), "nowhere"),
    ):
        pass


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ({"runner": "rya"}, r"no runner 'rya' \(do you mean 'ray'\?\)"),
        ({"runner": 1}, "run.runner = 1"),
        ({"workers": 4}, "run has no key 'workers'"),
        ("ray", "run = 'ray' should be of type dict"),
    ],
    ids=str,
)
def test_a_recipe_that_names_none_is_told_which_there_are(run: object, why: str, site: Site):
    site.value["run"] = run
    with pytest.raises(BadRecipe, match=why):
        make.prepare(site.write())


@pytest.mark.usefixtures("without_ray")
def test_where_ray_is_missing_one_line_says_what_to_do(site: Site, data: Path):
    site.value["run"] = {"runner": "ray"}
    result = CliRunner().invoke(main, ["run", site.write(), "--quiet"])
    assert result.exit_code == 2
    assert result.stderr == (
        "thoughtmill: no module 'ray.exceptions': install thoughtmill[ray], or run with --runner here\n"
    )
    assert not data.exists()
