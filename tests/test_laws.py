"""Laws of the house: what imports what, what every entry of every table keeps to, what is written where."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import filters
import flows
import pipelines
import prompts
from filters.table import RULES, UnknownRule, rule
from filters.verifiers import VERIFIERS, verifier
from flows import make
from pipelines import recipe as recipes
from pipelines.bind import bind, stage_parameters
from pipelines.inference.engines import ENGINES, parse_model
from pipelines.inference.model import BadModel
from pipelines.recipe import BadRecipe
from pipelines.stages.table import STAGES
from pipelines.views.table import UNFIT, VIEWS
from prompts.template import Template, TemplateError, load, names
from tests.each import each_of
from tests.small import Site

ROOT = Path(__file__).parents[1]
ROOMS = ("filters", "flows", "pipelines", "prompts")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


# Who imports whom


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for type checkers alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in aliases)
            case ast.ImportFrom(module=module, level=level):
                package = path.relative_to(ROOT).parts[:-level]  # an __init__ counts as a file of its package
                yield ".".join([*package, *([module] if module else [])])


MAY_IMPORT = {
    "flows": {"flows", "pipelines", "filters", "prompts"},
    "pipelines": {"pipelines", "filters", "prompts"},
    "filters": {"filters"},
    "prompts": {"prompts"},
}


@each_of(FILES)
def test_imports_run_downward_only(path: Path):
    importer = module_of(path)
    for name in imported(path):
        room = name.partition(".")[0]
        if room not in ROOMS or name == "pipelines":  # `from pipelines import x` is seen as pipelines.x as well
            continue
        at_the_bottom = name == "pipelines.records" or name.startswith("pipelines.records.")
        assert room in MAY_IMPORT[importer.partition(".")[0]] or at_the_bottom, f"{importer} imports {name}"
        if importer.startswith("filters.verifiers"):
            assert name.startswith("filters.verifiers") or name == "filters", f"{importer} imports {name}"
        if importer == "pipelines.records":
            assert room == importer, f"{importer} imports {name}"


FLOWS = {"flows.mill", "flows.night"}  # they import Prefect, which takes seconds


def test_only_flows_knows_prefect():
    users = {module_of(path) for path in FILES if any(name.startswith("prefect") for name in imported(path))}
    assert users == {*FLOWS, "flows.notice", "flows.schedule"}


HEAVY = (
    *("aiohttp", "datasets", "duckdb", "fastapi", "httpx", "math_verify", "numpy", "openai", "pandas", "prefect"),
    *("pyarrow", "pydantic", "rapidfuzz", "rich", "sympy", "tomli_w", "torch", "transformers", "vllm"),
)


def test_the_command_line_begins_light(capsys: pytest.CaptureFixture[str]):
    """What `import flows.cli` brings in, besides Python's own modules; the time is told, and judged elsewhere."""
    code = "import sys; before = set(sys.modules); import flows.cli; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    tops = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not tops & set(HEAVY)
    assert tops - set(sys.stdlib_module_names) == {"click", "flows"}
    commands = {"cli_datasets", "cli_files", "cli_house", "estimate", "flames", "schedule"}
    light = {"flows", "flows.cli", "flows.exits", *(f"flows.{name}" for name in commands)}
    assert {name for name in ran.stdout.split() if name.startswith("flows")} == light
    total = re.findall(r"\|\s*(\d+) \| flows\.cli", ran.stderr)
    with capsys.disabled():
        print(f"\nimport flows.cli: {int(total[0]) / 1000:.0f} ms")


def test_a_run_imports_no_prefect_and_no_engine_that_it_does_not_use(site: Site):
    site.value["models"]["teacher"]["use"] = "builtin"
    site.value["target"]["candidates"] = 4
    code = (
        f"import sys\nfrom flows.cli import main\nmain(['run', {site.write()!r}, '--quiet'], standalone_mode=False)"
    )
    code = f"import sys, atexit\natexit.register(lambda: print('modules', *sys.modules))\n{code}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    modules = set(ran.stdout.rpartition("modules ")[2].split())
    assert "pipelines.release" in modules
    assert not modules & {"prefect", "torch", "vllm", "transformers", "datasets", "pandas", "openai", "aiohttp"}


# Tables


def named(look_up: Callable[[], Any]) -> str:
    """What a person is told who gives a name that is none."""
    with pytest.raises((BadRecipe, BadModel, TemplateError, UnknownRule, KeyError)) as caught:
        look_up()
    return str(caught.value)


def with_stage(**stage: Any) -> dict[str, Any]:
    draw = {"use": "draw", "seeds": "data/seeds/math.jsonl"}
    return {"name": "x", "models": {"teacher": "builtin"}, "stages": [draw, stage]}


UNKNOWN: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "rule": (lambda: rule("nothing"), list(RULES)),
    "rule in a recipe": (
        lambda: bind(with_stage(use="sift", rules=["nothing"]), folder=ROOT),
        list(RULES),
    ),
    "stage": (lambda: bind(with_stage(use="nothing"), folder=ROOT), list(STAGES)),
    "view": (lambda: bind({**with_stage(use="sift", rules=[]), "views": ["nothing"]}, folder=ROOT), list(VIEWS)),
    "engine": (lambda: parse_model("teacher", "nothing:x"), list(ENGINES)),
    "verifier": (lambda: verifier("nothing"), list(VERIFIERS)),
    "recipe": (lambda: recipes.find("nothing"), recipes.names()),
    "prompt": (lambda: load("nothing/at-all"), names()),
}


@each_of(UNKNOWN)
def test_an_unknown_name_is_told_what_exists(kind: str):
    look_up, there = UNKNOWN[kind]
    told = named(look_up)
    assert "nothing" in told
    assert [name for name in there if name not in told] == []


@pytest.mark.parametrize(
    ("module", "table"),
    [
        ("filters.verifiers", "VERIFIERS"),
        ("pipelines.stages.table", "STAGES"),
        ("pipelines.views.table", "VIEWS"),
        ("pipelines.inference.engines", "ENGINES"),
    ],
)
def test_no_table_holds_a_name_twice(module: str, table: str):
    """A dict display would keep the last and say nothing. (RULES refuses by itself: test_rule_laws.)"""
    source = inspect.getsource(importlib.import_module(module))
    [display] = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and table in [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        and isinstance(node.value, ast.Dict)
    ]
    keys = [ast.literal_eval(key) for key in display.keys if key is not None]
    assert sorted(keys) == sorted(set(keys)) == sorted(getattr(importlib.import_module(module), table))


@each_of(STAGES)
def test_every_stage_can_be_given_what_it_takes(name: str):
    """Every parameter has a type that recipes are checked against, and a docstring tells of the stage."""
    stage = STAGES[name]
    assert stage.version >= 1
    assert inspect.getdoc(stage.run)
    hints = stage_parameters(stage)
    assert set(stage.defaults) <= set(hints)
    assert "prompt" not in hints or stage.tells


def test_every_view_gives_its_schema(site: Site):
    made = site.embedded(f"views={list(VIEWS)}")
    import pyarrow as pa

    for name in VIEWS:
        with pa.ipc.open_stream(made.folder / name / "data-00000.arrow") as reader:
            assert reader.schema.equals(VIEWS[name].schema()), name


def test_rules_that_views_name_exist():
    assert set(UNFIT) <= set(RULES)


# Recipes and prompts


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_binds_with_every_arm(name: str):
    bound = make.prepare(name)
    assert bound.name == name
    assert bound.value["about"]
    for arm in bound.value.get("arms", {}):
        assert bound.value["without"][arm], f"nothing is done without {arm}"
        without = make.prepare(name, changes=[f"{arm}=false"])
        assert [step.identity(0, 1) for step in without.steps] != [step.identity(0, 1) for step in bound.steps] or (
            without.selection != bound.selection
        )


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_says_with_what_it_is_made(name: str):
    text = recipes.find(name).read_text()
    assert text.startswith("# ")
    assert "builtin" in text


@each_of(names())
def test_every_prompt_says_what_it_asks_and_some_stage_gives_what_it_needs(name: str):
    prompt = load(name)
    assert [key for key in prompt.header if key != "private"] == ["asks", "replies", "source"]
    assert all(prompt.header.values())
    assert prompt.variables in {stage.tells for stage in STAGES.values() if stage.tells}
    rendered = prompt.render({variable: f"<<{variable}>>" for variable in prompt.variables})
    assert rendered[-1]["role"] == "user"
    text = "".join(message["content"] for message in rendered)
    assert all(f"<<{variable}>>" in text for variable in prompt.variables)
    assert "{{" not in text


@each_of(names())
def test_a_prompt_asks_for_the_form_that_it_says_it_gets_back(name: str):
    prompt: Template = load(name)
    for tag in re.findall(r"<(\w+)>", prompt.header["replies"]):
        assert f"<{tag}>" in prompt.body
        assert f"</{tag}>" in prompt.body
    if "boxed" in prompt.header["replies"]:
        assert r"\boxed{" in prompt.body


# What is written


def modules() -> list[ModuleType]:
    found = []
    for room in (pipelines, filters, prompts, flows):
        for each in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if each.name not in FLOWS:
                found.append(importlib.import_module(each.name))
    return found


def undocumented(module: ModuleType) -> Iterator[str]:
    """Public functions and classes of a module's own that say nothing about themselves."""
    for name, each in vars(module).items():
        mine = getattr(each, "__module__", None) == module.__name__
        if mine and not name.startswith("_") and (inspect.isfunction(each) or inspect.isclass(each)):
            short = inspect.isfunction(each) and len(inspect.getsource(each).splitlines()) <= 3
            if not inspect.getdoc(each) and not short:
                yield f"{module.__name__}.{name}"


def test_every_public_function_says_what_it_does():
    """Those of one or two lines may speak for themselves, and so may the builtin's families, which are data."""
    pages = [module for module in modules() if module.__name__.startswith(("pipelines", "filters"))]
    pages = [module for module in pages if not module.__name__.startswith("pipelines.inference.builtin.")]
    assert len(pages) > 30
    assert [name for module in pages for name in undocumented(module)] == []


def test_every_module_says_what_it_is():
    empty = {"pipelines", "filters", "prompts", "flows"}
    assert [each.__name__ for each in modules() if not each.__doc__ and not is_empty(each)] == []
    assert all(not Path(ROOT / name / "__init__.py").read_text() for name in empty)


def is_empty(module: ModuleType) -> bool:
    return not inspect.getsource(module).strip() if Path(str(module.__file__)).stat().st_size else True


TEXTS = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|Users|mnt)/\w")  # what exists on one machine only


@each_of(TEXTS)
def test_no_file_names_a_place_on_somebodys_machine(path: Path):
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if MACHINE.search(line)]
    assert [line for line in found if "MACHINE = " not in line] == []
