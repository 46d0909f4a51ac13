"""A dataset version: the facts of a prefix of draws, the views of them, and the books.

    data/datasets/NAME/vN/facts/{problems,attempts,verdicts}.parquet
                          sft/, rl/          what `datasets.load_from_disk` maps into memory
                          random/            the same of as many rows by chance, where a selection chose
                          curriculum/        the stages of a recipe that names them, in order
                          ledger.json        where every candidate went
                          report/            what every rule said, with examples, and plots
                          recipe.toml        what made it, with its prompts/; runs again as it stands
                          README.md          what it is
                          version.json       written last

Versions are only ever added. The facts are in draw order and cut into row groups by their content alone, so that the
same facts are the same bytes, however many workers made them in shards of whatever size.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import tomli_w

from pipelines.curriculum import Order, Stage, write_curriculum
from pipelines.records import SCHEMA_VERSION, Verdict, digest, from_table, schema, to_table
from pipelines.segment import sync_folder
from pipelines.store import KINDS, checksum, connect, disk_full, replace, scan
from pipelines.tombstones import NOTHING, RULE, Tombstones, blotted_evidence, refuse_forgotten, tombstones
from pipelines.views.table import VIEWS, batches, prepare, random_arm

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ARROW_FILE_BYTES = 500 << 20

ROWS_PER_GROUP = {"problems": 8192, "attempts": 1024, "verdicts": 8192}
"""1,024 attempts of 32,000 tokens are about 130 MB; by rows, since sizes in memory depend on how rows were cut."""


class Part(NamedTuple):
    """The outputs of one shard, and what became of its draws."""

    outputs: Sequence[Path]  # one folder for each step, in their order
    verdicts: Sequence[Verdict]  # `accepted` for every draw of the version, and those of its selection


class Released(NamedTuple):
    """What came of a release. `is_new` is false where an earlier version holds the same."""

    folder: Path
    is_new: bool
    ledger: dict[str, Any]


class Plan(NamedTuple):
    """What a version is made of besides facts."""

    recipe: Mapping[str, Any]  # as it was run
    prompts: Mapping[str, str]  # the text of each template
    views: Sequence[str]
    prices: Mapping[str, Mapping[str, float]]  # by role
    selectors: Sequence[str] = ()  # rules that chose among all rows: of the last one, the random arm is written too
    curriculum: Sequence[Stage] = ()
    order: Order = "draw"  # within the stages of the curriculum
    benchmarks: Mapping[str, int] = {}  # sizes of the files that the rows were kept away from, for the report
    seeds_in_benchmarks: Mapping[str, Mapping[str, Any]] = {}


def release(datasets: Path, *, name: str, parts: Sequence[Part], stop: int, plan: Plan) -> Released:
    """Write the draws before `stop` as the next version of `name`, unless a version holds just that already."""
    home = datasets / name
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(".*"):  # by a run that was killed while it wrote a version
        if left.is_dir():
            shutil.rmtree(left)
    aside = home / f".{uuid.uuid4().hex[:8]}"
    try:
        forgotten = tombstones(datasets.parent)
        facts = write_facts(aside / "facts", parts, stop, forgotten)
        refuse_forgotten(aside, forgotten, "run it again, since something was forgotten meanwhile")
        key = _key(facts, plan)
        same = next((folder for folder in versions(home) if read_version(folder)["digest"] == key), None)
        if same is not None:
            return Released(same, False, orjson.loads((same / "ledger.json").read_bytes()))
        folder = home / f"v{_number(home) + 1}"
        books, rows = _write_all(aside, plan)
        _write_prompts(aside / "prompts", plan.prompts)
        _write_about(aside, version=folder.name, recipe=plan.recipe, books=books, rows=rows, key=key)
        _put_in_place(aside, folder)
        return Released(folder, True, books)
    except OSError as error:
        raise disk_full(error, aside) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _key(facts: str, plan: Plan) -> str:
    """What tells versions apart: their facts, and what is made of them."""
    made = [[view, VIEWS[view].version] for view in plan.views]
    also = [[list(stage) for stage in plan.curriculum], plan.order] if plan.curriculum else []
    return digest(facts, made, SCHEMA_VERSION, *also)


def _write_all(folder: Path, plan: Plan) -> tuple[dict[str, Any], dict[str, int]]:
    """The report, the views, the random arm and the curriculum; returns the books, and the rows of each view."""
    connection = connect([folder / "facts"])
    try:
        prepare(connection)
        books = ledger(connection, plan.prices)
        if plan.seeds_in_benchmarks:
            books["seeds_in_benchmarks"] = plan.seeds_in_benchmarks
        _write_report(folder / "report", connection, books, plan)
        rows = _write_views(folder, connection, plan.views)
        _write_curriculum(folder / "curriculum", connection, plan)
        if selector := random_arm(connection, plan.selectors):
            (folder / "random").mkdir()
            arm = _write_views(folder / "random", connection, plan.views, arm=selector)
            rows |= {f"random/{view}": count for view, count in arm.items()}
        return books, rows
    finally:
        connection.close()


def versions(home: Path) -> list[Path]:
    """The complete versions of a dataset, oldest first."""
    found = [path for path in home.glob("v*") if path.name[1:].isdigit() and (path / "version.json").is_file()]
    return sorted(found, key=lambda path: int(path.name[1:]))


def read_version(folder: Path) -> dict[str, Any]:
    return orjson.loads((folder / "version.json").read_bytes())


def _number(home: Path) -> int:
    return max((int(path.name[1:]) for path in home.glob("v*") if path.name[1:].isdigit()), default=0)


def _put_in_place(aside: Path, folder: Path) -> None:
    """Make a version durable, and then visible at once."""
    for path in sorted(aside.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    aside.rename(folder)
    sync_folder(folder.parent)


# ---------------------------------------------------------------------------------------------------------------
# Facts


def write_facts(folder: Path, parts: Sequence[Part], stop: int, forgotten: Tombstones = NOTHING) -> str:
    """Write the facts of the draws before `stop` in draw order; returns the digest of their ids.

    Of a draw that is closed as forgotten nothing is written but the verdicts that say so.
    """
    folder.mkdir(parents=True)
    ids = hashlib.blake2b(digest_size=16)
    drawn: set[str] = set()  # the seeds that are parents of draws in this version
    for name in KINDS:
        with _Writer(folder / f"{name}.parquet", schema(KINDS[name]), ROWS_PER_GROUP[name]) as writer:
            for part in parts:
                table = _blotted(_in_order(_tables(part, name), stop, drawn), forgotten)
                ids.update("".join(table.column("id").to_pylist()).encode())
                writer.write(table)
    return ids.hexdigest()


def _tables(part: Part, name: str) -> Iterator[pa.Table]:
    yield schema(KINDS[name]).empty_table()  # a shard may have none of a kind
    gone = {each.draw for each in part.verdicts if each.rule == RULE}
    yield from (_without(table, gone) for table in scan(part.outputs, name))
    if name == "verdicts":
        yield to_table(Verdict, part.verdicts)


def _without(table: pa.Table, draws: Set[int | None]) -> pa.Table:
    import pyarrow as pa

    if not draws:
        return table
    return table.filter(pa.array([draw not in draws for draw in table.column("draw").to_pylist()], pa.bool_()))


def _blotted(table: pa.Table, forgotten: Tombstones) -> pa.Table:
    """Verdicts that quote no forgotten text; other tables as they are."""
    import pyarrow as pa

    if not forgotten.texts or "evidence" not in table.column_names:
        return table
    texts = [blotted_evidence(each, forgotten) for each in table.column("evidence").to_pylist()]
    place = table.column_names.index("evidence")
    return table.set_column(place, table.schema.field(place), pa.array(texts, table.schema.field(place).type))


def _in_order(tables: Iterable[pa.Table], stop: int, written: set[str]) -> pa.Table:
    """The rows of a shard up to `stop`, by draw and then as the stages made them; each seed where first drawn."""
    import pyarrow as pa

    table = pa.concat_tables(tables)
    draws = _place_seeds(table, stop, written)
    rows = sorted((row for row, draw in enumerate(draws) if draw < stop), key=draws.__getitem__)
    return table if rows == list(range(table.num_rows)) else table.take(pa.array(rows, pa.int64()))


def _place_seeds(table: pa.Table, stop: int, written: set[str]) -> list[int]:
    """The draw of every row; a seed has that which first uses it, and one that is written already has `stop`."""
    draws: list[int | None] = table.column("draw").to_pylist()
    if None not in draws:
        return draws  # pyright: ignore[reportReturnType]  # as was just seen
    ids, parents = (table.column(name).to_pylist() for name in ("id", "parents"))
    first: dict[str, int] = {}
    for draw, above in zip(draws, parents, strict=True):
        if draw is not None:
            for parent in above:
                first.setdefault(parent, draw)
    seeds = {id: first.get(id, stop) for id, draw in zip(ids, draws, strict=True) if draw is None}
    places = {id: stop if id in written else place for id, place in seeds.items()}
    written.update(id for id, place in places.items() if place < stop)
    return [places[id] if draw is None else draw for id, draw in zip(ids, draws, strict=True)]


class _Writer:
    """Writes tables as one Parquet file whose row groups depend on its rows alone, not on how they came."""

    def __init__(self, path: Path, wanted: pa.Schema, rows_per_group: int) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetWriter(path, wanted, compression="zstd", use_dictionary=False)
        self._waiting = wanted.empty_table()
        self._rows = rows_per_group

    def __enter__(self) -> _Writer:
        return self

    def write(self, table: pa.Table) -> None:
        import pyarrow as pa

        self._waiting = pa.concat_tables([self._waiting, table])
        while self._waiting.num_rows >= self._rows:
            self._file.write_table(self._waiting.slice(0, self._rows).combine_chunks())
            self._waiting = self._waiting.slice(self._rows)

    def __exit__(self, *failed: object) -> None:
        if failed[0] is None:
            self._file.write_table(self._waiting.combine_chunks())
        self._file.close()


# ---------------------------------------------------------------------------------------------------------------
# Views and books


def _write_views(
    folder: Path, connection: duckdb.DuckDBPyConnection, views: Sequence[str], *, arm: str | None = None
) -> dict[str, int]:
    return {
        name: write_dataset(folder / name, VIEWS[name].schema(), batches(connection, VIEWS[name], arm=arm))
        for name in views
    }


def _write_curriculum(folder: Path, connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """The rows of the view `rl` in the stages of the recipe."""
    import pyarrow as pa

    if plan.curriculum:
        view = VIEWS["rl"]
        rows = pa.Table.from_batches(batches(connection, view), schema=view.schema())
        write_curriculum(folder, rows, plan.curriculum, seed=plan.recipe.get("seed", 0), order=plan.order)


def write_dataset(folder: Path, wanted: pa.Schema, rows: Iterable[pa.RecordBatch]) -> int:
    """Write rows as `datasets.Dataset.save_to_disk` does, without importing it; returns their number."""
    import pyarrow as pa

    folder.mkdir()
    names: list[str] = []
    count = written = 0
    writer = None
    for batch in rows:
        if writer is None or written >= ARROW_FILE_BYTES:
            if writer is not None:
                writer.close()
            names.append(f"data-{len(names):05d}.arrow")
            writer, written = pa.ipc.new_stream(str(folder / names[-1]), wanted), 0
        writer.write_batch(batch)
        count, written = count + batch.num_rows, written + batch.nbytes
    if writer is None:
        names.append("data-00000.arrow")
        writer = pa.ipc.new_stream(str(folder / names[-1]), wanted)
    writer.close()
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": digest(names, count)[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": "train",
    }
    (folder / "state.json").write_bytes(orjson.dumps(state, option=orjson.OPT_INDENT_2))
    (folder / "dataset_info.json").write_bytes(b"{}")
    return count


def ledger(connection: duckdb.DuckDBPyConnection, prices: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Where every candidate went, and what was spent: candidates = accepted + every other outcome."""
    outcomes = connection.execute(
        "select value, count(*) from verdicts where rule = 'accepted@1' group by 1 order by 2 desc, 1"
    ).fetchall()
    reasons = connection.execute(
        "select value, json_extract_string(evidence, '$.reason') as why, count(*) from verdicts"
        " where rule = 'accepted@1' and status <> 'pass' group by 1, 2 order by 3 desc, 1, 2"
    ).fetchall()
    spent = connection.execute(
        "select role, any_value(model), count(*), count(*) filter (finish = 'length'),"
        " count(*) filter (finish = 'refused'), sum(coalesce(prompt_tokens, 0)),"
        " sum(coalesce(completion_tokens, 0)) from attempts group by role order by role"
    ).fetchall()
    books = dict(outcomes)
    return {
        "candidates": sum(books.values()),
        "accepted": books.pop("accepted", 0),
        "not_accepted": books,
        "reasons": {value: _top([row[1:] for row in reasons if row[0] == value]) for value in books},
        "models": {role: _spending(row, prices.get(role, {})) for role, *row in spent},
        **_verification(connection),
    }


def _verification(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """How wrong the verifiers and the judge are, where a judge looked again at what verifiers said."""
    from filters import cascade

    of_judges = "split_part(rule, '@', 1) in ('appeal', 'audit', 'control')"
    if not connection.execute(f"select exists (from verdicts where {of_judges})").fetchall()[0][0]:
        return {}
    told = connection.sql(f"from verdicts where {of_judges} or starts_with(rule, 'answer_matches@') order by draw")
    return {"verification": cascade.verification(from_table(Verdict, told.to_arrow_table()))}


def _top(counts: Sequence[tuple[str | None, int]], most: int = 10) -> dict[str, int]:
    shown = Counter({why or "no reason given": count for why, count in counts[:most]})
    rest = sum(count for _, count in counts[most:])
    return {**shown, **({"other reasons": rest} if rest else {})}


def _spending(row: Sequence[Any], price: Mapping[str, float]) -> dict[str, Any]:
    model, attempts, cut, refused, asked, answered = row
    told = {"model": model, "attempts": attempts, "cut_off": cut, "refused": refused}
    told |= {"prompt_tokens": int(asked), "completion_tokens": int(answered)}
    if price:
        cost = (asked * price.get("input", 0) + answered * price.get("output", 0)) / 1e6
        told["cost"] = round(float(cost), 6)
    return told


def _write_report(folder: Path, connection: duckdb.DuckDBPyConnection, books: Mapping[str, Any], plan: Plan) -> None:
    from pipelines.card.about import funnel
    from pipelines.reports.markdown import markdown
    from pipelines.reports.plots import write_plots
    from pipelines.reports.version import report_of_version

    told = report_of_version(connection, benchmarks=plan.benchmarks) | {"funnel": funnel(plan.recipe, books)}
    folder.mkdir()
    (folder / "report.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    (folder / "report.md").write_text(markdown(told, write_plots(told, folder)), encoding="utf-8")


def _write_prompts(folder: Path, prompts: Mapping[str, str]) -> None:
    for name, text in prompts.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _write_about(
    folder: Path,
    *,
    version: str,
    recipe: Mapping[str, Any],
    books: Mapping[str, Any],
    rows: Mapping[str, int],
    key: str,
) -> None:
    from pipelines.card.about import about, local_configs
    from pipelines.card.render import render

    replace(folder / "ledger.json", orjson.dumps(books, option=orjson.OPT_INDENT_2))
    replace(folder / "recipe.toml", tomli_w.dumps(recipe).encode())
    told = about(folder)._replace(version=version, rows=rows, configs=local_configs(rows))
    replace(folder / "README.md", render(told).encode())
    files = {path.name: checksum(path.read_bytes()) for path in sorted(folder.glob("facts/*"))}
    held = {"version": version, "digest": key, "schema": SCHEMA_VERSION, "rows": rows, "files": files}
    replace(folder / "version.json", orjson.dumps(held, option=orjson.OPT_INDENT_2))
