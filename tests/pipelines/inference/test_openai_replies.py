"""What the OpenAI engine keeps of a reply, and where a key may go: no server needed."""

import pytest

from pipelines.inference.engine import Again, read
from pipelines.inference.engines import parse_model
from pipelines.inference.model import BadModel
from pipelines.inference.openai import OpenAI, is_private
from tests.each import each_of

SPEC = "openai:m@http://127.0.0.1:9/v1"


def take(content: bytes):
    return OpenAI(parse_model("teacher", SPEC)).take(content, 1)


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_what_was_broken_off_is_no_answer(reason: str) -> None:
    with pytest.raises(Again, match="broken off"):
        take(b'{"choices":[{"message":{"content":"4"},"finish_reason":"%s"}]}' % reason.encode())


def test_content_in_parts_is_read_as_its_text() -> None:
    parts = (
        b'[{"type":"thinking","thinking":"hm"},{"type":"text","text":"The answer "},{"type":"text","text":"is 4"}]'
    )
    reply = take(b'{"choices":[{"message":{"content":%s},"finish_reason":"stop"}]}' % parts)
    assert read(reply)[0].turn.content == "The answer is 4"


def test_a_model_length_is_a_length() -> None:
    reply = take(b'{"choices":[{"message":{"content":"4"},"finish_reason":"model_length"}]}')
    assert read(reply)[0].finish == "length"


@each_of(
    [
        ("https://api.example.org/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://10.0.0.5:8000/v1", False),
        ("http://api.example.org/v1", False),
        ("http://localhost.example.org/v1", False),
    ]
)
def test_a_key_that_no_recipe_names_goes_only_where_nobody_reads_it(url: str, private: bool) -> None:
    assert is_private(url) is private


def test_a_url_that_holds_a_password_is_refused() -> None:
    with pytest.raises(BadModel, match="key_env"):
        parse_model("teacher", "openai:m@https://me:secret@example.org/v1")
