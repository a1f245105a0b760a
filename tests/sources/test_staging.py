"""Values of Python become the arrays that pyarrow would make of them."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditreg.sources.staging import IncompletenessLog, arrow_array, batches

VALUES = [
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats()),
    (pa.bool_(), st.booleans()),
]


@pytest.mark.parametrize(("data_type", "values"), VALUES, ids=lambda value: str(value)[:6])
@given(data=st.data())
def test_an_array_holds_each_value_as_it_is(data_type, values, data):
    given_values = data.draw(st.lists(st.none() | values, max_size=40))
    array = arrow_array(given_values, data_type)
    array.validate(full=True)
    assert array.type == data_type
    if pa.types.is_floating(data_type):  # NaN is not itself, and 0.0 equals -0.0
        shown = [None if value is None else (repr(value), math.copysign(1, value))
                 for value in given_values]  # fmt: skip
        assert [
            v if v is None else (repr(v), math.copysign(1, v)) for v in array.to_pylist()
        ] == shown
    else:
        assert array.to_pylist() == given_values
        assert array.equals(pa.array(given_values, data_type))


def test_a_metric_no_column_can_hold_is_a_doubt():
    doubts = IncompletenessLog()
    (batch,) = batches("run_metrics", [{"run_id": "r", "key": "k", "value": 10**400}], doubts)
    assert batch.column("value").to_pylist() == [None]
    assert "run_metrics.value" in doubts.sentences()[0]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_beyond_64_bits_is_an_error(value):
    with pytest.raises(OverflowError):
        arrow_array([value], pa.int64())
