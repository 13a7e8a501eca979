"""Draw results/*.svg from results/*.json. Runs in an environment of its own: matplotlib is large.

python benchmarks/plots.py
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "benchmarks", "font.size": 11, "axes.axisbelow": True})
from matplotlib import pyplot as plt  # noqa: E402

RESULTS = Path(__file__).parent / "results"
OURS, OTHERS = "#00684a", "#b8c4c2"
LIMITS = {"M0": 500, "M10": 1_500}


def bars(name: str, title: str, groups: dict[str, dict[str, Any]]) -> None:
    """A bar for each row, its median with the middle half as a whisker."""
    labels = [label for rows in groups.values() for label in rows]
    rows = [row for rows in groups.values() for row in rows.values()]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.2))
    medians = [row["median"] for row in rows]
    whiskers = [
        [row["median"] - row["quartiles"][0] for row in rows],
        [row["quartiles"][1] - row["median"] for row in rows],
    ]
    colours = [OURS if "ours" in label else OTHERS for label in labels]
    positions = range(len(rows))
    axes.barh(positions, medians, xerr=whiskers, color=colours, ecolor="#444", capsize=2)
    for position, median in zip(positions, medians, strict=True):
        axes.annotate(f"  {median:,.3g}" if median < 100 else f"  {median:,.0f}",
                      (whiskers[1][position] + median, position), va="center")  # fmt: skip
    axes.set_yticks(positions, labels)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds, median and middle half")
    axes.set_title(title, loc="left")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, name)


def connections(rows: dict[str, Any]) -> None:
    """Connections opened over environments, with what Atlas's tiers admit at once."""
    figure, axes = plt.subplots(figsize=(8, 4))
    for variant, colour, label in [
        (
            "client inside the handler",
            "#c0392b",
            "client inside the handler: opened, freed, opened",
        ),
        ("ours", OURS, "client outside the handler: opened once and held"),
    ]:
        points = [
            (row["environments"], row["opened"])
            for name, row in rows.items()
            if name.startswith(f"{variant}:")
        ]
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)
    for tier, limit in LIMITS.items():
        axes.axhline(limit, color="#888", linestyle="--", linewidth=1)
        axes.annotate(f"{tier} admits {limit:,} at once", (200, limit), ha="right", va="bottom")
    axes.set_xlabel("execution environments, 5 invocations each")
    axes.set_ylabel("connections opened on the primary")
    axes.set_title("Connections over execution environments", loc="left")
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "connections")


def save(figure: Any, name: str) -> None:
    figure.savefig(RESULTS / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def load(name: str) -> dict[str, Any]:
    rows: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))["rows"]
    return rows


if __name__ == "__main__":
    bars("warm", "Warm invocation: find one document", {"": load("warm")})
    cold = load("cold_start")
    bars("cold_start", "Cold start to the first answer from the database", {"": cold})
    connections(load("connections"))
