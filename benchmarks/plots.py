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
OURS, OTHERS, INSIDE = "#00684a", "#b8c4c2", "#c0392b"

Rows = dict[str, dict[str, Any]]


def bars(name: str, title: str, groups: dict[str, Rows], marked: str = "ours") -> None:
    """A bar for each row, its median with the middle half as a whisker; a panel for each group.

    Those whose names begin with what is marked have a colour of their own.
    """
    heights = [len(rows) for rows in groups.values()]
    figure, panels = plt.subplots(
        len(groups),
        figsize=(8, 0.42 * sum(heights) + 0.5 * len(groups) + 0.7),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (group, rows) in zip(panels[:, 0], groups.items(), strict=True):
        medians = [row["median"] for row in rows.values()]
        whiskers = [
            [row["median"] - row["quartiles"][0] for row in rows.values()],
            [row["quartiles"][1] - row["median"] for row in rows.values()],
        ]
        colours = [OURS if label.startswith(marked) else OTHERS for label in rows]
        positions = range(len(rows))
        axes.barh(positions, medians, xerr=whiskers, color=colours, ecolor="#444", capsize=2)
        for position, row in enumerate(rows.values()):
            median = row["median"]
            number = f"{median:,.0f}" if median >= 100 else f"{median:.3g}"
            axes.annotate(f"  {number}", (row["quartiles"][1], position), va="center")
        axes.set_yticks(positions, rows)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.spines[["top", "right"]].set_visible(False)
        if group:
            axes.set_title(group, loc="left", fontsize=11)
    axes.set_xlabel("milliseconds: median, and the middle half as a whisker")
    figure.suptitle(title, x=0.01, ha="left")
    save(figure, name)


def connections(rows: Rows, limits: dict[str, int]) -> None:
    """Connections opened over environments, with what Atlas's tiers admit at once."""
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for variant, colour, label in [
        ("client inside the handler", INSIDE, "inside the handler: opened and closed again"),
        ("ours", OURS, "outside the handler: opened once and held"),
    ]:
        points = [
            (row["environments"], row["opened"])
            for name, row in rows.items()
            if name.startswith(f"{variant}:")
        ]
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)
        axes.annotate(f"{points[-1][1]:,}", points[-1], (0, -9), textcoords="offset points",
                      ha="center", va="top", color=colour)  # fmt: skip
    for tier, limit in limits.items():
        axes.axhline(limit, color="#888", linestyle="--", linewidth=1)
        axes.annotate(f"{tier} admits\n{limit:,} at once", (1.02, limit), va="center",
                      xycoords=("axes fraction", "data"), color="#555")  # fmt: skip
    axes.set_xlabel("execution environments, each invoked 5 times")
    axes.set_ylabel("connections opened on the primary")
    axes.set_title("Connections, with the client outside and inside the handler", loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.98))
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "connections")


def storms(logins: dict[str, list[int]]) -> None:
    """Logins on the primary in each second of a storm, a panel for each storm and auth."""
    colours = dict(zip(("not spread", "callers spread"), (INSIDE, OURS), strict=True))
    panels: dict[str, dict[str, list[int]]] = {}
    for name, counts in logins.items():
        storm, _, spread = name.partition(": ")
        panels.setdefault(storm, {})[spread] = counts
    figure, grid = plt.subplots(2, 3, figsize=(8, 4.6), sharex="col", layout="constrained")
    for axes, (storm, lines) in zip(grid.flat, panels.items(), strict=True):
        for spread, counts in lines.items():
            colour = colours.get(spread, OTHERS)
            axes.step(
                range(len(counts) + 1), [*counts, 0], where="post", color=colour, label=spread
            )
        axes.set_title(storm, loc="left", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), frameon=False, ncols=3,
                  loc="outside lower left")  # fmt: skip
    figure.suptitle("Logins on the primary in each second of a storm", x=0.01, ha="left")
    save(figure, "storms")


def endurance(samples: dict[str, list[float]], alone: list[float], invocations: int) -> None:
    """What an environment holds over its life, a panel for each kind."""
    figure, panels = plt.subplots(2, 2, figsize=(8, 4.4), sharex=True, layout="constrained")
    for axes, (kind, values) in zip(panels.flat, samples.items(), strict=True):
        step = invocations / len(values)
        counts = [step * number for number in range(1, len(values) + 1)]
        axes.plot(counts, values, color=OURS)
        if "memory" in kind:
            axes.plot(counts, alone, color=OTHERS)
            axes.annotate("runtime client alone", (counts[-1], alone[-1]), (0, -6), ha="right",
                          va="top", textcoords="offset points", color="#555")  # fmt: skip
        axes.set_title(kind, loc="left", fontsize=11)
        axes.set_ylim(0, max(values) * 1.25)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("invocations")
    figure.suptitle("One execution environment, frozen and cut off at random", x=0.01, ha="left")
    save(figure, "endurance")


def save(figure: Any, name: str) -> None:
    figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def load(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return result


def grouped(rows: Rows, by: str = "") -> dict[str, Rows]:
    """The rows in groups; the part of their names before the colon says which."""
    groups: dict[str, Rows] = {}
    for name, row in rows.items():
        group, _, variant = name.partition(": ")
        groups.setdefault(f"{by}{group}", {})[variant] = row
    return groups


if __name__ == "__main__":
    bars("warm", "Warm invocation: find one document", {"": load("warm")["rows"]})
    bars(
        "cold_start",
        "Cold start to the first answer from the database",
        grouped(load("cold_start")["rows"], "auth="),
    )
    bars(
        "layouts",
        "Layouts: cold start to the first answer from the database",
        grouped(load("layouts")["rows"], "auth="),
    )
    bars(
        "snapstart_512_mb",
        "To the first answer from the database, with the CPU of 512 MB",
        grouped(load("snapstart_512_mb")["rows"]),
        marked="restored",
    )
    opened = load("connections")
    connections(opened["rows"], opened["limits"])
    storms(load("storms")["logins"])
    life = load("endurance")
    endurance(life["samples"], life["alone"], life["counts"]["invocations"])
