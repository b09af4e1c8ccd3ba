"""Talia's backend: one assistant behind web chat, WhatsApp and voice."""
