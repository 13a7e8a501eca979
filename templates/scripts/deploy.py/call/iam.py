    def call(self) -> str:
        """Call the API, signed."""
        url = self.output("ApiUrl") + "{{ path }}"

        def respond() -> str:
            signed = AWSRequest("GET", url)
            credentials: Any = self.session.get_credentials()
            SigV4Auth(credentials, "execute-api", self.environment.region).add_auth(signed)
            request = urllib.request.Request(url, headers=dict(signed.headers))  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                    return f"GET {{ path }} returns {response.status} {response.read().decode()}"
            except HTTPError as error:
                said = f"GET {url} returns {error.code} {error.read().decode()}"
                raise (NotYet if error.code == 503 else Failure)(said) from None
            except OSError as error:  # a new name isn't known everywhere at once
                raise NotYet(f"GET {url}: {error}") from None

        return wait_for(respond, minutes=3)
