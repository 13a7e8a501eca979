"""What ministack lacks, registered in its own process: `python -m tests.support.local_aws_extras`.

Runs in the interpreter of `.tools/ministack`, so only the standard library and ministack's
requirements may be imported here. `credentials` alone is also for the tests' interpreter.
"""
