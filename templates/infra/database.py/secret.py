        user = stack.stack_name
        value = {"username": user}
        if settings.rotation_admin_secret_arn:
            value |= rotation_fields(settings)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description=f"MongoDB user of {user}",
            # To change what it is generated from is to generate another password.
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps(value),
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
        )
