{% include 'scripts/new_function.py/app.py' -%}
ROUTED = [
    (APP, "ROUTERS = {", 'ROUTERS = {"GET /new-function": new_function.router,'),
    ("infra/service.py", "ROUTES = [", 'ROUTES = ["GET /new-function",'),
]
