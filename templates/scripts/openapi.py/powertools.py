def described(api: Any) -> Any:
    """Return what the event handler says of the API, but for what isn't so."""
{%- if cookiecutter.api_auth == "jwt" %}
    tokens = {"bearer": HTTPBearer(bearerFormat="JWT")}
    text = api.get_openapi_json_schema(
        title=TITLE, version="0.1.0", security_schemes=tokens, security=[{"bearer": []}]
    )
{%- elif cookiecutter.api_auth == "iam" %}
    text = api.get_openapi_json_schema(title=TITLE, version="0.1.0")
{%- endif %}
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    schemas["ValidationError"]["required"] = ["loc", "type"]  # it keeps messages to itself
    # A function's own error is API Gateway's to tell.
    schemas.pop("ResponseValidationError", None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("500", None)
    return document
