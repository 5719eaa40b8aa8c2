"""Sentences and tables say what the numbers do."""

import pytest

from bottomup.compare.tables import crossing_sentence, headline, lost


def crossing(people, interval=(1.0, 2.0), share=1.0):
    return {"faster": "A", "slower": "B", "people": people, "interval": interval, "share": share}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (crossing(8.24, (6.9, 9.5)), "A is faster than B from 8.2 people in the picture on (95 %: 6.9 to 9.5)."),
        (
            crossing(-3.0, (None, 0.5)),
            "A is faster than B at any number of people (the lines meet at -3.0; 95 %: unbou",
        ),
        (crossing(None), "A and B: lines too alike to tell where they cross"),
        (crossing(2.3, (None, None), 0.7), "A and B: lines too alike to tell where they cross (A's is flatter in 70 %"),
    ],
)
def test_the_crossing_is_told_in_a_sentence(given, sentence):
    assert crossing_sentence(given).startswith(sentence)


@pytest.mark.parametrize(("names", "title"), [(["a", "b"], "a against b"), (["a", "b", "c"], "a, b and c")])
def test_the_title_names_everybody(names, title):
    assert headline({"systems": [{"name": name} for name in names]}) == title


def test_what_is_lost_adds_up_to_what_is_missing():
    errors = {"ap": 0.6, "steps": [{"name": "jitter", "share": 0.75}, {"name": "ghost", "share": 0.25}]}
    assert lost(errors) == pytest.approx({"jitter": 0.3, "ghost": 0.1})
