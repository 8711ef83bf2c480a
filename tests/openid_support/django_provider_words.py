"""What the provider and those who ask it both know."""

from pathlib import Path

PROVIDER = Path(__file__).with_name("django_provider.py")
SECRET = "the secret of the client, shared with placet"
