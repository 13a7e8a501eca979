"""ConnectionOptions: whatever a deploy lets through, the driver takes as it stands."""

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from tests.conftest import Baker

OF_CONNECTION = {"max_pool_size": 1, "max_idle_time_seconds": 60, "appname": "orders"}


@pytest.fixture(scope="module")
def pattern(request: pytest.FixtureRequest) -> str:
    baked: Baker = request.getfixturevalue("baked")
    allowed: str = baked().parse("template.yaml")["Parameters"]["ConnectionOptions"][
        "AllowedPattern"
    ]
    return allowed


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_the_driver_takes_what_is_allowed(data: st.DataObject, pattern: str) -> None:
    """Of a value that it can't use it would only warn, and go on without."""
    one = pattern.removeprefix("((").removesuffix(")(&(?!$)|$))*")
    each = st.from_regex(f"(?a:{one})", fullmatch=True)
    options = "&".join(data.draw(st.lists(each, min_size=1, max_size=4)))
    assert re.fullmatch(pattern, options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Duplicate URI option")
        with MongoClient[dict[str, object]](
            f"mongodb+srv://cluster0.ab1cd.mongodb.net/?{options}",
            appname=OF_CONNECTION["appname"],
            maxPoolSize=1,
            maxIdleTimeMS=60_000,
            connect=False,
        ) as client:
            pool = client.options.pool_options

    assert {name: getattr(pool, name) for name in OF_CONNECTION} == OF_CONNECTION
    if "compressors" in options:
        assert pool._compression_settings is not None
        assert pool._compression_settings.compressors == ["zlib"]
