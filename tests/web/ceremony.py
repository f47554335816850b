"""What a person does with browser and authenticator, for tests: forms filled in, codes computed, links followed."""

import html
import re
import time

from passlib.totp import TOTP

PASSWORD = "correct horse battery"


def token(page) -> str:
    """The anti-forgery token of a page."""
    return re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]


def submit(client, path, *, page=None, **fields):
    """Fill in the form of a page and send it, as a browser does: with the token and what is hidden there."""
    shown = client.get(page or path)
    assert shown.status_code == 200, (page or path, shown.status_code, shown.headers.get("Location"))
    return client.post(path, data={"csrf_token": token(shown), **fields})


def path_of(answer) -> str:
    return answer.headers["Location"].partition("?")[0]


class Authenticator:
    """An authenticator app that knows one key. Each code is of a later step than the one before, as if time passed.

    The gateway takes the code of the step before, of this one and of the next, so three come without waiting. One that
    would be too old in a moment is not given: on its way to the gateway it would be refused.
    """

    STEP, ON_ITS_WAY = 30, 6  # seconds

    def __init__(self, key: str) -> None:
        self._totp = TOTP(key=key.replace("-", "").replace(" ", ""), format="base32")
        self._step = 0

    def code(self) -> str:
        """The next code that the gateway takes now, and still takes when it has arrived."""
        oldest = int(time.time() + self.ON_ITS_WAY) // self.STEP - 1
        self._step = max(self._step + 1, oldest)
        ahead = (self._step - 1) * self.STEP - time.time()
        assert ahead <= self.ON_ITS_WAY, "more codes were asked for than time allows"
        time.sleep(max(0.0, ahead))
        return self._totp.generate(self._step * self.STEP).token


def follow_link(gateway, client, username, **options):
    """Be invited, and be let in by the link."""
    invitation = gateway.services.people.invite(username, actor="operator:tests", **options)
    answer = submit(client, invitation.path)
    assert path_of(answer) == "/account/set-up"
    return invitation


def set_password(client, password=PASSWORD):
    answer = submit(client, "/account/password", new_password=password, new_password_confirm=password)
    assert path_of(answer) == "/account", answer.text
    return answer


def set_up_authenticator(client) -> Authenticator:
    shown = submit(client, "/account/authenticator", setup="authenticator")
    key = html.unescape(re.search(r"<code>([^<]+)</code>", shown.text)[1])
    action = re.search(r'action="(/account/authenticator/[^"]+)"', shown.text)[1]
    authenticator = Authenticator(key)
    answer = client.post(html.unescape(action), data={"csrf_token": token(shown), "code": authenticator.code()})
    assert path_of(answer) == "/account", answer.text
    return authenticator


def recovery_codes(client) -> list[str]:
    shown = submit(client, "/account/recovery-codes", generate_new_codes="1")
    return re.findall(r"<li><code>([^<]+)</code>", shown.text)


def sign_in_with_password(client, username, authenticator, password=PASSWORD, **fields):
    """Username and password, then the code; gives the answer to the code."""
    answer = submit(client, "/sign-in", username=username, password=password, **fields)
    assert path_of(answer) == "/sign-in/code", answer.text
    return submit(client, "/sign-in/code", page=answer.headers["Location"], code=authenticator.code(), **fields)


def is_signed_in(client) -> bool:
    return client.get("/account").status_code == 200
