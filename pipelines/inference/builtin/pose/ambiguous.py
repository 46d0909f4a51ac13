"""Problems that leave a quantity open: they look like others, have many readings, and no answer."""

import re
from random import Random

from .surface import Posed
from .words import comparison, ledger, packing, ratio

COUNTED = re.compile(r"\b\d+ (?=(?:more |fewer |new |extra |further )?[a-z]+s\b)")


def ambiguous(rng: Random, steps: int) -> Posed:
    """Take a problem and replace one counted amount by "several" or the like; the author overlooks it."""
    while True:
        posed = rng.choice((ledger, comparison, packing, ratio))(rng, steps)
        amounts = list(COUNTED.finditer(posed.question))
        if amounts:
            gone = rng.choice(amounts)
            vague = rng.choice(("several", "a few", "a handful of", "quite a few", "a number of"))
            text = posed.question[: gone.start()] + vague + " " + posed.question[gone.end() :]
            return posed._replace(question=text[0].upper() + text[1:])
