"""The rule language that mail people know, compiled."""
