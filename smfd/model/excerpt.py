"""How much of a held message is shown to who has to judge it."""

#: The fields that are told, by name.
FIELDS = ("from", "reply-to", "to", "cc", "subject", "date")

#: Lines of one text, and characters of a line; what is longer takes more lines.
LINES = 60
LINE = 200

#: Links, attachments, and files named of one archive.
LINKS = 20
ATTACHED = 20
FILES = 10

#: Characters of a header field, of a link or of a name; of what is less, NAME.
VALUE = 300
NAME = 100
