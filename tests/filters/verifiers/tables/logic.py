"""Steps that follow from premises, steps that nearly do, and steps that only look as if they did."""

import json


def _given(*premises: str, **more) -> str:
    return json.dumps({"premises": premises, **more}, ensure_ascii=False)


CHAIN = _given("p -> q", "q -> r", "p", goal="r")
EITHER = _given("p or q", "not p", goal="q")
CASES = _given("p or q", "p -> r", "q -> r", goal="r")
MODUS_TOLLENS = _given("rain -> wet", "not wet", goal="not rain")
IFF = _given("a <-> b", "not b")
CATS = _given("forall x. Cat(x) -> Animal(x)", "forall x. Animal(x) -> Mortal(x)", "Cat(tom)", goal="Mortal(tom)")
SOME = _given("exists x. Cat(x) and Black(x)", "forall x. Black(x) -> Lucky(x)", goal="exists x. Cat(x) and Lucky(x)")
NO_FISH = _given("forall x. Fish(x) -> not Mammal(x)", "Mammal(moby)", goal="not Fish(moby)")
ROOM = _given(
    "exists x. Thief(x)", "not Thief(ann)", "not Thief(bob)", goal="Thief(cid)", domain=["ann", "bob", "cid"]
)
LIKES = _given("exists x. forall y. Likes(y, x)", goal="forall y. exists x. Likes(y, x)")
SAME = _given("a = b", "Tall(a)", goal="Tall(b)")
WHOLE = _given("x > 3", "y = x + 1", declare={"x": "int", "y": "int"}, goal="y >= 5")
REAL = _given("x > 3", "y = x + 1", declare={"x": "real", "y": "real"}, goal="y > 4")
AGES = _given(
    "ann = 2*bob",
    "ann + bob = 36",
    declare={"ann": "int", "bob": "int"},
    goal="ann = 24",
    solution=["3*bob = 36", "bob = 12", "ann = 24"],
)
BETWEEN = _given("0 <= n < 3", "n != 0", "2*n != 4", declare={"n": "int"}, goal="n = 1")
SQUARES = _given("forall x. Red(x) xor Blue(x)", "not Red(s1)")

HITS: list[tuple[str, str]] = [
    (CHAIN, "From p and p -> q we get q, and with q -> r we get r.\n<answer>\nq\nr\n</answer>"),
    (
        CHAIN,
        "1. p -> q (premise)\n2. p (premise)\n3. q [modus ponens 1, 2]\n4. q -> r (given)\n5. r [modus ponens 3, 4]",
    ),
    (CHAIN, "Step 1: $q$\nStep 2: $r$"),
    (CHAIN, "**Step 1:** p -> r\n**Step 2:** r"),
    (CHAIN, "Since p holds, so does q.\n\nConclusion: r"),
    (CHAIN, '<answer>["q", "q and r", "r"]</answer>'),
    (CHAIN, "So we can prove it:\n```\np and q\nr\n```\nDone."),
    (EITHER, r"Disjunctive syllogism gives \boxed{q}."),
    (EITHER, "As p is false, the other holds.\n\nTherefore, q."),
    (EITHER, r"1. $p \lor q$" + "\n" + r"2. $\neg p$" + "\n3. $q$"),
    (EITHER, "<answer>~p & q</answer>"),
    (CASES, "- (p or q) -> r  # both cases lead there\n- r"),
    (CASES, "<answer>r</answer>"),
    (MODUS_TOLLENS, "1. not wet -> not rain (by contraposition)\n2. not rain"),
    (MODUS_TOLLENS, r"The answer is: $\neg rain$"),
    (MODUS_TOLLENS, "<answer>rain => false</answer>"),
    (IFF, "<answer>¬a ∧ ¬b</answer>"),
    (IFF, "1. b → a\n2. a → b\n3. ¬a"),
    (CATS, "1. Cat(tom) -> Animal(tom)\n2. Animal(tom)\n3. Mortal(tom)"),
    (CATS, "<answer>∀x (Cat(x) → Mortal(x))\nMortal(tom)</answer>"),
    (CATS, r"1. $\forall x. Cat(x) \rightarrow Mortal(x)$" + "\n2. $Mortal(tom)$"),
    (CATS, "Tom is a cat, so an animal, so mortal.\n<answer>Mortal(tom)</answer>"),
    (SOME, "<answer>exists y. Cat(y) and Black(y) and Lucky(y)\nexists x. Lucky(x) and Cat(x)</answer>"),
    (NO_FISH, "1. Fish(moby) -> not Mammal(moby)\n2. not Fish(moby)"),
    (NO_FISH, "<answer>!Fish(moby)</answer>"),
    (ROOM, "<answer>Thief(ann) or Thief(bob) or Thief(cid)\nThief(cid)</answer>"),
    (LIKES, "<answer>∀z ∃x Likes(z, x)</answer>"),
    (SAME, "Equals may be put for equals.\n\nTherefore, Tall(b)."),
    (SAME, "<answer>b = a and Tall(b)</answer>"),
    (WHOLE, "1. x >= 4 (since x is whole)\n2. y >= 5"),
    (WHOLE, "<answer>y > 4</answer>"),
    (WHOLE, "<answer>x + 1 > 4\n5 <= y</answer>"),
    (REAL, r"Adding one: \boxed{y > 4}"),
    (REAL, "<answer>2*y - 8 > 0\ny/2 > 2</answer>"),
    (AGES, "1. 2*bob + bob = 36\n2. 3*bob = 36\n3. bob = 12\n4. ann = 24"),
    (AGES, "<answer>bob = 12 and ann = 24</answer>"),
    (AGES, "So $bob = 36/3$, and\n\nThe answer is $ann = 24$."),
    (BETWEEN, "1. n = 0 or n = 1 or n = 2\n2. n != 2\n3. n = 1"),
    (BETWEEN, "<answer>0 < n < 2</answer>"),
    (SQUARES, "<answer>Blue(s1)\nnot (Red(s1) and Blue(s1))</answer>"),
]

MISSES: list[tuple[str, str]] = [
    (CHAIN, "1. q\n2. r -> q\n3. r -> p\n4. q -> p\n5. not p\n6. r"),
    (CHAIN, "<answer>q</answer>"),
    (CHAIN, "<answer>r -> p\np</answer>"),
    (CHAIN, "<answer>not r</answer>"),
    (CHAIN, "<answer>q\ns\nr</answer>"),
    (CHAIN, "<answer>r or s</answer>"),
    (EITHER, "<answer>not q</answer>"),
    (EITHER, "<answer>p</answer>"),
    (EITHER, "<answer>p or q</answer>"),
    (EITHER, r"\boxed{p \land q}"),
    (CASES, "<answer>p and q\nr</answer>"),
    (CASES, "<answer>p\nr</answer>"),
    (CASES, "1. r -> p\n2. r"),
    (MODUS_TOLLENS, "<answer>wet or rain\nnot rain</answer>"),
    (MODUS_TOLLENS, "<answer>rain</answer>"),
    (MODUS_TOLLENS, "<answer>not rain -> not wet</answer>"),
    (IFF, "<answer>a or b</answer>"),
    (IFF, "<answer>a xor b</answer>"),
    (CATS, "<answer>Animal(tom)</answer>"),
    (CATS, "<answer>forall x. Animal(x) -> Cat(x)\nMortal(tom)</answer>"),
    (CATS, "<answer>Mortal(rex)</answer>"),
    (CATS, "<answer>forall x. Mortal(x)</answer>"),
    (CATS, "<answer>exists x. Mortal(x)</answer>"),
    (SOME, "<answer>forall x. Cat(x) -> Lucky(x)</answer>"),
    (SOME, "<answer>Cat(tom) and Lucky(tom)</answer>"),
    (SOME, "<answer>exists x. Cat(x)\nexists x. Lucky(x)</answer>"),
    (NO_FISH, "<answer>forall x. Mammal(x) -> Fish(x)\nnot Fish(moby)</answer>"),
    (NO_FISH, "<answer>forall x. not Fish(x)</answer>"),
    (ROOM, "<answer>Thief(ann) or Thief(cid)\nnot Thief(cid)</answer>"),
    (ROOM, "<answer>forall x. Thief(x)</answer>"),
    (LIKES, "<answer>forall y. Likes(y, y)</answer>"),
    (LIKES, "<answer>exists y. forall x. Likes(y, x)\nforall y. exists x. Likes(y, x)</answer>"),
    (SAME, "<answer>Tall(a)</answer>"),
    (SAME, "<answer>Tall(c)</answer>"),
    (WHOLE, "<answer>y > 5</answer>"),
    (WHOLE, "<answer>x = 4\ny = 5</answer>"),
    (REAL, "<answer>y >= 5</answer>"),
    (REAL, "<answer>x >= 4\ny > 4</answer>"),
    (AGES, "<answer>ann = 12\nbob = 24</answer>"),
    (AGES, "<answer>bob = 12</answer>"),
    (AGES, "<answer>ann >= 24</answer>"),
    (BETWEEN, "<answer>n = 2</answer>"),
    (BETWEEN, "<answer>n > 0</answer>"),
    (SQUARES, "<answer>forall x. Blue(x)</answer>"),
]

CHEATS: list[tuple[str, str]] = [
    (CHAIN, "<answer></answer>"),
    (CHAIN, "Solution:"),
    (CHAIN, "<answer>true</answer>"),
    (CHAIN, "<answer>r or not r</answer>"),
    (CHAIN, "<answer>false\nr</answer>"),
    (CHAIN, "<answer>p\np\np</answer>"),
    (CHAIN, "<answer>r) or (not r</answer>"),
    (CHAIN, "<answer>r, not r</answer>"),
    (CHAIN, "<answer>it is clear that r</answer>"),
    (CHAIN, "<answer>" + "(" * 1_000 + "r" + ")" * 1_000 + "</answer>"),
    (CHAIN, "<answer>" + "not " * 2_000 + "r</answer>"),
    (CHAIN, "<answer>" + "r\n" * 5_000 + "</answer>"),
    (CATS, "<answer>forall tom. Mortal(tom)</answer>"),
    (CATS, "<answer>Mortal(tom) or Mortal(rex)</answer>"),
    (WHOLE, "<answer>y >= 5 or y < 5</answer>"),
    (WHOLE, "<answer>y * y >= 25</answer>"),
    (WHOLE, "<answer>y = " + "9" * 3_000 + "</answer>"),
    (AGES, "<answer>ann = 24 or ann = 25</answer>"),
    (_given("p", "not p", goal="q"), "<answer>q</answer>"),
    (_given("p", goal="q or not q"), "<answer>q or not q</answer>"),
]
