# SPDX-License-Identifier: MIT
"""Modules of a kernel package, with those they depend on."""

import lzma
import os
import re

from . import LabError



def name_of(path):
    """kernel/arch/x86/kvm/kvm-intel.ko.xz is kvm_intel."""
    base = os.path.basename(path)
    return re.sub(r'\.ko(\.\w+)?$', '', base).replace('-', '_')


class Modules:
    """All modules of a kernel. The package has no modules.dep (depmod makes it
    where it is installed), but each module names those it needs."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.base = 'lib/modules/' + kernel.version
        top = os.path.join(kernel.ready(), self.base)
        self.paths = {}
        for where, _, files in os.walk(os.path.join(top, 'kernel')):
            for f in files:
                if '.ko' in f:
                    path = os.path.relpath(os.path.join(where, f), top)
                    self.paths[name_of(f)] = path

    def depends(self, name):
        """The modules to load, in that order: itself last."""
        order = []

        def visit(n):
            path = self.paths.get(n)
            if path is None:
                raise LabError(f'kernel {self.kernel.version} has no module '
                               f'{n} (it may be built in)')
            data = read(os.path.join(self.kernel.folder, self.base, path))
            found = re.search(rb'\0depends=([\w,-]*)\0', b'\0' + data)
            for d in (found[1].decode() if found else '').split(','):
                if d:
                    visit(d.replace('-', '_'))
            if n not in order:
                order.append(n)

        visit(name.replace('-', '_'))
        return order

    def add(self, archive, names):
        """Put modules into an archive, with an index for modprobe."""
        lines = []
        for name in names:
            for n in self.depends(name):
                path = self.paths[n]
                # stored unpacked: the guest need not know how
                plain = re.sub(r'\.ko\.\w+$', '.ko', path)
                full, = self.kernel.good(os.path.join(self.base, path))
                archive.put(f'/{self.base}/{plain}', read(full))
                needs = [re.sub(r'\.ko\.\w+$', '.ko', self.paths[d])
                         for d in self.depends(n)[:-1]]
                lines.append(f'{plain}: {" ".join(reversed(needs))}\n')
        text = ''.join(dict.fromkeys(lines))
        archive.put(f'/{self.base}/modules.dep', text.encode())


def read(path):
    """A module's bytes, unpacked."""
    with open(path, 'rb') as f:
        data = f.read()
    if path.endswith('.xz'):
        return lzma.decompress(data)
    if path.endswith('.ko'):
        return data
    raise LabError(f'{path}: compressed in a way that is not known here')
