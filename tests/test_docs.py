"""The documentation says what is so: commands run, generated parts are up to date, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs import generate, licences, methods, reference, trainers, verifiers
from pipelines.bind import bind
from tests.each import each_of
from tests.server import running

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
ENDPOINT = "http://localhost:8000/v1"


class Example(NamedTuple):
    """A block of code in a page, and the heading that it stands under."""

    language: str
    code: str
    heading: str


def examples(page: str) -> Iterator[Example]:
    for section in re.split(r"^(?=##+ )", page, flags=re.MULTILINE):
        for language, code in re.findall(r"^```(sh|python)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
            yield Example(language, code, section.partition("\n")[0].lstrip("# "))


def environment(folder: Path) -> dict[str, str]:
    """As in an activated environment, with everything that is made in `folder`."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    prefect = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    return {**os.environ, **prefect, "PATH": programs, "THOUGHTMILL_DATA": str(folder / "data")}


def command_of(example: Example, url: str) -> list[str]:
    if example.language == "python":
        return [sys.executable, "-c", example.code]
    return ["bash", "-euo", "pipefail", "-c", example.code.replace(ENDPOINT, url)]


def run(example: Example, folder: Path, url: str = ENDPOINT) -> str:
    """Run an example in `folder`; returns what it prints, and fails with that where it fails."""
    done = subprocess.run(
        command_of(example, url), cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{example.code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def under(heading: str) -> list[Example]:
    found = [each for each in examples(README) if each.heading == heading]
    assert found, f"the README has no examples under {heading!r}"
    return found


# ---------------------------------------------------------------------------------------------------------------
# Commands


TESTED_ALONE = ["Start", "Extras"]  # `make`, which CI calls in full, and Prefect, which takes long to start


QUICK = ["Use your own endpoint and your own seeds", "Look before you run"]


@pytest.mark.slow
@pytest.mark.parametrize("heading", QUICK)
def test_quick_examples_run_by_themselves(heading: str, tmp_path: Path) -> None:
    with running("--author", "builtin") as (url, _):
        assert all([run(each, tmp_path, url) for each in under(heading)]), "each prints something"


@pytest.mark.slow
def test_ones_own_data_comes_in(tmp_path: Path) -> None:
    bring = under("Bring your own data")[-1]
    assert "wrong answer" in run(bring, tmp_path), "one of the brought responses is wrong, and shown so"
    assert (tmp_path / "data" / "datasets" / "mine" / "v1" / "sft" / "state.json").is_file()


@pytest.mark.slow
def test_a_reader_can_type_everything_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with running("--author", "builtin", "--log", str(log)) as (url, _):
        told = [run(each, tmp_path, url) for each in examples(README) if each.heading not in TESTED_ALONE]
    assert any("teacher (Qwen/Qwen3-8B)" in each for each in told)
    assert "A tap fills 12 litres" in log.read_text(), "the endpoint is asked about the reader's own seeds"


@pytest.mark.slow
def test_the_flow_of_the_readme_runs(tmp_path: Path) -> None:
    [example] = under("Extras")
    assert "accepted" in run(example, tmp_path)


@pytest.mark.parametrize(
    "block", re.findall(r"```toml\n(.*?)```", (ROOT / "docs/curation.md").read_text(), re.DOTALL)
)
def test_the_recipes_of_the_curation_page_bind(block: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    value = tomllib.loads(block)
    value["name"], value["stages"] = "page", [{"use": "bring", "rows": "rows.jsonl"}, *value["stages"]]
    if any(stage["use"] == "expand" for stage in value["stages"]):
        value["models"] = {"teacher": "builtin"}
    assert bind(value, folder=tmp_path).steps


def test_make_knows_the_commands_of_the_readme() -> None:
    [example] = under("Start")
    made = "\n".join(line for line in example.code.splitlines() if line.startswith("make "))
    told = run(Example("sh", made.replace("make ", "make --dry-run "), ""), ROOT)
    assert "thoughtmill run cot-self-instruct" in told
    assert "docs.train cot-self-instruct" in told


def test_ci_calls_what_the_readme_begins_with() -> None:
    [example] = under("Start")
    steps = re.findall(r"^step \d+ (.+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert {f"make {step}" for step in steps} >= {
        line for line in example.code.split("\n") if line.startswith("make")
    }
    targets = re.findall(r"^(test[a-z-]*|lint):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets) <= set(steps)


# ---------------------------------------------------------------------------------------------------------------
# Generated parts


PAGES_FROM_CODE = {"methods": methods, "reference": reference, "trainers": trainers, "verifiers": verifiers}


@pytest.mark.parametrize("page", PAGES_FROM_CODE.values(), ids=PAGES_FROM_CODE)
def test_the_pages_from_the_code_are_up_to_date(page: ModuleType) -> None:
    path = ROOT / "docs" / f"{page.__name__.removeprefix('docs.')}.md"
    assert path.read_text(encoding="utf-8") == page.render(), "make docs writes it"


@pytest.mark.slow
def test_the_transcript_is_up_to_date() -> None:
    said, is_so = generate.transcript_of(README), generate.transcript()
    assert generate.settled(said) == generate.settled(is_so), "make docs writes it"


def test_only_the_count_of_requests_is_taken_as_unsettled() -> None:
    told = "accepted   20\nthis run: 464 requests sent, 0 replies from the journal\ndataset data/x"
    assert generate.settled(told) == "accepted   20\nthis run: ...\ndataset data/x"


def test_a_transcript_put_into_a_readme_is_found_again() -> None:
    page = generate.with_transcript(README, "$ one\n\n$ two\nthree")
    assert generate.transcript_of(page) == "$ one\n\n$ two\nthree"
    assert generate.with_transcript(page, generate.transcript_of(README)) == README


def test_the_licences_are_those_that_are_installed() -> None:
    listed = dict(
        re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
    )
    now = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", licences.render(), re.MULTILINE))
    assert {name: listed[name] for name in now.keys() & listed} == {name: now[name] for name in now.keys() & listed}
    assert "see its files" not in listed.values()


def test_every_direct_dependency_has_its_licence() -> None:
    listed = (ROOT / "docs" / "licences.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name != "dev"}
    for need in [*project["dependencies"], *(need for needs in extras.values() for need in needs)]:
        name = canonicalize_name(Requirement(need).name)
        assert f"| {name} |" in listed or f"`{name}`" in listed, f"{name}: make docs writes docs/licences.md"
    assert all(f"## Extra `{name}`" in listed for name in extras)


def test_a_licence_is_read_from_metadata() -> None:
    assert licences.licence(distribution("click")) == "BSD-3-Clause"
    found, absent = licences.closure([Requirement("aiohttp"), Requirement("no-such-distribution")])
    assert {"aiohttp", "multidict", "yarl", "idna"} <= found.keys()
    assert absent == {"no-such-distribution"}


# ---------------------------------------------------------------------------------------------------------------
# The house


@each_of(PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


@each_of(PAGES)
def test_paths_in_backticks_exist(page: str) -> None:
    """Names of our own files, in the folders that the checkout has; what is made under data/ apart."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rooms = "pipelines|flows|filters|prompts|tests|benchmarks|docs"
    for path in re.findall(rf"`((?:{rooms})/[\w./-]+)`", text):
        assert (ROOT / path).exists(), f"{page} speaks of {path}"


def test_constraints_name_every_dependency_and_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[^ ;]+( ; .+)?", line) for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {**project["optional-dependencies"], "base": project["dependencies"]}
    needed = {
        Requirement(need).name for name in ("base", "math", "datasets", "flows", "dev") for need in groups[name]
    }
    assert {canonicalize_name(name) for name in needed} - {"thoughtmill"} <= pinned
    assert not any(name == "torch" or name.startswith("nvidia") for name in pinned)


@each_of(["Makefile", ".ci/run", "constraints.txt", ".pre-commit-config.yaml", "pyproject.toml"])
def test_no_file_of_the_house_names_an_address(file: str) -> None:
    assert not re.search(r"https?://|--(?:extra-)?index-url(?!\S)\s+\S", (ROOT / file).read_text())
