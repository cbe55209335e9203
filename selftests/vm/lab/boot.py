# SPDX-License-Identifier: MIT
"""From an emulator that has been started to the guest's command.

A kernel that patches its own code (text_poke_bp()) puts an int3 there for a
moment, and knows what it means if a CPU meets it. A thread of qemu's tcg may
have it translated, and meet it when the kernel has forgotten it: a panic,
mostly where a kernel that boots patches most. That says nothing about what is
to be tested, which has not begun: the guest boots again."""

import re

from . import GuestCrash, protocol
from .archive import say

BOOTS = 5
INT3 = re.compile(r'\bint3: 0000 \[#1\]')


def up_to_command(sessions, again, seconds):
    """The first of the sessions that gets there. `again`: is what else has
    happened no reason to try it with the next one?"""
    left = BOOTS
    for session in sessions:
        left -= 1
        try:
            session.until(protocol.STARTED, seconds,
                          'the guest did not start the command')
            return session
        except GuestCrash as e:
            if not again or not left or not INT3.search(str(e)):
                raise
            session.emulator.kill()
            say('the guest met an int3 of its own patching, which tcg had '
                'kept: once more')
    return None
