"""Mail by SMTP (RFC 5321), over TLS from the first byte or from STARTTLS on.

Until the message itself is sent, nothing can have arrived: what goes wrong before may be tried again. Certificates are
verified by the system's authorities, or by those that ``SSL_CERT_FILE`` names.
"""

import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from placet.platform.notifications.message import Outgoing
from placet.platform.notifications.outcome import Outcome, delivered, failed, unknown

STEP_SECONDS = 10.0

_ACCEPTED = frozenset({250, 251, 252})


def send(settings: Mapping[str, Any], secrets: Mapping[str, Any], message: Outgoing) -> Outcome:
    """Send one mail to every recipient of the channel."""
    where = f"{settings['host']}, port {settings['port']}"
    try:
        client = _connect(settings)
    except (OSError, smtplib.SMTPException) as error:
        return failed(f"The mail server at {where} cannot be reached: {_told(error)}.")
    try:
        try:
            refused = _address(client, settings, secrets)
        except (OSError, smtplib.SMTPException) as error:
            return failed(f"The mail server at {where} does not take the mail: {_told(error)}.")
        try:
            code, said = client.data(_mail(settings, message).as_bytes())
        except smtplib.SMTPDataError as error:
            return failed(f"The mail server at {where} does not take the mail: {_told(error)}.")
        except (OSError, smtplib.SMTPException) as error:
            return unknown(f"The mail server at {where} was lost while the mail was sent: {_told(error)}.")
        if code != 250:
            return failed(f"The mail server at {where} does not take the mail: {code} {said.decode(errors='replace')}.")
        return delivered(f"Not to {refused}." if refused else None)
    finally:
        client.close()


def _connect(settings: Mapping[str, Any]) -> smtplib.SMTP:
    host, port = str(settings["host"]), int(settings["port"])
    if settings["security"] == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=STEP_SECONDS, context=ssl.create_default_context())
    client = smtplib.SMTP(host, port, timeout=STEP_SECONDS)
    if settings["security"] == "starttls":
        try:
            client.starttls(context=ssl.create_default_context())
        except BaseException:
            client.close()
            raise
    return client


def _address(client: smtplib.SMTP, settings: Mapping[str, Any], secrets: Mapping[str, Any]) -> str:
    """Say who sends and who receives; answers the recipients that are refused, where others are not."""
    client.ehlo_or_helo_if_needed()
    if settings["user"] is not None:
        client.login(str(settings["user"]), str(secrets["password"]))
    code, said = client.mail(str(settings["sender"]))
    if code not in _ACCEPTED:
        raise smtplib.SMTPSenderRefused(code, said, str(settings["sender"]))
    refused = {}
    for recipient in settings["recipients"]:
        code, said = client.rcpt(recipient)
        if code not in _ACCEPTED:
            refused[recipient] = (code, said)
    if len(refused) == len(settings["recipients"]):
        raise smtplib.SMTPRecipientsRefused(refused)
    return ", ".join(f"{who} ({code} {said.decode(errors='replace')})" for who, (code, said) in refused.items())


def _mail(settings: Mapping[str, Any], message: Outgoing) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = settings["sender"]
    mail["To"] = ", ".join(settings["recipients"])
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(message.raised_at)
    mail["Message-ID"] = f"<{message.id}@placet.invalid>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is to answer it by a machine
    mail.set_content(message.text_with_link + "\n")
    return mail


def _told(error: Exception) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return "; ".join(
                f"{who}: {code} {said.decode(errors='replace')}" for who, (code, said) in error.recipients.items()
            )
        case smtplib.SMTPResponseException():
            said = error.smtp_error
            return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
        case TimeoutError():
            return f"no answer within {STEP_SECONDS:.0f} seconds"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case OSError():
            return str(error.strerror or error)
    return str(error) or type(error).__name__
