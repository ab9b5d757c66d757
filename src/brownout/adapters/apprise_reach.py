"""Whether what an address of Apprise leads to can be reached, without a message: by login or by an answer."""

import smtplib
from ssl import CERT_NONE, create_default_context
from typing import Any
from urllib.parse import urlsplit

from apprise.plugins.email import NotifyEmail

from brownout.adapters.alert_http import PostedJson
from brownout.adapters.influx.credentials import Credentials
from brownout.domain.errors import AlertError
from brownout.settings import AlertSettings

__all__ = ["reached"]

OWN_HOST = "{host}"
"""In a template of an address where the site's own server stands; elsewhere that part is a token."""
TAKEN = 250
"""A mail server's answer to a command that it takes."""


def reached(service: Any, settings: AlertSettings) -> str:
    """Say how a service of Apprise is reached.

    Raises AlertError, OSError or SMTPException, whose texts may repeat parts of the address, where the way is closed.
    """
    if isinstance(service, NotifyEmail):
        return _mail(service, settings.timeout_s)
    url = _address(service)
    if not url:
        return "its address is understood; whether it can be reached only a message shows"
    PostedJson("its server", url, settings, Credentials()).answers(doing="see that it answers")
    return "its server answers; whether it takes messages only one shows"


def _mail(service: Any, timeout_s: float) -> str:
    """Begin to send a mail, with encryption and login as asked for, and end before there is one."""
    context = create_default_context()
    if not service.verify_certificate:
        context.check_hostname, context.verify_mode = False, CERT_NONE  # as the address asks: ?verify=no
    where: dict[str, Any] = {"host": service.smtp_host, "port": service.port, "timeout": timeout_s}
    mode = str(service.secure_mode)
    with smtplib.SMTP_SSL(**where, context=context) if mode == "ssl" else smtplib.SMTP(**where) as server:
        if mode == "starttls":
            server.starttls(context=context)
        if service.user and service.password:
            server.login(service.user, service.password)
            return "the mail server takes the login"
        code, _ = server.noop()
        if code != TAKEN:
            raise AlertError("The mail server answers, and takes no commands.", remedy="Look at its log.")
    return "the mail server answers; it was given no login"


def _address(service: Any) -> str:
    """Where an HTTP service is: the vendor's address, or the site's own server; empty where neither is known."""
    vendor = getattr(service, "notify_url", None)
    if isinstance(vendor, str) and vendor.startswith("http"):
        parts = urlsplit(vendor)
        return f"{parts.scheme}://{parts.hostname}"
    if not any(OWN_HOST in template for template in service.templates) or not service.host:
        return ""
    return f"{'https' if service.secure else 'http'}://{service.host}{f':{service.port}' if service.port else ''}"
