"""The settings: declared once, loaded, rendered."""
