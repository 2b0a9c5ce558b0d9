"""Tests of smfd.proto.server by conversations in files."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.dialogs.dialog import Dialog, dialogs, mismatch
from tests.proto.conversation import Conversation

ALL = dialogs()


def converse(dialog: Dialog, chunks: list[bytes]) -> Conversation:
    """Have that conversation, cut like this."""
    talk = Conversation(dialog.machine(dialog.limits, dialog.offer))
    talk.hear(chunks)
    return talk


class DialogTests(SynchronousTestCase):
    """What is said is answered as the files say."""

    def test_step_by_step(self) -> None:
        """A client that waits for each answer gets what the file says."""
        for dialog in ALL:
            talk = converse(dialog, [step.sent for step in dialog.steps])
            wrong = mismatch(dialog.replies, bytes(talk.sent), talk.machine.closed)
            self.assertEqual("", wrong, dialog.name)
            if dialog.bodies:
                self.assertEqual(list(dialog.bodies), talk.bodies, dialog.name)

    def test_in_one_go(self) -> None:
        """Sent all at once, the answers are the same."""
        for dialog in ALL:
            talk = converse(dialog, [dialog.sent])
            wrong = mismatch(dialog.replies, bytes(talk.sent), talk.machine.closed)
            self.assertEqual("", wrong, dialog.name)

    def test_octet_by_octet(self) -> None:
        """Sent in single octets, the answers and the bodies are the same."""
        for dialog in ALL:
            if dialog.tls:
                continue  # what follows STARTTLS one octet later is TLS
            whole = converse(dialog, [dialog.sent])
            talk = converse(dialog, [bytes([octet]) for octet in dialog.sent])
            self.assertEqual(whole.sent, talk.sent, dialog.name)
            self.assertEqual(whole.bodies, talk.bodies, dialog.name)
            self.assertEqual(whole.events, talk.events, dialog.name)

    def test_cut_in_two(self) -> None:
        """Cut at every place there is, the answers are the same."""
        for dialog in ALL:
            if dialog.tls:
                continue
            octets = dialog.sent
            whole = converse(dialog, [octets])
            for cut in range(0, len(octets), 1 + len(octets) // 300):
                talk = converse(dialog, [octets[:cut], octets[cut:]])
                self.assertEqual(whole.sent, talk.sent, f"{dialog.name} at {cut}")

    @settings(max_examples=150, deadline=None)
    @given(
        st.sampled_from([dialog for dialog in ALL if not dialog.tls]),
        st.lists(st.integers(0, 3000), max_size=8),
    )
    def test_cut_anywhere(self, dialog: Dialog, places: list[int]) -> None:
        """Cut at several places, the questions to the door are the same."""
        octets, start, chunks = dialog.sent, 0, []
        for place in [*sorted(place % (len(octets) + 1) for place in places), None]:
            chunks.append(octets[start:place])
            start = place or start
        whole, talk = converse(dialog, [octets]), converse(dialog, chunks)
        self.assertEqual(whole.events, talk.events)
        self.assertEqual(whole.sent, talk.sent)
        self.assertEqual(whole.bodies, talk.bodies)
