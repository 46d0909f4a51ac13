"""Judging: what the engine says of other texts, by its own solution where it has one and by rules elsewhere.

It errs at rates of its own: `misjudge` turns a judgement round, `first_place` prefers whatever stands first.
"""
