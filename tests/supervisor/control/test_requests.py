"""Requests as they travel: each comes back as it was, and nothing else is taken for one."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control import requests
from tickfloor.supervisor.control.requests import ScaleTraders, decode_request, question

VALUES = {
    "name": "trader-1",
    "id": "demo:7",
    "workers": 16,
    "venue": "binance",
    "spec": TraderSpec(name="ü", rule="close > 1"),
}
REQUESTS = [
    kind(**{name: value for name, value in VALUES.items() if name in kind.__struct_fields__})
    for kind in requests.ControlRequest.__args__
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_comes_back_as_it_was(request_):
    assert decode_request(msgspec.json.encode(question(request_))) == request_


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from([type(request).__name__ for request in REQUESTS])


@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda name, fields: json.dumps({"protocol": 1, "request": {**fields, "type": name}}).encode(),
        NAMES,
        st.dictionaries(st.sampled_from([*VALUES, "worker", "last", "names", "x"]), JSON),
    )
)
def test_anything_is_a_request_or_refused(payload):
    try:
        decoded = decode_request(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    assert decode_request(msgspec.json.encode(question(decoded))) == decoded


@pytest.mark.parametrize("workers", [0, 17])
def test_a_count_of_workers_has_bounds(workers):
    with pytest.raises(msgspec.ValidationError):
        decode_request(msgspec.json.encode(question(ScaleTraders(workers=workers))))
