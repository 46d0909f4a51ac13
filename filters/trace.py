"""The way a trace thinks: its thoughts, its strategies, its turns, and where the thinking ends.

All by rules over the text of one trace, in linear time and without a model: signs, not understanding. A trace is the
reasoning of an attempt where the engine kept one apart, else its answer. The rules measure each attempt by itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from filters.answers import final_answer
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from pipelines.records import Attempt, Turn

QUOTED = 120  # characters of a trace that go into the evidence


def trace(attempt: Attempt) -> str:
    """The reasoning in an attempt's last turn; its answer where no reasoning was kept apart."""
    return attempt.turns[-1].reasoning or attempt.text


def measured(
    case: Case, measure: Callable[[str], tuple[float, Mapping[str, Any]]], low: float, high: float, what: str
) -> Iterator[Ruling]:
    """A ruling about each attempt whose trace has words: score and evidence of `measure`, and whether in the band."""
    for attempt in case.attempts:
        text = trace(attempt)
        if not text.strip():
            yield unsure("no trace", about=(attempt.id,))
            continue
        score, evidence = measure(text)
        ruling = within(score, low, high, what)._replace(evidence=evidence, about=(attempt.id,))
        # What was cut off is measured up to there.
        yield ruling._replace(context={"finish": attempt.finish})


def within(score: float, low: float, high: float, what: str) -> Ruling:
    """Pass a score in the band, both ends included."""
    if score < low:
        return failed(f"{what}: less than asked", score=score)
    return failed(f"{what}: more than asked", score=score) if score > high else passed(score=score)


# --- Thoughts -------------------------------------------------------------------------------------------------


def _cues(*phrases: str) -> re.Pattern[str]:
    """Any of these phrases, as whole words, in a text in lower case: not to care about case takes twice as long."""
    return re.compile(rf"\b(?:{'|'.join(phrases)})(?!\w)")


# "But" and "maybe" alone are how sentences go on; at the start of one, these words turn to something else.
_TURN = _cues(
    r"(?:but |oh,? |no,? )?wait",
    r"alternatively",
    r"hmm+",
    r"hold on",
    r"actually",
    r"instead",
    r"on second thought",
    r"(?:okay,? so )?another (?:way|approach|method|idea|thought|possibility)",
    r"(?:but )?let(?:'s| me| us) (?:try|consider) (?:a|an|another|some|something) "
    r"(?:other|else|(?:completely |totally )?different|way|approach|method)",
)
LOOKED_AT = 60  # characters: longer than any of these phrases
_START = re.compile(r"(?:\A|(?<=\n)|(?<=[.!?:)\]]\s))(?=\w)")


SWITCH_WORDS = [
    *("But", "Wait", "Alternatively", "However", "Hmm", "Hmmm", "Not sure", "Going back", "Backtrack", "Trace back"),
    "Another",
]
"""By which a sentence switches to another thought, as Retro-Search takes it (arXiv 2504.04383)."""


def thoughts(text: str, *, words: Sequence[str] = ()) -> list[str]:
    """The text cut where it switches to another thought ("Wait", "Alternatively"); joined it is the text again.

    With `words` it is cut wherever a sentence begins with one of them.
    """
    turn = _turn_at(tuple(words)) if words else _TURN
    starts = (found.start() for found in _START.finditer(text))
    cuts = [start for start in starts if turn.match(text[start : start + LOOKED_AT].lower())]
    ends = [*cuts, len(text)]
    return [text[start:end] for start, end in zip([0, *cuts], ends, strict=True) if end > start]


@functools.cache
def _turn_at(words: tuple[str, ...]) -> re.Pattern[str]:
    return _cues(*(re.escape(each.lower()) for each in words))


def switches(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt whose trace switches its thought this often for every 1,000 characters; the score says it.

    Frequent switches are underthinking (arXiv 2501.18585). The evidence has the number of thoughts and the median
    of their lengths in characters.
    """
    return measured(case, _switches, at_least, at_most, "switches of thought")


def _switches(text: str) -> tuple[float, dict[str, Any]]:
    parts = thoughts(text)
    lengths = sorted(map(len, parts))
    evidence = {"thoughts": len(parts), "median_length": lengths[len(lengths) // 2]}
    return 1_000 * (len(parts) - 1) / len(text), evidence


# --- Steps ----------------------------------------------------------------------------------------------------

_OPENS = {"\\[": "\\]", "$$": "$$", "```": "```", "~~~": "~~~"}
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z\\$(])")
FEW = 3  # lines; a text with fewer of them is read by its sentences


def steps(text: str) -> list[str]:
    """The steps of a trace: its lines, a display of several lines being one; its sentences where it has few lines."""
    lines = list(_lines(text))
    if len(lines) >= FEW:
        return lines
    return [sentence for line in lines for each in _SENTENCES.split(line) if (sentence := each.strip())]


def _lines(text: str) -> Iterator[str]:
    block, closes = list[str](), None
    for line in text.splitlines():
        stripped = line.strip()
        if closes is None:
            closes = next((_OPENS[sign] for sign in _OPENS if stripped.startswith(sign)), None)
            opened = stripped[2:]
        else:
            opened = stripped
        block.append(line.rstrip() if block else stripped)
        if closes is None or closes in opened:
            if whole := "\n".join(block).strip():
                yield whole
            block, closes = [], None
    if whole := "\n".join(block).strip():
        yield whole


# --- Strategies -----------------------------------------------------------------------------------------------

STRATEGIES = {
    "verification": _cues(
        r"(?:double[- ]?|re-?)?check(?:ing)? (?:this|that|if|whether|our|my|the|it|with|by|again)",
        r"double[- ]check",
        r"verif(?:y|ying|ies)",
        r"to confirm",
        r"sanity check",
        r"(?:plug|substitut)(?:e|ging|ing)?(?: \S{1,20}){0,3} back",
        r"does (?:this|that|it) make sense",
    ),
    "backtracking": _cues(
        r"(?:no,? |but |oh,? )?wait",
        r"hold on",
        r"(?:that|this)(?:'s| is| was| cannot be| can't be)(?: \w{1,12})? (?:wrong|incorrect|not right|a mistake)",
        r"i (?:made|make) (?:a mistake|an error)",
        r"scratch that",
        r"oops",
        r"dead end",
        r"let me (?:redo|start over|go back|reconsider|rethink|try again)",
        r"(?:this|that|it) (?:doesn't|does not|didn't|won't) work",
        r"start(?:ing)? over",
    ),
    "subgoals": _cues(
        r"first,",
        r"(?:first|second|third)ly",
        r"step (?:\d{1,2}|one|two|three)",
        r"(?:our|the|my) goal is",
        r"break (?:it|this|the \w{1,12})(?: down)? into",
        r"sub-?(?:goal|problem|task)s?",
        r"(?:next|then), (?:we|i|let)",
        r"(?:we|i) (?:first )?need to (?:find|know|determine|compute|calculate|solve|show)",
    ),
    "exploration": _cues(
        r"alternatively",
        r"another (?:way|approach|method|idea|possibility)",
        r"(?:a )?different (?:way|approach|method)",
        r"what if",
        r"let(?:'s| me| us) (?:try|explore|experiment)",
        r"maybe (?:we|i|there|it)",
        r"perhaps",
    ),
    "backward chaining": _cues(
        r"work(?:ing)? backwards?",
        r"backwards? from",
        r"in order for (?:this|that|it|the)",
        r"for (?:this|that|it) to (?:be|hold)",
        r"what would (?:we|i) need",
    ),
    "case analysis": _cues(
        r"cases? (?:\d{1,2}|[ivx]{1,4}|one|two)",
        r"in (?:the|this|that|each|either) (?:\w{1,12} )?case",
        r"(?:two|three|four|several|consider|all) (?:\w{1,12} )?cases",
        r"case by case",
    ),
    "supposition": _cues(
        r"suppose",
        r"assum(?:e|ing)",
        r"for the sake of",
        r"by contradiction",
        r"hypothes(?:is|ize)",
        r"without loss of generality",
    ),
    "examples": _cues(
        r"for (?:example|instance)",
        r"small(?:er)? (?:case|value|number|example)s?",
        r"simpler (?:case|problem|version)",
        r"test(?:ing)? (?:a few|some|with)",
        r"patterns?",
    ),
    "recall": _cues(
        r"recall",
        r"(?:i|we) (?:remember|know) that",
        r"by (?:the )?(?:[\w'-]{1,20} ){0,3}(?:theorem|formula|lemma|identity|definition|law|rule|property)",
        r"well[- ]known",
        r"similar to",
    ),
    "estimation": _cues(
        r"approximat(?:e|ely|ion)", r"rough(?:ly)?", r"estimat(?:e|ed|ing|ion)", r"order of magnitude", r"ballpark"
    ),
    "abstraction": _cues(
        r"in general", r"generali[sz](?:e|es|ing|ation)", r"let (?:\$|\\\()?[a-z]", r"symmetr(?:y|ic)", r"denotes?"
    ),
    "summary": _cues(
        r"to summari[sz]e", r"in summary", r"so far", r"putting (?:\w{1,12} )?(?:all )?together", r"to recap"
    ),
}
"""What a trace does, and the words by which it says so, in lower case."""


def strategies(text: str) -> dict[str, int]:
    """How often the text shows each strategy of reasoning, those that it shows at all."""
    lowered = text.lower()
    counts = {name: len(cues.findall(lowered)) for name, cues in STRATEGIES.items()}
    return {name: count for name, count in counts.items() if count}


def strategy_count(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt whose trace shows so many different strategies; the score is their number, of twelve.

    The evidence counts how often each is shown, and has the `density`: strategies for every 1,000 characters.
    NaturalThoughts does best with four to eight, as a judge labels them (arXiv 2507.01921).
    """
    return measured(case, _strategy_count, at_least, at_most, "strategies")


def _strategy_count(text: str) -> tuple[float, dict[str, Any]]:
    shown = strategies(text)
    return float(len(shown)), {"strategies": shown, "density": 1_000 * len(shown) / len(text)}


def review_ratio(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = 1.0) -> Iterator[Ruling]:
    """Pass each attempt of whose trace this share reviews what was done; the score is the share of its characters.

    A thought reviews where it verifies or backtracks. The review ratio of "What Characterizes Effective Reasoning?"
    (arXiv 2509.19284), by rules.
    """
    return measured(case, _review_ratio, at_least, at_most, "review")


def _review_ratio(text: str) -> tuple[float, dict[str, Any]]:
    sentences = _SENTENCE.findall(text.lower())
    reviews = [each for each in sentences if any(STRATEGIES[name].search(each) for name in _REVIEWS)]
    evidence = {"sentences": len(sentences), "reviews": len(reviews)}
    return sum(map(len, reviews)) / max(1, sum(map(len, sentences))), evidence


_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
_REVIEWS = ("verification", "backtracking")

# --- Where the thinking ends ----------------------------------------------------------------------------------

_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)


def boundary(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each finished attempt whose thinking and answer are told apart, or that shows no thinking at all.

    The value is `apart` or `no thinking`, the score the share of the characters that are thinking.
    """
    for attempt in case.attempts:
        last = attempt.turns[-1]
        thinking, answer = (last.reasoning or "", last.content or "") if last.role == "assistant" else ("", "")
        yield _boundary(thinking, answer, attempt.finish)._replace(about=(attempt.id,))


def _boundary(thinking: str, answer: str, finish: str) -> Ruling:
    if finish != "stop":
        return unsure("did not end by itself", context={"finish": finish})
    score = len(thinking) / max(1, len(thinking) + len(answer))
    if defect := boundary_defect(thinking, answer):
        return failed(defect, score=score)
    return passed(score=score, value="apart" if thinking.strip() else "no thinking")


def boundary_defect(thinking: str, answer: str) -> str | None:
    """Why thinking and answer are not told apart, if they are not."""
    if _TAG.search(answer):
        return "a tag of the thinking stands in the answer"
    if _TAG.search(thinking):
        return "a tag of the thinking stands inside it"
    if thinking.strip() and not answer.strip():
        return "thought, and never answered"
    return None if answer.strip() else "nothing was said"


# --- Void turns -----------------------------------------------------------------------------------------------

_FENCE = re.compile(r"^[ \t]{0,3}(```|~~~)(.*)$", re.MULTILINE)
_CALL = re.compile(r"<(tool_call|code|python)>")
_SETTLED = re.compile(
    r"\\f?box(?:ed)?\s?\{|<answer>|^####\s?\S|\banswer\W{0,3}(?:is|:)\W{0,9}\w", re.MULTILINE | re.IGNORECASE
)


def no_void_turns(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt in which every turn of the model acts: it has a closed code block, a tool call or an answer.

    The score is the share of turns that are void; `void_turns` in the evidence numbers them among the model's turns,
    from 0. One void turn fails the attempt, as SimpleTIR drops the whole trajectory (arXiv 2509.02479).
    """
    for attempt in case.attempts:
        said = [turn for turn in attempt.turns if turn.role == "assistant"]
        void = void_turns(attempt.turns)
        if void and void[-1] == len(said) - 1 and _answers(case, attempt):
            void.pop()
        ruling = failed("a turn neither acts nor answers") if void else passed()
        score = len(void) / max(1, len(said))
        evidence = {"void_turns": void[:100], "turns": len(said)}
        yield ruling._replace(score=score, evidence=evidence, about=(attempt.id,))


def _answers(case: Case, attempt: Attempt) -> bool:
    """Whether the problem's verifier reads an answer in the last turn."""
    name = case.problem.verifier
    return name is not None and final_answer(attempt, name) is not None


def void_turns(turns: Sequence[Turn]) -> list[int]:
    """Which of the model's turns, counted from 0, have no closed code block, no tool call and no final answer.

    What tools and people say counts for nothing, nor does what was only thought.
    """
    said = [turn for turn in turns if turn.role == "assistant"]
    return [place for place, turn in enumerate(said) if not turn.tool_calls and _void(turn.content or "")]


def _void(content: str) -> bool:
    blocks, prose = _fenced(content)
    calls = any(f"</{name}>" in prose for name in set(_CALL.findall(prose)))
    return not (blocks or calls or _SETTLED.search(prose))


def _fenced(content: str) -> tuple[int, str]:
    """How many closed code blocks with something in them there are, and the text outside of all fences.

    A block that is never closed takes the rest of the text with it.
    """
    blocks, prose, place, opened = 0, [], 0, None
    for fence in _FENCE.finditer(content):
        if opened is None:
            prose.append(content[place : fence.start()])
            opened = fence
        elif fence[1] == opened[1] and not fence[2].strip():
            blocks += bool(content[opened.end() : fence.start()].strip())
            place, opened = fence.end(), None
    return blocks, "\n".join([*prose, *([] if opened else [content[place:]])])
