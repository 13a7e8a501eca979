PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{{ cookiecutter.project_slug }}</title>
<link rel="stylesheet" href="/docs/swagger-ui.min.css">
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.min.js"></script>
<script>SwaggerUIBundle({dom_id: "#swagger-ui", url: "/openapi.json", deepLinking: true})</script>
"""
# Swagger UI comes with Powertools, so that the page needs no internet.
SWAGGER_UI = {
    "/docs/swagger-ui.min.css": "text/css",
    "/docs/swagger-ui-bundle.min.js": "text/javascript",
}


def documentation(path: str) -> tuple[str, str] | None:
    """Return type and text of what shows the API in a browser, and lets people try it."""
    if path == "/docs":
        return "text/html", PAGE
    if path == "/openapi.json":
        return "application/json", json.dumps(describe())
    if path in SWAGGER_UI:
        file = Path(swagger_ui.__file__).parent / Path(path).name
        return SWAGGER_UI[path], file.read_text("utf-8")
    return None
