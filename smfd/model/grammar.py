"""Numbers in sentences."""


def counted(number: int, what: str) -> str:
    """So many, with the word in its number: 1 time, 2 times, 2 addresses."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what}{'es' if what.endswith('s') else 's'}"
