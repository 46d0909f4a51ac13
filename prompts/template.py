"""Prompt templates: Markdown files with a small header, rendered strictly.

A template `solve/boxed` is the file `prompts/solve/boxed.md`, or a file of that name in the folder of the recipe
that uses it. Its header says what it asks, what it expects back and where it comes from, and which of its variables
are private (a hint, a reference: shown to this model, and in no prompt that is exported; `all` where its own words
are so, too); only the text below it is sent. `{{name}}` stands for a value; a line `[system]` or `[user]` begins a
message, and without one the whole text is the user's message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
VARIABLE = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
ROLE = re.compile(r"^\[(system|user)\]\n", re.MULTILINE)


class TemplateError(ValueError):
    """A template that cannot be found, read or rendered; the message says which, where and how to mend it."""


class Template:
    """One prompt template."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.header, self.body = _split_header(name, text)
        self.variables = frozenset(VARIABLE.findall(self.body))
        self.private = _private(name, self.header, self.variables)
        self.digest = hashlib.blake2b(self.body.encode(), digest_size=8).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"

    @cached_property
    def _messages(self) -> list[tuple[str, str]]:
        parts = ROLE.split(self.body)
        if len(parts) == 1:
            return [("user", self.body)]
        if parts[0].strip():
            raise TemplateError(f"prompt {self.name!r}: text before the first [system] or [user]")
        return list(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))

    def render(self, values: Mapping[str, str]) -> list[dict[str, str]]:
        """The messages, each variable replaced once: what a value contains is never read as a template.

        Raises TemplateError when a variable has no value or a value no variable.
        """
        if missing := self.variables - values.keys():
            raise TemplateError(f"prompt {self.name!r} needs {_names(missing)}; it was given {_names(values)}")
        if unused := values.keys() - self.variables:
            raise TemplateError(
                f"prompt {self.name!r} does not use {_names(unused)}; it asks for {_names(self.variables)}"
            )
        return [
            {"role": role, "content": VARIABLE.sub(lambda found: values[found[1]], text)}
            for role, text in self._messages
        ]


def load(name: str, *, beside: Path | None = None) -> Template:
    """The template of that name: from the folder `beside`, or else one of ours. Raises TemplateError."""
    folders = [folder for folder in (beside, HERE) if folder is not None]
    for folder in folders:
        path = folder / f"{name}.md"
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            try:
                return Template(name, path.read_text(encoding="utf-8"))
            except UnicodeDecodeError as error:
                raise TemplateError(f"prompt {name!r} is not UTF-8 text ({error})") from error
    raise TemplateError(f"no prompt {name!r}; there are: {', '.join(names())}")


def names() -> list[str]:
    return sorted(path.relative_to(HERE).with_suffix("").as_posix() for path in HERE.glob("*/*.md"))


def _split_header(name: str, text: str) -> tuple[dict[str, str], str]:
    found = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if found is None:
        raise TemplateError(f"prompt {name!r} has no header: begin it with lines between two lines of ---")
    lines = [line.partition(":") for line in found[1].splitlines()]
    return {key.strip(): value.strip() for key, _, value in lines}, found[2].strip()


def _private(name: str, header: Mapping[str, str], variables: frozenset[str]) -> list[str]:
    """The variables that its header calls private: what they hold is for this model and for no training prompt."""
    named = [each.strip() for each in header.get("private", "").split(",") if each.strip()]
    if unknown := set(named) - variables - {"all"}:
        raise TemplateError(f"prompt {name!r} calls {_names(unknown)} private; it asks for {_names(variables)}")
    return named


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
