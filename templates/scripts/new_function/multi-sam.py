EVENT = """\
      Events:
        NewFunction:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /new-function
"""
APP = f"{SOURCE}/app.py"
ADDITIONS = [
    (APP, "from .functions ", "from .functions import new_function\nfrom .functions "),
    (APP, "FUNCTIONS = {", 'FUNCTIONS = {"GET /new-function": new_function.handler,'),
]
ROUTED = [("template.yaml", "      Events:\n", EVENT)]
