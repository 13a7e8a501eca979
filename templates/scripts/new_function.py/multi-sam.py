{% include 'scripts/new_function.py/event.py' -%}
APP = f"{SOURCE}/app.py"
ADDITIONS = [(APP, "from .functions ", "from .functions import new_function\nfrom .functions ")]
DIRECT = [(APP, "DIRECT = {", 'DIRECT = {"new-function": new_function.handler,')]
ROUTED = [
    (APP, "ROUTERS = {", 'ROUTERS = {"GET /new-function": new_function.router,'),
    ("template.yaml", "      Events:\n", EVENT),
]
