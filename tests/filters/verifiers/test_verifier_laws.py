"""What holds for every entry of VERIFIERS."""

import pytest

from filters.verifiers import VERIFIERS, verifier

# For each verifier: reference answers as they occur, and an answer that each must refuse.
REFERENCES = {
    "math": [
        ("100", "101"),
        (r"\frac{1}{3}", "0.33"),
        ("x+1", "x-1"),
        ("(1,2)", r"\{1,2\}"),
        (r"\text{east}", "west"),
    ],
    "choice": [("A", "B"), ("(C)", "D"), (r"\text{(B)}", "A")],
}
BLANK = ["", " ", "\n", "$$", r"\boxed{}", "."]


def test_every_verifier_has_references():
    assert REFERENCES.keys() == VERIFIERS.keys()


@pytest.mark.parametrize("name", VERIFIERS)
class TestEveryVerifier:
    def test_a_reference_verifies_itself(self, name):
        for reference, _ in REFERENCES[name]:
            assert VERIFIERS[name].same_quickly(reference, reference) is True
            assert VERIFIERS[name].same(reference, reference) is True

    def test_a_boxed_reference_is_found_and_verified(self, name):
        for reference, _ in REFERENCES[name]:
            found = VERIFIERS[name].final_answer(rf"So we get \boxed{{{reference}}}.")
            assert found is not None
            assert VERIFIERS[name].same(reference, found) is True

    def test_near_misses_are_refused(self, name):
        for reference, miss in REFERENCES[name]:
            assert VERIFIERS[name].same(reference, miss) is False
            assert VERIFIERS[name].same_quickly(reference, miss) in (False, None)

    def test_a_blank_never_passes(self, name):
        for blank in BLANK:
            assert VERIFIERS[name].final_answer(blank) is None
            assert VERIFIERS[name].same_quickly(blank, blank) is not True
            for reference, _ in REFERENCES[name]:
                assert VERIFIERS[name].same(reference, blank) is not True

    def test_its_version_is_positive(self, name):
        assert VERIFIERS[name].version >= 1


def test_an_unknown_verifier_is_refused_with_the_list_of_what_exists():
    with pytest.raises(KeyError, match="no verifier 'maths'; there are: choice, math"):
        verifier("maths")
