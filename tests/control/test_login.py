"""Tests of how people log in: hashes, app passwords, and how often."""

import hashlib
import os
import threading
from base64 import b64encode
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.control import hashes
from smfd.control.login import WRONG, LoginRefused, Logins, Remembered
from smfd.control.passwords import Busy, Passwords
from smfd.control.turns import Turns
from smfd.model.credentials import AppPassword
from smfd.policy.guessing import Terms, Throttle
from smfd.store.directory import Directory
from smfd.store.directory_passwords import Keys
from smfd.store.threads import Threads

reactor: Any = installed

ANN = "ann@home.example"
HERE, FAR = "192.0.2.1", "198.51.100.7"
#: As fast as it may be: what is tested is not how long it takes.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def salted(name: str, digest: str, password: str) -> str:
    """A hash of LDAP's."""
    made = hashlib.new(digest, password.encode() + b"salt").digest() + b"salt"
    return f"{{{name}}}{b64encode(made).decode()}"


def crypted(password: str, setting: str) -> str:
    """What this system's crypt(3) makes of a password."""
    made = hashes._crypt()(password.encode(), setting.encode())
    assert made is not None
    return made.decode()


OLD = {
    "SSHA": salted("SSHA", "sha1", "correct horse"),
    "SSHA256": salted("ssha256", "sha256", "correct horse"),
    "SSHA512": salted("SSHA512", "sha512", "correct horse"),
    "bcrypt": crypted("correct horse", "$2b$04$abcdefghijklmnopqrstuu"),
    "sha256": crypted("correct horse", "$5$rounds=1000$saltsalt"),
    "sha512": crypted("correct horse", "$6$rounds=1000$saltsalt"),
    "md5": crypted("correct horse", "$1$saltsalt"),
}


class HashTests(SynchronousTestCase):
    """Hashes that others made."""

    def test_right_and_wrong(self) -> None:
        """Each is known; only its very password is taken for it."""
        for name, stored in OLD.items():
            with self.subTest(name):
                self.assertTrue(hashes.is_known(stored))
                self.assertTrue(hashes.matches(stored, "correct horse"))
                for wrong in "", "correct hors", "correct horse ", "Correct horse":
                    self.assertFalse(hashes.matches(stored, wrong), wrong)
                self.assertFalse(hashes.matches(stored, "correct horse\0x"))

    def test_behind_the_end(self) -> None:
        """What bcrypt does not look at is not taken on trust (R74)."""
        long = "x" * 72
        stored = crypted(long, "$2b$04$abcdefghijklmnopqrstuu")
        self.assertTrue(hashes.matches(stored, long))
        self.assertFalse(hashes.matches(stored, long + "y"))

    def test_unknown(self) -> None:
        """What is none of these matches nothing."""
        for stored in (
            "",
            "*",
            "x",
            "{PLAIN}x",
            "{SSHA}",
            "{SSHA}!",
            "$9$a$b",
            "*0",
            "$6$",
        ):
            self.assertFalse(hashes.matches(stored, stored), stored)
        bare = b64encode(hashlib.sha1(b"word").digest()).decode()
        self.assertFalse(hashes.matches(f"{{SSHA}}{bare}", "word"))

    def test_dear(self) -> None:
        """A hash whose check would take an hour, or all memory, is not taken over."""
        end = "x" * 53
        for stored in (
            f"$2b$31${end}", f"$y$jzT$salt${end[:43]}",
            f"$6$rounds=999999999$salt${end}",
            f"$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ${end}",
        ):  # fmt: skip
            self.assertFalse(hashes.is_known(stored), stored)
        ours = f"$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ${end}"
        self.assertTrue(hashes.is_known(ours))
        made = crypted("correct horse", "$y$j9T$abcdefghijklmnopqrstu/")
        self.assertTrue(hashes.is_known(made), made)
        self.assertTrue(hashes.matches(made, "correct horse"))

    def test_prefix(self) -> None:
        """Dovecot's names for what says itself what it is are left out."""
        self.assertEqual("$2y$x", hashes.plain("{BLF-CRYPT}$2y$x"))
        self.assertEqual("{SSHA}x", hashes.plain("{SSHA}x"))


class RememberedTests(SynchronousTestCase):
    """What was right a short while ago."""

    def test_forgotten(self) -> None:
        """It is for its time, for that hash, and for so many."""
        held = Remembered(60.0, 2)
        mark = held.mark("hash", "word")
        self.assertFalse(held.has(mark, 0.0))
        held.keep(mark, 0.0)
        self.assertTrue(held.has(mark, 59.9))
        self.assertFalse(held.has(mark, 60.0))
        self.assertFalse(held.has(mark, -1.0))
        for other in ("hash", "wore"), ("hasw", "hord"), ("has", "hword"):
            self.assertFalse(held.has(held.mark(*other), 1.0))
        for word in "abc":
            held.keep(held.mark("hash", word), 1.0)
        self.assertFalse(held.has(mark, 2.0))

    def test_secret(self) -> None:
        """Nobody else can make the mark of a password (R77)."""
        marks = {Remembered(60.0, 2).mark("hash", "word") for _ in range(3)}
        self.assertEqual(3, len(marks))


class LoginTests(TestCase):
    """A directory with Ann in it."""

    async def build(self, password: str = "", **terms: Any) -> None:
        """All of it; C{password} is Ann's hash."""
        home = Path(self.mktemp())
        home.mkdir()
        self.directory = Directory(home / "directory.db", reactor)
        self.directory.startService()
        self.addCleanup(self.directory.stopService)
        await self.directory.add_domain("home.example", actor="uid:test")
        stored = password or QUICK.hash("correct horse")
        await self.directory.add_account(ANN, stored, actor="uid:test")
        self.keys = Keys(self.directory)
        self.passwords = Passwords(reactor)
        self.passwords._hasher = QUICK
        self.passwords.startService()
        self.addCleanup(self.passwords.stopService)
        self.judged: list[str] = []
        judge = self.passwords.judge

        def counted(stored: str, *rest: Any) -> Any:
            self.judged.append(stored)
            return judge(stored, *rest)

        self.patch(self.passwords, "judge", counted)
        self.throttle = Throttle(Terms(**terms))
        self.logins = Logins(
            self.keys, self.passwords, self.throttle, Remembered(60.0, 100), reactor
        )

    async def login(
        self,
        password: str,
        user: str = ANN,
        client: str = HERE,
        service: str = "submission",
    ) -> str:
        """The account, or the kind of the refusal."""
        found = await self.logins.login(user, password, client, service)
        return found.kind if isinstance(found, LoginRefused) else found

    async def settled(self) -> None:
        """All that was to be written is."""
        await self.directory.act("uid:test", lambda connection, doing: None)

    async def stored(self) -> str:
        """Ann's hash now."""
        found = await self.keys.of(ANN)
        assert found is not None
        return found.password

    async def test_right(self) -> None:
        """Ann gets in by her password, however she writes her address."""
        await self.build()
        for user in ANN, "Ann@HOME.example", " ann@home.example":
            self.assertEqual(ANN, await self.login("correct horse", user))
        for wrong in "correct hors", "Correct horse", "correct horse ", "":
            self.assertEqual("wrong", await self.login(wrong))

    async def test_nobody(self) -> None:
        """Who is not there is told what is told of a wrong password (R75)."""
        await self.build()
        await self.directory.put_alias("info@home.example", [ANN], actor="uid:test")
        said = set()
        users = (
            ANN, "zoe@home.example", "ann", "ann@far.example", "info@home.example",
            "ann+x@home.example", "postmaster@home.example", "", "@",
            "ann@home.example\n.", "ann@", "ann@home.example@far.example", "a" * 2000,
        )  # fmt: skip
        for number, user in enumerate(users):
            word = "wrong" if user == ANN else "correct horse"
            found = await self.logins.login(user, word, f"10.0.{number}.1", "imap")
            assert isinstance(found, LoginRefused)
            said.add((found.kind, found.text))
        self.assertEqual({("wrong", WRONG)}, said)
        # R75: and it costs the same work.
        self.assertEqual(len(users), len(self.judged))

    async def test_remembered(self) -> None:
        """Whoever comes for each message is hashed once, until something changes."""
        await self.build()
        for _ in range(30):
            self.assertEqual(ANN, await self.login("correct horse"))
        self.assertEqual(1, len(self.judged))
        changed = QUICK.hash("battery")
        await self.directory.set_password(ANN, changed, actor="uid:test")
        self.assertEqual("wrong", await self.login("correct horse"))
        self.assertEqual(ANN, await self.login("battery"))
        await self.directory.remove_account(ANN, actor="uid:test")
        self.assertEqual("wrong", await self.login("battery"))

    async def test_old_hashes(self) -> None:
        """Any old hash lets its owner in, and is one of ours from then on (R78)."""
        await self.build()
        for name, old in OLD.items():
            with self.subTest(name):
                await self.directory.set_password(ANN, old, actor="uid:test")
                self.assertEqual("wrong", await self.login("battery"))
                self.assertEqual(old, await self.stored())
                self.assertEqual(ANN, await self.login("correct horse"))
                await self.settled()
                self.assertIn("$argon2id$", await self.stored())
                self.assertEqual(ANN, await self.login("correct horse"))

    async def test_weak_hash(self) -> None:
        """Argon2 with less work than ours is made anew too."""
        weak = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
        await self.build(weak.hash("correct horse"))
        self.assertEqual(ANN, await self.login("correct horse"))
        await self.settled()
        self.assertIn("m=8,", await self.stored())

    async def app(
        self, name: str, *services: str, networks: tuple[str, ...] = ()
    ) -> str:
        """Give Ann an app password."""
        wanted = AppPassword(
            0, ANN, name, services, networks, password=QUICK.hash(f"secret {name}")
        )
        made = await self.keys.add(wanted, actor="uid:test")
        return f"app{made.id}-secret {name}"

    async def test_app_password(self) -> None:
        """It is good for its services and from its networks, until it is removed."""
        await self.build()
        phone = await self.app("phone", "submission", "imap")
        desk = await self.app("desk", "submission", networks=("192.0.2.0/24",))
        self.assertEqual(ANN, await self.login(phone))
        self.assertEqual(ANN, await self.login(phone, service="imap"))
        # The log says why; he is told what others are.
        self.assertEqual("restricted", await self.login(phone, service="console"))
        self.assertEqual(ANN, await self.login(desk))
        self.assertEqual("restricted", await self.login(desk, client=FAR))
        self.assertEqual("wrong", await self.login(phone.replace("phone", "desk")))
        self.assertEqual("wrong", await self.login("secret phone"))
        self.assertEqual(ANN, await self.login("correct horse"))
        await self.settled()
        found = await self.keys.of(ANN)
        assert found is not None
        self.assertTrue(all(app.used for app in found.apps))
        await self.keys.remove(ANN, "phone", actor="uid:test")
        self.assertEqual("wrong", await self.login(phone))
        self.assertEqual(ANN, await self.login(desk))

    async def test_one_hash(self) -> None:
        """However many app passwords there are, one hash is tried."""
        await self.build()
        words = [await self.app(f"device{n}", "submission") for n in range(20)]
        await self.login(words[13])
        await self.login(f"{words[13]}x")
        await self.login("app999-nobody")
        self.assertEqual(3, len(self.judged))

    async def test_anothers(self) -> None:
        """Nobody gets in by an app password of another's."""
        await self.build()
        phone = await self.app("phone", "submission")
        bob = "bob@home.example"
        stored = QUICK.hash("battery")
        await self.directory.add_account(bob, stored, actor="uid:test")
        self.assertEqual("wrong", await self.login(phone, user=bob))

    async def test_guessing(self) -> None:
        """The eleventh wrong guess in a minute is not even looked at (R76)."""
        await self.build()
        said = [await self.login(f"guess {n}", client=FAR) for n in range(12)]
        self.assertEqual(["wrong"] * 10 + ["throttled"] * 2, said)
        self.assertEqual(10, len(self.judged))
        self.assertEqual("throttled", await self.login("correct horse", client=FAR))

    async def test_owner(self) -> None:
        """Meanwhile the owner gets in from where she was before (R76)."""
        await self.build()
        self.assertEqual(ANN, await self.login("correct horse"))
        for number in range(12):
            await self.login("guess", client=f"10.{number}.0.1")
        self.assertEqual("throttled", await self.login("guess", client=FAR))
        self.assertEqual(ANN, await self.login("correct horse"))

    async def crowd(self, count: int, **terms: Any) -> list[str]:
        """So many accounts that are at home at one address; time is ours."""
        await self.build(**terms)
        self.logins.clock = self.clock = Clock()
        self.logins._turns = Turns(self.clock, self.logins.waiting)
        self.watch()
        self.clock.advance(1_000_000.0)
        users = [f"u{n}@home.example" for n in range(count)]
        stored = QUICK.hash("correct horse")
        for user in users:
            await self.directory.add_account(user, stored, actor="uid:test")
            self.throttle.welcome(user, HERE, self.clock.seconds())
        return users

    async def answered(self, wanted: "Deferred[str]", seconds: float = 5.0) -> str:
        """What comes of it within so many seconds, or "late"."""
        for _ in range(round(seconds * 10)):
            await self.quiet()
            if wanted.called:
                return await wanted
            self.clock.advance(0.1)
        return "late"

    async def quiet(self) -> None:
        """Whatever is under way has ended, or waits for our clock."""
        await deferLater(reactor, 0.0)
        while self.under_way:
            await deferLater(reactor, 0.001)

    def watch(self) -> None:
        """Count what threads have in hand."""
        self.under_way = 0
        run = Threads.run

        def counted(*args: Any) -> Any:
            self.under_way += 1
            return run(*args).addBoth(ended)

        def ended(result: Any) -> Any:
            self.under_way -= 1
            return result

        self.patch(Threads, "run", counted)

    async def test_insider(self) -> None:
        """Who guesses at colleagues from their own address keeps no other out (R76)."""
        users = await self.crowd(200)
        honest, victims = users[:180], users[180:]
        guessed: list[str] = []
        wrong = 0
        for minute in range(3):
            before = self.clock.seconds()
            for user in honest[minute * 6 : minute * 6 + 6]:
                # He keeps as many guesses waiting as connections let him.
                for victim in victims:
                    late = Deferred.fromCoroutine(self.login("guess", victim))
                    late.addCallback(guessed.append)
                self.clock.advance(0.1)
                found = Deferred.fromCoroutine(self.login("correct horse", user))
                self.assertEqual(user, await self.answered(found))
            while self.clock.seconds() < before + 60:
                self.clock.advance(0.5)
                await self.quiet()
            wrong, last = guessed.count("wrong"), wrong
            self.assertLessEqual(wrong - last, 30)
            self.assertGreater(wrong - last, 10)

    async def test_waits(self) -> None:
        """Whose neighbours used up all waits a moment, before who guessed (R76)."""
        users = await self.crowd(5)
        said = [await self.login("guess", users[n % 4]) for n in range(10)]
        self.assertEqual({"wrong"}, set(said))
        guess = Deferred.fromCoroutine(self.login("guess", users[0]))
        found = Deferred.fromCoroutine(self.login("correct horse", users[4]))
        self.assertEqual(users[4], await self.answered(found))
        self.assertEqual("wrong", await self.answered(guess))

    async def test_pushes_in(self) -> None:
        """Whoever comes when there is a guess again takes it from none who waits."""
        users = await self.crowd(5)
        for number in range(10):
            self.assertEqual("wrong", await self.login("guess", users[number % 4]))
        found = Deferred.fromCoroutine(self.login("correct horse", users[4]))
        # The time has come, and nobody was called yet.
        self.clock.rightNow += 3.0
        guess = Deferred.fromCoroutine(self.login("guess", users[0]))
        await self.quiet()
        self.assertEqual(users[4], self.successResultOf(found))
        self.assertEqual("wrong", await self.answered(guess))

    async def test_waits_no_longer(self) -> None:
        """What would take longer is said at once that it is for later."""
        users = await self.crowd(5, home=9)
        for user in users[:3]:
            self.assertEqual("wrong", await self.login("guess", user))
        found = Deferred.fromCoroutine(self.login("correct horse", users[4]))
        self.assertEqual("late", await self.answered(found, 3.0))
        self.assertEqual("throttled", await self.answered(found, 2.0))

    async def test_restart(self) -> None:
        """A restart makes no owner a stranger where she was (R76)."""
        await self.build()
        self.assertEqual(ANN, await self.login("correct horse"))
        homes, self.logins.throttle = self.logins.homes, Throttle(Terms())
        for number in range(12):
            await self.login("guess", client=f"10.{number}.0.1")
        self.assertEqual("throttled", await self.login("correct horse", client=FAR))
        self.assertEqual(ANN, await self.login("correct horse"))
        month = 86400.0 * 61
        self.assertFalse(homes.has(ANN, HERE, reactor.seconds() + month))
        self.assertFalse(homes.has(ANN, FAR, reactor.seconds()))

    async def test_all_at_once(self) -> None:
        """Fifty who are right get in at once from one address."""
        await self.build()
        many = [Deferred.fromCoroutine(self.login("correct horse")) for _ in range(50)]
        self.assertEqual({ANN}, set(await gatherResults(many)))

    async def test_guesses_at_once(self) -> None:
        """Of fifty guesses at once ten are looked at (R76)."""
        await self.build()
        many = [Deferred.fromCoroutine(self.login(f"guess {n}")) for n in range(50)]
        said = await gatherResults(many)
        self.assertEqual((10, 40), (said.count("wrong"), said.count("throttled")))

    async def test_gone(self) -> None:
        """Whoever hangs up before the answer has guessed all the same (R76)."""
        await self.build()
        for number in range(10):
            d = self.logins.login(ANN, f"guess {number}", FAR, "submission")
            d.addErrback(lambda _: None)
            d.cancel()
        self.assertEqual("throttled", await self.login("correct horse", client=FAR))

    async def test_busy(self) -> None:
        """So many wait for a hash, and no more; an owner at home has a reserve."""
        await self.build()
        most, self.passwords._most = self.passwords._most, 0
        self.passwords._reserve = 1
        for _ in range(20):
            self.assertEqual("busy", await self.login("correct horse"))
        first = self.passwords.judge("", "x", True)
        self.failureResultOf(self.passwords.judge("", "x", True), Busy)
        await first
        self.passwords._most = most
        # It cost nobody a guess.
        self.assertEqual(ANN, await self.login("correct horse"))

    async def test_beside_the_reactor(self) -> None:
        """Every hash is another thread's work, and as much as ours must be (R78)."""
        await self.build()
        threads = set()
        plain, nice = hashes.matches, set()

        def matches(stored: str, password: str) -> bool:
            threads.add(threading.current_thread())
            nice.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return plain(stored, password)

        self.patch(hashes, "matches", matches)
        await self.login("x", "zoe@home.example")
        self.assertEqual(1, len(threads))
        self.assertNotIn(threading.main_thread(), threads)
        # On a busy machine the reactor goes first.
        self.assertGreaterEqual(min(nice), 10)
        self.assertLess(os.getpriority(os.PRIO_PROCESS, 0), 10)
        # RFC 9106 §4, the second choice: 64 MiB, three times.
        ours = Passwords(reactor)._hasher
        self.assertEqual((3, 65536), (ours.time_cost, ours.memory_cost))
        self.assertEqual("ID", ours.type.name)

    async def test_nothing_shown(self) -> None:
        """What is kept of a password is shown nowhere (R77)."""
        await self.build()
        await self.app("phone", "submission")
        found = await self.keys.of(ANN)
        self.assertNotIn("argon2", repr(found))
        refused = await self.logins.login(ANN, "canary", HERE, "submission")
        self.assertNotIn("canary", f"{refused!r}{self.logins.remembered!r}")
