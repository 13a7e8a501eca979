    jwt_issuer: str = setting(
        r"https://[a-z0-9.-]+(:[0-9]+)?(/[^\s?#]*)?",
        "an https URL, such as https://example.us.auth0.com/",
    )
    jwt_audience: str = setting(
        r"[^\s,]+(,[^\s,]+)*",
        "one audience or more, separated by commas, such as https://api.example.com",
    )
    cors_origins: str = setting(
        f"{ORIGIN}(,{ORIGIN})*",
        "https origins or http://localhost, separated by commas, such as https://app.example.com",
        "",
    )
