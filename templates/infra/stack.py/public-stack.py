class ServiceStack(Stack):
    """What the service needs of AWS and of Atlas."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        OpenAccessList(self, settings)
        database = Database(self, settings)
        self.functions = add_service(self, settings, database)
