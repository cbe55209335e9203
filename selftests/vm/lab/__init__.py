# SPDX-License-Identifier: MIT
"""The VM lab: stock kernels in emulators. See selftests/vm/README.md."""


class LabError(Exception):
    """The lab itself failed; the text says what to do next."""
    status = 125


class Missing(LabError):
    """Something is not on this machine and cannot be had: tests skip."""
    status = 77


class GuestCrash(LabError):
    """The guest's kernel panicked, reset or shut down before its time."""
    status = 121


class Splat(LabError):
    """The guest's kernel complained, whatever the command returned."""
    status = 122


class EmulatorDied(LabError):
    """The emulator ended by itself."""
    status = 123


class TimedOut(LabError):
    """A limit in time ran out."""
    status = 124
