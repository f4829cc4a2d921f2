"""Options of `predict`: what a person gives in Python and on a command line."""

import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.options import Option, checked, parsed

OPTIONS = {
    "lead": Option(str, "which lead to read"),
    "beam": Option(int, "how many hypotheses"),
    "threshold": Option(float, "least probability"),
    "dayfirst": Option(bool, "whether the day comes first"),
    "missing": Option(str, "what stands for a missing value", many=True),
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {}),
        (["--lead", "II"], {"lead": "II"}),
        (["--beam=4", "--threshold", "0.5"], {"beam": 4, "threshold": 0.5}),
        (["--dayfirst"], {"dayfirst": True}),
        (["--no-dayfirst"], {"dayfirst": False}),
        (["--missing", "-999", "--missing=n/a"], {"missing": ("-999", "n/a")}),
    ],
)
def test_words_become_values(words, found):
    assert parsed(OPTIONS, words) == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bem", "4"], "Unknown option 'bem'. Did you mean 'beam'?"),
        (["--beam"], "--beam needs a value"),
        (["--beam", "many"], "--beam takes a whole number, got 'many'"),
        (["II"], "'II' is not expected here"),
        (["--no-beam"], "Unknown option 'no_beam'"),
    ],
)
def test_wrong_words_are_told(words, message):
    with pytest.raises(InputError, match=message):
        parsed(OPTIONS, words)


def test_values_are_checked_by_name_and_type():
    given = {"lead": 1, "threshold": 1, "missing": "-999", "beam": None}
    assert checked(OPTIONS, given) == {"lead": "1", "threshold": 1.0, "missing": ("-999",)}
    for wrong in ({"beam": 2.5}, {"beam": True}, {"dayfirst": 1}, {"lead": True}, {"width": 3}):
        with pytest.raises(InputError):
            checked(OPTIONS, wrong)
