APP = f"{SOURCE}/app.py"
ADDITIONS = [
    (APP, "from .functions ", "from .functions import new_function\nfrom .functions "),
    (APP, "FUNCTIONS = {", 'FUNCTIONS = {"GET /new-function": new_function.handler,'),
]
ROUTED = [("infra/service.py", "ROUTES = [", 'ROUTES = ["GET /new-function",')]
