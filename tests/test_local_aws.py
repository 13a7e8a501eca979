"""The local AWS account does what the tests of the stacks take from it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_aws import LocalAws

pytestmark = pytest.mark.slow

SAM = Path(__file__).resolve().parents[1] / ".tools" / "sam" / "bin" / "sam"

FUNCTION = """
import json
import os
import boto3

count = 0
secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])


def handler(event, context):
    global count
    count += 1
    if event["routeKey"] == "GET /fail":
        raise KeyError("as written")
    body = {
        "count": count,
        "pid": os.getpid(),
        "path": event["pathParameters"]["name"],
        "caller": event["requestContext"]["authorizer"]["iam"]["userArn"],
        "username": json.loads(secret["SecretString"])["username"],
        "variables": dict(os.environ),
        "remaining": context.get_remaining_time_in_millis(),
    }
    return {"statusCode": 200, "body": json.dumps(body)}
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


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws({"NETWORK": "as given"}) as account:
        yield account


@pytest.fixture(scope="module")
def service(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Outputs of the stack `service`, deployed by the real SAM CLI."""
    project = tmp_path_factory.mktemp("service")
    (project / "src").mkdir()
    (project / "src" / "app.py").write_text(FUNCTION)
    (project / "template.yaml").write_text(TEMPLATE)
    command = [str(SAM), "deploy", "--stack-name", "service", "--resolve-s3"]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-progressbar"]
    environment = {**os.environ, **aws.environment}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return aws.outputs("service")



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


def test_deployed_code_answers(aws: LocalAws, service: dict[str, str]) -> None:
    first = aws.call(service["ApiUrl"], "GET", "/hello/you")
    assert first.status == 200, (first, aws.logs("service"))


def test_net(aws: LocalAws) -> None:
    aws.create_stack("network", NETWORK)
    print(json.dumps(aws.resources("network"), indent=1))
    print(aws.client("cloudwatch").describe_alarms()["MetricAlarms"])
    ec2 = aws.client("ec2")
    print(ec2.describe_nat_gateways()["NatGateways"], ec2.describe_security_group_rules()["SecurityGroupRules"])
    print(json.dumps(aws._ask("atlas"), indent=1))
    aws.delete_stack("network")
    print(json.dumps(aws._ask("atlas"), indent=1))
