"""Lambda SnapStart: environments are copies of one, in all that it had when the snapshot was taken.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

import random
import secrets

from bson import ObjectId
from pymongo_auth_aws.auth import set_cached_credentials


def forget_credentials() -> None:
    """Have each copy ask for the role's credentials, which change."""
    set_cached_credentials(None)  # the driver would use them until they expire


{% include 'src/snapshot.py/differ.py' -%}
