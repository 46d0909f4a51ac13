"""Who may publish what, and what others are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.hub import publish as ours
from tests.each import each_of
from tests.hub_writing import FIRST
from tests.pipelines.publishing.released import NOWHERE, REPO, commits, refused

# huggingface_hub still uploads to LFS in the old way of its client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.mark.parametrize(("said", "private"), [(None, True), (True, True), (False, False)])
def test_a_new_dataset_is_private_unless_said(hub, publish, versions, said, private):
    publish(versions[0], private=said)
    assert hub.repos[REPO].private is private
    assert not publish(versions[0], private=said).is_new
    assert not publish(versions[0]).is_new


@pytest.mark.parametrize("private", [True, False])
def test_nothing_is_published_where_more_people_see_it_than_was_said(hub, publish, versions, private):
    hub.commit(REPO, FIRST)
    hub.repos[REPO].private = not private
    told = refused(lambda: publish(versions[0], private=private))
    now, should = ("public", "private") if private else ("private", "public")
    assert f"ada/sums is {now}: make it {should} in its settings" in told
    assert commits(hub) == 0


def test_without_a_token_nobody_is_asked(hub, publish, versions):
    assert "publishing needs a token: set HF_TOKEN, or log in" in refused(lambda: publish(versions[0], token=None))
    assert not hub.seen


def test_the_token_of_the_environment_will_do(hub, publish, versions, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert publish(versions[0], token=None).is_new


def test_a_wrong_token_is_told(hub, publish, versions):
    assert "the Hub refuses the token (401)" in refused(lambda: publish(versions[0], token="hf_wrong"))


def test_a_token_that_may_only_read_is_told(hub, publish, versions):
    hub.readers = ("hf_reads",)
    hub.commit(REPO, FIRST)
    told = refused(lambda: publish(versions[0], token="hf_reads"))
    assert "the token may not write to ada/sums (403): give it the right to" in told


def test_an_owner_under_whose_name_one_may_not_write_is_told(hub, publish, versions):
    hub.closed = ("ada",)
    assert "the token may not write to ada/sums (403)" in refused(lambda: publish(versions[0]))


def test_a_private_dataset_of_others_is_told(hub, publish, versions, naps):
    hub.commit(REPO, FIRST)
    hub.repos[REPO].private = True
    hub.readers = ("hf_other",)
    assert "the token may not write to ada/sums" in refused(lambda: publish(versions[0], token="hf_other"))


def test_a_gated_dataset_of_others_is_told(hub, publish, versions):
    publish(versions[0], private=False)
    hub.schedule["head"] = ["gated"]
    assert "ada/sums is gated" in refused(lambda: publish(versions[1]))


def test_where_no_hub_is_a_line_says_so(hub, publish, versions):
    told = refused(lambda: publish(versions[0], endpoint=NOWHERE))
    assert told == "the Hub cannot be reached for ada/sums (ConnectError): publish again, and what is missing is done"


@each_of(["", "sums", "ada/sums/v1", "ada/sums@v1", "https://hub.org/ada/sums", "ada/su ms", "ada/..", "a--b/c.git"])
def test_a_name_that_is_none_is_told(name):
    told = refused(lambda: ours.publish(Path("data/v1"), to=name, token="hf_any", endpoint=NOWHERE))
    assert "write OWNER/NAME" in told


def test_a_login_page_between_us_and_the_hub_is_told(hub, publish, versions):
    hub.trouble = lambda number, kind: "html"
    assert "publishing to ada/sums broke off (JSONDecodeError)" in refused(lambda: publish(versions[0]))
