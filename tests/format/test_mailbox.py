"""The one author of a message."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.format.mailbox import LONGEST, author, domain


def of(*values: bytes) -> str | None:
    """The author of a message with these From fields."""
    return author(values)


ONE = {
    b" a@b.example": "a@b.example",
    b"<A.b@B.Example>": "A.b@b.example",
    b' "Doe, Jane" <a@b.example>': "a@b.example",
    b' "a@bank.example" <a@b.example>': "a@b.example",
    b" Jane Q. Doe <a@b.example>": "a@b.example",
    b" =?utf-8?q?J=C3=A4ne?= <a@b.example>": "a@b.example",
    " J\u00e4ne <a@b.example>".encode(): "a@b.example",
    " J\u00e4ne <a@b.example>".encode("latin-1"): "a@b.example",
    b" (c (d) e) a@b.example (x)": "a@b.example",
    b" a@b.example (\\) c)": "a@b.example",
    b" Jane\r\n\t<a@b.example>\r\n": "a@b.example",
    b" a @ b . example": "a@b.example",
    b' "a b"@c.example': None,
    b' "a.b"@c.example': "a.b@c.example",
    " a@b\u00fccher.example".encode(): "a@xn--bcher-kva.example",
}

#: What From fields are made of, without comments, in order.
PIECES = st.tuples(
    st.sampled_from((b"", b" ", b"\t", b" Ann B. ", b' "Doe, J" ', b"x,", b"\xc3\xa9")),
    st.sampled_from((b"", b"<", b"<", b"<<", b'"')),
    st.sampled_from((b"a", b"A.b", b".a", b"a..b", b"=?u?q?a?=", b'"a.b"', b"\0", b"")),
    st.sampled_from((b"@", b"@", b"@@", b" @ ", b"")),
    st.sampled_from(
        (b"B.Example", b"_x.test", b"-x.test", b"x..test", b"1.2.3.4", b"")
    ),
    st.sampled_from((b"", b">", b">", b">>", b'"')),
    st.sampled_from((b"", b"", b" ", b"\r\n ", b"x", b";")),
).map(b"".join)

NOBODY = (
    b"",
    b" ",
    b" a",
    b" <>",
    b" @b.example",
    b" a@",
    b" a@b.example, c@d.example",
    b" Doe, Jane <a@b.example>",
    b" friends: a@b.example;",
    b" undisclosed:;",
    b" a@[192.0.2.1]",
    b" <@x.example,@y.example:a@b.example>",
    b" a@bank.example <a@b.example>",
    b" <a@bank.example> <a@b.example>",
    b" <a@b.example> x",
    b" <a@b.example",
    b" a@b.example>",
    b" <<a@b.example>>",
    b" a@b.example (c",
    b" a@b.example c)",
    b' (a "b) c" d) a@b.example',
    b' "a@b.example',
    b' "x@bank.example"@b.example',
    b' "a<b"@c.example',
    b" a@b..example",
    b" a@.b.example",
    b" a@b.example.",
    b" a..b@c.example",
    b" a@b_c-.example-",
    b" a@localhost",
    b" a@b.example\0",
    b" J\0 <a@b.example>",
    b" J\n <a@b.example>",
    b" a@b.example\nx",
    b" a\rb@c.example",
    " a@b.example\u2028".encode(),
    "\u00e9@b.example".encode("latin-1"),
    b" a@b\xff.example",
    b" " + b"x" * LONGEST + b"@b.example",
)


class AuthorTests(SynchronousTestCase):
    """One author, or none at all (R85)."""

    def test_one(self) -> None:
        """A From that everybody reads alike."""
        for value, expected in ONE.items():
            self.assertEqual(expected, of(value), repr(value))

    def test_nobody(self) -> None:
        """Lists, groups, literals, and what two programs may read differently."""
        for value in NOBODY:
            self.assertIs(None, of(value), repr(value))

    def test_several_fields(self) -> None:
        """No From has no author, and neither have two, alike or not."""
        self.assertIs(None, of())
        self.assertIs(None, of(b" a@b.example", b" a@b.example"))

    def test_domain(self) -> None:
        """The domain is what stands behind the last at sign."""
        self.assertEqual("b.example", domain("a@b.example"))

    @given(st.text('ab.@<>()"\\,;: \t\r\n[]=?\u00e9\0', max_size=40))
    def test_anything(self, text: str) -> None:
        """Whatever it says, there is an answer, and it is one clean address."""
        found = of(text.encode())
        if found is not None:
            local, _, name = found.rpartition("@")
            self.assertTrue(local and "." in name)
            self.assertRegex(name, r"\A[a-z0-9_.-]+\Z")
            self.assertNotRegex(local, r"[\s@<>,;:]")

    @given(PIECES)
    def test_comments(self, value: bytes) -> None:
        """An empty comment at the end, which hardly anybody writes, changes nothing."""
        self.assertEqual(of(value + b"()"), of(value))

    @given(
        st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20),
    )
    def test_quoted_names(self, local: str, name: str) -> None:
        """What stands in quotation marks before an address changes nothing."""
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        value = f' "{quoted}" <{local}@b.example>'.encode()
        self.assertEqual(f"{local}@b.example", of(value))
