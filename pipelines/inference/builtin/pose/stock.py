"""Well-worn problems that everybody has seen, with their answers: what a lazy author falls back on."""

STOCK: tuple[tuple[str, str], ...] = (
    (
        "A farmer has seventeen sheep, and all but nine of them run away. How many sheep does the farmer still have?",
        "9",
    ),
    (
        "A bat and a ball cost 110 cents together, and the bat costs 100 cents more than the ball. "
        "How many cents does the ball cost?",
        "5",
    ),
    (
        "A snail climbs out of a well that is 10 metres deep. By day it climbs 3 metres, by night "
        "it slides back 2 metres. On which day does it get out?",
        "8",
    ),
    (
        "Five machines make five toys in five minutes. How many minutes do a hundred machines need "
        "for a hundred toys?",
        "5",
    ),
    (
        "Water lilies double the area they cover every day and cover the whole lake on day 48. On "
        "which day did they cover half of it?",
        "47",
    ),
    ("What is the sum of all whole numbers from 1 to 100?", "5050"),
    ("How many squares of any size are there on a chessboard of 8 by 8 fields?", "204"),
    ("Ten people meet, and each shakes hands once with every other. How many handshakes are there?", "45"),
    ("Three cats catch three mice in three minutes. How many cats catch a hundred mice in a hundred minutes?", "3"),
    ("How many times a day do the two hands of a clock form a right angle?", "44"),
)

SYNONYMS = (
    ("How many", "what number of"),
    ("how many", "what number of"),
    ("What is", "Determine"),
    ("together", "in all"),
    ("each", "every one"),
    ("buys", "purchases"),
    ("gives", "hands"),
    ("Find", "Compute"),
)
