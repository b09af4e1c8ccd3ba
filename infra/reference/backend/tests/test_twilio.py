"""Twilio's webhooks, signed as Twilio signs them."""

from urllib.parse import urlencode
from xml.etree import ElementTree

from fastapi.testclient import TestClient
from httpx import Response

from app.api.twilio import signature

SITE = "https://talia.example"


def post(client: TestClient, path: str, form: dict[str, str], signed: str) -> Response:
    """Post `form` as Twilio does, behind a proxy that kept the public host in a header."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-Host": "talia.example",
        "X-Twilio-Signature": signed,
    }
    return client.post(path, content=urlencode(form), headers=headers)


def test_signed_webhooks_are_answered_with_twiml(client: TestClient) -> None:
    def said(path: str, **form: str) -> str | None:
        answer = post(client, path, form, signature("12345", SITE + path, form.items()))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/xml")
        twiml = ElementTree.fromstring(answer.content)
        return twiml.findtext("Message") or twiml.findtext("Gather/Say")

    assert "quote" in said("/api/whatsapp", Body="¿how much is it?", MessageSid="SM1", Media="")
    assert said("/api/voice", CallSid="CA1").startswith("Hello, this is Talia.")
    assert "order number" in said("/api/voice", CallSid="CA1", SpeechResult="Where is my order")


def test_only_twilios_signature_is_accepted(client: TestClient) -> None:
    # The example in Twilio's manual.
    caller = {"Caller": "+12349013030", "From": "+12349013030", "To": "+18005551212"}
    form = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", **caller}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, form.items()) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="

    for path in ("/api/whatsapp", "/api/voice"):
        good = signature("12345", SITE + path, form.items())
        assert post(client, path, form, good).status_code == 200
        assert post(client, path, form | {"Digits": "9"}, good).status_code == 403
        for forged in ("", signature("", SITE + path, form.items())):
            assert post(client, path, form, forged).status_code == 403
