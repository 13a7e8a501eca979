{%- set function = {
  "prefix": "NewFunction",
  "suffix": "-new-function",
  "handler": cookiecutter.__package ~ ".functions.new_function.handler",
  "routes": [],
} -%}
{%- import 'template.yaml/snapstart/' ~ cookiecutter.snapstart ~ '.yaml' as snapstart with context -%}
FUNCTION = """\
{% filter trim("\n") %}{% include 'template.yaml/functions/function.yaml' %}{% endfilter %}
"""
{% include 'scripts/new_function.py/event.py' -%}
RATIO = """\
{% filter trim("\n") %}{% include 'template.yaml/functions/ratio.yaml' %}{% endfilter %},
"""
RATIOS = """\
opened per invocation", "region": "${AWS::Region}", "stat": "Sum",
              "metrics": [
"""
FIRST, NEXT = "            - - !Ref ", "              - !Ref "
GROUP = "        LogGroup: !Ref NewFunctionLogGroup\n"
LOOP = "  Fn::ForEach::Functions:\n"
ROUTES = f"{SOURCE}/functions/__init__.py"
ADDITIONS = [
    ("template.yaml", "      All: [", "      All: [NewFunction, "),
    ("template.yaml", "    Suffixes:\n", "    Suffixes:\n      NewFunction: new-function\n"),
    ("template.yaml", LOOP, f"{FUNCTION}\n{LOOP}"),
    ("template.yaml", RATIOS, RATIOS + RATIO),
    ("template.yaml", FIRST, f"{FIRST}NewFunctionFunction\n{NEXT}"),
]
ROUTED = [
    (ROUTES, "ROUTES = {", 'ROUTES = {"GET /new-function": "new_function",'),
    ("template.yaml", GROUP, GROUP + EVENT),
]
DIRECT: list[tuple[str, str, str]] = []
