def given_settings(node: Node) -> dict[str, Any]:
    """Return what is given for the environment that is deployed, or end the program."""
    # What the CDK itself keeps in the context has other characters in its names.
    context = {name: it for name, it in node.get_all_context().items() if name.isidentifier()}
    chosen = str(context.pop("environment", "default"))
    environments = {name: it for name, it in context.items() if isinstance(it, dict)}
    if chosen not in environments:
        there_are = ", ".join(environments) or "none"
        sys.exit(f"cdk.json has no environment {chosen}: there are {there_are}.")
    single = {name: it for name, it in context.items() if name not in environments}
    return {name: it for name, it in {**environments[chosen], **single}.items() if it != ""}
