    def find_issuer(self) -> str:
        """Find out which tokens the API accepts."""
        settings, options = self.environment.settings, self.options
        given = {"JwtIssuer": options.jwt_issuer, "JwtAudience": options.jwt_audience}
        settings |= {name: value for name, value in given.items() if value}
        if not given.keys() <= settings.keys():
            raise Failure(
                "Say once which tokens the API accepts: --jwt-issuer https://example.us.auth0.com/ "
                "--jwt-audience https://api.example.com"
            )
        return f"of {settings['JwtIssuer']} for {settings['JwtAudience']}"

    def call(self) -> str:
        """Call the API without a token, which it must refuse."""
        url = self.output("ApiUrl") + "{{ path }}"

        def respond() -> str:
            try:
                with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310
                    status = response.status
            except HTTPError as error:
                status = error.code
            except OSError as error:  # a new name isn't known everywhere at once
                raise NotYet(f"GET {url}: {error}") from None
            if status == 401:
                return "GET {{ path }} returns 401 without a token, as it must"
            said = f"GET {url} returns {status} without a token."
            raise (NotYet if status == 503 else Failure)(said)

        return wait_for(respond, minutes=3)
