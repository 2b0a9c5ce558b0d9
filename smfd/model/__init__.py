"""The nouns: frozen values, no behaviour beyond their own consistency."""
