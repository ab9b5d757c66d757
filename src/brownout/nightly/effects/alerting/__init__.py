"""Alerts of a night: which there are, which go on, who was told, and the sending."""

from brownout.nightly.effects.alerting.alert_log_file import read_alert_log
from brownout.nightly.effects.alerting.send_alerts import Alerting, send_alerts
from brownout.nightly.effects.alerting.why_silent import why_silent

__all__ = ["Alerting", "read_alert_log", "send_alerts", "why_silent"]
