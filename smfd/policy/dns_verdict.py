"""
Whether what is in the DNS is what has to be there.

Standards: RFC 6376 §3.6.1 (keys).
"""

from smfd.format.tags import NotTags, read_tags

#: Octets of a TXT record that are read.
_LONGEST = 4096


def has_key(found: bytes, record: str) -> bool:
    """
    Whether a TXT record is as good as ours: the same key, of the same kind.

    @param record: what we would have there.
    """
    wanted = read_tags(record.encode("ascii"))
    try:
        tags = read_tags(found[:_LONGEST])
    except NotTags:
        return False
    public = b"".join(tags.get(b"p", b"").split())
    return public == wanted[b"p"] and tags.get(b"k", b"rsa") == wanted[b"k"]
