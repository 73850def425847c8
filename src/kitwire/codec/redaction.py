"""Masks secrets in text of which we know nothing: error bodies, details, traces.

The server's own error bodies contain the access token, so that everything foreign passes here
before a person or a log sees it. One pass, linear time; when in doubt, it masks.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "Pseudonyms", "redact_jwt", "redact_text"]

MASK = "<redacted>"
"""What stands where a secret was."""

# Any number of parts, cut short anywhere, dots perhaps escaped for a URL; "eyJ" is base64 of '{"'.
# Inside a word (keyJar) it takes more than those three letters to look like one.
_REST = r"[A-Za-z0-9_=-]*+(?:(?:\.|%2[Ee])[A-Za-z0-9_=-]*+)*+"
_JWT = (
    rf"(?-i:(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{{2}}))eyJ{_REST}"
    rf"|eyJ[A-Za-z0-9_=-]{{12}}{_REST})"
)
# Up to the end of the line, also when that is spelled as an escape because the SDP stands in JSON.
_ICE = r"(?P<ice>ice-(?:ufrag|pwd)\s*+:\s*+)(?:[^\s\\\"']|\\/)++"
_UFRAG = r"(?P<ufrag>\bufrag\s++)(?:[^\s\\\"']|\\/)++"
_FRAGMENT = (
    r"(?P<key>\\?[\"'](?:usernameFragment|username_fragment|credential|password|turn_password"
    r"|turnPassword|refresh_token|refreshToken|token|secret)\\?[\"']\s*+[:=]\s*+\\?[\"'])"
    r"(?:[^\"'\\]|\\/)++"
)
_QUERY = r"(?P<query>\b(?:access_token|join_request|token)=)[^\s&#\"'<>]++"
_BEARER = r"(?P<bearer>\bBearer\s++)[^\s\"',;<>]++"

_ANY = re.compile("|".join((_QUERY, _BEARER, _JWT, _ICE, _UFRAG, _FRAGMENT)), re.IGNORECASE)
_JWT_ONLY = re.compile(_JWT)


def redact_text(text: str) -> str:
    """``text`` with tokens, ICE credentials and passwords masked.

    Masked are: whatever looks like a JWT, whole or cut short; the values of ``access_token``,
    ``join_request`` and ``token`` in a URL; what follows ``Bearer``; the values of SDP's
    ``ice-ufrag`` and ``ice-pwd``, of a candidate's ``ufrag`` and ``usernameFragment``; JSON members
    called credential, password, token, secret and the like.
    """
    return _ANY.sub(_mask, text)


def redact_jwt(text: str) -> str:
    """``text`` with whatever looks like a JWT masked, and nothing else: for data that must stay."""
    return _JWT_ONLY.sub(MASK, text) if "eyJ" in text else text


def _mask(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup]}{MASK}" if found.lastgroup else MASK


_NUMBERED = frozenset({"ice", "ufrag", "key"})
"""The groups whose secrets :func:`redact_text` finds again by what stands before them."""


class Pseudonyms:
    """Stands one name for each secret, so that records show which secrets are the same.

    Names are numbered as secrets are first met: ``<redacted-1>``. They fit wherever a secret did:
    in SDP, in a candidate, between the quotes of JSON, in an HTTP header.

    Args:
        word: what names begin with, in small letters; those of different words never meet.
    """

    NAME = re.compile(r"<[a-z]+[- ][1-9][0-9]*>")
    """A name; with a space where a record says that the secret could not travel in a header."""

    def __init__(self, word: str = "redacted") -> None:
        self._word = word
        self._numbers: dict[str, int] = {}

    def of(self, secret: str) -> str:
        """The name of a secret. What was masked before, by the constant, stays that."""
        if secret == MASK:
            return MASK
        # JSON may write a slash in two ways.
        plain = secret.replace("\\/", "/")
        number = self._numbers.setdefault(plain, len(self._numbers) + 1)
        return f"<{self._word}-{number}>"

    def redact_text(self, text: str) -> str:
        """``text`` masked as by :func:`redact_text`, with names where it can be masked again.

        Masking the result by that function gives what masking the text itself does. Names stand
        for the credentials of ICE and for the members of JSON, which it finds a second time; for
        JWTs and in URLs, where it would not, the constant does.
        """
        return _ANY.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        if found.lastgroup not in _NUMBERED:
            return _mask(found)
        before = found[found.lastgroup]
        return before + self.of(found[0][len(before) :])
