def test_every_route_asks_for_a_token(template: Template) -> None:
    template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "JWT"})
    issued = {"Issuer": "https://example.us.auth0.com/", "Audience": ["https://api.example.com"]}
    authorizer = {"AuthorizerType": "JWT", "JwtConfiguration": issued}
    template.all_resources_properties("AWS::ApiGatewayV2::Authorizer", authorizer)
    no_cors = {"CorsConfiguration": Match.absent()}
    template.all_resources_properties("AWS::ApiGatewayV2::Api", no_cors)


def test_pages_of_named_origins_may_call_the_api(tmp_path: Path) -> None:
    template = synthesise(tmp_path, CorsOrigins="https://app.example.com,http://localhost:5173")
    origins = {"AllowOrigins": ["https://app.example.com", "http://localhost:5173"]}
    cors = {"CorsConfiguration": Match.object_like(origins)}
    template.all_resources_properties("AWS::ApiGatewayV2::Api", cors)
