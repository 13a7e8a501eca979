{% include 'scripts/new_function.py/app.py' -%}
ROUTED = [(APP, "ROUTERS = [", "ROUTERS = [new_function.router,")]
