{%- set function = {
  "prefix": "NewFunction",
  "suffix": "-new-function",
  "handler": cookiecutter.__package ~ ".functions.new_function.handler",
  "routes": [],
} -%}
FUNCTION = """\
{% filter trim("\n") %}{% include 'template.yaml/functions/function.yaml' %}{% endfilter %}
"""
EVENT = """\
        LogGroup: !Ref NewFunctionLogGroup
      Events:
        NewFunction:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /new-function
"""
LOOP = "  Fn::ForEach::Functions:\n"
ROUTES = f"{SOURCE}/functions/__init__.py"
ADDITIONS = [
    ("template.yaml", "      All: [", "      All: [NewFunction, "),
    ("template.yaml", "    Suffixes:\n", "    Suffixes:\n      NewFunction: new-function\n"),
    ("template.yaml", LOOP, f"{FUNCTION}\n{LOOP}"),
]
ROUTED = [
    (ROUTES, "ROUTES = {", 'ROUTES = {"GET /new-function": "new_function",'),
    ("template.yaml", "        LogGroup: !Ref NewFunctionLogGroup\n", EVENT),
]
DIRECT: list[tuple[str, str, str]] = []
