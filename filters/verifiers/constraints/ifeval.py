"""IFEval's 25 instructions (arXiv 2311.07911) in terms of our checks, so that its rows verify as they are.

The meaning is what each instruction tells the model. Where IFEval's own program lets through more than that, we do
not; these are the differences that can show:

* Invisible characters, marks and signs alone make no word, sentence, placeholder, highlight, title or paragraph.
* Constrained responses: exactly one of the three is given, not all of them.
* Sections: the marker begins a line, the numbers differ, and something follows each.
* Bullets: a space follows the sign, so rules (---) and *emphasis* at the beginning of a line are none.
* A postscript begins a word and says something; two responses differ in a word; a repeated prompt is followed by an
  answer; JSON is an object or an array, without NaN; commas of other scripts are commas.
* An end phrase begins where a word begins, so that "eyes." does not end with "yes.".
* Languages are told as `language` does, which says "cannot tell" where IFEval says yes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Instruction(NamedTuple):
    """The check that an instruction stands for, and which of IFEval's arguments become its parameters.

    `number` and `relation` name the arguments that become a bound; without a relation the bound is `bound`.
    """

    check: str
    arguments: Mapping[str, str] = {}
    number: str | None = None
    relation: str | None = None
    bound: str = "exactly"
    fixed: Mapping[str, Any] = {}


_ANSWERS = ["My answer is yes.", "My answer is no.", "My answer is maybe."]

INSTRUCTIONS = {
    "keywords:existence": Instruction("contains", {"keywords": "texts"}),
    "keywords:frequency": Instruction("occurrences", {"keyword": "text_part"}, "frequency", "relation"),
    "keywords:forbidden_words": Instruction("forbidden_words", {"forbidden_words": "forbidden"}),
    "keywords:letter_frequency": Instruction("letter_count", {"letter": "letter"}, "let_frequency", "let_relation"),
    "language:response_language": Instruction("language", {"language": "language"}),
    "length_constraints:number_sentences": Instruction("sentences", {}, "num_sentences", "relation"),
    "length_constraints:number_paragraphs": Instruction("parts", {}, "num_paragraphs", fixed={"divider": "***"}),
    "length_constraints:number_words": Instruction("words", {}, "num_words", "relation"),
    "length_constraints:nth_paragraph_first_word": Instruction(
        "paragraph_starts",
        {"num_paragraphs": "paragraphs_in_all", "nth_paragraph": "nth", "first_word": "word"},
    ),
    "detectable_content:number_placeholders": Instruction("placeholders", {}, "num_placeholders", bound="at_least"),
    "detectable_content:postscript": Instruction("postscript", {"postscript_marker": "marker"}),
    "detectable_format:number_bullet_lists": Instruction("bullets", {}, "num_bullets"),
    "detectable_format:constrained_response": Instruction("names_one_of", fixed={"options": _ANSWERS}),
    "detectable_format:number_highlighted_sections": Instruction(
        "highlights", {}, "num_highlights", bound="at_least"
    ),
    "detectable_format:multiple_sections": Instruction(
        "sections", {"section_spliter": "marker"}, "num_sections", bound="at_least"
    ),
    "detectable_format:json_format": Instruction("json"),
    "detectable_format:title": Instruction("title"),
    "combination:two_responses": Instruction("two_responses"),
    "combination:repeat_prompt": Instruction("repeats_prompt", {"prompt_to_repeat": "prompt"}),
    "startend:end_checker": Instruction("ends_with", {"end_phrase": "phrase"}),
    "startend:quotation": Instruction("quoted"),
    "change_case:capital_word_frequency": Instruction("capital_words", {}, "capital_frequency", "capital_relation"),
    "change_case:english_capital": Instruction("english_upper_case"),
    "change_case:english_lowercase": Instruction("english_lower_case"),
    "punctuation:no_comma": Instruction("no_commas"),
}


def translated(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """An instruction as a row of our own; null arguments are absent ones. Raises ValueError with what is wrong."""
    instruction = INSTRUCTIONS[name]
    given = {key: value for key, value in arguments.items() if value is not None}
    row = {"check": instruction.check, **instruction.fixed}
    row |= {ours: given.pop(theirs) for theirs, ours in instruction.arguments.items() if theirs in given}
    if instruction.number in given:
        relation = given.pop(instruction.relation, None) if instruction.relation else instruction.bound
        row |= _bound(name, relation, given.pop(instruction.number))
    if given:
        raise ValueError(f"{name} does not take {', '.join(sorted(given))!r}")
    return row


def _bound(name: str, relation: object, number: object) -> dict[str, Any]:
    if relation == "less than" and isinstance(number, int):
        return {"at_most": number - 1}
    if relation not in ("at least", "at most", "at_least", "exactly"):
        raise ValueError(f"{name} needs a relation: 'less than' or 'at least'")
    return {str(relation).replace(" ", "_"): number}
