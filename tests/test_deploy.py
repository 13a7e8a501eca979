"""Deployed by the unmodified SAM and CDK CLIs to a local AWS, called, read back, deleted."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.lab.leaks import Canaries, LeakError
from tests.support.atlas import Atlas
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake, in_turns
from tests.support.budget import TIERS, reserved_concurrency
from tests.support.dashboards import shown
from tests.support.here import HERE, SAM, UV, bake_here
from tests.support.local_aws import LocalAws

pytestmark = pytest.mark.slow

CDK = (str(TEMPLATE / ".venv/bin/node"), str(TEMPLATE / ".tools/cdk/node_modules/.bin/cdk"))

# Those whose turn it is in test_deploy_command.py are deployed there, with each tool.
DEPLOYED = [
    *(
        pytest.param(*it.values, id=it.id, marks=() if it.marks else pytest.mark.long)
        for it in in_turns("layout", "auth")
    ),
    *(
        pytest.param({"layout": layout, "auth": auth, "iac": "cdk"}, id=f"{layout}/{auth}/cdk")
        for layout, auth in [("web", "iam"), ("multi-lambda", "password")]
    ),
]


@pytest.mark.parametrize("answers", DEPLOYED)
def test_deploys_as_it_is(
    answers: dict[str, str], baked: Baker, atlas: Atlas, aws: LocalAws
) -> None:
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    project = baked(**answers, **HERE, network="public", project_slug=slug)

    with deployed(project, atlas, aws) as outputs:
        add_database_users(project, outputs, atlas, aws)
        call(project, outputs, aws)
        functions = functions_of(outputs, aws)
        for function in functions:
            check_settings(project, function, atlas, outputs)
            check_role(function["Role"], project, outputs, aws)
        check_concurrency(functions, aws)
        check_dashboard(slug, functions, aws)
        check_secrets(project, outputs, functions, aws)
        path = "/" if answers["layout"] == "single" else "/items"
        assert aws.call(outputs["ApiUrl"], "GET", path, signed=False).status == 403
        groups = {group["logGroupName"] for group in log_groups(aws, slug)}
        assert groups == {f"/aws/apigateway/{slug}"} | {
            f"/aws/lambda/{function['FunctionName']}" for function in functions
        }
        assert {group["retentionInDays"] for group in log_groups(aws, slug)} == {14}

    assert log_groups(aws, slug) == []
    assert dashboards(aws, slug) == []
    assert not [
        role for role in aws.client("iam").list_roles()["Roles"] if slug in role["RoleName"]
    ]


@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_deploys_with_the_files_of_other_answers_beside(
    iac: str, tmp_path: Path, atlas: Atlas, aws: LocalAws
) -> None:
    """As `cookiecutter --no-input --accept-hooks no` leaves it."""
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    project = bake(tmp_path, False, **HERE, iac=iac, network="public", project_slug=slug)
    assert project.files >= {"template.yaml", "cdk.json", "atlas-bootstrap.yaml"}
    with deployed(project, atlas, aws) as outputs:
        add_database_users(project, outputs, atlas, aws)
        call(project, outputs, aws)


@pytest.mark.parametrize(
    ("iac", "layout", "auth"), [("sam", "multi-lambda", "password"), ("cdk", "single", "iam")]
)
def test_deploys_with_snapstart(
    iac: str, layout: str, auth: str, tmp_path: Path, atlas: Atlas, aws: LocalAws
) -> None:
    """Each deploy that changes something publishes a version, which is invoked, and no other is."""
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    answers = {"iac": iac, "layout": layout, "auth": auth, "snapstart": "yes"}
    project = bake_here(tmp_path, **answers, network="public", project_slug=slug)

    with deployed(project, atlas, aws) as outputs:
        add_database_users(project, outputs, atlas, aws)
        check_versions(outputs, aws, "1", atlas.host)
        call(project, outputs, aws, Qualifier="live")
        check_concurrency(functions_of(outputs, aws), aws)

        deploy(project, aws, ClusterHost=atlas.private_host)
        check_versions(outputs, aws, "2", atlas.private_host)
        call(project, outputs, aws, Qualifier="live")
        deploy(project, aws, ClusterHost=atlas.private_host, ReservedConcurrency="3")
        check_versions(outputs, aws, "2", atlas.private_host)


def check_versions(outputs: dict[str, str], aws: LocalAws, version: str, host: str) -> None:
    """The alias of each function names this version, of which there is a snapshot."""
    client = aws.client("lambda")
    for function in functions_of(outputs, aws):
        name = function["FunctionName"]
        assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == version
        found = client.list_versions_by_function(FunctionName=name)["Versions"]
        assert [it["Version"] for it in found] == ["$LATEST", version]
        live = client.get_function_configuration(FunctionName=name, Qualifier="live")
        assert live["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
        assert live["State"] == "Active"
        assert host in live["Environment"]["Variables"]["MONGODB_URI"]


@contextmanager
def deployed(
    project: BakedProject, atlas: Atlas, aws: LocalAws, **parameters: str
) -> Iterator[dict[str, str]]:
    """Build and deploy the project, yield the stack's outputs, delete the stack."""
    values = {"ClusterHost": atlas.host, **parameters}
    deploy(project, aws, **values)
    yield aws.outputs(project.answers["project_slug"])
    if project.answers["iac"] == "sam":
        delete = [SAM, "delete", "--no-prompts"]
    else:
        delete = [*CDK, "destroy", "--force", *context(values)]
    project.run(*delete, env=aws.environment | UV)


def deploy(project: BakedProject, aws: LocalAws, **values: str) -> None:
    """Build and deploy the project, or deploy it again with other values."""
    environment = aws.environment | UV
    if project.answers["iac"] == "sam":
        first = [SAM, "build"]
        given = [f"{name}={value}" for name, value in values.items()]
        command = [SAM, "deploy", "--no-confirm-changeset", "--parameter-overrides", *given]
    else:
        first = [*CDK, "bootstrap", *context(values)]
        command = [*CDK, "deploy", "--require-approval", "never", *context(values)]
    if not {".aws-sam", "cdk.out"} & {it.name for it in project.path.iterdir()}:
        project.run(*first, env=environment)
    project.run(*command, env=environment)


def context(values: dict[str, str]) -> list[str]:
    """Return the words that tell the CDK settings."""
    return [word for name, it in values.items() for word in ("--context", f"{name}={it}")]


def add_database_users(
    project: BakedProject, outputs: dict[str, str], atlas: Atlas, aws: LocalAws
) -> None:
    """Make the database users that the README has people make."""
    database = project.answers["database_name"]
    if project.answers["auth"] == "iam":
        for name, role in outputs.items():
            if name.endswith("ExecutionRoleArn"):
                atlas.add_role(role, *aws.credentials_of(role), database)
    else:
        value = aws.client("secretsmanager").get_secret_value(SecretId=outputs["DatabaseSecretArn"])
        secret = json.loads(value["SecretString"])
        assert len(secret["password"]) == 32
        atlas.add_user(secret["username"], secret["password"], database)


def call(project: BakedProject, outputs: dict[str, str], aws: LocalAws, **qualifier: str) -> None:
    """Use every route."""
    url = outputs["ApiUrl"]
    if project.answers["layout"] == "single":
        response = aws.call(url, "GET", "/")
        assert (response.status, response.json) == (200, {"database": "app", "ping": 1.0})
        return

    name = outputs.get("CreateIndexesFunctionName") or outputs["FunctionName"]
    result = aws.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps({"routeKey": "create-indexes"}), **qualifier
    )
    assert json.load(result["Payload"]) == {"indexes": ["sku_1"]}
    item = {"sku": uuid.uuid4().hex[:8].upper(), "name": "Mug", "quantity": 2}
    created = aws.call(url, "POST", "/items", item)
    assert created.status == 201
    assert aws.call(url, "POST", "/items", item).status == 409
    path = f"/items/{created.json['id']}"
    assert aws.call(url, "GET", path).json == created.json
    assert created.json in aws.call(url, "GET", "/items?limit=100").json["items"]
    assert aws.call(url, "GET", "/items?limit=1000").status == 422
    assert aws.call(url, "DELETE", path).status == 204
    assert aws.call(url, "GET", path).status == 404


def functions_of(outputs: dict[str, str], aws: LocalAws) -> list[dict[str, Any]]:
    """Return the configurations of the deployed functions."""
    client = aws.client("lambda")
    return [
        client.get_function_configuration(FunctionName=value)
        for name, value in outputs.items()
        if name.endswith("FunctionName")
    ]


def check_settings(
    project: BakedProject, function: dict[str, Any], atlas: Atlas, outputs: dict[str, str]
) -> None:
    """The function runs with what the answers say and holds no credentials."""
    variables = {
        "MONGODB_DATABASE": project.answers["database_name"],
        "POWERTOOLS_SERVICE_NAME": project.answers["project_slug"],
    }
    if project.answers["auth"] == "iam":
        query = "?authMechanism=MONGODB-AWS&authSource=%24external"
        variables["MONGODB_URI"] = f"mongodb+srv://{atlas.host}/{query}"
    else:
        variables["MONGODB_URI"] = f"mongodb+srv://{atlas.host}/"
        variables["MONGODB_SECRET_ARN"] = outputs["DatabaseSecretArn"]
    assert function["Environment"]["Variables"] == variables
    assert function["Runtime"] == f"python{project.answers['python_version']}"
    assert function["Architectures"] == [project.answers["architecture"]]
    assert (function["MemorySize"], function["Timeout"]) == (512, 10)
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"


def check_role(
    role_arn: str, project: BakedProject, outputs: dict[str, str], aws: LocalAws
) -> None:
    """The execution role may do what it needs, on what it needs, and nothing else."""
    iam, role = aws.client("iam"), role_arn.rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    granted = {
        action: statement["Resource"]
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
    }
    logs = granted["logs:PutLogEvents"]
    assert f":log-group:/aws/lambda/{project.answers['project_slug']}" in logs
    expected = {
        "logs:CreateLogStream": logs,
        "logs:PutLogEvents": logs,
        "xray:PutTraceSegments": "*",
        "xray:PutTelemetryRecords": "*",
    }
    if project.answers["auth"] == "password":
        actions = {
            "sam": ["secretsmanager:GetSecretValue"],
            "cdk": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],  # grant_read
        }
        secret = outputs["DatabaseSecretArn"]
        expected |= dict.fromkeys(actions[project.answers["iac"]], secret)
    assert granted == expected


def check_concurrency(functions: list[dict[str, Any]], aws: LocalAws) -> None:
    """Each function reserves its part of what a free cluster allows: the network is public."""
    for function in functions:
        reserved = aws.client("lambda").get_function_concurrency(
            FunctionName=function["FunctionName"]
        )
        limit = reserved_concurrency(TIERS["M0"], len(functions))
        assert reserved["ReservedConcurrentExecutions"] == limit


def check_dashboard(slug: str, functions: list[dict[str, Any]], aws: LocalAws) -> None:
    """It is there, and has a line for each function in each graph."""
    names = {it["FunctionName"] for it in functions}
    [name] = dashboards(aws, slug)
    assert name == f"{slug}-{aws.region}"
    body = aws.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    for graph in (it["properties"] for it in shown(body)):
        assert graph["region"] == aws.region
        lines = [
            line.get("label") or dict(line["metric"][2])["FunctionName"] for line in graph["lines"]
        ]
        assert sorted(lines) == sorted(names)


def dashboards(aws: LocalAws, slug: str) -> list[str]:
    """The names of a stack's dashboards."""
    found = aws.client("cloudwatch").list_dashboards(DashboardNamePrefix=slug)["DashboardEntries"]
    return [it["DashboardName"] for it in found]


def check_secrets(
    project: BakedProject,
    outputs: dict[str, str],
    functions: list[dict[str, Any]],
    aws: LocalAws,
) -> None:
    """Neither the stack nor the logs of what it runs hold a credential."""
    canaries = Canaries()
    for function in functions:
        _, key, token = aws.credentials_of(function["Role"])
        canaries.add("secret key", key)
        canaries.add("session token", token)
    if project.answers["auth"] == "password":
        arn = outputs["DatabaseSecretArn"]
        secret = aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        canaries.add("password", json.loads(secret)["password"])
        with pytest.raises(LeakError, match="password"):
            canaries.check(secret, "the secret itself")
    stacks, stack = aws.client("cloudformation"), project.answers["project_slug"]
    stages = ("Original", "Processed")
    state = [
        stacks.describe_stacks(StackName=stack),
        stacks.describe_stack_resources(StackName=stack),
        *(stacks.get_template(StackName=stack, TemplateStage=stage) for stage in stages),
        *functions,
        *(aws.logs(function["FunctionName"]) for function in functions),
    ]
    canaries.check(json.dumps(state, default=str), "the deployed state")


def as_list(value: str | list[str]) -> list[str]:
    """IAM writes a list of one as its element."""
    return [value] if isinstance(value, str) else value


def log_groups(aws: LocalAws, slug: str) -> list[dict[str, Any]]:
    """Return the log groups of the project."""
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    return [group for group in groups if slug in group["logGroupName"]]
