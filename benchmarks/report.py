"""Turn results/*.json into tables."""

import json
from pathlib import Path
from typing import Any

TITLES = {
    "warm": "Warm invocation",
    "cold_start": "Cold start to the first answer",
    "connections": "Connections over execution environments",
    "size": "Sizes",
    "endurance": "Endurance",
}


def write(results: Path) -> None:
    """Write results/README.md from the results there are."""
    parts = ["# Results\n\nWritten by `make bench`. Compare ratios, not milliseconds.\n"]
    for name, title in TITLES.items():
        file = results / f"{name}.json"
        if file.exists():
            parts.append(section(title, json.loads(file.read_text("utf-8"))))
    (results / "README.md").write_text("\n".join(parts), "utf-8")


def section(title: str, result: dict[str, Any]) -> str:
    """One benchmark as Markdown."""
    machine = result["machine"]
    where = (
        f"{machine['cores']} cores, {machine['processor']}, {machine['system']}, "
        f"Python {machine['python']}, {machine['date']}, {result['seconds']} s."
    )
    unit = f" Unit: {result['unit']}." if result["unit"] else ""
    lines = [f"## {title}\n", where + unit + "\n"]
    if counts := result.get("counts"):
        counted = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        answers = ", ".join(
            f"{count:,} times {status}" for status, count in result["answers"].items()
        )
        lines.append(f"{counted}; answers: {answers}.\n")
    columns: list[str] = []
    rows = {
        name: row if isinstance(row, dict) else {"value": row}
        for name, row in result["rows"].items()
    }
    for row in rows.values():
        columns += [column for column in row if column not in columns]
    lines.append("| | " + " | ".join(columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for name, row in rows.items():
        lines.append(
            f"| {name} | " + " | ".join(cell(row.get(column)) for column in columns) + " |"
        )
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(cell(item) for item in value)
    return f"{value:,}"
