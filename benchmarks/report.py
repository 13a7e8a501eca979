"""Turn results/*.json into tables, and the most telling figures into the README's."""

import json
import re
from pathlib import Path
from typing import Any

TITLES = {
    "warm": "Warm invocation: find one document",
    "cold_start": "Cold start to the first answer from the database",
    "cold_start_512_mb": "The same with the CPU of 512 MB",
    "init_profile": "INIT in parts",
    "layouts": "Layouts: cold start to the first answer from the database",
    "layouts_512_mb": "Layouts, with the CPU of 512 MB",
    "routes": "Warm invocation: one item through the API",
    "snapstart": "SnapStart: from the restore to the first answer from the database",
    "snapstart_512_mb": "SnapStart, with the CPU of 512 MB",
    "snapshots": "SnapStart: what has changed since the snapshot",
    "connections": "Connections over execution environments",
    "storms": "Storms: all environments sign in at once",
    "size": "Artefact and memory",
    "bakes": "Bake",
    "faults": "Faults of the network and of nodes",
    "rotation": "A password rotated under load",
    "endurance": "Endurance",
}
PLOTS = (
    "warm",
    "cold_start",
    "layouts",
    "snapstart_512_mb",
    "connections",
    "storms",
    "endurance",
)
INTRODUCTION = """# Results

Written by `make bench`. All variants of a measurement run in turn on one machine: compare ratios,
which are medians of pairs, rather than milliseconds.
"""
NOTES = {
    "warm": "`warm_variants.py` has all three. Ours and the bare driver share a process.",
    "cold_start": "From the start of the process to the answer, over SRV, TLS and authentication. "
    "Least code is `least_iam.py` and `least_password.py`; the usual shape is `usual.py`, with "
    "boto3, pydantic and Powertools and without bytecode. All run from the same dependencies.",
    "cold_start_512_mb": "Lambda gives CPU in proportion to memory, one for 1,769 MB. A cgroup "
    "limits the process to the share that goes with the template's `MemorySize`.",
    "init_profile": "`profiled.py` times each package with what it is the first to import of the "
    "standard library, and each step of connecting, in the main thread. What takes less than 2 ms "
    "in all columns is in others. Timing adds some milliseconds itself.",
    "layouts": "`GET /items`, and `GET /` of `single`. `multi` by hand is a former commit of the "
    "template, when routing and validation were its own code. As documented are "
    "`documented_multi.py` and `documented_web.py`: the same libraries, the client made by a "
    "request or in a lifespan, and no bytecode.",
    "layouts_512_mb": "As above.",
    "routes": "`route_variants.py` has all three, in one process: `GET /items/{id}`, the driver's "
    "`find_one`, and a route of the same library that does nothing.",
    "snapstart": "Cold starts and restores of the same functions, in turn. A restore copies the "
    "memory of a process. What Lambda takes to load a snapshot isn't in it. Then each environment "
    "is invoked 25 times more; connections are the most that one has opened in all.",
    "snapstart_512_mb": "As above.",
    "snapshots": "The environment is restored when that has changed. Functions have 4 s, and 10 s "
    "where the credentials can't be had: the SDK asks for them three times, a second apart. A "
    "restore may take 10 s.",
    "connections": "Held: once all environments have been invoked 5 times, one after another. "
    "The client inside the handler is `inside.py`: it is freed after each invocation.",
    "storms": "All are invoked at once: as they start, as the primary is lost, as all nodes are "
    "lost for 11 s. Callers repeat what gets 503 when `Retry-After` says so: after 5 s (not "
    "spread), or after 5 to 10 s, as it is in projects. In the third variant a pool's connection "
    "also waits up to 2 s before it opens. 503 is the share of all responses; logins and "
    "connections are those in the primary's log. Environments are forked from a process that has "
    "imported everything, and frozen between invocations. What takes the seconds here is the CPU "
    "of both ends of four TLS handshakes for each, on the cores that they share: compare the "
    "variants.",
    "bakes": "All libraries have their bytecode. The empty template takes what Cookiecutter needs "
    "to start. Each hook is a process more; the rest is Jinja, which compiles the files of all "
    "answers before a hook removes those that weren't chosen.",
    "faults": "Statuses that the handlers answered with, and the median time that they took, IAM "
    "and password together. The environment is frozen before the fault and thawed after it, at "
    "once or when `MAX_IDLE` is over; or it runs, and the fault strikes while the primary answers. "
    "`MAX_IDLE` is a second here, the driver's heartbeat half of one. Functions have 10 s, and 4 s "
    "where nothing can succeed.",
    "rotation": "One database user. Every 10 seconds its password is changed, and 2 seconds later "
    "the secret: in the window between, who has to log in can't. Of 4 environments at a time, each "
    "is idle before a quarter of its invocations until its connection is given up, and replaced by "
    "another after some 20. Each reads the secret once when it starts, and once for each login "
    "that the server's log says was refused.",
    "endurance": "Items created, read, listed and deleted, while the environment is frozen and its "
    "connections and the server are cut off at random. The runtime client itself, awslambdaric, "
    "keeps some 140 bytes of each invocation, as the one shows whose handler does nothing.",
}
BLOCK = re.compile(
    "(?<=^<!-- figures, written by make bench -->\n).*?(?=^<!-- end of figures -->$)",
    re.DOTALL | re.MULTILINE,
)


def write(results: Path, readme: Path) -> None:
    """Write results/README.md, and the figures between their marks in the README."""
    (results / "README.md").write_text(render(results), "utf-8")
    text = readme.read_text("utf-8")
    readme.write_text(BLOCK.sub(lambda _: figures(results), text), "utf-8")


def load(results: Path) -> dict[str, dict[str, Any]]:
    """The results there are."""
    files = {name: results / f"{name}.json" for name in TITLES}
    return {
        name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()
    }


def render(results: Path) -> str:
    """Everything as Markdown."""
    sections = [section(name, result) for name, result in load(results).items()]
    return "\n".join([INTRODUCTION, *sections])


def figures(results: Path) -> str:
    """The README's table: what people ask first."""
    found = load(results)
    lines = ["| Measured | Here | Compared with |", "|---|---|---|"]
    if "warm" in found:
        rows = found["warm"]["rows"]
        ratio = "ratio to the bare driver"
        lines.append(
            f"| Warm invocation, one `find` | {rows['ours']['median']:.2f} ms "
            f"| {rows['ours'][ratio]:.2f} times the bare driver; a client inside the handler takes "
            f"{rows['client inside the handler'][ratio]:.0f} times |"
        )
    for name, cpu in ("cold_start", ""), ("cold_start_512_mb", ", CPU of 512 MB"):
        rows = found.get(name, {}).get("rows", {})
        for auth in ("iam", "password") if rows else ():
            ours, least, usual = (
                rows[f"{auth}: {variant}"]
                for variant in ("ours", "least code", "usual shape, no bytecode")
            )
            lines.append(
                f"| Cold start to the first answer, `auth={auth}`{cpu} | {ours['median']:,.0f} ms "
                f"| {ours['ratio to least code']:.2f} times the least code that does it; "
                f"the usual shape takes {usual['median'] / least['median']:.1f} times |"
            )
    rows = found.get("layouts", {}).get("rows", {})
    for layout in ("multi", "web") if rows else ():
        ours = rows[f"iam: ours, {layout}"]
        documented = rows[f"iam: {layout} as documented, no bytecode"]
        lines.append(
            f"| Cold start to the first answer, `layout={layout}`, `auth=iam` "
            f"| {ours['median']:,.0f} ms | {ours['ratio to multi by hand']:.2f} times `multi` with "
            "routing and validation by hand; as documented it takes "
            f"{documented['median'] / ours['median']:.1f} times ours |"
        )
    rows = found.get("snapstart_512_mb", {}).get("rows", {})
    for auth in ("iam", "password") if rows else ():
        row = rows[f"single, {auth}: restored"]
        ratio = row["ratio to the cold start"]
        lines.append(
            f"| `snapstart=yes`: restore to the first answer, `auth={auth}`, CPU of 512 MB "
            f"| {row['median']:,.0f} ms | {ratio:.2f} times the cold start |"
        )
    if "connections" in found:
        rows = found["connections"]["rows"]
        ours, inside = (
            max(
                (row for name, row in rows.items() if name.startswith(variant)),
                key=lambda it: it["environments"],
            )
            for variant in ("ours", "client inside")
        )
        lines.append(
            f"| Connections that {ours['environments']} environments open on the primary "
            f"| {ours['opened']:,} | {inside['opened']:,} with a client inside the handler, after "
            f"{ours['invocations'] // ours['environments']} invocations each |"
        )
    if "bakes" in found:
        row = found["bakes"]["rows"]["our template, defaults"]
        lines.append(
            f"| Bake | {row['median']:.2f} s "
            f"| {row['ratio to an empty template']:.2f} times an empty template |"
        )
    if "endurance" in found:
        result = found["endurance"]
        ours, alone = (
            row["last tenth"] - row["first tenth"]
            for name, row in result["rows"].items()
            if "memory" in name
        )
        lines.append(
            f"| Growth over {result['counts']['invocations']:,} invocations, freezes and faults "
            f"| {ours:.1f} MB | {alone:.1f} MB of the runtime client alone |"
        )
    return "\n".join(lines) + "\n"


def section(name: str, result: dict[str, Any]) -> str:
    """One benchmark as Markdown."""
    machine = result["machine"]
    where = (
        f"{machine['cores']} cores, {machine['processor']}, {machine['system']}, "
        f"Python {machine['python']}, {machine['date']}; took {result['seconds']} s. "
        f"Unit: {result['unit']}."
    )
    lines = [f"## {TITLES[name]}\n"]
    if name in NOTES:
        lines.append(NOTES[name] + "\n")
    lines.append(where + "\n")
    if name in PLOTS:
        lines.append(f"![{TITLES[name]}]({name}.svg)\n")
    if counts := result.get("counts"):
        answers = {f"times {status}": number for status, number in result["answers"].items()}
        lines.append(f"{listed(counts)}. Answers: {listed(answers)}.\n")
    if limits := result.get("limits"):
        admitted = ", ".join(f"{tier} {limit:,}" for tier, limit in limits.items())
        lines.append(f"Atlas admits to each node: {admitted}.\n")
    return "\n".join(lines + table(result["rows"])) + "\n"


def listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def table(rows: dict[str, dict[str, Any]]) -> list[str]:
    columns: list[str] = []
    for row in rows.values():
        columns += [column for column in row if column not in columns]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        cells = [cell(row.get(column)) for column in columns]
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return lines


def cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return " to ".join(map(cell, value))
        case float() if value < 100:
            return f"{value:.3g}"
    return f"{value:,.0f}"
