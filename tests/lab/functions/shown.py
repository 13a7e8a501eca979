"""What a debugger shows of the connection and of an operation's errors. Added by the lab."""

import traceback
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..client import mongodb


def handler(_: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with the objects, and with each exception of the chain that using them raises."""
    chain: list[str] = []
    try:
        with mongodb.database(context) as db:
            db.fixed.find_one()
    except Exception as error:
        one: BaseException | None = error
        while one is not None:
            chain.append(f"{one!r}\n" + "".join(traceback.format_exception(one, chain=False)))
            one = one.__cause__ or one.__context__
    return {"objects": f"{mongodb} {vars(mongodb)}", "chain": chain}
