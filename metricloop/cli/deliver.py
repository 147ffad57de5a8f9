"""The commands that make a study's winner into a detector in use."""

from __future__ import annotations

from metricloop.cli.command import Commands

commands = Commands("Detector")
