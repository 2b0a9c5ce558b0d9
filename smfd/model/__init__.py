"""
The nouns: frozen values, no behaviour beyond their own consistency.

Those that each message makes anew have no slots: C{attrs} fills a frozen value
twice as fast without them, and such a one is pickled by C alone.
"""
