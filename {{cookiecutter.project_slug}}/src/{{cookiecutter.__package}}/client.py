"""The connection that all functions share.

A module runs once per execution environment, however many functions import it.
"""

from .connection import Connection

mongodb = Connection.from_environment()
