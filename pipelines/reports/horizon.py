"""Chains beside their parts: how often all of a chain is right, and how often that would be by chance of its members.

If a solver were as good at each problem of a chain as it is at that problem alone, and missed them independently, it
would have all of them right at the product of the single pass rates. What is missing to that is what a long horizon
costs (R-Horizon, arXiv 2510.08189).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from filters.answers import wilson

if TYPE_CHECKING:
    import duckdb

# Rates are those of the rule `pass_rate`: of chains, and of their members, which stand beside them by themselves. A
# chain whose members were not all tried says nothing of a product.
QUERY = """
with rated as (
    select v.subjects[1] as id, max(json_extract(v.context, '$.k')::bigint) as k,
        max(json_extract(v.context, '$.n')::bigint) as n
    from verdicts v where v.rule like 'pass_rate@%' and json_extract(v.context, '$.n')::bigint > 0 group by 1
), parts as (
    select p.parents[1] as chain, product(r.k / r.n) as rate, count(*) as members
    from problems p join rated r using (id) where p.kind = 'single' group by 1
)
select json_extract(p.details, '$.length')::bigint as length, count(*), sum(r.k)::bigint, sum(r.n)::bigint,
    avg(r.k / r.n), avg(case when m.members = json_extract(p.details, '$.length')::bigint then m.rate end)
from problems p join rated r using (id) left join parts m on m.chain = p.id
where p.kind = 'composed' group by 1 order by 1
"""

HEADS = ("problems in a chain", "chains", "all right", "of", "rate", "from", "to", "product of single rates", "gap")


class Horizon(NamedTuple):
    """Chains of one length: `k` of `n` attempts had all right; `expected` is the mean product of the single rates."""

    length: int
    chains: int
    k: int
    n: int
    rate: float
    expected: float | None

    def row(self) -> tuple[Any, ...]:
        """As a row under `HEADS`, with the 95 % interval of the rate."""
        low, high = wilson(self.k, self.n)
        gap = None if self.expected is None else round(self.expected - self.rate, 3)
        expected = None if self.expected is None else round(self.expected, 3)
        return (*self[:4], round(self.rate, 3), round(low, 3), round(high, 3), expected, gap)


def horizons(connection: duckdb.DuckDBPyConnection) -> list[Horizon]:
    """What the facts say of chains, by their length; nothing where there are none."""
    return [Horizon(*row) for row in connection.execute(QUERY).fetchall()]
