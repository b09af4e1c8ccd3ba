"""Twilio's webhooks: WhatsApp messages and phone calls, answered with TwiML.

Twilio signs each request (https://www.twilio.com/docs/usage/security). Whoever cannot sign
gets a 403, so the two routes are safe to leave open to the internet.
"""

import hashlib
import hmac
import logging
from base64 import b64encode
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response

from app.assistant import GREETING, answer
from app.core.settings import CurrentSettings

router = APIRouter(tags=["twilio"])

_whatsapp_log = logging.getLogger("talia.whatsapp")
_voice_log = logging.getLogger("talia.voice")


def signature(token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """Twilio's HMAC-SHA1 over the URL and the sorted form, in base64."""
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    return b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode()


def public_url(request: Request) -> str:
    """The URL that Twilio called, and signed.

    uvicorn has already taken the scheme from X-Forwarded-Proto. The host may be taken from
    anyone: a wrong one only makes the signature wrong.
    """
    host = request.headers.get("X-Forwarded-Host", request.url.netloc)
    return str(request.url.replace(netloc=host))


async def signed_form(
    request: Request,
    settings: CurrentSettings,
    x_twilio_signature: Annotated[str, Header()] = "",
) -> dict[str, str]:
    """The request's form, once its signature has been found right."""
    body = (await request.body()).decode("latin-1")  # ASCII if Twilio's; never fails if not
    form = parse_qsl(body, keep_blank_values=True)
    token = settings.twilio_auth_token
    if token is None:
        raise HTTPException(403, "TWILIO_AUTH_TOKEN is not set")
    expected = signature(token.get_secret_value(), public_url(request), form)
    if not hmac.compare_digest(expected.encode(), x_twilio_signature.encode()):
        raise HTTPException(403, "X-Twilio-Signature does not match")
    return dict(form)


SignedForm = Annotated[dict[str, str], Depends(signed_form)]


def twiml(response: Element) -> Response:
    """Wrap a TwiML document as an HTTP answer."""
    return Response(tostring(response, "utf-8", xml_declaration=True), media_type="text/xml")


@router.post("/whatsapp")
async def whatsapp(form: SignedForm) -> Response:
    """Answer a WhatsApp message."""
    response = Element("Response")
    SubElement(response, "Message").text = answer(form.get("Body", ""))
    _whatsapp_log.info("answered", extra={"message_sid": form.get("MessageSid")})
    return twiml(response)


@router.post("/voice")
async def voice(form: SignedForm) -> Response:
    """Greet a caller, or answer what Twilio has heard, and listen on.

    Twilio posts what it gathers back to this same URL; silence ends the call.
    """
    speech = form.get("SpeechResult")
    response = Element("Response")
    listen = SubElement(response, "Gather", input="speech", speechTimeout="auto")
    SubElement(listen, "Say").text = GREETING if speech is None else answer(speech)
    SubElement(response, "Say").text = "Goodbye."
    _voice_log.info("answered", extra={"call_sid": form.get("CallSid")})
    return twiml(response)
