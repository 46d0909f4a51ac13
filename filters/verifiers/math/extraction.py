r"""Where is the answer in a response? All leniency lives here, where it can be seen.

Each `find` looks for one way of saying it. All are linear in the length of the text, and none raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from filters.verifiers.math.sentences import BOLD, INLINE, JOINT, continued, last_statement, stated

MAX_ANSWER = 1_000  # characters; what is longer is no answer

Find = Callable[[str], str | None]

# --- Boxes --------------------------------------------------------------------------------------------

_BOX_OR_BRACE = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*(\{)?|\\.|[{}]", re.DOTALL)
_UNBRACED = re.compile(r"[-+]?[\w./]*\w")
_BETWEEN = re.compile(
    r"[\s$.,;*]{0,6}(?:\\(?:\)|\]|quad|qquad|text\{\s?(?:and|or)\s?\}|,|;)[\s$]{0,3}|and|or|&|和|或|[\s$,;*]){0,5}"
    r"(?:\\(?:\(|\[)|\$)?\s?(?:[A-Za-z](?:_\w|_\{\w{1,3}\})?\s?=\s?)?"
)
MAX_BETWEEN = 40  # characters between two boxes that are one list

Box = tuple[int, int, str]  # where it begins and ends, and what it holds


def last_box(text: str) -> str | None:
    """The content of the closed box that opens last; of nested ones that is the innermost."""
    found = _boxes(text)
    return max(found)[2] if found else None


def boxes(text: str) -> list[str]:
    """What stands in the closed boxes, in the order in which they close."""
    return [content.strip() for _, _, content in _boxes(text)]


def last_boxes(text: str) -> str | None:
    r"""The last box, with those right before it that belong to one list: "\boxed{1} and \boxed{2}" is "1, 2".

    They do if nothing but "and", "or", a comma or the name of a variable stands between them. Any other word,
    as in "\boxed{1}, no, \boxed{2}", makes the last one a correction.
    """
    found = sorted(_boxes(text))
    if not found:
        return None
    members = [found[-1]]
    for box in reversed(found[:-1]):
        between = text[box[1] : members[0][0]]
        if len(between) > MAX_BETWEEN or box[1] > members[0][0] or not _BETWEEN.fullmatch(between):
            break
        members.insert(0, box)
    contents = list(dict.fromkeys(content for _, _, content in members))
    return contents[0] if len(contents) == 1 else ", ".join(contents)


def _boxes(text: str) -> list[Box]:
    """All closed boxes, in the order in which they close."""
    at = [found for found in (text.find(r"\boxed"), text.find(r"\fbox")) if found >= 0]
    if not at:
        return []
    first = len(text[: min(at)].rstrip("\\"))  # with all backslashes before it: two are no command
    opened: list[tuple[int, int, bool]] = []
    closed: list[Box] = []
    for token in _BOX_OR_BRACE.finditer(text, first):  # braces before it close nothing that counts
        if token[0] == "}":
            begin, start, is_box = opened.pop() if opened else (-1, -1, False)
            if is_box:
                closed.append((begin, token.end(), text[start : token.start()]))
        elif token[0].endswith("{") and (token[1] or token[0] == "{"):
            opened.append((token.start(), token.end(), token[1] is not None))
        elif "box" in token[0] and (bare := _UNBRACED.match(text, token.end())):
            closed.append((token.start(), bare.end(), bare[0]))
    return closed


# --- Other marks --------------------------------------------------------------------------------------

_ANNOUNCED = re.compile(
    r"\banswers?(?:\*\*)?(?: to (?:the|this) (?:question|problem))? ?(?:is|are|=|:|：|\$?\\boxed)"  # noqa: RUF001
    r"(?:\*\*)?:?[*\s]{0,9}"
    r"|答(?:：|:)|答案(?:是|为|為|：|:)[*\s]{0,9}(?:：|:)?|答えは|답은|정답[은:]?"  # noqa: RUF001
    r"|(?:respuesta|réponse|resposta|risposta|antwort|ответ|odpowiedź|cevap|jawaban|đáp án)(?: finale?)?"
    r"(?: est| es| é| è| ist| lautet| to| adalah)?(?: donc| entonces| então| also)?\s?:?(?:\*\*)?[*\s]{0,9}",
    re.IGNORECASE,
)
_KEYED = re.compile(r'"(?:final[_ ])?answer"\s{0,3}:\s{0,3}("[^"\n]{0,1000}"|[-+.\d]+)', re.IGNORECASE)
_DISPLAY = re.compile(r"(?:\\\[|\$\$)(.+?)(?:\\\]|\$\$)", re.DOTALL)
_END_OF_SENTENCE = re.compile(r"\.(?=[\s*]|$)|\n|。")
_LINKED = re.compile(r"(?:.*?\s(?:is|are|equals|be|=)\s+)(?=\S)")
_POLITE = re.compile(r"(?:です|だ|입니다|이다)\s*$")
_REASON = re.compile(r"\s\(?(?:because|since)\s|,\s?(?:because|since|not|as)\s|✅|✓")
_COUNTED = re.compile(r"(?<=[\u4e00-\u9fff])\d{1,20}(?:\.\d{1,9})?(?=[\u4e00-\u9fff])")
_TAKEN_BACK = re.compile(
    r"(?:[.?!\n]|\n\n)[ \"*]{0,4}(?:no\b[,.:]|actually\b|wait\b|hmm|oops|sorry\b|correction\b|scratch that)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,/^\\{])[-−]?(?:[$€£]\s?)?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?:\s?%)?(?![\w^])")  # noqa: RUF001


def tagged(text: str) -> str | None:
    """The content of the last <answer> element, if no box stands in it or after it."""
    end = text.lower().rfind("</answer>")
    start = text.lower().rfind("<answer>", 0, max(end, 0))
    if start < 0 or r"\boxed" in text[start:]:
        return None
    content = text[start + len("<answer>") : end].strip()
    found = hashed(content) or announced(content) or _only_formula(content)
    return (found or (stated(content) if content.count(" ") > 3 else None) or content) if content else None


def hashed(text: str) -> str | None:
    """The rest of the line after the last #### (the format of GSM8K)."""
    _, mark, rest = text.rpartition("####")
    return rest.partition("\n")[0] if mark and rest.strip("# \n") else None


def keyed(text: str) -> str | None:
    """The value of the last "answer" in a response that is JSON, or ends in it."""
    if not text.rstrip("` \n").endswith("}"):
        return None
    values = [found[1] for found in _KEYED.finditer(text)]
    return values[-1].strip('"').replace("\\\\", "\\") if values else None


def announced(text: str) -> str | None:
    """What follows the last "answer is": the first formula of that sentence, or else the sentence."""
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    if start is None:
        return None
    rest = text[start : start + MAX_ANSWER]
    if _TAKEN_BACK.search(rest):
        return None
    if display := _DISPLAY.match(rest.lstrip()):
        return display[1]
    sentence = _END_OF_SENTENCE.split(rest.lstrip("` \n"), maxsplit=1)[0]
    return _stated(sentence)


def _stated(sentence: str) -> str | None:
    r"""The answer in "12", "$12$ because ...", "The largest $n$ is 34", "12 \text{ cm}", "She waits 3 hours"."""
    inline = INLINE.search(sentence)
    if inline and not sentence[: inline.start()].strip(" *:"):
        return _formulas(sentence, inline)
    in_words = re.match(r"[A-Za-z]{2,} ", sentence.strip(" *:"))
    if in_words and (link := _LINKED.match(sentence)):
        return _stated(sentence[link.end() :])
    if inline:
        return inline[1] or inline[2]
    numbers = _NUMBER.findall(sentence) if in_words else _COUNTED.findall(sentence)
    if len(numbers) == 1 and (len(sentence.split()) > 3 or not in_words):
        return numbers[0]
    return _POLITE.sub("", _REASON.split(sentence, maxsplit=1)[0]).strip(" *") or None


def _formulas(sentence: str, first: re.Match[str]) -> str:
    """A formula, with those that follow after nothing but "and", a comma or "or"; all where more belongs to it."""
    found, end = [first[1] or first[2]], first.end()
    for following in INLINE.finditer(sentence, end):
        if not JOINT.fullmatch(sentence[end : following.start()]):
            break
        found.append(following[1] or following[2])
        end = following.end()
    if continued(sentence[end:]):
        return INLINE.sub(lambda each: each[1] or each[2], sentence[first.start() :]).strip(" *")
    unit = re.match(r"\s?(\\?%|percent\b|degrees?\b)", sentence[end:])
    return ", ".join(found) + (f" {unit[1]}" if unit and len(found) == 1 else "")


def last_line(text: str) -> str | None:
    """The display that ends a response, or what its last line states."""
    display = _last_display(text)
    return last_statement(text) if display is None else display


def _last_display(text: str) -> str | None:
    r"""The content of the display that ends the text, of several rows the last."""
    text = text.rstrip()[-4 * MAX_ANSWER :].removesuffix(".")
    for opening, closing in ((r"\[", r"\]"), ("$$", "$$")):
        body = text.removesuffix(closing)
        if body != text and (start := body.rfind(opening)) >= 0:
            return body[start + 2 :].strip().removesuffix(".")
    return None


def _only_formula(line: str) -> str | None:
    r"""The content of "$...$", "\(...\)" or "**...**" when that is all there is; the right side of "x = 5"."""
    bare = line.strip().removesuffix(".")
    if bold := BOLD.fullmatch(bare):
        bare = bold[1].strip().removesuffix(".")
    inline = INLINE.fullmatch(bare)
    return (inline[1] or inline[2]) if inline else None


def first_found(text: str, finds: tuple[Find, ...]) -> str | None:
    """What the first that finds anything finds."""
    return next((found for find in finds if (found := find(text)) is not None), None)
