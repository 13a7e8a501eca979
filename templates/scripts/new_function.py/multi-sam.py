{% include 'scripts/new_function.py/event.py' -%}
{% include 'scripts/new_function.py/app.py' -%}
ROUTED = [
    (APP, "ROUTERS = {", 'ROUTERS = {"GET /new-function": new_function.router,'),
    ("template.yaml", "      Events:\n", EVENT),
]
