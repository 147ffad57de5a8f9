"""The command that gives a language model a take-home assignment."""

from __future__ import annotations

from metricloop.cli.command import Commands

commands = Commands("Take-home")
