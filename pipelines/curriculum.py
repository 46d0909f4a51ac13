"""A curriculum: the rows for reinforcement learning in ordered stages, each with a cap on the response.

    FOLDER/stage-00.parquet, stage-01.parquet, ...   the rows of each stage, as the view `rl` has them
           mixing.jsonl                              what was mixed at the stages that have weights, over all exports
           curriculum.json                           the manifest, written last

No row is in two stages. First the stages that say how many `rows` they want take these, in their order; what is left
of a domain is dealt evenly to the stages that name it and say no number, by chance, so that neither has the easier
rows. What no stage took is counted under `left_out`. Math before code, with caps that never fall, is how
AceReason-Nemotron was trained (arXiv 2505.16400).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import orjson

from filters.blending import Mix, Policy, Weights, axes, format_of, mix, mixing_row, place, strata
from filters.selection import drawn
from pipelines.recipe import BadRecipe, checked, known
from pipelines.records import digest, to_json
from pipelines.store import Damaged, checksum, from_parquet, replace, to_parquet

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "curriculum@1"
MANIFEST, MIXING = "curriculum.json", "mixing.jsonl"
COLUMNS = ("problem_id", "domain", "verifier", "pass_rate")  # what is read of a row, which may have others
NAMES = ("domain", "format", "verifier")  # dimensions of weights; `pass_rate` is one too, by bands

Order = Literal["draw", "pass_rate"]
"""Of the rows of a stage: by chance, or those that are solved most often first and those without a rate last."""


class Stage(NamedTuple):
    """What a stage takes. None: rows of all domains, of which there are, as many as there are."""

    name: str
    domains: tuple[str, ...] | None
    max_response_tokens: int
    weights: Weights | None = None  # as the rule `blend` takes them
    rows: int | None = None  # at most


def check_stages(stages: Sequence[Stage]) -> None:
    """Raises ValueError unless there are stages, each sound, of different names, and their caps never fall."""
    if not stages:
        raise ValueError("curriculum: there are no stages; say [[curriculum]] with a name and max_response_tokens")
    [(name, count)] = Counter(stage.name for stage in stages).most_common(1)
    if count > 1:
        raise ValueError(f"curriculum: two stages are named {name!r}; give each a name of its own")
    for stage in stages:
        _check(stage)
    for before, stage in pairwise(stages):
        if before.max_response_tokens > stage.max_response_tokens:
            caps = f"{stage.max_response_tokens}, less than the {before.max_response_tokens} of {before.name!r}"
            raise ValueError(f"curriculum stage {stage.name!r}: max_response_tokens = {caps} before; caps never fall")


def _check(stage: Stage) -> None:
    where = f"curriculum stage {stage.name!r}"
    if not stage.name.strip():
        raise ValueError(f"{where}: should have a name")
    if stage.domains is not None and (not stage.domains or len(set(stage.domains)) < len(stage.domains)):
        raise ValueError(f"{where}: domains = {list(stage.domains)} should be different names; leave it out for all")
    for name, number in (("max_response_tokens", stage.max_response_tokens), ("rows", stage.rows)):
        if number is not None and number < 1:
            raise ValueError(f"{where}: {name} = {number} should be at least 1")
    for axis in axes(stage.weights) if stage.weights is not None else ():
        if not (axis.by in NAMES or (axis.by == "pass_rate" and axis.bands)):
            told = f"{', '.join(NAMES)}, and pass_rate by bands such as 0-0.25"
            raise ValueError(f"{where}: weights by {axis.by!r} cannot be told; there are: {told}")


def stages_of(tables: Sequence[Mapping[str, Any]]) -> list[Stage]:
    """The stages as recipes write them, one table each. Raises BadRecipe, which is a ValueError."""
    stages = []
    for number, table in enumerate(tables):
        where = f"curriculum, stage {number + 1}"
        known(checked(table, dict, where), Stage._fields, where)
        kinds = {"name": str, "domains": list | None, "max_response_tokens": int}
        kinds |= {"weights": dict | None, "rows": int | None}
        if missing := [name for name in ("name", "max_response_tokens") if name not in table]:
            raise BadRecipe(f"{where} needs {' and '.join(missing)}")
        fields = {name: checked(table.get(name), kind, f"{where}: {name}") for name, kind in kinds.items()}
        domains = fields.pop("domains")
        texts = None if domains is None else tuple(checked(each, str, f"{where}: domains") for each in domains)
        stages.append(Stage(domains=texts, **fields))
    try:
        check_stages(stages)
    except ValueError as error:
        raise BadRecipe(str(error)) from error
    return stages


def with_weights(stages: Iterable[Stage], policy: Policy, history: Sequence[Mapping[str, Any]] = ()) -> list[Stage]:
    """The stages with the weights that a policy gives them, after the rows of `read_mixing` so far."""
    return [stage._replace(weights=policy(number, history)) for number, stage in enumerate(stages)]


# ---------------------------------------------------------------------------------------------------------------
# Which row belongs where


class _Row(NamedTuple):
    at: int  # in the table
    domain: str | None
    verifier: str | None
    pass_rate: float | None


class _Taken(NamedTuple):
    ids: Collection[str]
    mix: Mix | None = None


def _read(rows: pa.Table) -> dict[str, _Row]:
    """By problem id. Raises ValueError for missing columns, and for rows that are not one for each problem."""
    if missing := [name for name in COLUMNS if name not in rows.column_names]:
        raise ValueError(f"rows: no column {missing[0]!r}; it has {', '.join(rows.column_names)}; give the view rl")
    columns = [rows.column(name).to_pylist() for name in COLUMNS]
    found: dict[str, _Row] = {}
    for at, (id, domain, verifier, rate) in enumerate(zip(*columns, strict=True)):
        if id is None or id in found:
            raise ValueError(f"rows, row {at}: problem_id = {id!r} should be there once; a row is a problem")
        found[id] = _Row(at, domain, verifier, rate if rate is not None and isfinite(rate) else None)
    return found


def _dealt(rows: Mapping[str, _Row], stages: Sequence[Stage], seed: int) -> list[_Taken]:
    """What each stage takes."""
    taken: dict[int, _Taken] = {}
    left = list(rows)
    for number, stage in enumerate(stages):
        if stage.rows is not None:
            taken[number] = _take(rows, [id for id in left if _wants(stage, rows[id])], stage, stage.rows, seed)
            left = [id for id in left if id not in taken[number].ids]
    open_ = {number: stage for number, stage in enumerate(stages) if stage.rows is None}
    for number, ids in _evenly(rows, left, open_, seed).items():
        taken[number] = _take(rows, ids, stages[number], len(ids), seed)
    return [taken[number] for number in range(len(stages))]


def _wants(stage: Stage, row: _Row) -> bool:
    return stage.domains is None or row.domain in stage.domains


def _evenly(
    rows: Mapping[str, _Row], ids: Iterable[str], stages: Mapping[int, Stage], seed: int
) -> dict[int, list[str]]:
    """Deal the rows of each domain in turn to the stages that want it, in the order of their digests."""
    hands: dict[int, list[str]] = {number: [] for number in stages}
    dealt = Counter[str | None]()
    for id in _by_chance(ids, seed):
        row = rows[id]
        if wanting := [number for number, stage in stages.items() if _wants(stage, row)]:
            hands[wanting[dealt[row.domain] % len(wanting)]].append(id)
            dealt[row.domain] += 1
    return hands


def _take(rows: Mapping[str, _Row], ids: Sequence[str], stage: Stage, size: int, seed: int) -> _Taken:
    """Up to `size` of the ids, in the stage's shares if it names any."""
    if stage.weights is None:
        return _Taken(frozenset(_by_chance(ids, seed)[:size]))
    dimensions = axes(stage.weights)
    placed = {id: place(dimensions, partial(_name, rows[id]), partial(_score, rows[id])) for id in ids}
    mixed = mix(placed, strata(dimensions), size=size, seed=seed)
    return _Taken(mixed.chosen, mixed)


def _name(row: _Row, by: str) -> str | None:
    return {"domain": row.domain, "format": format_of(row.verifier), "verifier": row.verifier}[by]


def _score(row: _Row, by: str) -> float | None:
    return row.pass_rate  # the only one


def _by_chance(ids: Iterable[str], seed: int) -> list[str]:
    ids = list(ids)
    return drawn(ids, len(ids), seed=seed, why="curriculum")


# ---------------------------------------------------------------------------------------------------------------
# Written and read


def write_curriculum(
    folder: Path, rows: pa.Table, stages: Sequence[Stage], *, seed: int = 0, order: Order = "draw"
) -> dict[str, Any]:
    """Write a file for each stage, the rows of the mixing trajectory, and the manifest, which is returned.

    `rows` is a table of the view `rl`, one row for each problem, in any order. The same rows give the same bytes.
    Raises ValueError for bad stages, for a table without the columns, and for an order that there is not.
    """
    check_stages(stages)
    if order not in get_args(Order):
        raise ValueError(f"order = {order!r} should be one of: {', '.join(get_args(Order))}")
    read = _read(rows)
    taken = _dealt(read, stages, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for old in (folder / MANIFEST, *folder.glob("stage-*.parquet")):
        old.unlink(missing_ok=True)
    told = [
        _write_stage(folder, number, stage, each, rows.take(_places(read, each.ids, seed, order)))
        for number, (stage, each) in enumerate(zip(stages, taken, strict=True))
    ]
    append_mixing(folder / MIXING, _mixing_rows(stages, taken))
    manifest = {"schema": SCHEMA, "seed": seed, "order": order, "rows": rows.num_rows, "stages": told}
    manifest["left_out"] = _left_out(read, taken)
    manifest["digest"] = digest(manifest)
    content = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    replace(folder / MANIFEST, content)
    return orjson.loads(content)


def _places(rows: Mapping[str, _Row], ids: Iterable[str], seed: int, order: Order) -> pa.Array:
    """Where the rows of a stage stand in the table, in the order of the stage."""
    import pyarrow as pa

    ordered = _by_chance(ids, seed)
    if order == "pass_rate":
        ordered.sort(key=lambda id: -1.0 if (rate := rows[id].pass_rate) is None else rate, reverse=True)
    return pa.array([rows[id].at for id in ordered], pa.int64())


def _write_stage(folder: Path, number: int, stage: Stage, taken: _Taken, rows: pa.Table) -> dict[str, Any]:
    """Write the file of a stage; returns its entry in the manifest."""
    # Neither the chunks in which rows came nor what another library noted in the schema should be seen in the bytes.
    content = to_parquet(rows.combine_chunks().replace_schema_metadata())
    replace(folder / _file(number), content)
    asked = {**stage._asdict(), "asked": stage.rows}
    return {
        **asked,
        "number": number,
        "rows": rows.num_rows,
        "blend": taken.mix and taken.mix.told(),
        "file": _file(number),
        **checksum(content),
    }


def _file(number: int) -> str:
    return f"stage-{number:02}.parquet"


def _left_out(rows: Mapping[str, _Row], taken: Iterable[_Taken]) -> dict[str, int]:
    """How many rows no stage took, by domain; "" counts those without one."""
    chosen = frozenset[str]().union(*(each.ids for each in taken))
    left = Counter(row.domain or "" for id, row in rows.items() if id not in chosen)
    return dict(sorted(left.items()))


def read_curriculum(folder: Path) -> Iterator[tuple[Stage, pa.Table]]:
    """The stages in their order, each with its rows, read and verified one at a time.

    Raises ValueError where there is no manifest or one of another schema, and Damaged where it, or later a file, is
    not what was written.
    """
    manifest = read_manifest(folder)
    stages = [_stage(told) for told in manifest["stages"]]
    check_stages(stages)
    return ((stage, _rows(folder, told)) for stage, told in zip(stages, manifest["stages"], strict=True))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `write_curriculum` returned. Raises as `read_curriculum` does."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{folder}: no {MANIFEST}; it is written last, so export again if that was cut short")
    try:
        manifest = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Damaged(f"{path}: not JSON ({error}); export it again") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ValueError(f"{path}: should be of the schema {SCHEMA!r}; export it again")
    if manifest.get("digest") != digest({key: value for key, value in manifest.items() if key != "digest"}):
        raise Damaged(f"{path}: not as it was written; export it again")
    return manifest


def _stage(told: Mapping[str, Any]) -> Stage:
    domains = None if told["domains"] is None else tuple(told["domains"])
    return Stage(told["name"], domains, told["max_response_tokens"], told["weights"], told["asked"])


def _rows(folder: Path, told: Mapping[str, Any]) -> pa.Table:
    path = folder / Path(told["file"]).name
    content = path.read_bytes() if path.is_file() else b""
    if any(told[name] != value for name, value in checksum(content).items()):
        raise Damaged(f"{path}: not as {MANIFEST} tells of it; export it again")
    return from_parquet(content)


# ---------------------------------------------------------------------------------------------------------------
# The mixing trajectory


def _mixing_rows(stages: Sequence[Stage], taken: Sequence[_Taken]) -> list[dict[str, Any]]:
    return [
        mixing_row(number, stage.weights, each.mix.margins(stage.weights))
        for number, (stage, each) in enumerate(zip(stages, taken, strict=True))
        if stage.weights is not None and each.mix is not None
    ]


def append_mixing(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows of `mixing_row`, by an export or later with an evaluation's feedback.

    A row that is there already is not written again, so that the same export adds nothing.
    """
    old = path.read_bytes().splitlines() if path.is_file() else []
    lines = list(dict.fromkeys([*old, *(to_json(row).encode() for row in rows)]))
    if lines != old:
        replace(path, b"".join(line + b"\n" for line in lines))


def read_mixing(path: Path) -> list[dict[str, Any]]:
    """The rows so far, as a policy takes them. Raises ValueError for a line that is not JSON."""
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else (), start=1):
        try:
            rows.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error}); remove the line") from error
    return rows
