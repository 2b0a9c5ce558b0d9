"""
Lists of tags: C{name=value; name=value}.

Standards: RFC 6376 §3.2.
"""


class NotTags(ValueError):
    """It is no such list."""


def read_tags(text: bytes) -> dict[bytes, bytes]:
    """
    Read a list of tags; white space inside of values is kept.

    A name must begin with a letter and be there once; what else is in it is
    not looked at.  A semicolon may end the list.

    @raise NotTags: for anything else.
    """
    specs = text.strip().split(b";")
    if not specs[-1]:
        specs.pop()
    tags: dict[bytes, bytes] = {}
    for spec in specs:
        name, equals, value = spec.partition(b"=")
        name = name.strip()
        if not (equals and name[:1].isalpha()) or name in tags:
            raise NotTags
        tags[name] = value.strip()
    return tags
