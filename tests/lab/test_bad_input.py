"""Events of the wrong shape, through the real runtime client: refused in words, never a fault.

Hypothesis spoils one thing in a request that would do. Whatever a handler makes of it, MongoDB's
profiler shows what reached the database.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.lab.cluster import DATABASE
from tests.lab.conftest import Deployer
from tests.lab.deployed import Deployed, request
from tests.support.execution_environment import ExecutionEnvironment, Invocation
from tests.support.mongod import Mongod

pytestmark = pytest.mark.slow

EXAMPLES = 300
LIMIT = 6 * 1024 * 1024  # bytes of a request that Lambda takes
ITEM = {"sku": "MUG-0042", "name": "Mug", "quantity": 3}

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,  # other tests run beside it
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

OPERATORS = ("$gt", "$gte", "$ne", "$in", "$nin", "$exists", "$regex", "$where", "$expr", "$set")
operators = st.dictionaries(
    st.sampled_from(OPERATORS),
    st.sampled_from(["", None, 0, [], {}, ".*", "sleep(1000)", ["MUG-0042"], {"$ne": None}]),
    min_size=1,
    max_size=2,
)
text = st.text(max_size=50) | st.sampled_from(
    ["\0", "a\0b", "\ud800", "\u202e", "$where", "../../etc/passwd", "a" * 10_000, " ", "null", "{"]
)
finite = st.floats(allow_nan=False, allow_infinity=False)  # an event is JSON
scalars = st.none() | st.booleans() | st.integers() | finite | text
json_values = st.recursive(
    scalars | operators,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
not_text = json_values.filter(lambda it: not isinstance(it, str))


def other_than(right: Callable[[Any], bool]) -> st.SearchStrategy[Any]:
    """JSON that isn't as it must be."""
    return json_values.filter(lambda it: not right(it))


def a_sku(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[A-Z0-9][A-Z0-9-]{0,39}", value))


def a_name(value: object) -> bool:
    """What people write, in any script: no controls, no second line, nothing that reorders it."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 200
        and not any(unicodedata.category(it) in ("Cc", "Cs", "Zl", "Zp") for it in value)
        and not {"\u202d", "\u202e"} & set(value)
    )


def a_quantity(value: object) -> bool:
    return type(value) is int and 0 <= value <= 1_000_000


def an_object_id(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-fA-F]{24}", value))


def a_page_size(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[0-9]+", value)) and 0 < int(value) <= 100


wrong_items = st.one_of(
    st.builds(lambda it: ITEM | {"sku": it}, other_than(a_sku)),
    st.builds(lambda it: ITEM | {"name": it}, other_than(a_name)),
    st.builds(lambda it: ITEM | {"quantity": it}, other_than(a_quantity)),
    st.builds(
        lambda name, it: ITEM | {name: it}, text | st.sampled_from(OPERATORS), json_values
    ).filter(lambda it: it.keys() != ITEM.keys()),
    st.sampled_from([{name: ITEM[name] for name in ITEM if name != left} for left in ITEM][:2]),
    operators,
    other_than(lambda it: isinstance(it, dict)),
)


def is_json(body: str | bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


twice = st.builds(
    lambda name, it: json.dumps(ITEM)[:-1] + f", {json.dumps(name)}: {json.dumps(it)}}}",
    st.sampled_from(list(ITEM)),
    json_values,
)
not_json = st.one_of(
    text.filter(lambda it: not is_json(it)),
    st.sampled_from(["[" * 100_000, '{"sku":' * 50_000, "9" * 5_000, "{'sku': 1}", "\ufeff{}"]),
    st.just("x" * (LIMIT - 1_000)),
)
wrong_bodies = st.one_of(
    st.sampled_from(["NaN", "1e400", "-Infinity", "9" * 4_000, "3.0"]).map(
        lambda it: {"body": f'{{"sku": "MUG", "name": "Mug", "quantity": {it}}}'}
    ),
    st.builds(lambda it: {"body": it}, not_json | not_text | twice),
    st.sampled_from(["multipart/form-data", "text/plain", "application/x-www-form-urlencoded"]).map(
        lambda it: {"headers": {"content-type": it}}
    ),
    st.builds(lambda it: {"body": json.dumps(it)}, wrong_items),
    st.builds(
        lambda it: {"body": base64.b64encode(json.dumps(it).encode()).decode()}, wrong_items
    ).map(lambda it: it | {"isBase64Encoded": True}),
    st.binary(max_size=50)
    .filter(lambda it: not is_json(it))
    .map(lambda it: {"body": base64.b64encode(it).decode(), "isBase64Encoded": True}),
    text.map(lambda it: {"body": f"-{it}", "isBase64Encoded": True}),
    st.just({"body": json.dumps(ITEM | {"name": "x" * (LIMIT - 1_000)})}),
)


def wrong_parameters(kind: str, name: str, right: Callable[[Any], bool]) -> st.SearchStrategy[Any]:
    """The request's parameters with a value for the name that isn't right, or not as an object."""
    return st.one_of(
        st.builds(lambda it: {kind: {name: it}}, other_than(right)),
        st.builds(lambda it: {kind: {name: it}}, text.filter(lambda it: not right(it))),
        st.builds(lambda it: {kind: it}, other_than(lambda it: it is None or isinstance(it, dict))),
    )


wrong_ids = st.one_of(
    text.filter(lambda it: not an_object_id(it)).map(lambda it: {"rawPath": f"/items/{it}"}),
    not_text.map(lambda it: {"rawPath": it}),
)
SPOILT = {
    "POST /items": wrong_bodies,
    "GET /items": wrong_parameters("queryStringParameters", "limit", a_page_size)
    | wrong_parameters("queryStringParameters", "after", an_object_id),
    "GET /items/{id}": wrong_ids,
    "DELETE /items/{id}": wrong_ids,
}
spoilt = st.one_of(
    *(st.tuples(st.just(route), what) for route, what in SPOILT.items()),
    st.tuples(st.sampled_from(list(SPOILT)), other_than(lambda it: isinstance(it, dict))),
)

ids = st.sampled_from(["0" * 24, "f" * 24, str(ObjectId())])
anything = st.tuples(
    st.sampled_from(list(SPOILT)),
    st.fixed_dictionaries(
        {},
        optional={
            "body": json_values | json_values.map(json.dumps) | st.just(json.dumps(ITEM)),
            "isBase64Encoded": json_values,
            "pathParameters": json_values | st.fixed_dictionaries({"id": ids | json_values}),
            "queryStringParameters": json_values
            | st.fixed_dictionaries({}, optional={"limit": text | st.just("5"), "after": ids}),
            "headers": json_values | st.just({}),
            "requestContext": json_values,
            "rawPath": json_values | (ids | text).map(lambda it: f"/items/{it}"),
            "rawQueryString": text | st.just("limit=1&limit=2"),
            "cookies": json_values | st.lists(text),
            "version": json_values,
        },
    ),
)


def with_query(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its parameters in the raw query, too, as API Gateway has them in both."""
    match event.get("queryStringParameters"):
        case dict(found) if all(isinstance(it, str) for it in found.values()):
            return event | {"rawQueryString": urlencode(found, errors="surrogatepass")}
    return event


Commands = Callable[[], list[dict[str, Any]]]


class Service:
    """The environments of a project's functions, by route, and the database they use."""

    def __init__(self, project: Deployed, mongod: Mongod, stack: ExitStack) -> None:
        variables = {
            "MONGODB_URI": mongod.uri,
            "MONGODB_DATABASE": DATABASE,
            "POWERTOOLS_SERVICE_NAME": project.name,
        }
        self.environments: dict[str, ExecutionEnvironment] = {}
        for function in project.functions:
            one = ExecutionEnvironment(project.code, function.handler, variables)
            stack.enter_context(one)
            self.environments |= dict.fromkeys(function.routes, one)
        self.statuses: Counter[int] = Counter()

    def ask(self, route: str, event: Any) -> Invocation:
        """Invoke the function of a route; it doesn't fail."""
        invocation = self.environments[route].invoke(event)
        assert invocation.error is None, invocation.logs
        self.statuses[invocation.response["statusCode"]] += 1
        return invocation

    def refuses(self, route: str, event: Any) -> None:
        """The answer is a 4xx, and says what is wrong, by its place in the request or in words."""
        response = self.ask(route, event).response
        assert 400 <= response["statusCode"] < 500, response
        match json.loads(response["body"]):
            case {"statusCode": status, "detail": [*faults]} if faults:
                assert status == response["statusCode"]
                assert all(set(it) - {"msg"} == {"loc", "type"} for it in faults), faults
            case {"detail": [*faults]} if faults:  # FastAPI's
                assert all(set(it) == {"loc", "type", "msg"} for it in faults), faults
            case {"detail": str(message)}:
                assert message
            case {"statusCode": status, "message": str(message)}:
                assert status == response["statusCode"]
                assert message
            case other:
                pytest.fail(f"{other}")


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    """One that records each command on the functions' database."""
    with Mongod() as mongod:
        database = mongod.admin[DATABASE]
        database.create_collection("system.profile", capped=True, size=256 * 1024 * 1024)
        database.command("profile", 2)
        yield mongod


@pytest.fixture
def commands(mongod: Mongod) -> Commands:
    """`commands()`: what has reached the functions' database since the test began."""
    recorded = mongod.admin[DATABASE]["system.profile"]
    theirs = {"ns": {"$ne": recorded.full_name}}
    before = recorded.count_documents(theirs)
    return lambda: list(recorded.find(theirs).skip(before))


@pytest.fixture
def service(
    request: pytest.FixtureRequest, deployed: Deployer, mongod: Mongod
) -> Iterator[Service]:
    """The service of the layout that is the test's parameter."""
    with ExitStack() as stack:
        yield Service(deployed(layout=request.param, auth="iam"), mongod, stack)


layouts = pytest.mark.parametrize("service", ["multi", "multi-lambda", "web"], indirect=True)


@layouts
def test_a_spoilt_request_is_refused_before_it_reaches_the_database(
    service: Service, commands: Commands, figure: Callable[[str], None]
) -> None:
    @fuzz
    @given(spoilt)
    def run(case: tuple[str, Any]) -> None:
        route, what = case
        event = with_query(request(route) | what) if isinstance(what, dict) else what
        service.refuses(route, event)

    run()
    reached = commands()
    figure(f"{counts(service)}, {len(reached)} commands reached MongoDB")
    assert reached == []


@layouts
def test_nothing_of_a_request_reaches_the_database_but_checked_values(
    service: Service, commands: Commands, mongod: Mongod, figure: Callable[[str], None]
) -> None:
    @fuzz
    @given(anything)
    def run(case: tuple[str, Any]) -> None:
        route, what = case
        assert service.ask(route, with_query(request(route) | what)).response["statusCode"] < 500

    run()
    reached = commands()
    kinds = Counter(it["op"] for it in reached)
    assert kinds.keys() >= {"insert", "query", "remove"}, "the profiler sees them"
    for it in reached:
        assert harmless(it), it
    for item in mongod.admin[DATABASE].items.find():
        assert a_sku(item["sku"]), item
        assert a_name(item["name"]), item
        assert a_quantity(item["quantity"]), item
        assert item.keys() == {"_id", "sku", "name", "quantity", "created_at"}
    figure(f"{counts(service)}, {kinds.total()} commands reached MongoDB, none with an operator")


@pytest.mark.parametrize("service", ["single"], indirect=True)
def test_the_single_function_uses_nothing_of_a_request(
    service: Service, commands: Commands, figure: Callable[[str], None]
) -> None:
    @fuzz
    @given(json_values | anything.map(lambda it: it[1]))
    def run(event: Any) -> None:
        assert service.ask("GET /", event).response["statusCode"] == 200

    run()
    assert commands() == [], "its ping isn't one on the database"
    figure(counts(service))


def test_an_operator_that_got_through_would_be_noticed() -> None:
    find = {"op": "query", "command": {"find": "items", "filter": {"sku": {"$gt": ""}}}}
    remove = {"op": "remove", "command": {"q": {"_id": {"$ne": None}}, "limit": 1}}
    assert not harmless(find)
    assert not harmless(remove)


def harmless(recorded: dict[str, Any]) -> bool:
    """The functions' own command, with nothing of a request in it but an ObjectId or a number."""
    command = recorded["command"]
    match recorded["op"]:
        case "insert":  # the documents themselves are in the collection
            return True
        case "query":
            match command["filter"]:
                case {"_id": ObjectId() | {"$gt": ObjectId()}, **rest}:
                    return not rest
                case other:
                    return not other
        case "remove":
            return set(command["q"]) == {"_id"} and isinstance(command["q"]["_id"], ObjectId)
    return False


def counts(service: Service) -> str:
    """How many requests there were, and the answers."""
    answers = ", ".join(f"{number:,} times {it}" for it, number in sorted(service.statuses.items()))
    return f"{service.statuses.total():,} requests: {answers}"
