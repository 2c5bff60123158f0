"""Notices as their receivers get them: by the library of Standard Webhooks, and by a mail server behind TLS."""

import base64
import email
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from standardwebhooks import Webhook, WebhookVerificationError

from harness import Served, Simulated, bare_simulator, until
from harness.redis_server import free_port
from harness.words import user

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two letters..").decode()
LOGIN = LoginPassword(b"gateway", b"m4il-p4ss")


class Receiver:
    """An HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Inbox:
    """A mail server that speaks TLS, wants a login, and keeps what it is sent."""

    def __init__(self, tls: str, identity: Path) -> None:
        self.mails: list[Message] = []
        self.logins: list[object] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(identity)
        sealed = {"tls_context": context, "require_starttls": True}
        if tls == "implicit":  # Of which the library does not know that logins are safe there.
            sealed = {"ssl_context": context, "auth_require_tls": False}
        self.port = free_port()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=self._authenticate, auth_required=True, **sealed
        )
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 taken"

    def _authenticate(self, *asked: object) -> AuthResult:
        self.logins.append(asked[-1])
        return AuthResult(success=asked[-1] == LOGIN)

    def stop(self) -> None:
        self._controller.stop()


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, and a certificate for this address that nobody else has signed."""
    folder = tmp_path_factory.mktemp("identity")
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=mail"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


@contextmanager
def a_full_account(folder: Path, settings: str, **environment: str) -> Iterator[Served]:
    """A gateway whose only account has just used up its quota: a notice is due."""
    with bare_simulator() as found:
        platform = Simulated("qwen", found["qwen"]["url"], found["qwen"]["model"])
        store = f"sqlite:{folder / 'tributary.db'}"
        served = Served(store, folder, [platform], settings, **environment)
        served.command("user", "add", "owner")
        account = served.bind("owner", "qwen", "main", "sk-a-key-for-receivers")
        served.command("account", "edit", str(account["id"]), "--limit", "50")
        token = served.command("token", "create", "--user", "owner")["token"]
        served.start()
        try:
            with served.client(token) as client:
                client.chat.completions.create(model=platform.model, messages=user("Please say 60 words."))
            yield served
        finally:
            assert served.stop() == 0


def smtp(tls: str, port: int) -> str:
    return (
        f'[notices.smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "{tls}"\nfrom = "gateway@example.org"\n'
        'to = ["ops@example.org"]\nusername = "gateway"\npassword_env = "SMTP_PASSWORD"\n'
    )


def sent(served: Served, channel: str, outcome: str) -> float:
    """How many tries ended so, as the metrics say."""
    row = f'tributary_notices_sent_total{{channel="{channel}",outcome="{outcome}"}} '
    lines = httpx2.get(f"{served.operator_url}/metrics").text.splitlines()
    return sum(float(line.removeprefix(row)) for line in lines if line.startswith(row))


def test_the_library_of_standard_webhooks_verifies_a_call(tmp_path: Path) -> None:
    receiver = Receiver()
    settings = f'[notices.webhook]\nurl = "{receiver.url}"\nsecret_env = "HOOK_SECRET"\n'
    try:
        with a_full_account(tmp_path, settings, HOOK_SECRET=SECRET):
            headers, body = until(lambda: receiver.got[0] if receiver.got else None, "the webhook's call")
    finally:
        receiver.stop()

    event = Webhook(SECRET).verify(body, headers)
    assert event["type"] == "notice.quota"
    assert event["data"]["account_name"] == "main" and event["data"]["percent"] == 100
    another = "whsec_" + base64.b64encode(b"another one of thirty-two letter").decode()
    for verifier, said in [(Webhook(another), body), (Webhook(SECRET), body.replace(b"100", b"101"))]:
        with pytest.raises(WebhookVerificationError):
            verifier.verify(said, headers)


# The library warns of logins without its own STARTTLS.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_mail_goes_through_tls_with_a_login(tmp_path: Path, identity: Path, tls: str) -> None:
    inbox = Inbox(tls, identity)
    try:
        trust = {"SMTP_PASSWORD": "m4il-p4ss", "SSL_CERT_FILE": str(identity)}
        with a_full_account(tmp_path, smtp(tls, inbox.port), **trust):
            mail = until(lambda: inbox.mails[0] if inbox.mails else None, "the mail")
    finally:
        inbox.stop()

    assert inbox.logins == [LOGIN]
    assert mail["from"] == "gateway@example.org" and mail["to"] == "ops@example.org"
    assert mail["message-id"] and "main" in mail["subject"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_mail_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path, identity: Path, tls: str) -> None:
    inbox = Inbox(tls, identity)
    try:
        with a_full_account(tmp_path, smtp(tls, inbox.port), SMTP_PASSWORD="m4il-p4ss") as served:
            until(lambda: sent(served, "mail", "failed"), "the try to fail")
    finally:
        inbox.stop()

    assert not inbox.mails and not inbox.logins, "neither the mail nor the password was sent"
