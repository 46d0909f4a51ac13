"""Constraints on the form of a response, with responses as models write them."""

# ruff: noqa: RUF001

import json


def asks(check: str, mode: str = "strict", **parameters) -> str:
    """A reference with one constraint."""
    return json.dumps({"constraints": [{"check": check, **parameters}], "mode": mode}, ensure_ascii=False)


def both(*constraints: dict, mode: str = "strict") -> str:
    return json.dumps({"constraints": constraints, "mode": mode}, ensure_ascii=False)


def row(instruction: str, **arguments) -> str:
    """A reference as IFEval's rows have it, with the nulls that the Hub's copy fills in."""
    arguments = {"num_words": None, "keyword": None, **arguments}
    return json.dumps({"instruction_id_list": [instruction], "kwargs": [arguments]}, ensure_ascii=False)


LETTER = """Dear Ms. Alvarez,

Thank you for the interview on Monday. I enjoyed hearing about the new lab, e.g. the plan to measure 3.5 times as many
samples. I would be glad to join!

Kind regards,
Jo"""
LIST = """Here are three reasons:

* **Cost**: it is cheap.
* **Speed**: it is quick.
* **Taste**: it is good."""
NUMBERED = "To make tea:\n1. Boil the water.\n2. Warm the pot.\n3. Wait four minutes."
CODE = "Use this:\n\n```python\nprint('hello')\n```\n\nIt prints a line."
TABLE = "| city | people |\n|:-----|-------:|\n| Oslo | 717,710 |\n| Bergen | 291,940 |"
RESUME = "[Name]\n[Street and number], [City]\n\nPhone: [phone number]\nCheck: [ ]"
POEM = "Roses are red,\nViolets are blue,\nSugar is sweet,\nAnd so are you."
SECTIONS = "**SECTION 1**: The beginning\nIt rained.\n\n**SECTION 2**: The end\nThe sun came out."
PARTS = "It was a dark night.\n***\nThen came the day."
ENGLISH = "The cat sat on the mat, and it was not the first time that she had been there with the dog."
SPANISH = (
    "El gato está en la casa y no quiere salir porque hace mucho frío, pero los niños juegan con él en la calle."
)
FRENCH = "Le chat est dans la maison et il ne veut pas sortir, mais les enfants jouent avec lui dans la rue."
GERMAN = (
    "Die Katze ist im Haus und will nicht auf die Straße, aber das Kind spielt mit ihr, wenn es nach Hause kommt."
)
PORTUGUESE = "O gato está em casa e não quer sair, mas as crianças brincam com ele na rua quando não há chuva."
ITALIAN = "Il gatto è nella casa e non vuole uscire, ma i bambini sono con lui e anche il cane è nel giardino."
POLISH = "Kot jest w domu i nie chce wyjść na ulicę, bo tam jest bardzo zimno, ale dzieci są z nim."
FINNISH = "Kissa on talossa eikä se halua ulos, mutta lapset ovat sen kanssa, kun he ovat myös kotona ja on kylmä."
VIETNAMESE = "Con mèo đang ở trong nhà và không muốn ra ngoài, nhưng những đứa trẻ của tôi sẽ chơi với nó."
SWAHILI = (
    "Paka yuko ndani ya nyumba na hataki kutoka kwa sababu ni baridi, lakini watoto wa jirani wako katika bustani."
)
RUSSIAN = "Кошка сидит в доме и не хочет на улицу, потому что там холодно, но дети играют с ней, когда они дома."
UKRAINIAN = (
    "Кішка сидить у хаті і не хоче на вулицю, бо там холодно, але діти граються з нею, коли вони вдома, та це добре."
)
BULGARIAN = "Котката е в къщата и не иска да излезе на улицата, защото е студено, но децата са с нея и ще си играят."
HINDI = "बिल्ली घर में है और वह बाहर नहीं जाना चाहती क्योंकि वहाँ बहुत ठंड है, लेकिन बच्चे उसके साथ हैं।"
MARATHI = "मांजर घरात आहे आणि ते बाहेर जात नाही कारण तेथे खूप थंडी आहे, पण मुले त्याच्या साठी आहेत."
NEPALI = "बिरालो घरमा छ र यो बाहिर जान चाहँदैन किनभने जाडो छ, तर बच्चाहरू पनि घरमा छन् र खेल्ने छन्।"
ARABIC = "القطة في البيت ولا تريد أن تخرج إلى الشارع، لأن الجو بارد، ولكن الأطفال على السطح مع الكلب الذي كان هنا."
PERSIAN = "گربه در خانه است و نمی‌خواهد که بیرون برود، اما این بچه‌ها با آن هستند و از خانه به باغ می روند."
URDU = "بلی گھر میں ہے اور وہ باہر نہیں جانا چاہتی کیونکہ سردی ہے، لیکن بچے اس کے ساتھ ہیں اور کھیل کا وقت ہے۔"
JAPANESE = "猫は家の中にいて、外に出たくありません。子供たちが一緒に遊んでいます。"
CHINESE = "猫在家里，不想出去，因为外面很冷，但是孩子们和它一起玩。"
KOREAN = "고양이는 집에 있고 밖에 나가고 싶어 하지 않지만 아이들은 함께 놀고 있습니다."
KANNADA = "ಬೆಕ್ಕು ಮನೆಯಲ್ಲಿದೆ ಮತ್ತು ಹೊರಗೆ ಹೋಗಲು ಬಯಸುವುದಿಲ್ಲ."
THAI = "แมวอยู่ในบ้านและไม่อยากออกไปข้างนอกเพราะอากาศหนาว"
HEBREW = "החתול נמצא בבית ולא רוצה לצאת החוצה כי קר שם."
TAMIL = "பூனை வீட்டில் இருக்கிறது, வெளியே செல்ல விரும்பவில்லை."
PROMPT = "Write an email to my boss telling him that I am quitting."
ANSWERS = ["My answer is yes.", "My answer is no.", "My answer is maybe."]

# Reference, a response that keeps to it, and one that nearly does. "" stands for none of the kind.
PAIRS = [
    # How long?
    (asks("words", at_least=5), "One two three four five.", "One two three four."),
    (asks("words", at_most=4), "Yes, that is right.", "Yes, that is quite right."),
    (asks("words", exactly=3), "Paris, of course!", "Paris."),
    (asks("words", at_least=3, at_most=5), "It may well be so.", "It may very well be so."),
    (asks("words", exactly=2), "don't", "do not do"),
    (asks("words", exactly=4), "हिन्दी में लिखा है", "हिन्दी में है"),
    (asks("words", exactly=5), "我喜欢茶。好", "我喜欢茶。"),
    (asks("different_words", at_least=4), "The cat saw the dog.", "The cat saw the cat."),
    (asks("sentences", exactly=2), "It rained. We stayed in.", "It rained and we stayed in."),
    (asks("sentences", exactly=6), LETTER + ". Goodbye. And thanks!", LETTER),
    (asks("sentences", exactly=4), LETTER, LETTER + ". So long!"),
    (
        asks("sentences", exactly=1),
        "Dr. J. Smith lives at no. 5 with Mrs. Jones",
        "Dr. J. Smith lives here. So do I.",
    ),
    (asks("sentences", exactly=1), 'He shouted "Stop!" and ran.', 'He shouted "Stop!" Then he ran.'),
    (asks("sentences", at_most=2), "Pi is 3.14159. It never ends...", "Pi is 3.14. It goes on. It never ends."),
    (asks("sentences", exactly=2), "我喜欢茶。你呢？", "我喜欢茶，你呢？"),
    (asks("sentences", exactly=3), NUMBERED, NUMBERED + "\n4. Pour."),
    (asks("sentences", exactly=2), "He said no. She left.", "He said no to her."),
    (asks("paragraphs", exactly=2), "First.\n\nSecond.", "First.\nSecond."),
    (asks("paragraphs", exactly=2), "First.\n \n\nSecond.\n\n", "First.\n\n***\n\nSecond.\n\nThird."),
    (asks("paragraphs", at_least=3), LETTER, "Dear Jo,\n\nThank you."),
    (asks("parts", divider="***", exactly=2), PARTS, PARTS.replace("***", "**")),
    (asks("parts", divider="---", at_least=3), "One\n---\nTwo\n---\nThree", "One\n---\n---\nThree"),
    (asks("lines", exactly=4), POEM, POEM + "\nAmen."),
    (asks("lines", at_most=4), "\n\n" + POEM.replace("\n", "\n\n"), POEM.replace(", ", ",\n") + "\nOh!"),
    (asks("characters", at_most=10), "Short one.", "Short ones."),
    (asks("longest_line", at_most=17), POEM, POEM.replace("blue", "bluish")),
    (asks("longest_sentence", at_most=4), "It is hot. It is dry.", "It is hot and dry."),
    (asks("longest_paragraph", at_most=4), "It is hot.\n\nIt is dry.", "It is hot.\nIt is dry."),
    # Which words and letters?
    (asks("keywords", keywords=["tea", "water"]), "Boil Water for TEA.", "Boil water for a team."),
    (asks("keywords", keywords=["C++"]), "I like C++.", "I like C+."),
    (asks("keywords", keywords=["New York"]), "in new\nyork again", "in New  Yorkshire"),
    (asks("keywords", keywords=["naïve"]), "A nai\u0308ve idea", "A naive idea"),
    (asks("keyword_count", keyword="rain", exactly=2), "Rain, rain, go away", "Rain again, rainy day"),
    (asks("keyword_count", keyword="rain", at_most=1), "Rain again, rainy day", "Rain, rain, go away"),
    (asks("contains", texts=["inter", "grow"]), "An intern is growing", "An intern is gone"),
    (asks("occurrences", text_part="sneaker", at_least=2), "Sneakers are SNEAKERS", "Sneakers are shoes"),
    (asks("forbidden_words", forbidden=["rock"]), "A rocket rises", "We will Rock you"),
    (asks("forbidden_words", forbidden=["sleep", "cook"]), "Sleeping cooks", "I cook"),
    (asks("forbidden_words", forbidden=["machine learning"]), "machines learning", "machine\nlearning"),
    (asks("letter_count", letter="e", at_most=1), "All of us saw the sun", "We saw the sun"),
    (asks("letter_count", letter="#", at_least=2), "#tea #time", "#tea time"),
    (asks("numerals", exactly=2), "In 1999 it cost $1,250.50.", "In 1999 it cost $1,250.50 or 3."),
    (asks("numerals", exactly=0), "Twenty men", "20 men"),
    (asks("decimals", digits=2), "It is 3.14 or 2.72, about 3.", "It is 3.14 or 2.718."),
    (asks("dates", format="YYYY-MM-DD", at_least=1), "On 2024-02-29.", "On 2023-02-29."),
    (asks("dates", format="DD/MM/YYYY", exactly=1), "On 29/02/2024.", "On 02/29/2024."),
    (asks("dates", format="Month D, YYYY", exactly=1), "On March 5, 2024.", "On March 05, 2024."),
    (
        asks("dates", format="D Month YYYY", exactly=2),
        "From 5 March 2024 to 6 March 2024",
        "5 March 2024, 2024-03-06",
    ),
    # Which case and signs?
    (asks("upper_case"), "ALL OF IT, 3 TIMES!", "ALL OF It, 3 TIMES!"),
    (asks("lower_case"), "all of it, 3 times!", "all of it, 3 Times!"),
    (asks("english_upper_case"), ENGLISH.upper(), ENGLISH.upper() + "s"),
    (asks("english_upper_case"), "WHAT IS THE NAME OF THE SONG THAT WE HEARD?", GERMAN.upper().replace("ß", "SS")),
    (asks("english_lower_case"), ENGLISH.lower(), ENGLISH),
    (asks("english_lower_case"), ENGLISH.lower(), SPANISH.lower()),
    (asks("capital_words", at_least=2), "NASA is IN", "NASA is in"),
    (asks("capital_words", exactly=1), "a WELL-KNOWN name", "A WELL-KNOWN name"),
    (asks("capital_words", at_most=1), "COVID-19 spread", "COVID-19 in the USA"),
    (asks("no_commas"), "No such thing; none.", "No, none."),
    (asks("no_commas"), "1.000 men", "1,000 men"),
    (asks("no_commas"), "喜欢茶。", "猫，茶。"),
    # Which language?
    (asks("language", language="en"), ENGLISH, FRENCH),
    (asks("language", language="es"), SPANISH, PORTUGUESE),
    (asks("language", language="fr"), FRENCH, SPANISH),
    (asks("language", language="de"), GERMAN, ENGLISH),
    (asks("language", language="pt"), PORTUGUESE, SPANISH),
    (asks("language", language="it"), ITALIAN, FRENCH),
    (asks("language", language="pl"), POLISH, GERMAN),
    (asks("language", language="fi"), FINNISH, SWAHILI),
    (asks("language", language="vi"), VIETNAMESE, FRENCH),
    (asks("language", language="sw"), SWAHILI, ENGLISH),
    (asks("language", language="ru"), RUSSIAN, UKRAINIAN),
    (asks("language", language="uk"), UKRAINIAN, RUSSIAN),
    (asks("language", language="bg"), BULGARIAN, RUSSIAN),
    (asks("language", language="hi"), HINDI, MARATHI),
    (asks("language", language="mr"), MARATHI, HINDI),
    (asks("language", language="ne"), NEPALI, HINDI),
    (asks("language", language="ar"), ARABIC, PERSIAN),
    (asks("language", language="fa"), PERSIAN, URDU),
    (asks("language", language="ur"), URDU, ARABIC),
    (asks("language", language="ja"), JAPANESE, CHINESE),
    (asks("language", language="zh"), CHINESE, JAPANESE),
    (asks("language", language="ko"), KOREAN, ENGLISH + KOREAN[:9]),
    (asks("language", language="th"), THAI, ENGLISH),
    (asks("language", language="he"), HEBREW, ARABIC),
    (asks("language", language="ta"), TAMIL, KANNADA),
    (
        asks("language", language="es"),
        SPANISH * 3,
        f"Sure! This is what you asked for, and it is all in there:\n{SPANISH * 3}",
    ),
    # How does it begin and end?
    (asks("starts_with", phrase="Dear Sir"), "dear sir, I write", "Dear Sirs, I write"),
    (
        asks("ends_with", phrase="Is there anything else?"),
        "Done. Is there anything else?",
        "Is there anything else? No.",
    ),
    (
        asks("ends_with", phrase="Is there anything else?"),
        '"Done. Is there anything else?"',
        "Is there anything else",
    ),
    (asks("ends_with", phrase="yes"), "I say yes", "Open your eyes"),
    (asks("ends_with_question"), 'It is cold. "Why is it **so**?"', "Why is it so? It is cold."),
    (asks("questions", exactly=2), "Who? I asked. And why?", "Who? I asked. And why."),
    (asks("quoted"), '"It is cold."', '"It is cold.'),
    (asks("quoted"), '"He said "no" to me."', "“It is cold.”"),
    (asks("postscript", marker="P.S."), "Bye.\n\nP.S. I love you.", "Bye.\n\nP.P.S I love you."),
    (asks("postscript", marker="P.P.S"), "Bye.\n**p.p.s.** Write soon!", "Bye.\nP.S. Write soon!"),
    (asks("postscript", marker="P.S."), "Bye. P. S. Write!", "Bye.\nP.S."),
    (
        asks("repeats_prompt", prompt=PROMPT),
        f"{PROMPT}\n\nDear boss, I quit.",
        f"Sure! {PROMPT}\n\nDear boss, I quit.",
    ),
    (asks("paragraph_starts", nth=2, word="however"), "Yes.\n\nHowever, no.", "However, yes.\n\nBut no."),
    (asks("paragraph_starts", nth=1, word="yes", paragraphs_in_all=2), '"Yes!"\n\nNo.', '"Yes!"\n\nNo.\n\nMaybe.'),
    (asks("lines_start", phrase="- "), "- one\n- two", "- one\ntwo"),
    # In which format?
    (asks("bullets", exactly=3), LIST, LIST + "\n* **Looks**: it is neat."),
    (asks("bullets", exactly=2), "- one\n  + two\n---", "- one\n*two*"),
    (asks("bullets", at_least=1), "* One", "• One"),
    (asks("numbered_items", exactly=3), NUMBERED, NUMBERED.replace("3. ", "Then: ")),
    (asks("numbered_items", exactly=1), "1) One", "1.One"),
    (asks("no_lists"), "First, boil it. - Then wait.", "• Boil it.\n• Wait."),
    (asks("no_lists"), "It costs 3.5 or so.", NUMBERED),
    (asks("headings", at_least=2), "# A title\n\nText.\n\n## More\n\nText.", "# A title\n\n#hashtag"),
    (asks("sections", marker="SECTION", at_least=2), SECTIONS, SECTIONS.replace("SECTION 2", "Section 2")),
    (asks("sections", marker="Day", exactly=2), "Day 1: sea\nDay 2: hills", "Day 1: sea\nOn Day 2: hills"),
    (asks("highlights", at_least=3), LIST, LIST.replace("**Taste**", "Taste")),
    (asks("highlights", exactly=2), "*one* and **two of them**", "*one* and 2 * 3 * 4"),
    (asks("placeholders", at_least=4), RESUME, RESUME.replace("[City]", "Rome")),
    (asks("title"), "<<Poem of joy>>\nOh!", "<Poem of joy>\nOh!"),
    (asks("json"), '{"a": [1, 2]}', '{"a": [1, 2],}'),
    (asks("json"), '```json\n[{"a": null}]\n```', 'Here it is:\n```json\n[{"a": null}]\n```'),
    (asks("json"), '```\n{"a": "```"}\n```', "{'a': 1}"),
    (asks("code_blocks", exactly=1), CODE, CODE.replace("```\n\nIt", "It")),
    (asks("code_blocks", exactly=0), "Use `print`.", CODE),
    (asks("table"), f"The towns:\n\n{TABLE}\n", TABLE.replace("|:-----|-------:|\n", "")),
    (asks("table"), "a | b\n--|--\n1 | 2", "a | b\n--|--"),
    (asks("two_responses"), "Call her Ann.\n******\nCall her Bea.", "Call her Ann.\n*****\nCall her Bea."),
    (asks("two_responses"), "Ann\n******\nBea\n******\n", "Ann\n******\nBea\n******\nCleo"),
    (asks("one_of", options=["yes", "no"]), " yes\n", "yes, of course"),
    (asks("names_one_of", options=["yes", "no"]), "The answer is yes, I know.", "yes and no"),
    (asks("names_one_of", options=["very hot", "hot"]), "It is very hot.", "It is hotter."),
    (asks("matches", pattern=r"\d{3}-\d{4}"), "555-0199", "555-0199."),
    (asks("matches", pattern=r"(?i)[a-z]+(, [a-z]+)*"), "Ann, bea, Cleo", "Ann, bea,Cleo"),
    # IFEval's rows
    (row("keywords:existence", keywords=["intern", "grow"]), "An internship to grow", "An internship"),
    (
        row("keywords:frequency", relation="at least", keyword="story", frequency=2),
        "Story, stories? A story",
        "A story",
    ),
    (row("keywords:frequency", relation="less than", keyword="sarah", frequency=2), "Sarah", "Sarah and sarah"),
    (row("keywords:forbidden_words", forbidden_words=["field", "thanks"]), "Fields", "Many thanks!"),
    (row("keywords:letter_frequency", let_relation="less than", letter="c", let_frequency=1), "A hat", "A Cat"),
    (row("language:response_language", language="kn"), KANNADA, HINDI),
    (row("language:response_language", language="pa"), "ਬਿੱਲੀ ਘਰ ਵਿੱਚ ਹੈ ਅਤੇ ਬਾਹਰ ਨਹੀਂ ਜਾਣਾ ਚਾਹੁੰਦੀ।", HINDI),
    (
        row("length_constraints:number_sentences", relation="less than", num_sentences=3),
        "One. Two.",
        "One. Two. Three.",
    ),
    (row("length_constraints:number_paragraphs", num_paragraphs=2), f"***\n{PARTS}", PARTS + "\n***\nEnd."),
    (row("length_constraints:number_words", relation="at least", num_words=3), "It is so.", "It is."),
    (row("length_constraints:number_words", relation="less than", num_words=3), "It is.", "It is so."),
    (
        row("length_constraints:nth_paragraph_first_word", num_paragraphs=2, nth_paragraph=2, first_word="President"),
        "It is so.\n\npresident's men.",
        "It is so.\n\nThe president.",
    ),
    (row("detectable_content:number_placeholders", num_placeholders=3), RESUME, "[Name]\n[City]"),
    (row("detectable_content:postscript", postscript_marker="P.S."), "Bye!\nP.S. Do write", "Bye!\nPS: Do write"),
    (row("detectable_format:number_bullet_lists", num_bullets=3), LIST, LIST.replace("* **Cost", "**Cost")),
    (row("detectable_format:constrained_response"), "My answer is maybe.", "My answer: maybe."),
    (row("detectable_format:number_highlighted_sections", num_highlights=2), LIST, "*One* of them"),
    (
        row("detectable_format:multiple_sections", section_spliter="SECTION", num_sections=2),
        SECTIONS,
        "SECTION 1 only",
    ),
    (row("detectable_format:json_format"), '```JSON\n{"a": 1}\n```', '{"a": 1} // one'),
    (row("detectable_format:title"), "**<<My title>>**\nText", "<< >>\nText"),
    (row("combination:two_responses"), "One.******Two.", "One."),
    (row("combination:repeat_prompt", prompt_to_repeat=PROMPT), f"{PROMPT.upper()} Here: I quit.", "Here: I quit."),
    (row("startend:end_checker", end_phrase="Thank you."), "All done. thank you.", "Thank you. Bye."),
    (row("startend:quotation"), '"All done."', "'All done.'"),
    (row("change_case:capital_word_frequency", capital_relation="less than", capital_frequency=2), "IT is", "IT IS"),
    (row("change_case:english_capital"), ENGLISH.upper(), ENGLISH.title()),
    (row("change_case:english_lowercase"), ENGLISH.lower(), FRENCH.lower()),
    (row("punctuation:no_comma"), "All done.", "All, done."),
    # Several, and loose
    (both({"check": "words", "at_most": 5}, {"check": "no_commas"}), "All is well.", "All, all is well."),
    (both({"check": "lower_case"}, {"check": "lines", "exactly": 2}), "one\ntwo", "one\nTwo"),
    (asks("quoted", mode="loose"), 'Here it is:\n"It is cold."', 'Here it is:\n\nSo: "It is cold."'),
    (asks("lower_case", mode="loose"), "Sure!\nall is well\nHope it helps!", "Sure!\nSure!\nall is well"),
    (asks("starts_with", phrase="Dear", mode="loose"), "**Dear** Ann", "_Dear_ Ann"),
]

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

ZERO_WIDTH = "\u200b"
FILLER = "\u3164"
CHEATS = [
    # Nothing said
    *[
        (asks("no_commas"), blank)
        for blank in ["", " ", "\n\n", ZERO_WIDTH, FILLER * 9, "\u2800", "...", "!?", "\x00", "*"]
    ],
    (asks("forbidden_words", forbidden=["rock"]), "---"),
    (both({"check": "no_commas"}, {"check": "words", "at_most": 50}), "。"),
    # Counting what is not there
    (asks("words", at_least=5), " ".join([FILLER] * 9)),
    (asks("words", at_least=5), f"w{ZERO_WIDTH}o{ZERO_WIDTH}r{ZERO_WIDTH}d{ZERO_WIDTH}s"),
    (asks("words", at_least=5), "one\x1ftwo\x1fthree\x1ffour\x1ffive"),
    (asks("words", at_least=5), "word _ _ _ _ _ _"),
    (asks("words", at_least=5), "word - - - - -"),
    (asks("different_words", at_least=5), "word " * 500),
    (asks("different_words", at_least=5), "word Word WORD wOrd woRd worD"),
    (asks("sentences", at_least=4), "Word. . . . . . ."),
    (asks("sentences", at_least=4), "Word! ! ! ! ! !"),
    (asks("paragraphs", at_least=4), "Word.\n\n.\n\n.\n\n.\n\n"),
    (asks("paragraphs", at_least=3), f"Word.\n\n{ZERO_WIDTH}\n\n{FILLER}"),
    (asks("parts", divider="***", exactly=3), "Word.\n***\n.\n***\n."),
    (asks("bullets", exactly=3), "Word\n* \n* \n* "),
    (asks("bullets", exactly=3), "Word\n* .\n* .\n* ."),
    (asks("numbered_items", at_least=3), "Word\n1. \n2. \n3. "),
    (asks("placeholders", at_least=3), "Word [] [] [ ] [.]"),
    (asks("highlights", at_least=3), "Word ** ** ** ** * * * *"),
    (asks("highlights", at_least=3), "Word *.* *.* *.* *.*"),
    (asks("sections", marker="Section", at_least=3), "Section 1\nSection 1\nSection 1\nWord"),
    (asks("sections", marker="Section", at_least=3), "Section 1\nSection 2\nSection 3"),
    (asks("title"), "<<>> word"),
    (asks("title"), f"<<{ZERO_WIDTH}>> word"),
    (asks("code_blocks", at_least=2), "Word\n```\n```\n```\n```"),
    (asks("table"), "Word\n| | |\n|-|-|\n| | |"),
    (asks("headings", at_least=2), "# Word\n# \n# "),
    # Hiding what is there
    (asks("forbidden_words", forbidden=["rock"]), f"We will r{ZERO_WIDTH}ock you"),
    (asks("forbidden_words", forbidden=["rock"]), "We will ro\u00adck you"),
    (asks("forbidden_words", forbidden=["rock"]), "We will rосk you"),  # Cyrillic o and c
    (asks("forbidden_words", forbidden=["rock"]), "We will ｒｏｃｋ you"),
    (asks("forbidden_words", forbidden=["rock"]), "We will 𝐫𝐨𝐜𝐤 you"),
    (asks("forbidden_words", forbidden=["rock"]), "We will r\u0336o\u0336c\u0336k\u0336 you"),
    (asks("no_commas"), "Well‚ there is one"),
    (asks("no_commas"), "Well， there is one"),
    (asks("keyword_count", keyword="rain", at_most=0), f"r{ZERO_WIDTH}ain"),
    (asks("ends_with_question"), "Is it? No."),
    # Everything at once
    (asks("names_one_of", options=ANSWERS), " ".join(ANSWERS)),
    (row("detectable_format:constrained_response"), "My answer is yes. My answer is no."),
    (asks("one_of", options=["A", "B"]), "A B"),
    (asks("keywords", keywords=["tea", "milk", "sugar"]), "teamilksugar"),
    (asks("two_responses"), "Ann.\n******\nAnn."),
    (asks("two_responses"), f"Ann.\n******\n{ZERO_WIDTH}ann!"),
    (asks("two_responses"), "Ann.\n******\n."),
    (asks("repeats_prompt", prompt=PROMPT), PROMPT),
    (asks("repeats_prompt", prompt=PROMPT), PROMPT + " ..."),
    (asks("postscript", marker="P.S."), "Bye.\nP.S. ..."),
    (asks("quoted"), '""'),
    (asks("quoted"), '"..."'),
    # JSON that is none
    (asks("json"), "null"),
    (asks("json"), '"a text"'),
    (asks("json"), "{} {}"),
    (asks("json"), '{"a": NaN}'),
    (asks("json"), '{"a": 1 /* one */}'),
    (asks("json"), "[" * 100_000),
    # The instruction instead of an answer
    (asks("words", at_least=100), asks("words", at_least=100)),
    (asks("words", at_least=100), "Write at least 100 words."),
    (
        asks("language", language="fr"),
        "Write in French only. I am writing in French, and this is all the French there is.",
    ),
    (asks("language", language="fr"), "français " * 3 + ENGLISH),
    (asks("english_upper_case"), "AAAA BBBB CCCC DDDD EEEE FFFF"),
    (asks("words", at_least=3, mode="loose"), "*one*\n*two*"),
]
