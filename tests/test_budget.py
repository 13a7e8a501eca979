"""The connection budget: one formula for the projects, the documentation and the tests."""

import re

import pytest

from tests.conftest import Baker
from tests.support.baking import OPTIONS, TEMPLATE, combinations
from tests.support.budget import TIERS, connections, reserved_concurrency
from tests.support.cloudformation import unroll


def functions(baked: Baker, layout: str) -> int:
    resources = unroll(baked(layout=layout).parse("template.yaml"))["Resources"].values()
    return sum(it["Type"] == "AWS::Serverless::Function" for it in resources)


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("answers", combinations("layout", "network"))
def test_all_functions_together_take_half_of_what_the_smallest_tier_allows(
    answers: dict[str, str], baked: Baker
) -> None:
    limit = TIERS["M0" if answers["network"] in ("nat", "public") else "M10"]
    number = functions(baked, answers["layout"])

    parameters = baked(**answers).parse("template.yaml")["Parameters"]

    default = parameters["ReservedConcurrency"]["Default"]
    assert default == reserved_concurrency(limit, number)
    held = connections(default * number, primary=True)
    assert limit / 2 - 2 * number < held <= limit / 2


def test_the_documented_table_follows_from_the_formula(baked: Baker) -> None:
    numbers = [functions(baked, layout) for layout in OPTIONS["layout"]]
    assert numbers == [1, 1, 5, 1], "the columns of the table"

    rows = re.findall(
        r"^\| ((?:M\d|Flex).*) \|$", (TEMPLATE / "docs/connections.md").read_text("utf-8"), re.M
    )

    def row(tier: str, limit: int) -> str:
        one, five = (reserved_concurrency(limit, number) for number in (1, 5))
        return f"{tier} | {limit:,} | {one:,} | {five:,}"

    assert rows == [row(tier, limit) for tier, limit in TIERS.items()]
