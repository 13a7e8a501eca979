TABLE = "FUNCTIONS: dict[str, list[str]] = {"
ROUTES = f"{SOURCE}/functions/__init__.py"
ADDITIONS = [("infra/service.py", TABLE, TABLE + '"new_function": [],')]
ROUTED = [
    (ROUTES, "ROUTES = {", 'ROUTES = {"GET /new-function": "new_function",'),
    ("infra/service.py", '"new_function": []', '"new_function": ["GET /new-function"]'),
]
DIRECT: list[tuple[str, str, str]] = []
