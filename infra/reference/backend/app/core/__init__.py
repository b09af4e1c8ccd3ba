"""What every request shares: settings, logs and the request's id."""
