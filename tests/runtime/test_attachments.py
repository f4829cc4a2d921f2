"""Bytes at the end of a model file."""

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_apps.errors import ModelFileError
from lstm_apps.runtime.attachments import attached, read, table
from lstm_apps.runtime.seal import check_seal, sealed

MODEL = onnx.ModelProto(ir_version=8, producer_name="a model").SerializeToString()


@given(st.dictionaries(st.text(min_size=1), st.binary(max_size=300), max_size=4))
def test_all_parts_come_back_in_their_order_and_the_model_is_the_same(parts):
    content = sealed(attached(MODEL, parts))
    assert check_seal(content)
    found = read(content, table(parts))
    assert found == parts
    assert list(found) == list(parts)
    assert onnx.load_model_from_string(content).producer_name == "a model"


def test_a_part_that_changed_or_is_missing_is_told():
    said = table({"vocabulary": b"abc", "index": b"defg"})
    with pytest.raises(ModelFileError, match="'vocabulary' is damaged"):
        read(sealed(attached(MODEL, {"vocabulary": b"abd", "index": b"defg"})), said)
    with pytest.raises(ModelFileError, match="is damaged"):
        read(sealed(MODEL), said)
