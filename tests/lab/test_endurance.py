"""Nothing grows in a long life. `make bench` has the same, thirty times as long."""

from collections.abc import Callable

import pytest

from tests.lab.conftest import Deployer
from tests.lab.endurance import Life, live

pytestmark = pytest.mark.slow

INVOCATIONS = 3_000


@pytest.mark.parametrize("layout", ["multi", "web"])
def test_nothing_grows(layout: str, deployed: Deployer, figure: Callable[[str], None]) -> None:
    life = live(deployed(layout=layout, auth="iam"), INVOCATIONS)

    figure(summary(life))
    life.check()
    assert life.freezes
    assert life.faults.total()


def test_growth_would_be_noticed() -> None:
    flat = {"memory, MB": 50.0, "threads": 3.0, "sockets": 3.0, "connections": 2.0}
    for name, more in {"memory, MB": 0.1, "threads": 0.02, "sockets": 0.02}.items():
        grows = [flat | {name: flat[name] + more * n} for n in range(100)]
        life = Life(1, samples=grows, alone=[flat] * 100)
        with pytest.raises(AssertionError, match=name):
            life.check()


def summary(life: Life) -> str:
    first, last = life.tenths
    held = ", ".join(f"{name} {first[name]:.1f} to {last[name]:.1f}" for name in first)
    return (
        f"{life.invocations:,} invocations, {life.freezes} freezes, {life.faults.total()} faults, "
        f"{life.statuses[503]} times 503; {held}"
    )
