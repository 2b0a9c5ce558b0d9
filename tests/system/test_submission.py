"""Users send through the whole server: login, identity, and what others learn."""

import atexit
import hashlib
import itertools
import smtplib
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House, believing
from tests.system.talk import Talk

ANN, BOB = "ann@example.test", "bob@example.test"
LETTER = f"From: {ANN}\r\nTo: {BOB}\r\nSubject: Hello\r\n\r\nHi.\r\n"


@cache
def running() -> House:
    """A house with two users."""
    # The abuses are more than anybody may guess in a minute.
    guesses = "guesses = 1000\nnetwork_guesses = 10000\n"
    settings = f'[virus]\nengine = "builtin"\n[login]\n{guesses}'
    house = House((ANN, BOB), settings)
    atexit.register(house.remove)
    house.start()
    return house


def abuses(word: str) -> Iterator[tuple[bytes, ...]]:
    """What is tried by whoever is not let in, C{word} being Ann's password."""

    def coded(text: str | bytes) -> bytes:
        return b64encode(text.encode() if isinstance(text, str) else text)

    responses: tuple[str | bytes, ...] = (
        f"{BOB}\0{ANN}\0{word}", f"root\0{ANN}\0{word}", f"\0{ANN}\0{word}\0",
        f"\0{ANN}\0{word}\0x", f"\0{ANN}\0\0{word}", f"\0{ANN}\0{word[:-1]}",
        f"\0{ANN}\0{word}x", f"\0{ANN}\0{word.upper()}", f"\0{ANN}\0 {word}",
        f"\0{ANN}\0{word}\n", f"\0{ANN}\0", f"\0\0{word}", f"{ANN}\0{word}",
        f"\0ann\0{word}", f"\0{ANN}%00\0{word}", f"\0ann+x@example.test\0{word}",
        f"\0{BOB}\0{word}", f"\0*\0{word}", f"\0' OR 1=1 --\0{word}",
        f"\0{ANN}\0{word}{'x' * 9000}", "", "\0\0", b"\0\xff\0\xff",
        f"\0{ANN}\0app1-{word}", f"\0{'a' * 9000}\0{word}",
    )  # fmt: skip
    for response in responses:
        yield (b"AUTH PLAIN " + (coded(response) or b"="),)
        if response:
            yield b"AUTH PLAIN", coded(response)
    good = coded(f"\0{ANN}\0{word}")
    names = itertools.product((b"LOGIN", b"login"), (BOB, "ann", f"{ANN}\0x", word))
    for name, user in names:
        yield b"AUTH " + name, coded(user), coded(word)
    yield from (
        (b"AUTH",),
        (b"AUTH CRAM-MD5",),
        (b"AUTH SCRAM-SHA-256 " + good,),
        (b"AUTH PLAIN " + good[:-2],),
        (b"AUTH PLAIN " + good + b" x",),
        (b"AUTH PLAIN  " + good,),
        (b"AUTH PLAIN *",),
        (b"AUTH PLAIN", b"*"),
        (b"AUTH LOGIN", b"*"),
        (b"AUTH LOGIN " + coded(ANN), b"*"),
        (b"AUTH LOGIN " + coded(ANN), word.encode()),
        (b"AUTH LOGIN " + coded(ANN), f"MAIL FROM:<{ANN}>".encode()),
        (b"AUTH PLAIN", b"A" * 20000),
    )


def stays(client: smtplib.SMTP) -> bool:
    """Whether the server still listens to it."""
    try:
        return client.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


class SubmissionTests(SynchronousTestCase):
    """One house for all of them."""

    def setUp(self) -> None:
        """One daemon for all of them."""
        self.house = running()
        self.word = self.house.made["users"][ANN]

    @contextmanager
    def client(self, user: str = ANN, password: str = "") -> Iterator[smtplib.SMTP]:
        """Somebody who logs in by STARTTLS."""
        port = self.house.base + 587
        with smtplib.SMTP("127.0.0.1", port, "client.test", 20) as client:
            client.starttls(context=believing())
            client.login(user, password or self.word)
            yield client

    def arrived(self, user: str, words: bytes) -> bytes:
        """The message in a mailbox that has these words in it."""
        local, _, domain = user.partition("@")
        folder = self.house.home / "mail" / domain / local / "new"

        def find() -> bytes | None:
            found = (path.read_bytes() for path in folder.glob("*"))
            return next((one for one in found if words in one), None)

        one = self.house.until(find)
        assert isinstance(one, bytes)
        return one

    def test_local(self) -> None:
        """Ann writes to Bob: he gets it at once, and who sent it is on it (S17)."""
        with self.client() as client:
            client.sendmail(ANN, [BOB], LETTER.replace("Hello", "First letter"))
        found = self.arrived(BOB, b"First letter")
        self.assertIn(b"ESMTPSA", found)
        self.assertNotIn(b"127.0.0.1", found)
        self.assertIn(b"\r\nMessage-ID:", found)

    def test_tls_at_once(self) -> None:
        """Port 465 speaks TLS from the first octet (RFC 8314)."""
        port = self.house.base + 465
        with smtplib.SMTP_SSL(
            "127.0.0.1", port, "client.test", timeout=20, context=believing()
        ) as client:
            client.login(ANN, self.word)
            client.sendmail(ANN, [BOB], LETTER.replace("Hello", "By port 465"))
        self.arrived(BOB, b"By port 465")

    def test_swaks(self) -> None:
        """A real client logs in by PLAIN and by LOGIN, at either port."""
        for port, tls in (587, "-tls"), (465, "-tlsc"):
            for mechanism in "PLAIN", "LOGIN":
                subject = f"swaks {port} {mechanism}"
                self.run_client(
                    ["swaks", "--server", f"127.0.0.1:{self.house.base + port}", tls]
                    + ["--auth", mechanism, "--auth-user", ANN, "--auth-password"]
                    + [self.word, "--from", ANN, "--to", BOB, "--h-Subject", subject]
                )
                self.arrived(BOB, subject.encode())

    def test_msmtp(self) -> None:
        """Another real client, which wants to know our certificate, does too."""
        pem = (self.house.home / "tls" / "cert.pem").read_text()
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()
        secret = self.house.folder / "ann"
        secret.write_text(self.word)
        self.addCleanup(secret.unlink)
        for port, begin in (587, "on"), (465, "off"):
            for mechanism in "plain", "login":
                subject = f"msmtp {port} {mechanism}"
                command = (
                    ["msmtp", "--host=127.0.0.1", f"--port={self.house.base + port}"]
                    + ["--tls=on", f"--tls-starttls={begin}"]
                    + [f"--tls-fingerprint={digest.hex(':')}", f"--auth={mechanism}"]
                    + [f"--user={ANN}", f"--passwordeval=cat {secret}"]
                    + [f"--from={ANN}", BOB]
                )
                letter = LETTER.replace("Hello", subject).replace("\r", "")
                self.run_client(command, letter)
                self.arrived(BOB, subject.encode())

    def run_client(self, command: list[str], letter: str = "") -> None:
        """Run a program that sends a message, which must succeed."""
        said = subprocess.run(
            command, input=letter, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(0, said.returncode, said.stdout + said.stderr)

    def test_logged_out(self) -> None:
        """
        Who is in with a password that is no more does not stay (D5).

        A thief who was connected sent on after the password was changed.
        """
        eve = "eve@example.test"
        word = self.house.ctl("user", "add", eve)["password"]
        app = self.house.ctl("user", "app-password", "add", eve, "phone")["password"]
        for entry, act in (
            (app, ("app-password", "remove", eve, "phone")),
            (word, ("password", eve, "--generate")),
        ):
            with self.client(eve, entry) as thief, self.client() as other:
                self.house.ctl("user", *act)
                self.house.until(lambda thief=thief: not stays(thief))
                self.assertEqual(250, other.noop()[0])

    def test_clear(self) -> None:
        """In the clear nobody logs in and nobody sends (R79)."""
        with Talk(self.house.base + 587) as talk:
            self.assertNotIn(b"AUTH", talk.ask(b"EHLO x.test"))
            self.assertIn(b"538 5.7.11", talk.ask(b"AUTH PLAIN AGEAYg=="))
            self.assertIn(b"530 5.7.0", talk.ask(b"MAIL FROM:<ann@example.test>"))
        with Talk(self.house.port) as talk:
            self.assertNotIn(b"AUTH", talk.ask(b"EHLO x.test"))
            self.assertIn(b"502", talk.ask(b"AUTH PLAIN AGEAYg=="))

    def test_own_name(self) -> None:
        """Ann sends as herself, with a tag too, and as nobody else (S19, C15)."""
        with self.client() as client:
            for sender in ANN, "Ann+tag@Example.TEST":
                self.assertEqual(250, client.mail(sender)[0])
                client.rset()
            for sender in BOB, "", "ann@other.test", "postmaster@example.test":
                code, text = client.mail(sender)
                self.assertEqual((550, b"5.7.1"), (code, text[:5]), sender)
                self.assertIn(b"id=", text)

    def test_forged_from(self) -> None:
        """What is in Bob's name inside is refused at the end (S19)."""
        with self.client() as client:
            self.assertRaises(
                smtplib.SMTPDataError,
                client.sendmail,
                ANN,
                [BOB],
                LETTER.replace(ANN, BOB),
            )

    def test_wrong(self) -> None:
        """A wrong password and an unknown user are told the same (R75)."""
        said = set()
        for user in ANN, "zoe@example.test":
            said.add(self.refused(user, "a guess").partition(" id=")[0])
        self.assertEqual(1, len(said))
        self.assertEqual("535 5.7.8", said.pop()[:9])

    def test_abuses(self) -> None:
        """Whatever AUTH is used for, it lets nobody in and stays in step (R74)."""
        word = self.word
        for said in abuses(word):
            with self.subTest(said), self.secure() as talk:
                last = b""
                for line in said:
                    last = talk.ask(line)
                self.assertRegex(last, rb"(?s)^[45]\d\d ", said)
                self.assertIn(b"530 5.7.0", talk.ask(f"MAIL FROM:<{ANN}>".encode()))
                self.assertIn(b"250 2.0.0", talk.ask(b"NOOP"))
        with self.client() as client:
            self.assertEqual(250, client.mail(ANN)[0])

    def secure(self) -> Talk:
        """A conversation by hand, under TLS."""
        plain = socket.create_connection(("127.0.0.1", self.house.base + 465), 20)
        return Talk.over(believing().wrap_socket(plain))

    def test_canary(self) -> None:
        """A password that was typed, in whatever field, is nowhere (R77)."""
        canary = "canary-x7q9"
        for user, word in (ANN, canary), (canary, canary), (f"{canary}@a.test", "x"):
            self.refused(user, word)
        self.house.until(lambda: "login=wrong" in self.mail_log())
        files = [p for p in self.house.folder.rglob("*") if p.is_file()]
        self.assertGreater(len(files), 5)
        hits = [path.name for path in files if canary.encode() in path.read_bytes()]
        self.assertEqual([], hits)
        self.assertIn("sasl_username=unknown", self.mail_log())

    def refused(self, user: str, password: str) -> str:
        """What is said to somebody who must not get in."""
        try:
            with self.client(user, password):
                self.fail("he got in")
        except smtplib.SMTPAuthenticationError as no:
            return f"{no.smtp_code} {no.smtp_error!r}".replace("b'", "")

    def mail_log(self) -> str:
        """All lines."""
        return (self.house.home / "log" / "mail.log").read_text()

    def test_logged(self) -> None:
        """Who logged in from where can be found."""
        with self.client():
            pass
        line = f"login=ok, sasl_username={ANN}"
        self.house.until(lambda: line in self.mail_log())


class RestartTests(SynchronousTestCase):
    """A server that is guessed at as soon as it is back."""

    def test_home(self) -> None:
        """An owner gets in from where she was, though her neighbour guesses (R76)."""
        house = House((ANN,), '[virus]\nengine = "builtin"\n')
        self.addCleanup(house.remove)

        def said(user: str, word: str) -> int:
            with smtplib.SMTP("127.0.0.1", house.base + 587, "x.test", 20) as client:
                client.starttls(context=believing())
                try:
                    return client.login(user, word)[0]
                except smtplib.SMTPAuthenticationError as no:
                    return no.smtp_code

        house.start()
        word = house.made["users"][ANN]
        self.assertEqual(235, said(ANN, word))
        house.stop()
        house.start()
        # Each is two guesses: smtplib tries PLAIN, then LOGIN.
        codes = [said("zoe@example.test", "a guess") for _ in range(6)]
        self.assertEqual(([535] * 5, 454), (codes[:5], codes[5]))
        self.assertEqual(235, said(ANN, word))
