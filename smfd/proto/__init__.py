"""SMTP and LMTP without a network: bytes and values only."""
