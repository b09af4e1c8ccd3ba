"""What Talia says: the best match in a short list of topics. No network, no model, no state."""

import re
from typing import NamedTuple


class Topic(NamedTuple):
    """Words that customers use for one subject, and the answer to it."""

    words: frozenset[str]
    answer: str


def _topic(words: str, answer: str) -> Topic:
    return Topic(frozenset(words.split()), answer)


GREETING = "Hello, this is Talia. Ask me about opening hours, prices, an order or an appointment."

FALLBACK = (
    "I am not sure I understood. I can help with opening hours, prices, orders and appointments,"
    " or call a colleague: just say “a person, please”."
)

TOPICS = (
    _topic(
        "person human agent colleague someone operator complaint",
        "Of course. A colleague will take over this conversation as soon as one is free.",
    ),
    _topic(
        "open opening hours close closed closing when time weekend saturday sunday",
        "We are open Monday to Friday from 9:00 to 18:00. I answer here at any hour.",
    ),
    _topic(
        "price prices cost costs much rate rates fee quote pay",
        "Prices depend on what you need. Tell me what it is for and I will prepare a quote.",
    ),
    _topic(
        "order orders delivery deliver shipping shipped parcel package track tracking late",
        "I can look that up. Please send me your order number, it begins with two letters.",
    ),
    _topic(
        "appointment book booking reserve reservation visit meeting reschedule cancel",
        "Gladly. Which day suits you, and do you prefer the morning or the afternoon?",
    ),
    _topic(
        "thanks thank bye goodbye great perfect",
        "You are welcome. Write or call whenever you need something else.",
    ),
    _topic("hello hi hey good morning afternoon evening", GREETING),
)


def answer(text: str) -> str:
    """Answer `text` with the topic that shares most words with it, the first one on a tie."""
    words = set(re.findall(r"\w+", text.lower()))
    best = max(TOPICS, key=lambda topic: len(topic.words & words))
    return best.answer if best.words & words else FALLBACK
