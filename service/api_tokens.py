"""The tokens of the HTTP side: one, or several with the names of the people who have them, so that the audit log names a person.

``secret``, or ``alice:secret,bob:secret``. A token is at least MIN_CHARACTERS long, of the characters that an Authorization header
can carry (token68 of https://www.rfc-editor.org/rfc/rfc9110#section-11.2).
"""

import re
from collections.abc import Mapping

MIN_CHARACTERS = 16
WITHOUT_NAME = "a token without a name"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def parsed_tokens(text: str) -> Mapping[str, str]:
    """Whose each token is, by token. Raises ValueError, which never has a token in it."""
    owners: dict[str, str] = {}
    entries = [entry.strip() for entry in text.split(",")]
    for number, entry in enumerate(entries, 1):
        name, colon, token = entry.rpartition(":")
        which = f"token {number}" if len(entries) > 1 else "the token"
        if colon and not _NAME.fullmatch(name):
            raise ValueError(f"{which}: the name before the colon must be letters, digits, '.', '_', '@' and '-'")
        if len(token) < MIN_CHARACTERS or not _TOKEN.fullmatch(token):
            raise ValueError(
                f"{which} must have at least {MIN_CHARACTERS} characters, letters, digits and '-._~+/' "
                "(for example: openssl rand -hex 32)"
            )
        if token in owners or (colon and name in owners.values()):
            raise ValueError(f"{which}: its name, or the token itself, is there twice")
        owners[token] = name if colon else WITHOUT_NAME
    return owners
