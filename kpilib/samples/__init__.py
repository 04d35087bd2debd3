"""Invented firms whose true answers are known, and the two published case studies made of them."""
