"""Identity providers: OIDC issuers."""
