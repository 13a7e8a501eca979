APP = f"{SOURCE}/app.py"
ADDITIONS = [(APP, "from .functions ", "from .functions import new_function\nfrom .functions ")]
DIRECT = [(APP, "DIRECT = {", 'DIRECT = {"new-function": new_function.handler,')]
