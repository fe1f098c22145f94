"""Leadstream: who on a website is becoming a customer, in real time and with reasons."""
