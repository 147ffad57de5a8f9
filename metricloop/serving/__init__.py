"""SERVING: an HTTP server around a detector. It runs in a bundle too, where metricloop is not installed.

Imports no other room.
"""
