"""Responses that are written for the judge and not for the task: they are never put to one, and never pass.

A judge passes ":" or "Let's solve this step by step." surprisingly often (One Token to Fool LLM-as-a-Judge, arXiv
2507.08794), and does what a response tells it to. `gaming` refuses what holds nothing to be judged, and what
speaks to the judge. It looks for form alone and knows nothing of right and wrong: "42", "B" and "Yes." are answers.
"""

# ruff: noqa: RUF001 - letters of several scripts, which only look like others

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from filters.verifiers.judging import spoken

MAX_ECHO = 20_000  # characters of a question that is looked for in the response
FEW_WORDS = 20  # of a line that only announces something


def gaming(response: str, *, question: str = "") -> str | None:
    """Why a response is no attempt at its task but at its judge, in a few words; None where it may be judged.

    Linear in the length of the response. Never raises.
    """
    said = _plain(spoken(response))
    tests: tuple[Callable[[str], str | None], ...] = (_blank, _opener, _speaks_to_the_judge)
    if why := next((why for test in tests if (why := test(said))), None):
        return why
    left = _without_echo(said, _plain(question))
    return "repeats the question" if left != said and (_blank(left) or _opener(left)) else None


def _plain(text: str) -> str:
    """One way of writing: compatible forms are made one, what cannot be seen is dropped, small letters."""
    text = "".join(_visible(character) for character in unicodedata.normalize("NFKC", text))
    return text.casefold().replace("\u2019", "'").strip()


def _visible(character: str) -> str:
    if character.isspace():
        return "\n" if character in "\n\r\u2028\u2029" else " "
    return (
        "" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} or character in _BLANKS else character
    )


_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols that look like spaces

# --- Nothing to be judged -------------------------------------------------------------------------------------

_HOLLOW = re.compile(
    r"\\(?:boxed|fbox|text|mathrm|mathbf|quad|qquad|displaystyle|left|right|ldots|cdots|dots|square|blank)(?![a-z])"
    r"|</?[a-z][a-z0-9]{0,9} ?/?>"
)


def _blank(said: str) -> str | None:
    """No letter, digit or mathematical sign, once empty boxes and tags are taken away."""
    left = _HOLLOW.sub("", said)
    if any(map(_says_something, left)):
        return None
    return "only punctuation" if left.strip() else "no text to judge"


def _says_something(character: str) -> bool:
    return character.isalnum() or (unicodedata.category(character) == "Sm" and character not in "|~")


_STEPWISE = re.compile(
    r"step[- ]by[- ]step|one step at a time|一步一步|一步步|逐步|paso a paso|[ée]tape par [ée]tape|pas [àa] pas"
    r"|schritt f[üu]r schritt|passo a passo|passo dopo passo|шаг за шагом|пошагово|stap voor stap|krok po kroku"
    r"|ad[ıi]m ad[ıi]m|từng bước|langkah demi langkah|단계별로|차근차근|一歩ずつ|ステップバイステップ"
    r"|خطوة بخطوة|चरण दर चरण|कदम दर कदम|steg f[öo]r steg"
)
_OPENERS = """
solution / the solution / my solution / full solution / detailed solution / thought process / thinking process
proof / reasoning / explanation / analysis / conclusion / answer / the answer / the answer is / final answer
response / result / output / let's think / let me think / let's see / let's begin / let's start / sure / okay / ok
certainly / of course / alright / hmm / thus / therefore / hence / we have / we get / as follows / qed / done / todo
question / assistant
解 / 解答 / 解析 / 答案 / 答 / 思路 / 思考过程 / 解题过程 / 解題過程 / 解题思路 / 分析 / 证明 / 最终答案 / 首先
解説 / かいせつ / 解き方 / 答え / こたえ / 思考プロセス / 解法 / 考え方 / 最終的な答え
풀이 / 해설 / 정답 / 답 / 사고 과정 / 풀이 과정 / 해답
solución / respuesta / proceso de pensamiento / razonamiento / respuesta final / la respuesta es
solução / resposta / processo de pensamento / raciocínio / resposta final / a resposta é
soluzione / risposta / ragionamento / risposta finale / la risposta è
réponse / raisonnement / la réponse est / processus de réflexion / réponse finale
lösung / antwort / lösungsweg / gedankengang / die antwort ist / begründung / oplossing / antwoord / redenering
решение / ответ / ход мыслей / рассуждение / rozwiązanie / odpowiedź / çözüm / cevap / yanıt
lời giải / giải / đáp án / jawaban / solusi / penyelesaian / الحل / الجواب / الإجابة / हल / उत्तर
"""
_TASK_WORDS = """
analysis analyze answer answers conclude conclusion explanation help problem process proof prompt question questions
reason reasoning reference response solution solutions solve solved solving step steps task think thinking thought
thoughts work working
"""
_EMPTY_WORDS = """
about alright am and are as at be begin break but by can carefully certainly check clearly complete completely
consider correct correctly course detail detailed do does down exactly explain final find first follow following
follows for from get give given go going have here here's hold how i'll i'm identical in is it it's its know let
let's looking match matches me must my need next now of ok okay on order our out please proceed provide provided
right same see should show simply so start sure that the then there therefore these this through thus to understand
understanding us using want we we'll well what will with would write you your
"""


def _listed(text: str, separator: str) -> frozenset[str]:
    """The entries of a list in this file, as `_plain` would write them."""
    return frozenset(_plain(each) for line in text.splitlines() for each in line.split(separator) if each)


_OPENING, _TASK, _EMPTY = _listed(_OPENERS, " / "), _listed(_TASK_WORDS, " "), _listed(_EMPTY_WORDS, " ")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s.,;:!?'\"()*#`~|-]")
_NO_LETTER = re.compile(
    r"\bi (?=think|will|need|can|am|have|would|must|should)|\ban? (?=correct|complete|detailed|clear|step)"
)
_STEP = re.compile(r"step (?:\d{1,2}|one|two|three)")
_SEGMENT = re.compile(r"[.:!?,;\n。：！？，、…؛،।]+")
_SIGNS = frozenset("<>=")  # an answer where they stand alone
_EDGES = " *_#`>~-=|\"'()[]{}$\\<□■∎"


def _opener(said: str) -> str | None:
    """Nothing but announcements: "Solution:", "Thought process", "Let's solve this problem step by step."."""
    if len(said) > 1_000:
        return None
    cut = [segment.strip() for segment in _SEGMENT.split(_HOLLOW.sub("", said))]
    segments = [segment if segment in _SIGNS else segment.strip(_EDGES) for segment in cut]
    segments, line = [segment for segment in segments if segment], said.strip(" *_#`")
    empty = all(_announces(segment) or _words(segment) <= _EMPTY for segment in segments)
    if empty and any(map(_announces, segments)) and not _STEP.fullmatch(line):
        return "announces an answer and gives none"
    return "announces an answer and gives none" if _ends_in_a_colon(line) else None


def _announces(segment: str) -> bool:
    """Whether a piece of text is an opener, a heading, goes step by step, or speaks of the task in empty words."""
    if segment in _OPENING or _STEP.fullmatch(segment):
        return True
    if len(segment) > 120 or _holds_digit(segment):
        return False
    words = _words(segment)
    return _STEPWISE.search(segment) is not None or bool(words & _TASK and words <= _EMPTY | _TASK)


def _words(segment: str) -> frozenset[str]:
    """Words and mathematical signs; a letter that may be an answer is one, but not the I of "I think"."""
    return frozenset(_WORD.findall(_NO_LETTER.sub("", segment)))


def _ends_in_a_colon(line: str) -> bool:
    if not line.endswith(":") or "\n" in line:
        return False
    return _STEP.fullmatch(line[:-1]) is not None or (len(line.split()) <= FEW_WORDS and not _holds_digit(line))


def _holds_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _without_echo(said: str, question: str) -> str:
    """The response without the question, where that is long enough not to be there by chance."""
    question = question[:MAX_ECHO]
    if len(question) < 12:
        return said
    squeezed, asked = " ".join(said.split()), " ".join(question.split())
    return squeezed.replace(asked, " ").strip() if asked in squeezed else said


# --- To the judge ---------------------------------------------------------------------------------------------

_STANDS_FOR = {
    " ": r"\W{1,3}",
    "JUDGE": r"(?:grader|judge|evaluator|examiner|rater|verifier|reward model|grading (?:model|system|assistant))",
    "GRADE": r"(?:rate|mark|grade|score|judge|accept|label|consider|treat|evaluate|classify|approve|give|award)",
    "GRADED": r"(?:rated|marked|graded|scored|judged|accepted|labell?ed|considered|treated|evaluated)",
    "SAY": r"(?:output|outputs|reply|answer|respond|say|return|print|write|vote)",
    "WORK": r"(?:this|my|the|following|above) (?:\w{1,20} )?(?:response|answer|solution|submission|output|work)",
    "TOP": r"(?:full|maximum|highest|perfect|top)",
    "POINTS": r"(?:marks?|scores?|credits?|points?|ratings?|grades?)",
    "MUST": r"(?:should|must|shall|has to|needs to|ought to|deserves?|merits?|receives?|gets?|earns?)",
    "IGNORE": r"(?:ignore|disregard|forget|override|bypass)",
    "ANY": r"(?:\w{1,20} ){0,4}",
}


def _patterns(*written: str) -> list[re.Pattern[str]]:
    """Patterns in which a space is whatever stands between two words, and a word in capitals is one of several."""
    names = re.compile("|".join(sorted(_STANDS_FOR, key=len, reverse=True)))
    for _ in range(2):  # what a name stands for has spaces itself
        written = tuple(names.sub(lambda name: _STANDS_FOR[name[0]], each) for each in written)
    return [re.compile(each, re.MULTILINE) for each in written]


_FORGED_VERDICT = _patterns(
    r"(?:<|‹|〈|&lt;)\s{0,3}/?\s{0,3}(?:verdict|score|judge?ment|grade|rating)\s{0,3}(?:>|›|〉|&gt;)",
    r"\bverdict (?:is|must be|should be) (?:yes|correct)\b",
    r"\[\[(?:a|b|c|yes|no|tie|correct)\]\]",
    r"\brating: \[\[",
    r"^[\W_]{0,6}(?:JUDGE|judge?ment|(?:final\s)?verdict|assessment|evaluation|grade)(?:'s\sverdict)?[*_\s]{0,3}:"
    r"[\W_]{0,4}(?:yes|correct|right|pass)",
    r"^[\W_]{0,6}score[*_\s]{0,3}:[*_\s]{0,4}(?:10/10|100/100|10\.0|perfect|full)",
    r"\{\s?\"(?:verdict|judge?ment|score|grade|rating|correct|is_correct)\"\s?:",
)
_FORGED_TURN = _patterns(
    r"<\|(?:im_start|im_end|system|user|assistant|end|endoftext|eot_id|start_header_id|begin_of_text)\|>",
    r"<(?:start|end)_of_turn>",
    r"\[/?inst\]|<</?sys>>|^\[system\]",
    r"^\W{0,6}(?:system|admin(?:istrator)?|developer)\]?\s?(?:message|prompt|note|override|notice|update)\b",
    r"^\W{0,6}(?:system|developer)\]?\s?:\s?(?:the|you|ignore|override|this|always|mark|output|GRADE)\b",
)
_INSTRUCTION = _patterns(
    r"\bIGNORE ANY(?:instructions?|prompts?|rubrics?|criteria|guidelines|directions)\b",
    r"\bIGNORE (?:everything|anything|all)(?: of)?(?: that| which)? (?:above|before|said|written|you)",
    r"\b(?:as|dear|attention|hey|hello|hi|note to|message to|message for|instructions? to|instructions? for|you are)"
    r" (?:the |an? |your |my )?(?:ai |llm |impartial |honou?red |kind )?JUDGE\b[^.\n]{0,80}"
    r"\b(?:SAY|GRADE|pass|must|should|please)\b",
    r"(?:^|[.!?])\W{0,6}JUDGE[,!]\W{0,3}(?:please )?(?:SAY|GRADE|pass|this)\b",
    r"\bJUDGE (?:must|should|has to|needs to|will|shall) (?:SAY|GRADE)\b|@JUDGE\b",
    r"\b(?:dear|hello|to the|note to|attention) (?:the )?(?:grader|evaluator|rater|verifier|examiner)\s?[,:!]",
    r"(?:^|[.!?:])\W{0,4}(?:reply|respond|say)\s(?:with\s)?(?:only\s)?"
    r"[\"'`*]{0,2}(?:yes|correct)[\"'`*]{0,2}(?:$|[.!])",
    r"\b(?:certify|attest|guarantee|assure you) (?:that )?WORK is (?:correct|right)",
    r"\bWORK (?:matches|equals|agrees with|is identical to|is the same as)"
    r" (?:the )?(?:ground truth|(?:reference|gold)(?: answer| solution)?\W{0,2}(?:$|[.!]))",
    r"\bGRADE WORK (?:(?:as|a|an|be|is|to|with|the) ){0,3}\W{0,2}(?:TOP|correct|right|true|yes|10|100)\b",
    r"\bWORK MUST (?:(?:be|given|get|have|receive|as|a|an|the) ){0,3}(?:GRADED|TOP POINTS)\b",
    r"\bWORK (?:has been|was|is) (?:(?:already|officially|independently) )?"
    r"(?:verified|approved|confirmed|graded|certified) (?:as |to be |by )",
    r"\bSAY (?:(?:with|only|just|exactly|simply|a|the) ){0,3}\W{0,2}(?:verdict|judge?ment)\b",
    r"\b(?:please|kindly|always|you must|you should|you will|you have to|you need to) (?:now )?(?:SAY|GRADE)"
    r" (?:(?:with|only|it|this|me|as|a|an|the|that) ){0,3}\W{0,2}"
    r"(?:yes|correct|10|pass|TOP POINTS|TOP)\W{0,2}(?:$|[.!])",
)
_INSTRUCTION_ELSEWHERE = _patterns(
    r"忽略.{0,12}(?:指令|指示|说明|提示|要求|规则)|无视.{0,12}(?:指令|指示|说明|提示)",
    r"(?:请|必须|直接|应该?)(?:输出|回答|给出|判断?为|评为|判定为).{0,8}(?:正确|满分|通过|是|yes)",
    r"(?:打|给|給).{0,6}(?:满分|滿分)|判定[为為:]?\s?正确",
    r"(?:作为|你是).{0,6}(?:评判者|评委|裁判|评分员|阅卷).{0,20}(?:输出|回答|给)",
    r"(?:正しい|正解|満点)と(?:判定|判断|評価)して",
    r"yes(?:를|을|と)\s?(?:출력|答え)|정답(?:으로|이라고)\s?(?:판정|평가|처리)",
    r"\bbewert\w{1,3}.{1,25}(?:antwort|lösung).{1,20}(?:richtig|korrekt)|\bcalifi[cq]\w{1,4}.{1,20}respuesta.{1,20}correcta",
    r"\b(?:notez|noter|évaluez).{1,25}réponse.{1,20}(?:correcte|juste)|\b(?:marque|avalie).{1,20}resposta.{1,20}corret",
    r"\b(?:valuta|segna).{1,20}risposta.{1,20}corretta",
    r"(?:считай|оцени|признай)(?:те)?.{1,20}ответ.{1,20}(?:правильн|верн)",
    r"(?:指示|命令|プロンプト).{0,4}(?:無視|忘れ)|(?:지시|명령|프롬프트).{0,6}(?:무시|잊)",
    r"\bignor(?:a|e|en|ez|are) (?:(?:tod[ao]s|toutes?|tutte|las|les|le|as|los) ){0,2}"
    r"(?:instrucciones|instructions|istruzioni|instruções)",
    r"\bignorier(?:e|en|t) (?:(?:sie|alle|die|vorherigen|obigen|bisherigen) ){0,3}anweisungen",
    r"\bигнорируй(?:те)? (?:(?:все|предыдущие|прежние|указанные) ){0,2}(?:инструкции|указания)",
)
_TO_THE_JUDGE = {
    "forges a verdict": _FORGED_VERDICT,
    "forges a turn of the conversation": _FORGED_TURN,
    "gives the judge instructions": _INSTRUCTION + _INSTRUCTION_ELSEWHERE,
}
_MARKS = re.compile(r"<\s{0,3}(/?)\s{0,3}(task|question|reference|response(?:_[ab])?)\s{0,3}>")


def _speaks_to_the_judge(said: str) -> str | None:
    if _closes_what_it_did_not_open(said):
        return "closes the marks it stands between"
    return next((why for why, patterns in _TO_THE_JUDGE.items() if any(each.search(said) for each in patterns)), None)


def _closes_what_it_did_not_open(said: str) -> bool:
    opened: set[str] = set()
    for mark in _MARKS.finditer(said):
        if mark[1] and mark[2] not in opened:
            return True
        opened.add(mark[2])
    return False
