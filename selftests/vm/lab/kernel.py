# SPDX-License-Identifier: MIT
"""Debian's kernels in the cache: image, modules, and headers that modules can
be built against in place, without root and with nothing installed."""

import os
import re

from . import LabError, cache, headers, vmlinux
from .archive import Archive, say


# Changes when what is made of the packages does
FORMAT = '2'


def version_key(version):
    """Sort versions as people do: 6.1.0-9 before 6.1.0-10."""
    return [int(n) for n in re.findall(r'\d+', version)]


def packages_of(archive, prefix, series=''):
    """The versions of the plain amd64 kernels whose packages begin so."""
    want = re.compile(re.escape(prefix) +
                      rf'({re.escape(series)}[\d.]*[-+~.\w]*-amd64)$')
    other = re.compile('-(rt|cloud|unsigned|dbg)-')
    found = [m[1] for n in archive.names(prefix + series)
             if (m := want.match(n)) and not other.search(n)]
    return sorted((v for v in found if re.match(r'\d+\.\d+[.-]\d', v)),
                  key=version_key)


def kind_of(version):
    return 'sid' if version == 'sid' else 'stable'


def resolve(version):
    """The full version that a series (6.1, 6.12, sid) stands for. It is looked
    up once; `kernels update` looks again."""
    if re.fullmatch(r'\d+\.\d+\.\d+.*-amd64', version):
        return version
    if version != 'sid' and not re.fullmatch(r'\d+\.\d+', version):
        raise LabError(f"'{version}' is no kernel version: give a series such "
                       'as 6.1, a full version such as 6.1.0-9-amd64, or sid '
                       '(headers only)')
    pin = cache.inside('kernels', 'series-' + version)
    if os.path.exists(pin):
        with open(pin) as f:
            return f.read().strip()
    with cache.lock('archive'):
        return look_up(version)


def look_up(version):
    """The newest full version of a series in the archive, now."""
    archive = Archive(kind_of(version))
    archive.update()
    if version == 'sid':
        found = packages_of(archive, 'linux-headers-')
    else:
        found = packages_of(archive, 'linux-image-', version + '.')
        # headers of old versions leave the archive first
        found = [v for v in found if archive.names('linux-headers-' + v)]
    if not found:
        raise LabError(f'the archive has no kernel {version}; it has ' +
                       ', '.join(packages_of(archive, 'linux-image-')))
    pin = cache.inside('kernels', 'series-' + version)
    with open(pin + '.new', 'w') as f:
        f.write(found[-1] + '\n')
    os.replace(pin + '.new', pin)
    say(f'kernel {version} is {found[-1]}')
    return found[-1]


class Kernel:
    """One kernel in the cache, fetched when it is asked for."""

    for_qemu = 'boot/vmlinux'  # unpacked: by its PVH entry

    def __init__(self, version):
        self.kind = kind_of(version)
        self.version = resolve(version)
        self.folder = cache.inside('kernels', self.version)
        self._sums = None

    def there(self):
        """Is it in the cache, as this version of the lab wants it?"""
        try:
            with open(os.path.join(self.folder, 'format')) as f:
                return f.read() == FORMAT
        except OSError:
            return False

    def ready(self):
        """Fetch it if it is not there."""
        if not self.there():
            with cache.lock('archive', lambda: say(
                    'waiting for another one who fetches a kernel')):
                if not self.there():
                    self.fetch()
        return self.folder

    def fetch(self):
        """Into the cache; the caller has the lock."""
        with cache.new_folder(self.folder) as tmp:
            self.fill(tmp)
            say('adding up')
            cache.write_sums(tmp)
            with open(os.path.join(tmp, 'format'), 'w') as f:
                f.write(FORMAT)

    def fill(self, tmp):
        """Image and headers, together: the archive forgets old versions."""
        archive = Archive(self.kind)
        if not archive.names('linux-headers-' + self.version):
            archive.update()
        first = 'linux-headers-' + self.version
        depends = archive.fields(first)['Depends']
        packages = [first] + re.findall(
            r'\b(linux-headers-[^ ,]+-common|linux-kbuild-[^ ,]+)', depends)
        image = 'linux-image-' + self.version
        if self.kind == 'stable':
            packages.append(image)
        archive.unpack(packages, tmp)
        headers.relocate(tmp)
        headers.borrow_libc(archive, tmp)
        if self.kind == 'stable':
            boot = os.path.join(tmp, 'boot')
            vmlinux.unpack(os.path.join(boot, 'vmlinuz-' + self.version),
                           os.path.join(boot, 'vmlinux'))

    def good(self, *names):
        """Files of the image, known to be what they were when unpacked."""
        self.ready()
        if self._sums is None:
            self._sums = cache.Sums(self.folder)
        if not self._sums.good(*names):
            say(f'{self.version} is damaged in the cache ({", ".join(names)}):'
                ' fetching it again')
            with cache.lock('archive'):
                self.fetch()
            self._sums = cache.Sums(self.folder)
        return [os.path.join(self.folder, n) for n in names]

    def path(self, what):
        """Where a part of it is."""
        names = {
            'vmlinuz': 'boot/vmlinuz-' + self.version,
            'vmlinux': 'boot/vmlinux',
            'config': 'boot/config-' + self.version,
            'modules': 'lib/modules/' + self.version,
            'kdir': 'usr/src/linux-headers-' + self.version,
            'symvers': f'usr/src/linux-headers-{self.version}/Module.symvers',
        }
        if what not in names:
            raise LabError(f"'{what}' is not one of {', '.join(names)}")
        path = os.path.join(self.ready(), names[what])
        if not os.path.exists(path):
            raise LabError(f'{self.version} has no {what} (headers only)')
        return path


def of(version):
    """The kernel of that name."""
    from . import debug  # it knows us
    if version.endswith(debug.SUFFIX):
        return debug.DebugKernel(version)
    return Kernel(version)
