"""Send a message through the operator's mail server, beside the request that asks for it."""

import logging
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from retia.api.settings import Settings

TIMEOUT_S = 20
PORTS = {"smtp": 587, "smtps": 465}
LOCAL = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger("retia.mail")
post = ThreadPoolExecutor(1, "mail")
"""Who sends: an answer must not tell by its time whether a message goes out."""


def send(settings: Settings, address: str, subject: str, text: str) -> None:
    """Send a message; a failure goes to the log."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.mail_from, address, subject
    message.set_content(text)
    try:
        _deliver(settings.smtp_url.get_secret_value(), message)
    except (OSError, smtplib.SMTPException) as error:
        log.error("a message could not be sent: %s", error)


def _deliver(url: str, message: EmailMessage) -> None:
    """Over TLS, except to this very machine."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    tls = ssl.create_default_context()
    connect = (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=tls)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    )
    with connect as server:
        if parts.scheme == "smtp" and host not in LOCAL:
            server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
