"""Numbers in sentences."""


def counted(number: int, what: str) -> str:
    """So many, with the word in its number: 1 time, 2 times, addresses, tries."""
    if number == 1:
        return f"1 {what}"
    if what.endswith("y") and what[-2] not in "aeiou":
        return f"{number} {what[:-1]}ies"
    return f"{number} {what}{'es' if what.endswith('s') else 's'}"
