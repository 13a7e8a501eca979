    def connect(self, function: lambda_.Function) -> None:
        """Tell a function where the database is, and allow it to read the password."""
        function.add_environment("MONGODB_URI", self._uri)
        function.add_environment("MONGODB_DATABASE", DATABASE)
        function.add_environment("MONGODB_SECRET_ARN", self.secret.secret_arn)
        self.secret.grant_read(function)
