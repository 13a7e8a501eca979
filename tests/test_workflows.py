"""The structure of a project's workflows: what starts them, which job waits for which, as whom.

Each rule is held by mutations that have to break it. The linters and the runs of the jobs are in
test_pipelines.py.
"""

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support.baking import OPTIONS, bake
from tests.support.pipeline import Runner, events, holds, parse, results, triggers

Workflows = dict[str, Any]

MAIN = "refs/heads/main"
REFS = [MAIN, "refs/heads/topic", "refs/heads/topic/main", "refs/tags/main", "refs/tags/v1"]
ACCOUNTS = {"STAGING_ACCOUNT": "111111111111", "PRODUCTION_ACCOUNT": "222222222222"}
CONTEXT = {"vars": ACCOUNTS, "needs": {"plan": {"outputs": {"change-set": "arn:…"}}}}
ORDER = ["ci", "staging", "plan", "production"]
# Of each job that signs in: its environment, account, role, and the role that CloudFormation gets.
SIGNS_IN = {
    "staging": (
        "staging",
        "111111111111",
        "orders-service-staging",
        "orders-service-staging-stack",
    ),
    "plan": (
        None,
        "222222222222",
        "orders-service-production-plan",
        "orders-service-production-stack",
    ),
    "production": ("production", "222222222222", "orders-service-production", None),
}
READ, TOKEN = {"contents": "read"}, {"id-token": "write"}
PERMISSIONS = {"check": READ, "ci": READ, "staging": READ | TOKEN, "plan": READ | TOKEN}
PERMISSIONS |= {"production": TOKEN, "api": READ}


def faults(workflows: Workflows) -> Iterator[str]:
    """Yield what is wrong with the workflows of a project."""
    ci, deploy = workflows["ci"], workflows["deploy"]
    for name, workflow, right in (
        ("ci", ci, {"pull_request": REFS, "workflow_call": REFS}),
        ("deploy", deploy, {"push": [MAIN]}),
    ):
        for event in {*events(workflow), *right}:
            started = [ref for ref in REFS if triggers(workflow, event, ref)]
            if started != right.get(event, []):
                yield f"{name} starts on {event} of {started}"
        yield from faults_of_jobs(workflow)
    if deploy["jobs"]["ci"].get("uses") != "./.github/workflows/ci.yml":
        yield "deploy doesn't check"
    commands = [step.get("run") for step in ci["jobs"]["check"]["steps"]]
    if missing := {f"make {it}" for it in ("lint", "types", "test", "build")} - set(commands):
        yield f"ci doesn't run {missing}"
    yield from faults_of_comparison(ci["jobs"]["api"])
    yield from faults_of_order(deploy)
    yield from faults_of_roles(deploy)


def faults_of_comparison(job: Any) -> Iterator[str]:
    """What would break callers is shown where something is merged, and to nobody else."""
    condition = str(job.get("if", ""))
    for event, right in {"pull_request": True, "push": False}.items():
        if holds(condition, {"github": {"event_name": event}}) is not right:
            yield f"whether the API is compared on {event} isn't {right}"
    for step in job["steps"]:
        if "oasdiff" in step.get("uses", ""):
            settings = step["with"]
            if settings.get("review") is not False or settings.get("github-token") != "":
                yield "openapi.json is uploaded, or there is a comment"
            if (settings["base"], settings["revision"]) != ("before.json", "openapi.json"):
                yield "other files are compared"


def faults_of_order(deploy: Any) -> Iterator[str]:
    """The jobs run one after another, and none after one that failed or had nothing to do."""
    try:
        for number, job in enumerate(ORDER):
            found = results(deploy, CONTEXT, failing=[job])
            right = ["success"] * number + ["failure"] + ["skipped"] * (3 - number)
            if [found.get(it) for it in ORDER] != right:
                yield f"when {job} fails: {found}"
        for context, right in (
            (CONTEXT, ORDER),
            (CONTEXT | {"needs": {}}, ORDER[:3]),
            (CONTEXT | {"vars": {"STAGING_ACCOUNT": "111111111111"}}, ORDER[:2]),
            (CONTEXT | {"vars": {}}, ORDER[:1]),
        ):
            found = results(deploy, context)
            if [it for it, result in found.items() if result == "success"] != right:
                yield f"instead of {right}: {found}"
    except (AssertionError, KeyError) as error:
        yield f"jobs or conditions that aren't understood: {error}"


def faults_of_roles(deploy: Any) -> Iterator[str]:
    """Each job signs in to its account as its role, and waits for others of its environment."""
    groups = []
    for name, (environment, account, role, stack_role) in SIGNS_IN.items():
        job = deploy["jobs"][name]
        where = job.get("environment")
        if (where["name"] if isinstance(where, dict) else where) != environment:
            yield f"{name} is in the environment {where}"
        if environment:
            group = job.get("concurrency")
            groups.append(group["group"] if isinstance(group, dict) else group)
            if isinstance(group, dict) and group.get("cancel-in-progress"):
                yield f"{name} is cancelled by another"
        text = re.sub(r"\$\{\{ vars\.(\w+) \}\}", lambda it: ACCOUNTS.get(it[1], ""), str(job))
        assumed = re.findall(r"'role-to-assume': '([^']*)'", text)
        if assumed != [f"arn:aws:iam::{account}:role/deploy/{role}"]:
            yield f"{name} signs in as {assumed}"
        handed = re.findall(r'--role-arn "arn:aws:iam::\$ACCOUNT:role/deploy/([\w-]+)"', text)
        if handed != ([stack_role] if stack_role else []):
            yield f"{name} has CloudFormation act as {handed}"
        accounts = re.findall(r"'ACCOUNT': '(\d*)'", text)
        if accounts != ([account] if stack_role else []):
            yield f"{name} deploys to {accounts}"
    if None in groups or len(set(groups)) != len(groups):
        yield f"deploys to one environment may overlap: {groups}"


def faults_of_jobs(workflow: Any) -> Iterator[str]:
    """No more rights than needed, nothing of others that may change, no failure unseen."""
    if workflow.get("permissions") != {}:
        yield "jobs have permissions by default"
    shell = workflow.get("defaults", {}).get("run", {}).get("shell")
    for name, job in workflow["jobs"].items():
        if job.get("permissions") != PERMISSIONS.get(name):
            yield f"{name} has the permissions {job.get('permissions')}"
        if "steps" in job and not job.get("timeout-minutes"):
            yield f"{name} may run for six hours"
        if "secrets" in job or "secrets." in str(job):
            yield f"{name} uses secrets"
        for step in job.get("steps", []):
            action, run = step.get("uses", ""), step.get("run", "")
            if action and not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action):
                yield f"{action} may change"
            checkout = action.startswith("actions/checkout@")
            if checkout and step.get("with", {}).get("persist-credentials") is not False:
                yield f"{name} leaves a token in the work tree"
            if "${{" in run:
                yield f"{name} makes a script of a value"
            if "|" in run and step.get("shell", shell) != "bash":
                yield f"{name} sees the last of a pipe's commands only"
            if step.get("if"):
                yield f"{name} has a step that may be skipped"
        if "continue-on-error" in str(job):
            yield f"{name} goes on after an error"


@pytest.fixture(params=OPTIONS["iac"])
def workflows(request: pytest.FixtureRequest, baked: Baker) -> Workflows:
    project = baked(iac=request.param, layout="multi")
    texts = {it: project.read(f".github/workflows/{it}.yml") for it in ("ci", "deploy")}
    return {name: {**parse(text), "on": events(parse(text))} for name, text in texts.items()}


def test_workflows(workflows: Workflows) -> None:
    assert list(faults(workflows)) == []


def test_workflows_in_every_partition(baked: Baker) -> None:
    for region, partition in {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}.items():
        project = baked(aws_region=region, layout="multi")
        texts = {it: project.read(f".github/workflows/{it}.yml") for it in ("ci", "deploy")}
        assert f"arn:{partition}:iam::" in texts["deploy"]
        texts["deploy"] = texts["deploy"].replace(f"arn:{partition}:", "arn:aws:")
        assert list(faults({it: parse(text) for it, text in texts.items()})) == []


def test_the_api_is_compared_with_what_is_merged_into(tmp_path: Path) -> None:
    """What the action compares is there, also where openapi.json is new."""

    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *identity, *words], cwd=project.path, check=True)

    project = bake(tmp_path / "project", layout="multi")
    file, new = project.path / "openapi.json", project.read("openapi.json")
    for old in ("{}\n", None):
        git("init", "--quiet", "--initial-branch", "main")
        file.unlink()
        if old:
            file.write_text(old)
        git("add", "--all")
        git("commit", "--quiet", "--message", "Base")
        git("switch", "--quiet", "--create", "topic")
        file.write_text(new)
        git("add", "--all")
        git("commit", "--quiet", "--message", "Topic")
        git("switch", "--quiet", "main")
        git("merge", "--quiet", "--no-ff", "--message", "Merge", "topic")

        runner = Runner(project.path, lambda *_: {}, github={"event_name": "pull_request"})
        assert runner.run("ci.yml", "api") is not None
        assert (project.path / "before.json").read_text() == (old or new)
        shutil.rmtree(project.path / ".git")


def test_a_project_without_an_api_of_its_own_compares_none(baked: Baker) -> None:
    assert parse(baked().read(".github/workflows/ci.yml"))["jobs"].keys() == {"check"}


GONE = "gone"
CHECK = "ci jobs check"
# Where in the workflows, and what stands there instead; of a pair, the second for the first. A word
# that isn't a key is part of a step.
MUTATIONS: list[tuple[str, Any]] = [
    # What starts them
    ("deploy on push", None),
    ("deploy on push branches", ["**"]),
    ("deploy on push branches", ["*/main", "main"]),
    ("deploy on push branches", ["main", "!main"]),
    ("deploy on push branches", ["master"]),
    ("deploy on push", {"branches-ignore": ["topic"]}),
    ("deploy on push tags", ["v*"]),
    ("deploy on pull_request", None),
    ("deploy on workflow_dispatch", None),
    ("ci on pull_request", GONE),
    ("ci on pull_request", {"branches": ["main"]}),
    ("ci on pull_request_target", None),
    # What waits for what
    ("deploy jobs staging needs", GONE),
    ("deploy jobs staging if", "always()"),
    ("deploy jobs staging if", "${{ !cancelled() && vars.STAGING_ACCOUNT != '' }}"),
    ("deploy jobs staging if", GONE),
    ("deploy jobs ci if", "false"),
    ("deploy jobs ci uses", "./.github/workflows/other.yml"),
    ("deploy jobs ci continue-on-error", True),
    ("deploy jobs plan needs", "ci"),
    ("deploy jobs plan if", GONE),
    ("deploy jobs production needs", ["staging"]),
    ("deploy jobs production if", GONE),
    ("deploy jobs production if", "always() && needs.plan.outputs.change-set != ''"),
    (f"{CHECK} steps test", GONE),
    (f"{CHECK} steps types run", "make lint"),
    (f"{CHECK} steps test if", "github.event_name == 'push'"),
    (f"{CHECK} steps lint continue-on-error", True),
    ("ci jobs api if", GONE),
    ("ci jobs api if", "github.event_name == 'push'"),
    ("ci jobs api steps oasdiff with revision", "before.json"),
    ("deploy jobs staging steps Deploy continue-on-error", True),
    ("deploy defaults", GONE),
    ("deploy jobs plan steps plan shell", "sh"),
    # As whom
    ("deploy jobs production environment", GONE),
    ("deploy jobs production environment", "staging"),
    ("deploy jobs plan environment", "production"),
    ("deploy jobs plan steps aws-actions with role-to-assume", ("production-plan", "production")),
    ("deploy jobs staging steps aws-actions with role-to-assume", ("-staging", "-production")),
    ("deploy jobs staging steps aws-actions with role-to-assume", ("STAGING", "PRODUCTION")),
    ("deploy jobs staging steps Deploy run", ("staging-stack", "production-stack")),
    ("deploy jobs staging steps Deploy env ACCOUNT", ("STAGING", "PRODUCTION")),
    ("deploy jobs plan steps change run", ("--role-arn", "--profile")),
    # What they may
    ("deploy permissions", {"contents": "write"}),
    ("ci permissions", GONE),
    (f"{CHECK} permissions id-token", "write"),
    ("deploy jobs staging permissions contents", "write"),
    ("ci jobs api permissions", {"contents": "read", "pull-requests": "write"}),
    ("ci jobs api steps oasdiff with review", GONE),
    ("ci jobs api steps oasdiff with github-token", GONE),
    ("deploy jobs plan permissions", GONE),
    ("deploy jobs production permissions", "write-all"),
    ("deploy jobs staging env", {"KEY": "${{ secrets.KEY }}"}),
    ("deploy jobs ci secrets", "inherit"),
    (f"{CHECK} steps checkout with persist-credentials", True),
    ("deploy jobs plan steps checkout with", GONE),
    # What may come between
    ("deploy jobs production concurrency", GONE),
    ("deploy jobs production concurrency", "staging"),
    ("deploy jobs staging concurrency", {"group": "staging", "cancel-in-progress": True}),
    ("deploy jobs staging steps aws-actions uses", "aws-actions/configure-aws-credentials@v6"),
    (f"{CHECK} steps setup-uv uses", "astral-sh/setup-uv@main"),
    (f"{CHECK} steps setup-uv uses", "docker://ghcr.io/astral-sh/uv:latest"),
    ("deploy jobs plan steps change run", "echo ${{ github.head_ref }}"),
    ("deploy jobs production timeout-minutes", GONE),
]


def mutate(workflows: Workflows, path: str, value: Any) -> None:
    """Change one thing; KeyError or StopIteration if it isn't there to be changed."""
    *parents, last = path.split()
    node: Any = workflows
    for word in [*parents, last]:
        if word is last and isinstance(node, dict):
            break
        if isinstance(node, list):
            found = next(it for it in node if word in str({**it, "with": None}))
            if word is last:
                node.remove(found)
                return
            node = found
        else:
            node = node[word]
    if value == GONE:
        del node[last]
    elif isinstance(value, tuple):
        node[last] = node[last].replace(*value)
    else:
        node[last] = value


@pytest.mark.parametrize(
    ("path", "value"), MUTATIONS, ids=[f"{it[0]}: {it[1]}" for it in MUTATIONS]
)
def test_a_fault_is_found(path: str, value: Any, workflows: Workflows) -> None:
    mutated = copy.deepcopy(workflows)
    mutate(mutated, path, value)
    assert mutated != workflows
    assert list(faults(mutated))


def test_conditions_are_evaluated_as_github_does() -> None:
    context = {"vars": {"A": "1"}, "needs": {}}
    for condition, states, expected in (
        ("", ["success"], True),
        ("", ["success", "skipped"], False),
        ("vars.A != ''", ["failure"], False),
        ("vars.A == '1' && vars.B == ''", [], True),
        ("vars.B || !vars.B", [], True),
        ("always()", ["failure"], True),
        ("${{ !cancelled() }}", ["failure"], True),
        ("failure()", ["success"], False),
        ("failure() && vars.B", ["failure"], False),
        ("false", [], False),
    ):
        assert holds(condition, context, states) is expected, condition
