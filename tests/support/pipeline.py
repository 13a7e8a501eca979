"""A runner of GitHub Actions for tests: the `run` steps of a job, in order, as bash runs them."""

import os
import re
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Environment = Mapping[str, str]
Workflow = Mapping[Any, Any]  # as YAML has it


# What GitHub runs for a `shell`: none fails where the last of a pipe's commands succeeds.
SHELLS = {
    None: ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
}


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the workflows of a project, whose work tree stands for each job's checkout.

    >>> runner = Runner(project.path, sign_in, variables={"STAGING_ACCOUNT": "123456789012"})
    >>> runner.run("deploy.yml", "staging")
    {}

    Of the actions only configure-aws-credentials does something: `sign_in` gets the ARN of the
    role and what the job's token says of the job (`environment:staging`), and returns the
    environment of the session. `services` replaces variables that lead to a
    job's service containers, and `github` is what there is of that context. Expressions are those
    that the template uses.
    """

    project: Path
    sign_in: Callable[[str, str], Environment]
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    github: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, workflow: str, job: str, needs: Mapping[str, Mapping[str, str]] | None = None
    ) -> dict[str, str] | None:
        """Run a job and return its outputs, "summary" among them; None if its `if` is false.

        AssertionError with the output of the step that failed.
        """
        path = self.project / ".github/workflows" / workflow
        document = parse(path.read_text("utf-8"))
        steps = document["jobs"][job]
        shell = document.get("defaults", {}).get("run", {}).get("shell")
        context: dict[str, Any] = {
            "github": self.github,
            "vars": self.variables,
            "needs": {name: {"outputs": outputs} for name, outputs in (needs or {}).items()},
            "steps": {},
        }
        if not holds(str(steps.get("if", "")), context):
            return None
        environment = {**os.environ, "CI": "true", **self.environment}
        environment |= _evaluated(steps.get("env", {}), context) | dict(self.services)
        summary = ""
        for step in steps["steps"]:
            if "configure-aws-credentials" in step.get("uses", ""):
                settings = _evaluated(step["with"], context)
                where = steps.get("environment")
                subject = f"environment:{where}" if where else "ref:refs/heads/main"
                environment |= self.sign_in(settings["role-to-assume"], subject)
                environment["AWS_REGION"] = settings["aws-region"]
            elif "run" in step:
                outputs, text = self._step(step, shell, environment, context)
                context["steps"][step.get("id", "")] = {"outputs": outputs}
                summary += text
        return _evaluated(steps.get("outputs", {}), context) | {"summary": summary}

    def _step(
        self,
        step: Mapping[str, Any],
        shell: str | None,
        environment: Environment,
        context: Mapping[str, Any],
    ) -> tuple[dict[str, str], str]:
        files = {name: self.project.with_name(name) for name in ("output", "summary")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            [*SHELLS[step.get("shell", shell)], "-c", step["run"]],
            cwd=self.project,
            env={
                **environment,
                **_evaluated(step.get("env", {}), context),
                "GITHUB_OUTPUT": str(files["output"]),
                "GITHUB_STEP_SUMMARY": str(files["summary"]),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{step['run']}\n{done.stdout}{done.stderr}"
        lines = files["output"].read_text().splitlines()
        return dict(line.split("=", 1) for line in lines), files["summary"].read_text()


def triggers(workflow: Workflow, event: str, ref: str) -> bool:
    """Whether GitHub starts a workflow on an event of a ref, such as a push to refs/heads/main."""
    filters = events(workflow).get(event, ...)
    if filters is ...:
        return False
    kind, _, name = ref.removeprefix("refs/").partition("/")
    kinds = {"heads": "branches", "tags": "tags"}
    patterns = (filters or {}).get(kinds[kind])
    ignored = (filters or {}).get(f"{kinds[kind]}-ignore")
    if patterns is None and ignored is None:  # any, unless the other kind is asked for
        return not any(key.startswith(tuple(kinds.values())) for key in filters or {})
    return _last_match(patterns, name) if patterns else not _last_match(ignored or [], name)


def events(workflow: Workflow) -> dict[str, Any]:
    """Return the events that start a workflow, with their filters."""
    found: Any = workflow.get("on", workflow.get(True))  # which YAML 1.1 takes for a boolean
    if isinstance(found, str):
        found = [found]
    return dict.fromkeys(found) if isinstance(found, list) else found


def _last_match(patterns: list[str], name: str) -> bool:
    matched = False
    for pattern in patterns:
        parts = re.split(r"(\*\*|\*)", pattern.removeprefix("!"))
        wild = {"**": ".*", "*": "[^/]*"}
        if re.fullmatch("".join(wild.get(part, re.escape(part)) for part in parts), name):
            matched = not pattern.startswith("!")
    return matched


def results(
    workflow: Workflow, context: Mapping[str, Any], failing: Collection[str] = ()
) -> dict[str, str]:
    """Return what becomes of each job, in order: success, failure or skipped."""
    found: dict[str, str] = {}
    waiting = dict(workflow["jobs"])
    while waiting:
        ready = [name for name, job in waiting.items() if found.keys() >= set(_needs(job))]
        assert ready, f"jobs wait for each other: {list(waiting)}"
        for name in ready:
            job = waiting.pop(name)
            states = [found[it] for it in _needs(job)]
            if not holds(str(job.get("if", "")), context, states):
                found[name] = "skipped"
            elif name in failing and not job.get("continue-on-error"):
                found[name] = "failure"
            else:
                found[name] = "success"
    return found


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def holds(condition: str, context: Mapping[str, Any], states: Collection[str] = ()) -> bool:
    """Evaluate an `if`, without parentheses, after jobs that ended in those states."""
    condition = condition.removeprefix("${{").removesuffix("}}").strip()
    status = {
        "success()": all(state == "success" for state in states),
        "failure()": "failure" in states,
        "cancelled()": False,
        "always()": True,
    }
    if not any(name in condition for name in status):
        condition = " && ".join(filter(None, ["success()", condition]))

    def value(term: str) -> Any:
        term = term.strip()
        if term.startswith("!"):
            return not value(term[1:])
        if literal := re.fullmatch("'(.*)'", term):
            return literal[1]
        if term in ("true", "false"):
            return term == "true"
        if term in status:
            return status[term]
        assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", term), f"not understood: {term}"
        return _value(term, context)

    def comparison(text: str) -> bool:
        sides = re.split("(==|!=)", text)
        if len(sides) == 1:
            return bool(value(text))
        left, operator, right = sides
        return bool((value(left) == value(right)) == (operator == "=="))

    return any(all(map(comparison, it.split("&&"))) for it in condition.split("||"))


def parse(text: str) -> Workflow:
    """Parse a workflow."""
    workflow: Workflow = yaml.safe_load(text)
    return workflow


def _evaluated(values: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, str]:
    def value(expression: re.Match[str]) -> str:
        return _value(expression[1], context)

    return {k: re.sub(r"\$\{\{ (.+?) \}\}", value, str(v)) for k, v in values.items()}


def _value(expression: str, context: Mapping[str, Any]) -> str:
    """Look up a path such as `needs.plan.outputs.change-set`; what isn't there is empty."""
    found: Any = context
    for name in expression.split("."):
        found = found.get(name, {})
    return found or ""
