"""The faces on HTTP: the JSON API, later the pages."""
