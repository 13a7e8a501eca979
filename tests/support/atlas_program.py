"""The `atlas` program of the tests: hands its words over to the control plane, and says its answer.

Where that is listening, CONTROL_PLANE says: a port of loopback.
"""

import http.client
import json
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["CONTROL_PLANE"]))
given = "" if sys.stdin.isatty() else sys.stdin.read()
connection.request("POST", "/", json.dumps({"words": sys.argv[1:], "input": given}))
answer = json.load(connection.getresponse())
sys.stdout.write(answer["output"])
sys.stderr.write(answer["error"])
sys.exit(answer["status"])
