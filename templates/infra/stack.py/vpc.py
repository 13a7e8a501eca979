class ServiceStack(Stack):
    """What the service needs of AWS."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, **options: Any
    ) -> None:
        super().__init__(scope, construct_id, **options)
        network = Network(self, settings)
        database = Database(self, settings)
        self.functions = add_service(self, settings, database, **network.placement)
