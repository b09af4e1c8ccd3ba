"""The app as its callers see it; no network, no database."""
