"""Leadstream: who on a website is becoming a customer, in real time and with reasons."""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it asks every installed package when a worker starts
