"""The command line: what it prints, and one clear line that changes nothing for whatever a person can mend."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from flows.cli import main
from flows.run import locked
from tests.server import running
from tests.small import Site, attempts, problems, tree

ROOT = Path(__file__).parents[2]


def thoughtmill(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, arguments)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, where nothing of pytest catches logs and exits."""
    env = {**os.environ, "COLUMNS": "200", **environment}
    command = [sys.executable, "-m", "flows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60, check=False)


def kept(data: Path) -> dict[str, bytes]:
    """What there is of a data folder, but for the files that only serve as locks."""
    return tree(data, but=lambda path: path.name == "lock")


def the_one_line(result: Result | subprocess.CompletedProcess[str]) -> str:
    if isinstance(result, Result) and not isinstance(result.exception, SystemExit | None):
        raise result.exception  # a traceback is what the person would see
    [line] = result.stderr.splitlines()
    assert not result.stdout
    return line


# Recipes that are wrong


def teacher(site: Site) -> dict[str, Any]:
    return site.value["models"]["teacher"]


def rule(site: Site, given: Any, *, stage: str = "screen") -> None:
    site.stage(stage)["rules"] = [given]


def own_prompt(site: Site, text: str, *, stage: str = "pose") -> None:
    path = site.folder / "prompts" / "own" / "prompt.md"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    site.stage(stage)["prompt"] = "own/prompt"


def seed_lines(site: Site, *lines: bytes) -> None:
    (site.folder / "seeds.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


GOOD_SEED = b'{"question": "How many legs do three spiders have?", "answer": "24"}'
HEADER = "---\nasks: x\nreplies: <question>, <answer>\nsource: ours\n---\n"

WRONG: dict[str, tuple[Callable[[Site], Any], list[str]]] = {
    # a name: how the recipe is made wrong, and what the line says
    "unknown key": (lambda s: s.value.update(taget=1), ["'taget'", "do you mean 'target'"]),
    "unknown key of the target": (lambda s: s.value["target"].update(acepted=1), ["do you mean 'accepted'"]),
    "unknown key of a stage": (lambda s: s.stage("expand").update(m=1), ["'m'", "prompt, sampling"]),
    "unknown stage": (lambda s: s.stage("expand").update(use="expnd"), ["'expnd'", "do you mean 'expand'"]),
    "unknown rule": (lambda s: rule(s, "novlty"), ["'novlty'", "do you mean 'novelty'"]),
    "unknown parameter of a rule": (
        lambda s: rule(s, {"rule": "novelty", "at_mots": 0.7}),
        ["'at_mots'", "do you mean 'at_most'"],
    ),
    "unknown model role": (lambda s: s.stage("expand").update(model="techer"), ["'techer'", "teacher"]),
    "no models": (lambda s: s.value.pop("models"), ["no model 'teacher'", "none"]),
    "unknown engine": (lambda s: teacher(s).update(use="opnai:x"), ["'opnai'", "builtin, openai, replay"]),
    "engine without a model": (lambda s: teacher(s).update(use="openai:"), ["names no model"]),
    "unknown key of a model": (lambda s: teacher(s).update(revison="a"), ["revison", "revision"]),
    "unknown sampling": (lambda s: teacher(s)["sampling"].update(temprature=1), ["temprature", "temperature"]),
    "unknown view": (lambda s: s.value.update(views=["stf"]), ["'stf'", "sft, twins"]),
    "unknown verifier": (lambda s: s.stage("pose").update(verifier="mth"), ["'mth'", "math"]),
    "no stages": (lambda s: s.value.pop("stages"), ["[[stages]]"]),
    "a stage without its prompt": (lambda s: s.stage("expand").pop("prompt"), ["'expand' needs prompt"]),
    "two stages of one name": (
        lambda s: s.value["stages"].append({"use": "expand", "prompt": "solve/boxed"}),
        ["two stages are called 'expand'"],
    ),
    "two sources": (
        lambda s: s.value["stages"].append({"use": "draw", "name": "more", "seeds": "seeds.jsonl"}),
        ["'more'", "first stage"],
    ),
    "a rule without its name": (
        lambda s: s.stage("verify")["rules"].append({"use": "pass_rate"}),
        ['rule = "NAME"'],
    ),
    "no source": (lambda s: s.value["stages"].pop(0), ["'pose'", "draw or bring"]),
    "something after select": (
        lambda s: s.value["stages"].insert(3, {"use": "select", "rules": ["rip"]}),
        ["nothing comes after select"],
    ),
    "a rule twice": (lambda s: s.stage("screen").update(rules=["form", "form"]), ["'screen'", "form"]),
    "a snapshot rule in a sift": (lambda s: rule(s, "rip"), ["'rip'", "select"]),
    "a name that leaves the folder": (lambda s: s.value.update(name="../else"), ["'../else'"]),
    "an empty name": (lambda s: s.value.update(name=""), ["name"]),
    # wrong types and values
    "text for a number": (lambda s: s.stage("expand").update(n="many"), ["'expand', n", "'many'", "int"]),
    "no samples": (lambda s: s.stage("expand").update(n=0), ["'expand'", "n", "0"]),
    "text for a threshold": (lambda s: rule(s, {"rule": "novelty", "at_most": "x"}), ["at_most", "'x'", "float"]),
    "a threshold out of range": (lambda s: rule(s, {"rule": "novelty", "at_most": 7}), ["at_most = 7"]),
    "a quantile out of range": (
        lambda s: s.value["stages"].append({"use": "select", "rules": [{"rule": "rip", "reward_quantile": 3}]}),
        ["3", "quantile"],
    ),
    "a rule that is none": (lambda s: rule(s, 5), ["'screen'", "5"]),
    "rules that are no list": (lambda s: s.stage("screen").update(rules="form"), ["'form'", "list"]),
    "a target that is no table": (lambda s: s.value.update(target=5), ["target", "5"]),
    "a target of nothing": (lambda s: s.value["target"].update(accepted=0), ["target.accepted = 0"]),
    "a truth for a number": (lambda s: s.value["target"].update(accepted=True), ["target.accepted = True"]),
    "a seed that is no number": (lambda s: s.value.update(seed="a"), ["seed", "'a'"]),
    "an empty shard": (lambda s: s.value.update(shard=0), ["shard = 0"]),
    "models that are no table": (lambda s: s.value.update(models="builtin"), ["models", "'builtin'"]),
    "a model that is none": (lambda s: s.value.update(models={"teacher": 5}), ["teacher"]),
    "stages that are none": (lambda s: s.value.update(stages=["draw"]), ["stages", "'draw'"]),
    "arms that are no table": (lambda s: s.value.update(arms="plan"), ["arms", "'plan'"]),
    "views that are no list": (lambda s: s.value.update(views="sft"), ["views", "'sft'"]),
    "a view twice": (lambda s: s.value.update(views=["sft", "sft"]), ["'sft'", "twice"]),
    "sampling that is no table": (lambda s: teacher(s).update(sampling=3), ["sampling", "3"]),
    "a temperature in words": (lambda s: teacher(s)["sampling"].update(temperature="hot"), ["temperature", "'hot'"]),
    "a limit in words": (lambda s: teacher(s)["sampling"].update(max_tokens="much"), ["max_tokens", "'much'"]),
    "a limit of nothing": (lambda s: teacher(s)["sampling"].update(max_tokens=0), ["max_tokens", "0"]),
    "a revision that is a number": (lambda s: teacher(s).update(revision=4), ["revision = 4", "str"]),
    "a price in words": (lambda s: teacher(s).update(price={"input": "x"}), ["price", "'x'"]),
    "a fault above one": (lambda s: teacher(s).update(slip=4), ["slip", "4"]),
    "a fault in words": (lambda s: teacher(s).update(slip="a"), ["slip", "'a'"]),
    "faults that sum to more than one": (lambda s: teacher(s).update(leak=0.6, wrong_author=0.6), ["faults"]),
    "a recording that is not there": (lambda s: teacher(s).update(use="replay:none.jsonl"), ["none.jsonl"]),
    # prompts
    "missing prompt": (lambda s: s.stage("expand").update(prompt="solve/boxd"), ["'solve/boxd'", "solve/boxed"]),
    "prompt outside": (lambda s: s.stage("expand").update(prompt="../recipes/x"), ["'../recipes/x'"]),
    "prompt with an unknown variable": (
        lambda s: own_prompt(s, HEADER + "{{seeds}} {{topic}}"),
        ["'own/prompt' needs topic", "seeds"],
    ),
    "prompt without its variable": (
        lambda s: own_prompt(s, HEADER + "Pose a problem."),
        ["'own/prompt' does not use seeds"],
    ),
    "prompt of another stage": (lambda s: s.stage("expand").update(prompt="pose/plan"), ["needs seeds", "question"]),
    "prompt without a header": (lambda s: own_prompt(s, "{{seeds}}"), ["'own/prompt' has no header"]),
    "prompt that asks for no question": (
        lambda s: own_prompt(s, "---\nasks: x\nsource: ours\n---\n{{seeds}}"),
        ["'own/prompt'", "<question>"],
    ),
    "prompt with text before its messages": (
        lambda s: own_prompt(s, HEADER + "{{seeds}}\n[user]\nPose."),
        ["'own/prompt'", "before the first"],
    ),
    # seeds
    "missing seeds": (lambda s: s.stage("draw").update(seeds="nowhere.jsonl"), ["no file nowhere.jsonl"]),
    "empty seeds": (lambda s: seed_lines(s), ["0 seeds"]),
    "a field that there is not": (
        lambda s: s.stage("draw").update(seeds={"path": "seeds.jsonl", "columns": {"questoin": "q"}}),
        ["no field 'questoin'", "question"],
    ),
    "a column that no row has": (
        lambda s: s.stage("draw").update(seeds={"path": "seeds.jsonl", "columns": {"question": "qestion"}}),
        ["no column 'qestion'", "'question'"],
    ),
    "seeds that are a number": (lambda s: s.stage("draw").update(seeds=[4]), ["seeds", "4"]),
    "more for a draw than there are": (lambda s: s.stage("draw").update(per_problem=13), ["per_problem = 13", "12"]),
    "a domain too small for a draw": (
        lambda s: (
            s.stage("draw").update(within="domain"),
            seed_lines(s, GOOD_SEED, GOOD_SEED[:-1] + b', "domain": "x"}'),
        ),
        ["per_problem = 2", "'x'"],
    ),
    "an unknown within": (lambda s: s.stage("draw").update(within="colour"), ["'colour'", "domain"]),
    "seeds that are not JSON": (lambda s: seed_lines(s, GOOD_SEED, b"{nope"), ["seeds.jsonl, line 2"]),
    "a seed that is no object": (lambda s: seed_lines(s, GOOD_SEED, GOOD_SEED, b"[1]"), ["seeds.jsonl, line 3"]),
    "a seed without a question": (lambda s: seed_lines(s, GOOD_SEED, b'{"task": "x"}'), ["line 2", "'question'"]),
    "a question that is no text": (lambda s: seed_lines(s, b'{"question": ["x"]}', GOOD_SEED), ["line 1", "list"]),
    "an answer that is no text": (
        lambda s: seed_lines(s, GOOD_SEED, b'{"question": "How?", "answer": ["a", 1]}'),
        ["line 2", "'answer'", "list"],
    ),
    "an empty line": (lambda s: seed_lines(s, GOOD_SEED, b"", GOOD_SEED), ["seeds.jsonl, line 2"]),
    "a seed that is not UTF-8": (lambda s: seed_lines(s, b'{"question": "\xff"}', GOOD_SEED), ["line 1"]),
    "seeds that are no Parquet": (
        lambda s: ((s.folder / "s.parquet").write_bytes(b"x"), s.stage("draw").update(seeds="s.parquet")),
        ["s.parquet", "not a Parquet file"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_recipe_gets_one_line_and_changes_nothing(site: Site, data: Path, name: str):
    make_wrong, told = WRONG[name]
    teacher(site)["use"] = "builtin"
    make_wrong(site)
    recipe = site.write()
    for command in ("run", "check"):
        result = thoughtmill(command, recipe)
        line = the_one_line(result)
        assert result.exit_code == 2
        assert line.startswith("thoughtmill: ")
        assert [words for words in told if words not in line] == []
        assert kept(data) == {}


SET = {
    "nonsense": "PLACE=VALUE",
    "target.accepted": "PLACE=VALUE",
    "=3": "''",
    "expnd.n=3": "do you mean 'expand'",
    "expand=3": "whole stage",
    "stages=3": "'stages'",
    "target=": "target",
    "models=1": "models",
    "arms=1": "arms",
    "arms.plan=false": "plan",
    "target.accepted=abc": "'abc'",
    "target.accepted.x=1": "target.accepted",
    "name.x=1": "'small'",
    "expand.n=": "n = ''",
    "expand.n=1=2": "'1=2'",
    "expand.n=nan": "nan",
    "expand.prompt=a\nb": "no prompt",
    "teacher=builtin": "models",
    "models.nobody=builtin": "nobody",
}


@pytest.mark.parametrize("change", SET)
def test_nonsense_set_on_the_command_line_gets_one_line(site: Site, data: Path, change: str):
    teacher(site)["use"] = "builtin"
    result = thoughtmill("run", site.write(), "--set", change)
    assert SET[change] in the_one_line(result)
    assert result.exit_code == 2
    assert kept(data) == {}


@pytest.mark.parametrize("content", [b"a = [\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_recipe(site: Site, data: Path, content: bytes):
    path = site.folder / "recipe.toml"
    path.write_bytes(content)
    result = thoughtmill("run", str(path))
    assert "recipe.toml: not TOML" in the_one_line(result)
    assert result.exit_code == 2
    assert kept(data) == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "cot-self-instrct"], "do you mean 'cot-self-instruct'"),
        (["run", "nowhere/recipe.toml"], "no file nowhere/recipe.toml"),
        (["check", "nothing"], "cot-self-instruct, cot-self-instruct-chat"),
        (["preview", "nothing"], "cot-self-instruct, cot-self-instruct-chat"),
        (["run", "cot-self-instruct", "--name", "../else"], "'../else'"),
        (["show", "nothing"], "no dataset 'nothing'; there are: none yet"),
    ],
)
def test_a_name_that_is_none_is_told_what_there_is(data: Path, arguments: list[str], told: str):
    result = thoughtmill(*arguments)
    assert told in the_one_line(result)
    assert result.exit_code == 2
    assert kept(data) == {}


def test_a_dataset_a_version_or_a_row_that_is_not_there(site: Site, data: Path):
    site.embedded("target.candidates=8")
    before = tree(data)
    for arguments, told in [
        (["nothing"], "no dataset 'nothing'; there are: small"),
        (["small@v2"], "no version 'v2' of small; there are: v1"),
        (["small", "1000"], "no row 1000: rows 0 to 4"),
        (["small", "abcdef"], "'abcdef'"),
        (["small", "'; drop table problems; --"], "drop table"),
    ]:
        result = thoughtmill("show", *arguments)
        assert told in the_one_line(result)
        assert result.exit_code == 2
    assert tree(data) == before


# Endpoints, disks and other runs that stand in the way


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL at which nobody listens."""
    with socket.socket() as held:  # bound and never listening: no other process gets the port meanwhile
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.mark.slow  # it waits as long as a person would
def test_an_endpoint_that_is_down(site: Site, data: Path, nobody: str):
    site.embedded("target.candidates=8")
    before = kept(data)
    site.value["target"]["candidates"] = 30
    result = process("run", site.write(), "--model", f"teacher=openai:test@{nobody}")
    line = the_one_line(result)
    assert nobody in line
    assert "is it running" in line
    assert result.returncode == 2
    assert kept(data) == before


def test_a_wrong_key(site: Site, data: Path):
    with running("--api-key", "right") as (url, _):
        result = process("run", site.write(), "--model", f"teacher=openai:test@{url}", OPENAI_API_KEY="wrong")
    line = the_one_line(result)
    assert "401" in line
    assert "OPENAI_API_KEY" in line
    assert "wrong" not in line.replace("wrong?", "")
    assert result.returncode == 2
    assert kept(data) == {}


def test_a_missing_key(site: Site, data: Path):
    teacher(site)["key_env"] = "NO_SUCH_KEY"
    for command in ("run", "check"):
        result = process(command, site.write())
        assert "set NO_SUCH_KEY" in the_one_line(result)
        assert result.returncode == 2
        assert kept(data) == {}


def test_a_key_is_never_written_down(site: Site, data: Path):
    teacher(site)["key_env"] = "THE_KEY"
    with running("--author", "builtin", "--api-key", "s3cr3t-k3y") as (url, _):
        change = ["--set", f'models.teacher.use="openai:test@{url}"', "--set", "target.candidates=8"]
        result = process("run", site.write(), *change, THE_KEY="s3cr3t-k3y")
    assert result.returncode == 0, result.stderr
    assert not [name for name, content in tree(data).items() if b"s3cr3t-k3y" in content]
    assert "s3cr3t-k3y" not in result.stdout + result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB of its own, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing may be mounted here; the next test does without")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up(site: Site, small_disk: Path, tmp_path: Path):
    teacher(site)["use"] = "builtin"
    site.value["target"]["candidates"] = 400
    result = process("run", site.write(), THOUGHTMILL_DATA=str(small_disk))
    line = the_one_line(result)
    assert "no space left" in line
    assert "Run the same command again" in line
    assert result.returncode == 75
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = process("run", site.write(), THOUGHTMILL_DATA=str(small_disk))
    undisturbed = process("run", site.write(), THOUGHTMILL_DATA=str(tmp_path / "other"))
    assert again.returncode == undisturbed.returncode == 0
    one, other = (tree(home / "datasets" / "small" / "v1" / "facts") for home in (small_disk, tmp_path / "other"))
    assert one == other


@pytest.mark.parametrize("full", ["journal", "runs", "datasets"])
def test_no_space_in_one_of_its_folders(site: Site, data: Path, monkeypatch: pytest.MonkeyPatch, full: str):
    site.embedded("target.candidates=8")
    before = {name: content for name, content in kept(data).items() if name.startswith("datasets")}
    write = os.write

    def fails(descriptor: int, content: bytes) -> int:
        if f"/{full}/" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content)

    opened = Path.open

    def refuses(path: Path, mode: str = "r", *more: Any, **others: Any) -> Any:
        if f"/{full}/" in str(path) and "w" in mode and path.name != "lock":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, mode, *more, **others)

    monkeypatch.setattr(os, "write", fails)
    monkeypatch.setattr(Path, "open", refuses)
    result = thoughtmill("run", site.write(), "--set", "target.candidates=16", "--quiet")
    line = the_one_line(result)
    assert "no space left" in line
    assert result.exit_code == 75
    assert {name: content for name, content in kept(data).items() if name.startswith("datasets")} == before


def test_a_second_run_on_the_same_dataset(site: Site, data: Path):
    made = site.embedded("target.candidates=8")
    before = kept(data)
    with locked(data / "runs" / "small", "small"):
        result = thoughtmill("run", site.write(), "--set", "target.candidates=16")
        line = the_one_line(result)
        assert f"process {os.getpid()}" in line
        assert "--name" in line
        assert result.exit_code == 2
        assert kept(data) == before
        assert thoughtmill("run", site.write(), "--name", "other", "--quiet").exit_code == 0
    assert thoughtmill("run", site.write(), "--quiet").exit_code == 0
    assert made.folder.is_dir()


def test_a_folder_that_may_not_be_written(site: Site, tmp_path: Path):
    """A file where the data folder should be stands for whatever forbids writing, also for root."""
    teacher(site)["use"] = "builtin"
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    result = process("run", site.write(), THOUGHTMILL_DATA=str(blocked))
    assert str(blocked) in the_one_line(result)
    assert result.returncode == 2
    assert blocked.read_text() == "here first"


@pytest.mark.slow
def test_interrupting_asks_nothing_twice(site: Site, data: Path, tmp_path: Path):
    """One SIGINT: what is under way ends and is kept, no version is made, and the next run asks only for the rest."""
    site.value["target"]["candidates"] = 60
    log = tmp_path / "log.jsonl"
    with running("--author", "builtin", "--latency", "0.1", "--log", str(log), "--log-digests") as (url, _):
        command = [sys.executable, "-m", "flows.cli", "run", site.write(), "--quiet"]
        command += ["--model", f"teacher=openai:test@{url}", "--set", "shard=4", "--workers", "2"]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
            while not log.exists() or len(log.read_bytes().splitlines()) < 10:
                assert run.poll() is None
                time.sleep(0.02)
            run.send_signal(signal.SIGINT)
            _, told = run.communicate(timeout=30)
        assert run.returncode == 130
        [line] = told.splitlines()
        assert "run the same command again" in line
        assert not list(data.glob("datasets/*/v*"))
        again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
    digests = [orjson.loads(line)["digest"] for line in log.read_bytes().splitlines()]
    assert len(digests) == len(set(digests))
    sent = next(line for line in again.stdout.splitlines() if line.startswith("this run:")).split()[2]
    assert 0 < int(sent) < len(digests)


# What the commands print


def test_list_names_recipes_and_versions(site: Site):
    empty = thoughtmill("list")
    assert empty.exit_code == 0
    assert "cot-self-instruct-chat" in empty.stdout
    assert "no datasets yet" in empty.stdout
    made = site.embedded("target.candidates=8")
    [line] = [line for line in thoughtmill("list").stdout.splitlines() if line.startswith("small")]
    assert line.split() == ["small", "v1", str(made.ledger["accepted"]), "8"]


def test_check_tells_every_stage_and_runs_nothing(data: Path):
    result = thoughtmill(
        "check", "cot-self-instruct", "--model", "teacher=openai:Qwen/Qwen3-8B@http://localhost:1/v1"
    )
    assert result.exit_code == 0
    for told in ["draw", "pose/plan-solve@", "novelty(at_most=0.7, ", "Qwen/Qwen3-8B at http://localhost:1/v1"]:
        assert told in result.stdout
    assert kept(data) == {}


def test_run_ends_with_the_ledger_and_the_place(site: Site):
    teacher(site)["use"] = "builtin"
    result = thoughtmill("run", site.write(), "--quiet")
    assert result.exit_code == 0
    assert not result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    books = {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
    assert books.pop("candidates") == sum(books.values()) == 24
    assert "datasets/small/v1" in result.stdout
    assert "nothing new" in thoughtmill("run", site.write(), "--quiet").stdout


def test_preview_shows_the_exact_prompts_and_a_run_has_its_replies_for_free(site: Site, data: Path, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    with running("--author", "builtin", "--log", str(log)) as (url, _):
        teacher(site)["use"] = f"openai:test@{url}"
        result = thoughtmill("preview", site.write(), "--rows", "2")
        bodies = [orjson.loads(orjson.loads(line)["body"]) for line in log.read_bytes().splitlines()]
        assert thoughtmill("run", site.write(), "--quiet").exit_code == 0
    assert result.exit_code == 0
    shown = "".join(result.stdout.split())
    assert bodies
    for body in bodies:
        assert "".join(body["messages"][-1]["content"].split()) in shown
    digests = [orjson.loads(line)["digest"] for line in log.read_bytes().splitlines()]
    assert len(digests) == len(set(digests)) > len(bodies)
    assert [path.name for path in data.glob("datasets/*/*")] == ["v1"]


def test_show_tells_the_whole_story_of_a_row(site: Site):
    made = site.embedded()
    result = thoughtmill("show", "small", "0")
    assert result.exit_code == 0
    for told in ["pose/plan-solve@", "solve/boxed@", "answer_matches@2", "pass_rate@2", "ACCEPTED"]:
        assert told in result.stdout
    posed = next(each for each in problems(made) if each.kind == "posed")
    story = thoughtmill("show", "small", posed.id).stdout
    assert "".join(posed.question.split())[:60] in "".join(story.split())
    assert thoughtmill("show", "small", attempts(made)[0].id).exit_code == 0


HOSTILE = "How many \x1b[31mred\x1b[0m \x9b2J [red]legs[/red] [link=http://x]have\x07 \u202ethree\u202c spiders?\r\n"


def test_text_from_outside_is_shown_inert(site: Site):
    rows = [{"question": f"{HOSTILE} Number {i}", "answer": str(i)} for i in range(12)]
    site.write_seeds(*rows)
    site.stage("screen")["rules"] = ["no_leak"]
    site.embedded()
    shown = [thoughtmill("show", "small", "0"), thoughtmill("show", "small"), thoughtmill("preview", site.write())]
    for result in shown:
        assert result.exit_code == 0
        assert not [char for char in result.stdout if not char.isprintable() and char != "\n"]
    assert "[red]legs[/red]" in shown[0].stdout  # as it was written, and not as markup
