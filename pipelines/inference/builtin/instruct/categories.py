"""Eight categories of instructions: how to tell them, what is asked for in them, and about what."""

import re
from typing import NamedTuple


def phrase_list(text: str) -> list[str]:
    """`a b|c d` as a list."""
    return text.split("|")


LONG_WORD = re.compile(r"[a-z]{5,}")


class Category(NamedTuple):
    """`hints` are word stems of its seeds; `requests` have a slot for the subject; `subjects` fill it."""

    name: str
    hints: tuple[str, ...]
    requests: tuple[str, ...]
    subjects: tuple[str, ...]


def _category(name: str, hints: str, requests: str, subjects: str) -> Category:
    return Category(name, tuple(hints.split("|")), tuple(requests.split("|")), tuple(subjects.split("|")))


CATEGORIES: tuple[Category, ...] = (
    _category(
        "Writing & Storytelling",
        "story|poem|write a|novel|character|dialogue|scene|fairy|tale|narrat|essay|chapter|verse|"
        "monologue|rhyme|plot|told by|fiction|sonnet|haiku|play|legend|limerick",
        "Write a short story about {}|Write a poem about {}|Write a dialogue between two strangers about {}|"
        "Write the opening scene of a novel about {}|Write a diary entry about {}|Retell as a fable the tale of {}",
        "a lighthouse keeper who hears music at low tide|a baker who loses the sense of taste|two rival beekeepers|"
        "a train that never arrives|a map drawn by a child|the last letter carrier of an island|a clock that runs "
        "backwards|a gardener and a stubborn pear tree|a violin found in an attic|a night watchman in a museum",
    ),
    _category(
        "Technical & Programming",
        "code|python|function|program|sql|debug|software|api|script|algorithm|server|git|bash|"
        "command|class|regex|bug|json|docker|linux|deploy|cache|endpoint|type",
        "Explain to a junior developer {}|Describe step by step how to set up {}|Compare two ways to implement {}|"
        "Write a code review checklist for {}|Outline the tests that you would write for {}|"
        "Document the design of {}",
        "a rate limiter for a web service|a parser for bank statements|nightly backups of a small database|"
        "a cache with expiry times|a queue between two services|version control for lab notebooks|feature flags in a "
        "mobile app|a search index for recipes|logging in a payment system|a command line tool for photos",
    ),
    _category(
        "Creative & Design",
        "design|logo|poster|brand|colour|color|layout|interior|sketch|creative|slogan|name for|"
        "names for|concept|visual|costume|exhibition|typeface|icon|packaging|invent|theme|mascot|"
        "board game",
        "Design a poster for {}|Suggest a colour palette and a typeface for {}|Describe a logo for {}|Propose names "
        "and a slogan for {}|Sketch in words the interior of {}|Draft a visual concept for {}",
        "a bicycle repair café|a festival of street organs|a library on a boat|a museum of "
        "forgotten tools|a tea house "
        "in a greenhouse|a night market for plants|a school of paper folding|a theatre in a tram depot|a choir for "
        "beginners|a bakery that opens at midnight",
    ),
    _category(
        "Data & Analysis",
        "data|analy|chart|statistic|spreadsheet|survey|table|trend|metric|forecast|dataset|average|"
        "median|percent|correlat|regression|sample|rate|column|csv|bias|experiment|a/b",
        "Propose an analysis plan for {}|Explain which charts suit {}|List likely sources of error "
        "in {}|Describe how "
        "to clean {}|Suggest metrics to follow {}|Outline a short report on {}",
        "the lending records of a town library|hourly counts of cyclists on a bridge|temperature "
        "logs of a greenhouse|"
        "a survey of commuters|sales of a bakery over three years|waiting times in a clinic|energy use of a school|"
        "reviews of hiking trails|water levels of a river|attendance at a swimming pool",
    ),
    _category(
        "Education & Research",
        "explain|teach|lesson|student|quiz|research|study|course|history|theory|learn|homework|"
        "pupil|school|university|exercise|essay question|literature review|thesis|seminar|class of|"
        "why do|misconception",
        "Plan a lesson on {}|Explain to a twelve-year-old {}|Write a study guide about {}|Outline a research project "
        "on {}|Prepare discussion questions about {}|Summarise what is known about {}",
        "why the sea is salty|how bridges carry loads|the invention of the printing press|how bats find their way|"
        "the causes of tides|the spread of the potato|how vaccines work|the history of the metric system|why leaves "
        "change colour|how languages borrow words",
    ),
    _category(
        "Communication & Support",
        "email|e-mail|letter|reply|customer|complain|apolog|message|support|invite|phone|colleague|"
        "politely|tenant|landlord|announce|refund|out-of-office|feedback|manager|sorry|decline|memo",
        "Write an email to a customer about {}|Draft a polite reply to a complaint about {}|Write a letter to the "
        "neighbours about {}|Prepare talking points for a phone call about {}|Write an apology for {}|Draft a notice "
        "about {}",
        "a delayed delivery of garden furniture|a change of opening hours|a broken lift in the "
        "building|a lost parcel|"
        "a double booking of a holiday flat|noise from a construction site|a wrong invoice|a "
        "cancelled concert|a water "
        "outage on Thursday|a new recycling rule",
    ),
    _category(
        "Business & Marketing",
        "market|business|sales|startup|product|campaign|advert|pitch|strategy|brand awareness|"
        "budget|customers|pricing|price|competitor|newsletter|shop|revenue|investor|client|landing "
        "page|audience|swot|positioning",
        "Write a marketing plan for {}|Draft a pitch for {}|Analyse strengths and weaknesses of {}|Write a product "
        "description of {}|Propose a launch campaign for {}|Suggest a pricing model for {}",
        "a subscription of heirloom seeds|a repair service for umbrellas|a carpool app for orchestras|reusable "
        "packing crates|a cooking course for fathers|a cooperative of cheese makers|second-hand school books|guided "
        "night walks|a tool library|locally made board games",
    ),
    _category(
        "Miscellaneous",
        "plan|trip|recipe|travel|diet|hobby|garden|gift|weekend|advice|tips|cook|guest|birthday|cat|"
        "dog|bicycle|flat|household|pack|bake|sleep|party|walk|checklist for|move",
        "Plan a weekend around {}|Give practical advice on {}|Write a packing list for {}|List common mistakes with "
        "{}|Suggest a routine for {}|Compare three options for {}",
        "a first hike in the mountains|growing tomatoes on a balcony|moving to a new flat|baking sourdough bread|"
        "a family visit to a capital|learning to swim as an adult|caring for an old dog|a birthday for a chess lover|"
        "winter cycling|keeping houseplants alive",
    ),
)


def category_of(*texts: str) -> Category | None:
    """The category that the texts remind of most: a hint counts twice, a word of its table once.

    `None` when nothing is found.
    """
    text = " ".join(texts).lower()
    there = set(LONG_WORD.findall(text))
    scores = [
        2 * sum(bool(re.search(rf"\b{re.escape(hint)}", text)) for hint in c.hints) + len(there & vocabulary(c))
        for c in CATEGORIES
    ]
    return CATEGORIES[scores.index(max(scores))] if max(scores) else None


def vocabulary(category: Category) -> set[str]:
    """The longer words of a category's requests and subjects."""
    return set(LONG_WORD.findall(" ".join((*category.requests, *category.subjects)).lower()))
