"""Problems that leave a quantity open: they look like others, have many readings, and no answer."""

import re
from random import Random

from .amounts import comparison, ledger, ratio
from .surface import Posed

COUNTED = re.compile(r"\b\d+ (?=(?:more |fewer |new |extra |further )?[a-z]+s\b)")


def ambiguous(rng: Random, steps: int) -> Posed:
    """Take a problem and replace one counted amount by "several" or the like; the author overlooks it."""
    while True:
        posed = rng.choice((ledger, comparison, ratio))(rng, steps)
        amounts = list(COUNTED.finditer(posed.question))
        if amounts:
            gone = rng.choice(amounts)
            vague = rng.choice(("several", "a few", "a handful of", "quite a few", "a number of"))
            begins = gone.start() == 0 or posed.question[: gone.start()].endswith(". ")
            vague = vague.capitalize() if begins else vague
            text = posed.question[: gone.start()] + vague + " " + posed.question[gone.end() :]
            return posed._replace(question=text)
