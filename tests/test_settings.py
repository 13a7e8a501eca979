"""The settings of projects with iac=cdk: SAM's parameters, and a sentence for each fault."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker, Expand
from tests.support.baking import PAIRED, TEMPLATE, BakedProject, bake, combinations
from tests.support.cloudformation import Template
from tests.support.here import UV
from tests.support.parameters import existing_vpc, scenarios
from tests.support.templates import cdk_process
from tests.test_deploy import CDK
from tests.test_networks import BAD

pytestmark = pytest.mark.slow

Answers = dict[str, str]
Context = dict[str, Any]
Read = Callable[[Answers, list[Context]], list[Any]]

MATRIX = combinations("auth", "network", "atlas_setup")
EVERY = [*MATRIX, *(it for it in PAIRED if it.values[0]["iac"] == "cdk")]
WITH_VPC = [it for it in MATRIX if it.values[0]["network"] != "public"]
NAT = {"network": "nat", "atlas_setup": "cli"}
HOST = {"ClusterHost": "cluster0.ab1cd.mongodb.net"}

# Loading the CDK takes seconds, so one process reads the settings of many projects and contexts.
_READ = """
import dataclasses, json
from aws_cdk import App

for line in sys.stdin:
    project, contexts = json.loads(line)
    settings = load(project, "infra.settings")
    found = [[[it.name, it.default, dict(it.metadata)]
              for it in dataclasses.fields(settings.Settings)]]
    for context in contexts:
        try:
            read = settings.read_settings(App(context=context).node)
            found.append(dataclasses.asdict(read))
        except SystemExit as error:
            found.append(str(error))
    print(json.dumps(found, default=lambda _: None), flush=True)
"""


@pytest.fixture(scope="module")
def read(baked: Baker) -> Iterator[Read]:
    """`read(answers, contexts)`: for each context, its settings or what is said; first the fields.

    A context has the environments of the project's cdk.json, the default one without StackName.
    """
    with cdk_process(_READ) as ask:

        def get(answers: Answers, contexts: list[Context]) -> list[Any]:
            project = baked(**answers | {"iac": "cdk"})
            given = [{**context_of(project), **it} for it in contexts]
            found: list[Any] = ask([str(project.path), given])
            return found

        yield get


def context_of(project: BakedProject) -> Context:
    context: Context = project.parse("cdk.json")["context"]
    return context


def needed(answers: Answers) -> Context:
    return scenarios(answers)["new"]


def spelled(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


@pytest.mark.parametrize("answers", EVERY)
def test_settings_are_sams_parameters(answers: Answers, expanded: Expand, read: Read) -> None:
    """With the same names, defaults and patterns. The name of the stack is samconfig.toml's."""
    [fields] = read(answers, [])
    parameters: Template = expanded(**answers | {"iac": "sam"})["Parameters"]
    found: dict[str, Any] = {spelled(name): (default, it) for name, default, it in fields}
    del found["StackName"]
    assert found.keys() == parameters.keys()
    for name, parameter in parameters.items():
        default, rule = found[name]
        assert (default or "") == str(parameter.get("Default", "")), name
        if name not in ("ReservedConcurrency", "AlarmTopicArn"):
            pattern = re.sub(r"^\((.*)\)\?$", r"\1", parameter["AllowedPattern"])
            if parameter.get("Default") != "":
                pattern = parameter["AllowedPattern"]
            assert rule["pattern"] == pattern, name


def test_a_malformed_setting_is_refused(read: Read) -> None:
    """By each project that has it, in a sentence with its name and without the value."""
    bad = [*BAD, ("ReservedConcurrency", "many", ""), ("AlarmTopicArn", "alarms", "an SNS topic")]
    judged = set()
    for combination in EVERY:
        answers = combination.values[0]
        fields, *_ = read(answers, [])
        names = {spelled(name) for name, *_ in fields}
        cases = [{name: value} for name, value, _ in bad if name in names and value]
        contexts = [needed(answers) | case for case in cases]
        for [name], said in zip(cases, read(answers, contexts)[1:], strict=True):
            [sentence] = [line for line in said.splitlines() if line.startswith(f"{name} ")]
            assert re.fullmatch(rf"{name} must be .+\.", sentence)
            assert "hunter2" not in said
            judged.add(name)
    assert judged == {name for name, *_ in bad}


@pytest.mark.parametrize("answers", EVERY)
def test_what_is_missing_is_said(answers: Answers, read: Read) -> None:
    """As a project is baked, cdk.json names what it needs, empty; a first deploy says so."""
    [_, said] = read(answers, [{}])
    names = [line.split()[0] for line in said.splitlines()]
    assert set(names) == needed(answers).keys()
    assert all(re.fullmatch(r"\w+ is missing\. It must be .+\.", it) for it in said.splitlines())


@pytest.mark.parametrize("answers", WITH_VPC)
def test_an_existing_vpc_must_be_described_in_full(answers: Answers, read: Read) -> None:
    vpc = existing_vpc(answers["auth"], answers["network"])
    names = sorted(vpc.keys() - {"VpcId"})
    without = [{key: it for key, it in vpc.items() if key != name} for name in names]
    alone = [{name: vpc[name]} for name in names]
    same = vpc | {"SubnetIdB": vpc["SubnetIdA"]}
    contexts = [needed(answers) | it for it in (vpc, same, *without, *alone)]

    _, whole, twice, *others = read(answers, contexts)

    assert isinstance(whole, dict)
    assert twice == "SubnetIdA and SubnetIdB must differ."
    for name, said, said_alone in zip(
        names, others[: len(names)], others[len(names) :], strict=True
    ):
        assert re.fullmatch(rf"{name} is missing\. It must be .+\.", said)
        assert said_alone == f"{name} is given but VpcId is not."


def test_zones_are_chosen_both_or_none(read: Read) -> None:
    first, second = {"AvailabilityZoneA": "us-east-1c"}, {"AvailabilityZoneB": "us-east-1d"}
    contexts = [first | second, first, second, first | {"AvailabilityZoneB": "us-east-1c"}]
    _, both, one, other, same = read(NAT, [HOST | it for it in contexts])
    assert both["availability_zone_b"] == "us-east-1d"
    assert one.startswith("AvailabilityZoneB is missing.")
    assert other == "AvailabilityZoneB is given but AvailabilityZoneA is not."
    assert same == "AvailabilityZoneA and AvailabilityZoneB must differ."


def test_an_environment_has_settings_of_its_own(read: Read) -> None:
    """Nothing of the default one, so that none is deployed to another's cluster by mistake."""
    staging = {"StackName": "orders-staging", "ReservedConcurrency": 7, "ClusterHost": "a.b.c"}
    contexts: list[Context] = [
        {"staging": staging, "environment": "staging"},
        {"staging": staging, "environment": "staging", "ClusterHost": "d.e.f"},
        {"default": staging, "staging": {"StackName": "x"}, "environment": "staging"},
        {"environment": "stagin"},
    ]
    _, chosen, overridden, missing, unknown = read(NAT, contexts)
    assert (chosen["stack_name"], chosen["cluster_host"]) == ("orders-staging", "a.b.c")
    assert chosen["reserved_concurrency"] == "7"
    assert overridden == chosen | {"cluster_host": "d.e.f"}
    assert missing.startswith("ClusterHost is missing.")
    names = "default, staging, production, example"
    assert unknown == f"cdk.json has no environment stagin: there are {names}."


def test_an_unknown_setting_is_refused(read: Read) -> None:
    context = {"default": {"StackName": "x", **HOST, "VpcID": "vpc-01234567"}, "clusterHost": "x"}
    [_, said] = read(NAT, [context])
    for name, line in zip(("VpcID", "clusterHost"), said.splitlines(), strict=True):
        assert line.startswith(f"{name} is no setting: there are StackName, ClusterHost, VpcCidr")


@pytest.mark.parametrize("network", ["nat", "public"])
def test_what_json_has_beside_text_is_refused_or_taken_for_it(network: str, read: Read) -> None:
    answers = {"network": network, "atlas_setup": "stack"}
    good = needed(answers) | {"StackName": "orders"}
    cases: list[Context] = [{"AtlasProfile": it} for it in ([], ["a"], {"a": "b"}, True, 1.5)]
    cases += [{"StackName": it} for it in (["orders"], False)]
    environments = [{"default": good | case} for case in cases]
    numbers = [{"default": good | {"ReservedConcurrency": it}} for it in (7, "7")]
    absent: list[Context] = [{"default": good | {"AtlasProfile": it}} for it in (None, "")]
    odd = [{"environment": it} for it in (["default"], {"default": good}, 7)]
    _, *found = read(answers, [*environments, *numbers, *absent, *odd])
    for [name], said in zip(cases, found, strict=False):
        assert re.fullmatch(rf"{name} must be [^\n]+\.", said)
    seven, text, null, empty, *unknown = found[len(cases) :]
    assert seven == text
    assert seven["reserved_concurrency"] == "7"
    assert null == empty
    assert null["atlas_profile"] == "default"
    assert all(
        re.fullmatch(r"cdk\.json has no environment .+: there are .+\.", it) for it in unknown
    )


def test_the_cli_shows_the_sentences_alone(tmp_path: Path) -> None:
    project = bake(tmp_path, **NAT, iac="cdk")
    env = UV | {"UV_PROJECT_ENVIRONMENT": str(TEMPLATE / ".venv"), "UV_NO_SYNC": "1"}

    done = project.run(*CDK, "synth", "--quiet", "-c", "ClusterHost=u:pw@h", env=env, check=False)

    assert done.returncode == 1
    assert "ClusterHost must be a bare host name such as cluster0.ab1cd.mongodb.net" in done.stderr
    assert "Traceback" not in done.stderr
    assert "pw" not in done.stdout + done.stderr
