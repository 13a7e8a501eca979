"""Lambda SnapStart: environments are copies of one, in all that it had when the snapshot was taken.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

import gc
import random
import secrets

import boto3
from bson import ObjectId


def forget_credentials() -> None:
    """Have each copy ask for the role's credentials, which change."""
    boto3.setup_default_session()
    gc.collect()  # the old session, which refers to itself
    # Most of the time that a new session takes goes into what it reads for its first client. This
    # one has keys, so the session asks for none yet.
    none = "none"
    boto3.client("secretsmanager", aws_access_key_id=none, aws_secret_access_key=none)


{% include 'src/snapshot.py/differ.py' -%}
