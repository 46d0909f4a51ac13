"""In which language is a text? By its script, by its most frequent words, and only then by statistics.

The first two are our own, quick, and the same everywhere. What they leave open `guessed` gives to langdetect, if
that is installed. All three say None rather than guess.
"""

# ruff: noqa: RUF001

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from importlib.util import find_spec

from filters.verifiers.constraints.text import lines, words

LETTERS = 20  # below so many letters, statistics cannot tell
SHARE = 0.8  # of the letters in one script: leaves room for names and terms
HITS = 3  # function words that must be seen in a text
LEAD = 1.5  # times as many as of the next language
PROBABILITY = 0.9  # that langdetect must give

# Codes of ISO 639-1, with all that IFEval asks for.
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "kn": "Kannada", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi", "ne": "Nepali",
    "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

# First and last code point of each block, in order.
_BLOCKS = [
    (0x41, 0x5A, "Latin"), (0x61, 0x7A, "Latin"), (0xC0, 0x24F, "Latin"), (0x370, 0x3FF, "Greek"),
    (0x400, 0x52F, "Cyrillic"), (0x590, 0x5FF, "Hebrew"), (0x600, 0x77F, "Arabic"), (0x900, 0x97F, "Devanagari"),
    (0x980, 0x9FF, "Bengali"), (0xA00, 0xA7F, "Gurmukhi"), (0xA80, 0xAFF, "Gujarati"), (0xB80, 0xBFF, "Tamil"),
    (0xC00, 0xC7F, "Telugu"), (0xC80, 0xCFF, "Kannada"), (0xD00, 0xD7F, "Malayalam"), (0xE00, 0xE7F, "Thai"),
    (0x1E00, 0x1EFF, "Latin"), (0x3040, 0x30FF, "Kana"), (0x3400, 0x4DBF, "Han"), (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7A3, "Hangul"),
]  # fmt: skip
_STARTS = [start for start, _, _ in _BLOCKS]

# Scripts that only one of our languages is written in.
_ONLY = {
    "Greek": "el", "Hebrew": "he", "Bengali": "bn", "Gurmukhi": "pa", "Gujarati": "gu", "Tamil": "ta",
    "Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Thai": "th", "Kana": "ja", "Han": "zh", "Hangul": "ko",
}  # fmt: skip

# The most frequent small words, for the scripts that several languages share.
_FREQUENT = {
    "Latin": {
        "en": "the of and to in is that it was for on are as with his they be at this have from or by not but what "
        "all were we when your can there an which their if will about how up out them then she many some so these "
        "would other into has more her him could my than been who its now you he do i am our me us",
        "es": "de la que el en y los del se las por un para con no una su al lo como más pero sus le ya o este sí "
        "porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno "
        "les ni contra otros ese eso es son está fue ser tiene mi",
        "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
        "seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo "
        "aos ter seus quem nas me esse eles são você minha num",
        "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec "
        "son aux d l cette ou être nous mais comme sa ses deux même leur elle y tout on je vous ces été fait très "
        "sans peut c n s qu",
        "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden "
        "aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber "
        "vor zur bis mehr durch man sein wurde ich wir kann",
        "it": "di e il la che in un a per è una sono non si da con del le i gli alla come della nel dei ha più anche "
        "ma al lo delle ci questo o se nella su ai ed mi suo sua dal degli tra essere molto quando era hanno cui "
        "dalla loro c l",
        "nl": "de het een en van ik te dat die in je niet zijn is was op aan met als voor had er maar om hem dan zou "
        "of wat mijn men dit zo door over ze zich bij ook tot mij uit der daar haar naar heb hoe heeft hebben deze "
        "want nog zal me zij nu ge geen worden wordt",
        "pl": "i w na z do się nie to że jest o jak a po co ale za od przez tak dla ich był tego jego oraz może są "
        "tym być czy już które który która tylko lub gdy bardzo ma jej przed pod ze te tej by",
        "sv": "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du "
        "henne då sin nu har inte hans honom skulle hennes där min man ej vid kunde något från ut när efter upp vi "
        "eller kan också mycket detta",
        "fi": "ja on ei se että oli hän en mutta kun niin ovat myös kuin jos joka mitä tai sen ole voi olla hänen ne "
        "ollut siitä jotka tämä nyt sitä minä sinä me te he vain vielä sekä kanssa mukaan jo jälkeen tämän",
        "vi": "và của là có không được cho các một người những trong với này để đã khi đến về từ như ra cũng tôi làm "
        "nhưng ở bạn chúng rất nhiều thì sẽ mà vào trên hoặc anh tại phải nếu",
        "sw": "ya na wa kwa ni katika la za kuwa hii huo cha kama hiyo yake wake pia hivyo lakini au kila watu moja "
        "si vya bila sana hizo zaidi ili hapa yangu wewe mimi sisi kwamba baada kabla alikuwa ambayo wao",
        "tr": "ve bir bu da de için çok ile ne gibi daha var olarak en kadar ama o mi olan sonra ki değil ben sen "
        "biz her şey ise veya ya nasıl olduğu olduğunu tarafından göre bana onun",
        "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada "
        "mereka lebih kita sudah atau saat oleh sebagai adalah dapat kami anda telah seperti secara banyak",
    },
    "Cyrillic": {
        "ru": "и в не на я что с он как это по а но к у из за от так же его то все она они мы был для вы бы было "
        "только когда если ещё или когда быть очень может был их также который этот чтобы",
        "uk": "і в не на що з як та до у за від це а й є він його але для так про вони ми було або бути який яка які "
        "ще вже коли якщо дуже може цей також щоб ти її їх вона",
        "bg": "и на да в се е за от с не са по като че този това но той тя те ще до при си или ми си който която "
        "които беше може много има още всички ние аз също след само бъде",
    },
    "Arabic": {
        "ar": "في من على أن إلى التي عن هذا الذي ما مع لا هذه كان هو أو بين كل قد ذلك هي بعد عند كما لم إن ثم حيث "
        "كانت وهو وقد وفي يكون أنه لقد أي حتى إذا غير",
        "fa": "و در به از که این را با است برای آن یک خود تا کرد بر هم نیز می اما ها شود شده باید ما شما آنها بود او "
        "دارد یا های کند هر من همه چه اگر",
        "ur": "کے کی میں اور ہے سے کا کو نے اس کہ پر ہیں یہ نہیں ایک تھا بھی کر تو جو ہو ہم تھی وہ ان گیا لیے آپ "
        "ساتھ کیا ہوتا اپنے یا بہت",
    },
    "Devanagari": {
        "hi": "के है में की से का को और हैं पर ने यह कि भी एक नहीं इस तो हो जो था कर ही लिए साथ थे थी अपने वह या आप हम "
        "जा सकता होता बहुत मैं ये गया",
        "mr": "आणि आहे या च्या ते हे की व मध्ये तो ती होते आहेत साठी पण एक नाही असे किंवा त्या आपण मी हा करण्यासाठी "
        "त्यांच्या म्हणून खूप सर्व होती झाले आपल्या असते केले",
        "ne": "र को मा छ यो पनि ले लाई छन् हो गर्न भएको हुन्छ तर त्यो एक गर्ने थियो गरेको बाट भने म तपाईं हामी छैन "
        "धेरै हुन् आफ्नो गर्नुहोस् के भन्ने लागि",
    },
}  # fmt: skip
_OURS = frozenset(_ONLY.values()) | {code for lists in _FREQUENT.values() for code in lists}


def _codes_by_word(lists: dict[str, str]) -> dict[str, list[str]]:
    """The languages in which each word is frequent."""
    codes: dict[str, list[str]] = {}
    for code, frequent in lists.items():
        for word in set(words(frequent)):
            codes.setdefault(word, []).append(code)
    return codes


_KNOWN = {script: _codes_by_word(lists) for script, lists in _FREQUENT.items()}


def told(text: str) -> str | None:
    """The language that script and frequent words show clearly; None where they do not."""
    script = _script(text)
    if script is None or script in _ONLY:
        return _ONLY.get(script or "")
    return _most_frequent(script, text, hits=HITS, lead=LEAD)


def guessed(text: str) -> str | None:
    """The language that langdetect is nearly sure of; None if it is not, or is not installed."""
    if find_spec("langdetect") is None or sum(map(str.isalpha, text)) < LETTERS:
        return None
    from langdetect import DetectorFactory, LangDetectException, detect_langs

    DetectorFactory.seed = 0  # it samples; the same samples each time
    try:
        likely = detect_langs(text[:10_000].lower())[0]  # taught on running text, it takes capitals for Somali
    except LangDetectException:
        return None
    return likely.lang.partition("-")[0] if likely.prob >= PROBABILITY else None


def is_in(text: str, *, language: str) -> bool | None:
    """Whether a text is in that language, and no line of it clearly in another; None where that is not plain."""
    found = told(text) if language in _OURS else None
    if found is not None and found != language:
        return False
    if language in _OURS and any(_is_strange(line, language) for line in lines(text)):
        return False
    return None if found is None else True


def is_probably_in(text: str, *, language: str) -> bool | None:
    """Whether langdetect says so."""
    found = guessed(text)
    return None if found is None else found == language


def _is_strange(line: str, language: str) -> bool:
    """Whether a line is in another language beyond doubt: written in frequent words, none of them of this one."""
    script = _script(line)
    if script not in _KNOWN:
        return False
    return _most_frequent(script, line, hits=2 * HITS, lead=2 * LEAD) not in (None, language)


def _most_frequent(script: str, text: str, *, hits: int, lead: float) -> str | None:
    """The language with so many hits among its frequent words, and so many times as many as the next one."""
    found = Counter(code for word in words(text.lower()) for code in _KNOWN[script].get(word, ()))
    (best, most), (_, next_most) = [*found.most_common(2), ("", 0), ("", 0)][:2]
    return best if most >= max(hits, lead * next_most) else None


def _script(text: str) -> str | None:
    """The script of nearly all letters; Japanese is Kana also where most of it is Han."""
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        start, end, script = _BLOCKS[bisect_right(_STARTS, ord(character)) - 1]
        if start <= ord(character) <= end:
            found[script] += count
    if found["Kana"] >= 0.1 * found["Han"]:
        found["Kana"] += found.pop("Han", 0)
    script, most = max(found.items(), key=lambda item: item[1], default=("", 0))
    return script if most and most >= SHARE * found.total() else None
