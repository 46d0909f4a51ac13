"""How quickly the local page shows a large dataset: first rows, filters, sorts, search.

    python -m benchmarks.browse                    # 1,000,000 candidates: about 3 GB of disk, some minutes to make
    python -m benchmarks.browse --rows 100000
    python -m benchmarks.browse --keep /tmp/large  # made once, there the next time

The dataset is a version as a release writes it: a task and a posed question for each draw, a posing and two attempts
with reasoning, and nine verdicts. A Parquet file of as many rows stands beside it. Each figure is the slowest of
three rounds, for opening in a process of its own. Pages are asked for from a server of their own, over HTTP and,
where there is a chromium, by a browser, until the first row can be seen. Beside what went by stands the time of the
processor, of all cores together: on a busy machine it says more.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipelines.browse.funnel import funnel
from pipelines.browse.plots import plots
from pipelines.browse.search import search
from pipelines.browse.source import Source, close, open_source, wait
from pipelines.browse.table import Filter, Order, page, row
from pipelines.records import Attempt, Problem, Verdict, schema

CHUNK = 16_384  # draws that are made together
ROWS_PER_GROUP = {"problems": 8192, "attempts": 1024, "verdicts": 8192}  # as a release cuts them

PROBLEMS = """
select md5('problem' || kind || draw) as id,
    case kind when 'pose' then [md5('seed' || draw % 500), md5('seed' || draw % 499)]
        else [md5('attempt0' || draw)] end as parents,
    case kind when 'pose' then 'draw@1' else 'pose@1' end as stage, draw, kind,
    'Question ' || draw || ': ' || string_agg(md5(kind || draw || i), ' ' order by i) || '?' as question,
    case kind when 'posed' then (hash(draw) % 1000)::varchar end as answer,
    case kind when 'posed' then 'math' end as verifier,
    ['algebra', 'geometry', 'number theory', 'counting'][(1 + hash(draw, 1) % 4)::bigint] as domain,
    ['textbook', 'contest'][(1 + hash(draw, 2) % 2)::bigint] as source, null as license, '{}' as details
from range($first, $stop) d(draw), (values ('pose'), ('posed')) k(kind), range(8) w(i)
where kind = 'pose' or hash(draw, 3) % 10 > 0
group by draw, kind order by draw, kind
"""

ATTEMPTS = """
select md5('attempt' || n || draw) as id, [problem] as parents,
    case n when 0 then 'pose@1' else 'expand@1' end as stage, draw, problem,
    greatest(n - 1, 0) as sample, 'teacher' as role, 'builtin' as model, '1' as revision,
    'solve/boxed@0' as prompt, '{}' as sampling, n as seed, md5('request' || n || draw) as request,
    [{'role': 'user', 'content': 'Solve question ' || draw, 'reasoning': null, 'tool_calls': null},
     {'role': 'assistant', 'content': 'So it is \\boxed{' || hash(draw) % 1000 || '}' ||
        case when draw = $needle and n = 1 then ' a needle in the hay' else '' end,
      'reasoning': text, 'tool_calls': null}] as turns,
    'stop' as finish, 100 as prompt_tokens, (length(text) / 4)::bigint as completion_tokens, null as reasoning_tokens,
    '{}' as details
from (
    select draw, n, md5('problem' || case n when 0 then 'pose' else 'posed' end || draw) as problem,
        string_agg('Wait, ' || hash(draw, n, i) || ' is not what I thought.', ' ' order by i) as text
    from range($first, $stop) d(draw), range(3) a(n), range(10) w(i)
    where n = 0 or hash(draw, 3) % 10 > 0 group by draw, n
) order by draw, n
"""

VERDICTS = """
with told as (
    select draw, place, rule, case
            when rule = 'accepted@1' then case when worst = 0 then 'pass' else 'fail' end
            when rule = 'answer_matches@2' then case when hash(draw, place) % 3 > 0 then 'pass' else 'fail' end
            else case when place = worst then 'fail' else 'pass' end end as status,
        case when worst = 0 then 'accepted' else split_part(rules[worst], '@', 1) end as outcome, worst, rules
    from (
        select draw, case when hash(draw, 3) % 10 = 0 then 1 when hash(draw, 4) % 6 = 0 then 4
                when hash(draw, 5) % 5 = 0 then 8 else 0 end as worst,
            ['posed@1', 'form@1', 'no_leak@2', 'novelty@1', 'answer_matches@2', 'answer_matches@2', 'pass_rate@2',
             'answer_consistency@1', 'accepted@1'] as rules
        from range($first, $stop) d(draw)
    ), unnest(rules) with ordinality u(rule, place)
    where rule = 'accepted@1' or worst = 0 or place <= worst
)
select md5('verdict' || place || draw) as id,
    [case when worst = 1 then md5('attempt0' || draw)
          when rule = 'answer_matches@2' then md5('attempt' || (place - 4) || draw)
          else md5('problem' || 'posed' || draw) end] as subjects,
    case when place = 1 then 'pose@1' when place < 5 then 'screen@1' when place < 9 then 'verify@1'
        else 'release@1' end as stage,
    draw, rule, status, case rule when 'pass_rate@2' then hash(draw, 6) % 3 / 2.0 end as score,
    case rule when 'accepted@1' then outcome end as value,
    case rule when 'pass_rate@2' then '{"n":2}' else '{}' end as context,
    case when status = 'pass' then '{}'
        when rule = 'accepted@1' then
            '{"reason":"reason ' || hash(draw, 7) % 5 || '","verdict":"' || md5('verdict' || worst || draw) || '"}'
        else '{"reason":"reason ' || hash(draw, 7) % 5 || '"}' end as evidence
from told order by draw, place
"""

RECIPE = """
name = "large"
[[stages]]
use = "draw"
[[stages]]
use = "pose"
[[stages]]
name = "screen"
use = "sift"
rules = ["form", "no_leak", "novelty"]
[[stages]]
use = "expand"
[[stages]]
name = "verify"
use = "sift"
rules = ["answer_matches", "pass_rate", "answer_consistency"]
"""


def make(data: Path, rows: int) -> None:
    """Write a version with so many draws, as `data/datasets/large/v1`."""
    import duckdb
    import pyarrow.parquet as pq

    folder = data / "datasets" / "large" / "v1"
    (folder / "facts").mkdir(parents=True)
    connection = duckdb.connect()
    for kind, query, more in (
        (Problem, PROBLEMS, {}),
        (Attempt, ATTEMPTS, {"needle": rows * 9 // 10}),
        (Verdict, VERDICTS, {}),
    ):
        name, wanted = f"{kind.__name__.lower()}s", schema(kind)
        with pq.ParquetWriter(
            folder / "facts" / f"{name}.parquet", wanted, compression="zstd", use_dictionary=False
        ) as file:
            for first in range(0, rows, CHUNK):
                given = {"first": first, "stop": min(first + CHUNK, rows), **more}
                table = connection.sql(query, params=given).to_arrow_table().cast(wanted)
                file.write_table(table, row_group_size=ROWS_PER_GROUP[name])
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "ledger.json").write_bytes(orjson.dumps(books(folder / "facts" / "verdicts.parquet")))
    (folder / "version.json").write_bytes(
        orjson.dumps({"version": "v1", "digest": str(rows), "files": {}, "rows": {}})
    )


BOOKS = """
select value, json_extract_string(evidence, '$.reason'), count(*) from read_parquet($path)
where rule = 'accepted@1' group by all order by all
"""


def books(verdicts: Path) -> dict[str, Any]:
    """The ledger of a version, from the verdicts that close it."""
    import duckdb

    lost: dict[str, dict[str, int]] = {}
    for outcome, reason, count in duckdb.execute(BOOKS, {"path": str(verdicts)}).fetchall():
        lost.setdefault(outcome, {})[reason] = count
    accepted = sum(lost.pop("accepted", {}).values())
    losses = {name: sum(why.values()) for name, why in lost.items()}
    return {
        "candidates": accepted + sum(losses.values()),
        "accepted": accepted,
        "not_accepted": losses,
        "reasons": lost,
    }


TABLE = """
copy (
    select i as id, 'Question ' || i || ': ' || repeat(md5(i::varchar) || ' ', 6) as question,
        'Wait, ' || repeat(md5((i + 1)::varchar) || ' ', 20) as response, hash(i) % 1000 / 1000.0 as reward,
        (hash(i, 1) % 5000)::int as tokens, hash(i, 3) % 2 = 0 as correct,
        ['algebra', 'geometry', 'counting'][1 + (hash(i, 2) % 3)::bigint] as domain
    from range({rows}) r(i)
) to '{path}' (format parquet, compression zstd)
"""


def make_table(data: Path, rows: int) -> None:
    """Write a table of so many rows, as `data/large.parquet`."""
    import duckdb

    duckdb.execute(TABLE.format(rows=rows, path=str(data / "large.parquet").replace("'", "''")))


class Took(NamedTuple):
    """The slowest of some rounds: seconds that went by, and seconds of the processor, on all cores together."""

    wall: float
    cpu: float


def slowest(run: Callable[[], object], rounds: int) -> Took:
    worst = Took(0, 0)
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        run()
        took = time.perf_counter() - began[0], time.process_time() - began[1]
        worst = Took(max(worst.wall, took[0]), max(worst.cpu, took[1]))
    return worst


OPENING = """
import sys, time
from pathlib import Path
began = time.perf_counter(), time.process_time()
from pipelines.browse.source import open_source
from pipelines.browse.table import page
source = open_source(Path(sys.argv[1]), "large")
shown = page(source, limit=100)
assert len(shown.rows) == 100
print(time.perf_counter() - began[0], time.process_time() - began[1])
sys.stdout.flush()
import os
os._exit(0)
"""


def opening(data: Path, rounds: int, *, indexed: bool) -> Took:
    """From nothing to a hundred rows, in a process of its own: imports are counted."""
    worst = Took(0, 0)
    for _ in range(rounds):
        if not indexed:
            shutil.rmtree(data / "cache", ignore_errors=True)
        ran = subprocess.run([sys.executable, "-c", OPENING, str(data)], capture_output=True, text=True, check=True)
        wall, cpu = map(float, ran.stdout.split())
        worst = Took(max(worst.wall, wall), max(worst.cpu, cpu))
    return worst


SERVING = """
import sys
from pathlib import Path
from pipelines.browse.server import serve
serve(Path(sys.argv[1]), sys.argv[2], port=0, ready=lambda url: print(url, flush=True))
"""


@contextmanager
def served(data: Path, name: str) -> Iterator[tuple[str, Callable[[], float]]]:
    """A server of its own: its address for `name`, and what its process has taken of the processor so far."""
    run = subprocess.Popen([sys.executable, "-c", SERVING, str(data), name], stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        yield url, lambda: _cpu(run.pid)
    finally:
        run.terminate()
        run.wait()


def _cpu(process: int) -> float:
    """User and system seconds of a process, as Linux tells them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages(data: Path, name: str, rounds: int, *, indexed: bool) -> dict[str, Took]:
    """The first pages of a server, each of one that has shown nothing yet."""
    told: dict[str, Took] = {}
    for page_of, seen in (("table", "tbody tr"), ("dataset", ".numbers")):
        for how, look in (("over HTTP", _fetch), ("in chromium", partial(_see, seen=seen))):
            if how == "in chromium" and shutil.which("chromium") is None:
                continue
            took = [_first(data, name, page_of, look, indexed=indexed) for _ in range(rounds)]
            told[f"first /{page_of} {how}"] = Took(max(each.wall for each in took), max(each.cpu for each in took))
    return told


def _first(data: Path, name: str, page_of: str, look: Callable[[str], float], *, indexed: bool) -> Took:
    if not indexed:
        shutil.rmtree(data / "cache", ignore_errors=True)
    with served(data, name) as (url, cpu):
        before = cpu()
        return Took(look(url.replace("/dataset?", f"/{page_of}?")), cpu() - before)


def _fetch(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url) as reply:
        reply.read()
    return time.perf_counter() - began


def _see(url: str, *, seen: str) -> float:
    """Seconds from asking for a page until this can be seen; the browser is there, and has shown another page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1440, "height": 900})
        shown.goto(url.partition("/dataset")[0].partition("/table")[0] + "/static/page.css")
        began = time.perf_counter()
        shown.goto(url, wait_until="commit")
        shown.wait_for_selector(seen, state="visible")
        took = time.perf_counter() - began
        browser.close()
    return took


def asked(source: Source) -> dict[str, Callable[[], object]]:
    """What a person may do with a table, by what it is called here."""
    last = source.rows - 50
    half = source.rows // 2
    found: dict[str, Callable[[], object]] = {"last page": lambda: page(source, offset=last)}
    values = {"number": "2", "category": "accepted", "text": "reason 3"}
    for each in source.columns:
        op = {"number": "at least", "category": "is", "text": "contains"}[each.type]
        where = [Filter(each.name, op, values[each.type])]  # pyright: ignore[reportArgumentType]
        found[f"filter {each.name}"] = lambda where=where: page(source, where=where)
        found[f"filter {each.name}, last page"] = lambda where=where: page(
            source, where=where, offset=max(0, page(source, where=where).total - 50)
        )
        for descending in (False, True):
            order = Order(each.name, descending)
            word = "down" if descending else "up"
            found[f"sort {each.name} {word}"] = lambda order=order: page(source, order=order)
            found[f"sort {each.name} {word}, in the middle"] = lambda order=order: page(
                source, order=order, offset=half
            )
            found[f"sort {each.name} {word}, last page"] = lambda order=order: page(source, order=order, offset=last)
    both = [Filter("outcome", "is", "novelty"), Filter("tokens", "at least", "100")]
    found["two filters and a sort"] = lambda: page(source, where=both, order=Order("tokens", True))
    found["one row"] = lambda: row(source, half)
    found["funnel"] = lambda: funnel(source)
    found["plots"] = lambda: plots(source)
    return found


def searched(source: Source, text: str) -> dict[str, Took]:
    """Seconds to the first hit, and to the end or the thousandth hit."""
    began, first, hits = (time.perf_counter(), time.process_time()), Took(0, 0), 0

    def since() -> Took:
        return Took(time.perf_counter() - began[0], time.process_time() - began[1])

    for _ in search(source, text, most=1000):
        hits += 1
        first = since() if hits == 1 else first
    return {f"search {text!r}, first hit": first, f"search {text!r}, all {hits}": since()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the dataset, that stays")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        data = given.keep or Path(aside)
        if not (data / "datasets").exists():
            took = slowest(lambda: make(data, given.rows), 1)
            print(f"made {given.rows:,} draws in {took.wall:.0f} s", flush=True)
        if not (data / "large.parquet").exists():
            make_table(data, given.rows)
        measure(data, given.rounds)


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6


def tell(what: str, took: Took) -> None:
    print(f"{what:<60} {took.wall:8.2f} s {took.cpu:8.2f} s cpu", flush=True)


def measure(data: Path, rounds: int) -> None:
    tell("open, first 100 rows, nothing indexed", opening(data, rounds, indexed=False))
    for name in ("large", str(data / "large.parquet")):
        for what, took in pages(data, name, rounds, indexed=False).items():
            tell(f"{Path(name).name}, nothing indexed: {what}", took)
    shutil.rmtree(data / "cache", ignore_errors=True)
    source = open_source(data, "large")
    novelty = [Filter("outcome", "is", "novelty")]
    tell("first filtered page, while it is indexed", slowest(lambda: page(source, where=novelty), 1))
    tell("all indexed", slowest(lambda: wait(source), 1))
    tell("open, first 100 rows, indexed", opening(data, rounds, indexed=True))
    for what, took in pages(data, "large", rounds, indexed=True).items():
        tell(f"large, indexed: {what}", took)
    for name, run in asked(source).items():
        tell(name, slowest(run, rounds))
    for text in ("needle in the hay", "I THOUGHT", "nowhere at all"):
        for what, took in searched(source, text).items():
            tell(what, took)
    close(source)
    sizes = {
        name: sum(path.stat().st_size for path in (data / name).rglob("*.parquet")) / 1e6
        for name in ("datasets", "cache")
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"facts {sizes['datasets']:,.0f} MB, index {sizes['cache']:,.0f} MB, at most {peak:,.0f} MB of memory")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
