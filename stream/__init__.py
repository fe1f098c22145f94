"""Leadstream: who on a website is becoming a customer, in real time and with reasons."""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some in all that is installed takes 10 ms of a start
