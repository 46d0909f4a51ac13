"""Addresses: what they say is what is looked at, and the other way round."""

from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from pipelines.browse import links
from pipelines.browse.links import OPS, Looking
from pipelines.browse.table import Filter, Order

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
FILTERS = st.builds(
    lambda column, op, value: Filter(column, op, "" if op in ("missing", "present") else value),
    TEXTS,
    st.sampled_from(list(OPS.values())),
    TEXTS,
)
LOOKING = st.builds(
    Looking,
    of=TEXTS,
    where=st.lists(FILTERS, max_size=4, unique=True).map(tuple),
    order=st.none() | st.builds(Order, TEXTS.filter(lambda name: not name.startswith("-")), st.booleans()),
    offset=st.integers(0, 10**9),
    show=st.lists(TEXTS, max_size=4, unique=True).map(tuple),
    dense=st.booleans(),
    written=st.booleans(),
)


@given(LOOKING)
def test_an_address_tells_what_is_looked_at(looking: Looking):
    address = links.address("/table", looking)
    assert links.read(parse_qsl(urlsplit(address).query, keep_blank_values=True)) == looking
