"""What a role may do, by ministack's own policy evaluator."""

from typing import Any

from ministack.core import iam_evaluator  # type: ignore[import-not-found]
from ministack.core.responses import get_region  # type: ignore[import-not-found]
from ministack.services import iam  # type: ignore[import-not-found]


def role_named_by(role_arn: str) -> dict[str, Any]:
    """The record of a role; ValueError, in Lambda's words, if there is none."""
    role: dict[str, Any] | None = iam._roles.get(role_arn.rsplit("/", 1)[-1])
    if role is None or role["Arn"] != role_arn:
        raise ValueError("The role defined for the function cannot be assumed by Lambda.")
    return role


def allows(role_arn: str, action: str, resource: str = "*") -> bool:
    """Whether the policies of a role allow an action on a resource."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    request = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/lambda",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    return bool(iam_evaluator.evaluate(request, policies).decision == "Allow")


def service_may_assume(role: dict[str, Any], service: str) -> bool:
    """Whether a role trusts a service such as lambda.amazonaws.com."""
    request = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region=get_region(),
    )
    trust = role["AssumeRolePolicyDocument"]
    return bool(
        iam_evaluator.evaluate_resource_policy(trust, request, service=service).decision == "Allow"
    )
