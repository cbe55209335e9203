# SPDX-License-Identifier: MIT
"""The source of Debian's kernels in the cache: for checkpatch, for the kernel's
own selftests, and to build kernels with other configurations."""

import os
import re
import subprocess

from . import LabError, cache
from .archive import Archive, say

# Enough for scripts and selftests, and a tenth of the whole
PARTS = ('scripts', 'tools', 'include', 'arch/x86/include',
         'Documentation/dev-tools', 'Makefile', 'Kbuild', 'COPYING', 'CREDITS',
         'MAINTAINERS', 'README')


class Source:
    """The newest source of a series, as it was when it was fetched."""

    def __init__(self, series):
        if not re.fullmatch(r'\d+\.\d+', series):
            raise LabError(f"'{series}' is no series: sources are had as 6.1")
        self.series = series
        self.folder = cache.inside('kernels', 'source-' + series)
        self.tar = f'usr/src/linux-source-{series}.tar.xz'
        self.top = f'linux-source-{series}'

    def ready(self):
        """Fetch it if it is not there."""
        if not os.path.isdir(self.folder):
            with cache.lock('archive', lambda: say(
                    'waiting for another one who fetches')):
                if not os.path.isdir(self.folder):
                    self.fetch()
        return self.folder

    def fetch(self):
        """The package holds one archive; what is asked for most is unpacked."""
        archive = Archive('stable')
        package = 'linux-source-' + self.series
        if package not in archive.names(package):
            archive.update()
        with cache.new_folder(self.folder) as tmp:
            archive.unpack([package], tmp)
            self.untar(tmp, tmp, [f'{self.top}/{p}' for p in PARTS])

    def untar(self, folder, to, members=()):
        """Parts of the archive, or all of it."""
        say(f'unpacking {os.path.basename(self.tar)}')
        subprocess.run(['tar', '-C', to, '-xf', os.path.join(folder, self.tar),
                        *members], check=True)

    def path(self):
        """Scripts, tools and headers, at their usual places."""
        return os.path.join(self.ready(), self.top)
