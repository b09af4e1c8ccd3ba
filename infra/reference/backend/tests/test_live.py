"""Pending integrations: what only a real Twilio account can show."""

import pytest


@pytest.mark.skip(reason="live Twilio voice is pending: it needs a phone number and a public URL")
def test_a_real_call_is_answered() -> None:
    """Call the number, ask for the opening hours, hear them."""


@pytest.mark.skip(reason="live WhatsApp is pending: it needs a sender approved by Meta")
def test_a_real_whatsapp_message_is_answered() -> None:
    """Write to the number, read the answer on the phone."""
