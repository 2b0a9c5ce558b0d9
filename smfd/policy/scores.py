"""
What a symbol of the sender's authentication is worth.

None is terminal alone (S9): together with something else they count.  The
rules carry their own scores; the settings overrule both, in
L{Policy.weigh <smfd.policy.decide.Policy.weigh>}.
"""

from collections.abc import Mapping

SCORES: Mapping[str, float] = {
    "SPF_PASS": -0.1,
    "SPF_FAIL": 2.5,
    "SPF_SOFTFAIL": 1.0,
    "SPF_NEUTRAL": 0.3,
    "SPF_NONE": 0.2,
    "SPF_PERMERROR": 0.5,
    "DKIM_PASS": -0.1,
    "DKIM_FAIL": 0.3,
    "DKIM_PERMERROR": 0.2,
    "DMARC_PASS": -0.3,
    "DMARC_FAIL_REJECT": 5.0,
    "DMARC_FAIL_QUARANTINE": 3.5,
    "DMARC_FAIL_NONE": 0.8,
}
