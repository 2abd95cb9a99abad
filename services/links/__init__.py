"""Owns the public pages behind signed links: pixel, redirect, unsubscribe."""
