"""A runner of GitHub Actions for tests: the `run` steps of a job, in order, as bash runs them."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the workflows of a project, whose work tree stands for each job's checkout.

    >>> runner = Runner(project.path, sign_in, variables={"STAGING_ACCOUNT": "123456789012"})
    >>> runner.run("deploy.yml", "staging")
    {}

    Of the actions only configure-aws-credentials does something: `sign_in` gets the ARN of the
    role and what the job's token says of the job (`environment:staging`), and returns the
    environment of the session. `services` replaces variables that lead to a
    job's service containers. Expressions are those that the template uses.
    """

    project: Path
    sign_in: Callable[[str, str], Environment]
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, workflow: str, job: str, needs: Mapping[str, Mapping[str, str]] | None = None
    ) -> dict[str, str] | None:
        """Run a job and return its outputs, "summary" among them; None if its `if` is false.

        AssertionError with the output of the step that failed.
        """
        path = self.project / ".github/workflows" / workflow
        steps = _jobs(path)[job]
        context: dict[str, Any] = {
            "vars": self.variables,
            "needs": {name: {"outputs": outputs} for name, outputs in (needs or {}).items()},
            "steps": {},
        }
        if not _holds(steps.get("if", ""), context):
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
                outputs, text = self._step(step, environment, context)
                context["steps"][step.get("id", "")] = {"outputs": outputs}
                summary += text
        return _evaluated(steps.get("outputs", {}), context) | {"summary": summary}

    def _step(
        self, step: Mapping[str, Any], environment: Environment, context: Mapping[str, Any]
    ) -> tuple[dict[str, str], str]:
        files = {name: self.project.with_name(name) for name in ("output", "summary")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
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


def _jobs(path: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return jobs


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


def _holds(condition: str, context: Mapping[str, Any]) -> bool:
    if not condition:
        return True
    unequal = re.fullmatch(r"(\S+) != ''", condition)
    assert unequal, condition
    return _value(unequal[1], context) != ""
