"""The local AWS account does what the tests of the stacks take from it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.here import SAM
from tests.support.local_aws import LocalAws, StackError
from tests.support.servers import listens, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

FUNCTION = """
import importlib.util
import json
import os

import boto3

count = 0
secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])


def handler(event, context):
    global count
    count += 1
    if event["routeKey"] == "GET /fail":
        raise KeyError("a detail of ours")
    answer = {
        "count": count,
        "pid": os.getpid(),
        "name": event["pathParameters"]["name"],
        "caller": event["requestContext"]["authorizer"]["iam"]["userArn"],
        "secret": json.loads(secret["SecretString"]),
        "variables": dict(os.environ),
        "function": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "sees_our_packages": importlib.util.find_spec("pytest") is not None,
    }
    return {"statusCode": 200, "body": json.dumps(answer)}
"""

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        EnableIamAuthorizer: true
        DefaultAuthorizer: AWS_IAM
      AccessLogSettings:
        DestinationArn: !GetAtt LogGroup.Arn
        Format: $context.requestId
  Function:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}
      CodeUri: src
      Handler: app.handler
      Runtime: python3.13
      Architectures: [arm64]
      Timeout: 7
      MemorySize: 512
      Tracing: Active
      ReservedConcurrentExecutions: 5
      Role: !GetAtt Role.Arn
      LoggingConfig:
        LogFormat: JSON
        LogGroup: !Ref LogGroup
      Environment:
        Variables:
          SECRET_ARN: !Ref Secret
      Events:
        Hello:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: GET, Path: "/hello/{name}"}
        Fail:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: GET, Path: /fail}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: lambda.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: Function
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !GetAtt LogGroup.Arn
              - Effect: Allow
                Action: secretsmanager:GetSecretValue
                Resource: !Ref Secret
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub /aws/lambda/${AWS::StackName}
      RetentionInDays: 14
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        SecretStringTemplate: '{"username": "orders"}'
        GenerateStringKey: password
        PasswordLength: 32
        ExcludePunctuation: true
Outputs:
  ApiUrl:
    Value: !Sub https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}
  RoleArn:
    Value: !GetAtt Role.Arn
  SecretArn:
    Value: !Ref Secret
"""


PROJECT_ID = "0123456789abcdef01234567"
ATLAS_TYPES = [
    f"MongoDB::Atlas::{name}"
    for name in (
        "DatabaseUser",
        "NetworkContainer",
        "NetworkPeering",
        "PrivateEndpointAWS",
        "PrivateEndpointService",
        "ProjectIpAccessList",
    )
]
VPC_ACTIONS = [("Create", ""), ("Describe", "s"), ("Delete", "")]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws({"NETWORK": "as given"}) as account:
        yield account


def write_project(folder: Path) -> Path:
    """A SAM project that needs no build."""
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(FUNCTION)
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


def deploy(aws: LocalAws, project: Path, stack: str) -> dict[str, str]:
    """`sam deploy` as people run it; the stack's outputs."""
    command = [SAM, "deploy", "--stack-name", stack, "--resolve-s3"]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-progressbar"]
    environment = {**os.environ, **aws.environment}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return aws.outputs(stack)


@pytest.fixture(scope="module")
def outputs(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the stack `service`."""
    return deploy(aws, write_project(tmp_path_factory.mktemp("service")), "service")


def test_deployed_code_answers_signed_requests(aws: LocalAws, outputs: dict[str, str]) -> None:
    response = aws.call(outputs["ApiUrl"], "GET", "/hello/you")
    assert response.status == 200, aws.logs("service")
    assert response.json["name"] == "you"
    assert response.json["caller"] == f"arn:aws:iam::{aws.account_id}:user/administrator"
    assert aws.call(outputs["ApiUrl"], "GET", "/hello/you", signed=False).status == 403
    assert aws.call(outputs["ApiUrl"], "GET", "/nowhere").status == 404


def test_environment_stays_warm_even_after_errors(aws: LocalAws, outputs: dict[str, str]) -> None:
    before = aws.call(outputs["ApiUrl"], "GET", "/hello/you").json
    failed = aws.call(outputs["ApiUrl"], "GET", "/fail")
    after = aws.call(outputs["ApiUrl"], "GET", "/hello/you").json
    assert after["pid"] == before["pid"]
    assert after["count"] == before["count"] + 2
    assert aws.workers("service") == [after["pid"]]
    assert after["pid"] in aws.workers()
    assert (failed.status, failed.json) == (500, {"message": "Internal Server Error"})
    assert any("a detail of ours" in line for line in aws.logs("service"))


def test_function_sees_lambda_its_network_and_nothing_of_ours(
    aws: LocalAws, outputs: dict[str, str]
) -> None:
    answer = aws.call(outputs["ApiUrl"], "GET", "/hello/you").json
    variables = answer["variables"]
    assert variables["NETWORK"] == "as given"
    assert variables["AWS_LAMBDA_RUNTIME_API"]
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "service"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert variables["_HANDLER"] == "app.handler"
    assert variables["AWS_REGION"] == aws.region
    assert answer["function"] == f"arn:aws:lambda:us-east-1:{aws.account_id}:function:service"
    assert 6000 < answer["remaining"] <= 7000
    assert not answer["sees_our_packages"]
    assert "PYTEST_CURRENT_TEST" not in variables


def test_function_has_the_session_of_its_role(aws: LocalAws, outputs: dict[str, str]) -> None:
    """Its credentials are known beforehand, and good for what the role allows and no more."""
    answer = aws.call(outputs["ApiUrl"], "GET", "/hello/you").json
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    access_key, secret_key, session_token = credentials = aws.credentials_of(outputs["RoleArn"])
    assert credentials == tuple(answer["variables"][name] for name in names)
    assert credentials != aws.credentials_of(outputs["RoleArn"] + "2")

    session = boto3.session.Session(access_key, secret_key, session_token, aws.region)
    caller = session.client("sts", endpoint_url=aws.endpoint).get_caller_identity()
    assert ":assumed-role/service-Role-" in caller["Arn"]
    secrets = session.client("secretsmanager", endpoint_url=aws.endpoint)
    secrets.get_secret_value(SecretId=outputs["SecretArn"])
    with pytest.raises(ClientError, match="not authorized to perform"):
        secrets.describe_secret(SecretId=outputs["SecretArn"])


def test_secret_is_generated(aws: LocalAws, outputs: dict[str, str]) -> None:
    secret = aws.call(outputs["ApiUrl"], "GET", "/hello/you").json["secret"]
    assert secret["username"] == "orders"
    assert len(secret["password"]) == 32
    assert secret["password"].isalnum()


def test_settings_of_the_function_read_back(aws: LocalAws, outputs: dict[str, str]) -> None:
    assert outputs
    client = aws.client("lambda")
    configuration = client.get_function_configuration(FunctionName="service")
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": "/aws/lambda/service",
    }
    assert configuration["TracingConfig"] == {"Mode": "Active"}
    assert configuration["Architectures"] == ["arm64"]
    concurrency = client.get_function_concurrency(FunctionName="service")
    assert concurrency["ReservedConcurrentExecutions"] == 5


def test_second_deploy_replaces_code_and_routes(aws: LocalAws, tmp_path: Path) -> None:
    project = write_project(tmp_path)
    url = deploy(aws, project, "twice")["ApiUrl"]
    old = aws.call(url, "GET", "/hello/you").json["pid"]
    (project / "src" / "app.py").write_text("def handler(event, context): return 'new'")
    template = (project / "template.yaml").read_text()
    (project / "template.yaml").write_text(template.replace("/hello/{name}", "/hi"))
    assert deploy(aws, project, "twice")["ApiUrl"] == url
    assert aws.call(url, "GET", "/hi").text == "new"
    assert aws.call(url, "GET", "/hello/you").status == 404
    assert old not in aws.workers()


def test_route_needs_the_permission_to_invoke(aws: LocalAws) -> None:
    """An API of single resources, as the CDK writes it; ministack alone would let it through."""
    api = {"ApiId": {"Ref": "Api"}}
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST},
            },
            "Function": function_resource(),
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {"Name": "plain", "ProtocolType": "HTTP"},
            },
            "Stage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {**api, "StageName": "$default", "AutoDeploy": True},
            },
            "Integration": {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    **api,
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
                    "PayloadFormatVersion": "2.0",
                },
            },
            "Route": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    **api,
                    "RouteKey": "GET /items/{id}",
                    "AuthorizationType": "AWS_IAM",
                    "Target": {"Fn::Sub": "integrations/${Integration}"},
                },
            },
        },
        "Outputs": {
            "ApiUrl": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
            "ApiId": {"Value": {"Ref": "Api"}},
            "Function": {"Value": {"Ref": "Function"}},
        },
    }
    outputs = aws.create_stack("plain", json.dumps(template))
    assert outputs["ApiUrl"] == f"https://{outputs['ApiId']}.execute-api.us-east-1.amazonaws.com"
    assert aws.call(outputs["ApiUrl"], "GET", "/items/1").status == 500
    aws.client("lambda").add_permission(
        FunctionName=outputs["Function"],
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{aws.account_id}:{outputs['ApiId']}/*/GET/items/*",
    )
    assert aws.call(outputs["ApiUrl"], "GET", "/items/1").text == "as written"
    assert aws.call(outputs["ApiUrl"], "GET", "/items/1", signed=False).status == 403
    with pytest.raises(ClientError, match="log group does not exist"):
        aws.logs(outputs["Function"])  # its role allows nothing

    assert aws.workers(outputs["Function"])
    aws.delete_stack("plain")
    assert not aws.workers(outputs["Function"])


def function_resource(**properties: Any) -> dict[str, Any]:
    """AWS::Lambda::Function with inline code and the role `Role`."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context): return 'as written'"},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            **properties,
        },
    }


NETWORK = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16, EnableDnsSupport: true, EnableDnsHostnames: true}
  Private:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: !Select [0, !GetAZs ""]}
  Public:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: !Select [1, !GetAZs ""]}
  InternetGateway:
    Type: AWS::EC2::InternetGateway
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref InternetGateway}
  Address:
    Type: AWS::EC2::EIP
    DependsOn: Attachment
    Properties: {Domain: vpc}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {AllocationId: !GetAtt Address.AllocationId, SubnetId: !Ref Public}
  RouteTable:
    Type: AWS::EC2::RouteTable
    Properties: {VpcId: !Ref Vpc}
  Routes:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {SubnetId: !Ref Private, RouteTableId: !Ref RouteTable}
  RouteOut:
    Type: AWS::EC2::Route
    Properties:
      RouteTableId: !Ref RouteTable
      DestinationCidrBlock: 0.0.0.0/0
      NatGatewayId: !Ref Nat
  RouteToAtlas:
    Type: AWS::EC2::Route
    Properties:
      RouteTableId: !Ref RouteTable
      DestinationCidrBlock: 192.168.248.0/21
      VpcPeeringConnectionId: !GetAtt Peering.ConnectionId
  FunctionGroup:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: of the functions, VpcId: !Ref Vpc}
  EndpointGroup:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: of the endpoint, VpcId: !Ref Vpc}
  FromFunctions:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !Ref EndpointGroup
      IpProtocol: tcp
      FromPort: 1024
      ToPort: 65535
      SourceSecurityGroupId: !Ref FunctionGroup
  ToEndpoint:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      GroupId: !Ref FunctionGroup
      IpProtocol: tcp
      FromPort: 1024
      ToPort: 65535
      DestinationSecurityGroupId: !Ref EndpointGroup
  SecretsEndpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcEndpointType: Interface
      ServiceName: !Sub com.amazonaws.${AWS::Region}.secretsmanager
      VpcId: !Ref Vpc
      SubnetIds: [!Ref Private]
      SecurityGroupIds: [!Ref EndpointGroup]
      PrivateDnsEnabled: true
  Service:
    Type: MongoDB::Atlas::PrivateEndpointService
    Properties: {ProjectId: 0123456789abcdef01234567, Region: us-east-1, CloudProvider: AWS}
  AtlasEndpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcEndpointType: Interface
      ServiceName: !GetAtt Service.EndpointServiceName
      VpcId: !Ref Vpc
      SubnetIds: [!Ref Private]
      SecurityGroupIds: [!Ref EndpointGroup]
  PrivateEndpoint:
    Type: MongoDB::Atlas::PrivateEndpointAWS
    Properties:
      ProjectId: 0123456789abcdef01234567
      EndpointServiceId: !GetAtt Service.Id
      Id: !Ref AtlasEndpoint
  Container:
    Type: MongoDB::Atlas::NetworkContainer
    Properties:
      ProjectId: 0123456789abcdef01234567
      AtlasCidrBlock: 192.168.248.0/21
      RegionName: US_EAST_1
  Peering:
    Type: MongoDB::Atlas::NetworkPeering
    Properties:
      ProjectId: 0123456789abcdef01234567
      ContainerId: !GetAtt Container.Id
      AwsAccountId: !Ref AWS::AccountId
      AccepterRegionName: !Ref AWS::Region
      VpcId: !Ref Vpc
      RouteTableCIDRBlock: !GetAtt Vpc.CidrBlock
  AccessList:
    Type: MongoDB::Atlas::ProjectIpAccessList
    Properties:
      ProjectId: 0123456789abcdef01234567
      AccessList:
        - {IPAddress: !Ref Address, Comment: NAT gateway}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - {Id: ratio, Expression: opened / invocations}
        - Id: opened
          ReturnData: false
          MetricStat: {Metric: {Namespace: orders, MetricName: Opened}, Stat: Sum, Period: 300}
        - Id: invocations
          ReturnData: false
          MetricStat: {Metric: {Namespace: orders, MetricName: Invocations}, Stat: Sum, Period: 300}
      EvaluationPeriods: 3
      Threshold: 0.5
      ComparisonOperator: GreaterThanThreshold
"""


def network_of(aws: LocalAws) -> dict[str, Any]:
    """Everything EC2 and Atlas have, except what says when it was asked."""
    ec2 = aws.client("ec2")
    asked = (
        "vpcs subnets internet_gateways addresses nat_gateways route_tables security_groups "
        "security_group_rules vpc_endpoints vpc_peering_connections network_acls"
    )
    found = {name: getattr(ec2, f"describe_{name}")() for name in asked.split()}
    for answer in found.values():
        del answer["ResponseMetadata"]
    return found | {"atlas": [aws.atlas(name) for name in ATLAS_TYPES]}


def test_network_is_created_and_leaves_nothing(aws: LocalAws) -> None:
    ec2 = aws.client("ec2")
    before = network_of(aws)
    aws.create_stack("network", NETWORK)
    made = aws.resources("network")

    [nat] = ec2.describe_nat_gateways()["NatGateways"]
    assert (nat["SubnetId"], nat["VpcId"]) == (made["Public"], made["Vpc"])
    [address] = ec2.describe_addresses()["Addresses"]
    assert address["PublicIp"] == made["Address"]
    [table] = ec2.describe_route_tables(RouteTableIds=[made["RouteTable"]])["RouteTables"]
    targets = {it["DestinationCidrBlock"]: it for it in table["Routes"]}
    assert targets["0.0.0.0/0"]["NatGatewayId"] == made["Nat"]
    [peering] = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    assert peering["Status"]["Code"] == "pending-acceptance"
    peering_id = peering["VpcPeeringConnectionId"]
    assert targets["192.168.248.0/21"]["VpcPeeringConnectionId"] == peering_id
    [group] = ec2.describe_security_groups(GroupIds=[made["EndpointGroup"]])["SecurityGroups"]
    [rule] = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (1024, 65535)
    assert rule["UserIdGroupPairs"][0]["GroupId"] == made["FunctionGroup"]
    [alarm] = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [metric["Id"] for metric in alarm["Metrics"]] == ["ratio", "opened", "invocations"]
    [access_list] = aws.atlas("MongoDB::Atlas::ProjectIpAccessList").values()
    assert access_list["AccessList"][0]["IPAddress"] == address["PublicIp"]

    aws.delete_stack("network")
    assert network_of(aws) == before
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_a_peering_is_found_by_its_id(aws: LocalAws) -> None:
    ec2 = aws.client("ec2")
    vpc, other = (aws.create_vpc()["VpcId"] for _ in range(2))
    made = [ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other) for _ in range(2)]
    ids = [it["VpcPeeringConnection"]["VpcPeeringConnectionId"] for it in made]
    for wanted in ([ids[1]], ids, ["pcx-00000000000000000"]):
        filters = [{"Name": "vpc-peering-connection-id", "Values": wanted}]
        found = ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
        assert [it["VpcPeeringConnectionId"] for it in found] == [it for it in wanted if it in ids]


def test_nat_gateway_needs_an_internet_gateway(aws: LocalAws) -> None:
    """What a missing DependsOn does on AWS, every time rather than now and then."""
    template = NETWORK.replace("InternetGatewayId: !Ref InternetGateway", "VpnGatewayId: vgw-1")
    with pytest.raises(StackError, match=r"Nat: .* has no Internet gateway attached"):
        aws.create_stack("no-gateway", template)
    aws.delete_stack("no-gateway")


@pytest.mark.parametrize("allowed", [True, False])
def test_role_must_be_able_to_attach_the_function_to_its_vpc(aws: LocalAws, allowed: bool) -> None:
    actions = [f"ec2:{verb}NetworkInterface{s}" for verb, s in VPC_ACTIONS[: 3 if allowed else 2]]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    network = {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": [{"Ref": "Group"}]}
    vpc = {"VpcId": {"Ref": "Vpc"}}
    template = {
        "Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Subnet": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {**vpc, "CidrBlock": "10.0.0.0/24"},
            },
            "Group": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {**vpc, "GroupDescription": "functions"},
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": TRUST,
                    "Policies": [{"PolicyName": "Network", "PolicyDocument": policy}],
                },
            },
            "Function": function_resource(FunctionName="attached", VpcConfig=network),
        }
    }
    if allowed:
        aws.create_stack("attached", json.dumps(template))
        made = aws.resources("attached")
        configuration = aws.client("lambda").get_function_configuration(FunctionName="attached")
        assert configuration["VpcConfig"]["VpcId"] == made["Vpc"]
        assert configuration["VpcConfig"]["SubnetIds"] == [made["Subnet"]]
        assert configuration["VpcConfig"]["SecurityGroupIds"] == [made["Group"]]
    else:
        with pytest.raises(StackError, match="permissions to call DeleteNetworkInterface on EC2"):
            aws.create_stack("attached", json.dumps(template))
    aws.delete_stack("attached")


USER = {
    "ProjectId": PROJECT_ID,
    "DatabaseName": "$external",
    "Username": "arn:aws:iam::123456789012:role/orders",
    "AWSIAMType": "ROLE",
    "Roles": [{"RoleName": "readWrite", "DatabaseName": "app"}],
    "Scopes": [{"Name": "cluster0", "Type": "CLUSTER"}],
}


def user_stack(**properties: Any) -> str:
    """A template with one MongoDB::Atlas::DatabaseUser; a property of None is left out."""
    given = {name: it for name, it in {**USER, **properties}.items() if it is not None}
    user = {"Type": "MongoDB::Atlas::DatabaseUser", "Properties": given}
    return json.dumps({"Resources": {"User": user}})


def test_atlas_type_takes_what_its_schema_allows(aws: LocalAws) -> None:
    aws.create_stack("user", user_stack())
    physical_id = f"{PROJECT_ID}|$external|{USER['Username']}|default"
    assert aws.resources("user") == {"User": physical_id}
    identifier = {"UserCFNIdentifier": f"{USER['Username']}-{PROJECT_ID}"}
    assert aws.atlas("MongoDB::Atlas::DatabaseUser") == {physical_id: USER | identifier}
    with pytest.raises(StackError, match="already exists"):
        aws.create_stack("user-again", user_stack())
    aws.delete_stack("user-again")
    aws.delete_stack("user")
    assert aws.atlas("MongoDB::Atlas::DatabaseUser") == {}


@pytest.mark.parametrize(
    ("properties", "fault"),
    [
        ({"Usernames": "x"}, r"#: extraneous key \[Usernames\] is not permitted"),
        ({"Roles": [{"Role": "x"}]}, r"#/Roles/0: extraneous key \[Role\] is not permitted"),
        ({"ProjectId": None}, r"#: required key \[ProjectId\] not found"),
        ({"AWSIAMType": "ROLES"}, "#/AWSIAMType: ROLES is not a valid enum value"),
        ({"Roles": "readWrite"}, "#/Roles: 'readWrite' is not of type 'array'"),
        ({"UserCFNIdentifier": "x"}, "#/UserCFNIdentifier: read-only"),
        ({"DatabaseName": "admin"}, r"#/DatabaseName: users with AWSIAMType are in \$external"),
        ({"AWSIAMType": None}, "#/Password: can't be empty"),
        ({"Username": "arn:aws:iam::123456789012:role/path/orders"}, "#/Username: .* without path"),
    ],
)
def test_atlas_type_refuses_what_atlas_would(
    aws: LocalAws, properties: dict[str, Any], fault: str
) -> None:
    with pytest.raises(StackError, match=fault):
        aws.create_stack("refused", user_stack(**properties))
    aws.delete_stack("refused")


def test_server_and_workers_end_with_the_block(outputs: dict[str, str], aws: LocalAws) -> None:
    assert outputs
    with LocalAws() as other:
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        function = function_resource(FunctionName="ends")
        other.create_stack("ends", json.dumps({"Resources": {"Role": role, "Function": function}}))
        other.client("lambda").invoke(FunctionName="ends")
        [worker] = other.workers("ends")
        assert alive(worker)
        assert other.endpoint != aws.endpoint
    assert not alive(worker)
    assert not listens(urlsplit(other.endpoint).port or 0)


def test_server_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    script = "import os; from tests.support.local_aws import LocalAws as it; aws = it().__enter__()"
    script += "; print(aws.endpoint, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    port = urlsplit(done.stdout.strip()).port
    assert port, done.stderr
    wait_until(lambda: not listens(port), "end of the server")
    wait_until(lambda: not list(tmp_path.iterdir()), "end of its files")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
