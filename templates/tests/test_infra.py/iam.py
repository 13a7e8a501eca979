def test_every_route_asks_for_a_signature(template: Template) -> None:
    template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"})
