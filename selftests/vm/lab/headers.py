# SPDX-License-Identifier: MIT
"""Make unpacked kernel headers usable where they are, with the machine's own
compiler."""

import glob
import os
import re
import subprocess

from . import LabError
from .cpio import LOADER

# Added to what the headers say of the compiler: the machine's own will do.
ANY_COMPILER = '''
ifeq ($(shell command -v {cc}),)
CC := gcc
KCFLAGS += -Wno-attributes
ifeq ($(shell gcc -fmin-function-alignment=16 -E -xc /dev/null 2>/dev/null),)
override CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT :=
endif
endif
'''


def edit(path, change):
    """Change a text file, if it is there."""
    if os.path.isfile(path):
        with open(path) as f:
            text = f.read()
        with open(path, 'w') as f:
            f.write(change(text))


def relocate(folder):
    """Let the headers find each other wherever the folder is. Their links are
    relative already; the makefiles that include others are not."""
    src = os.path.join(folder, 'usr', 'src')
    here = '$(dir $(abspath $(lastword $(MAKEFILE_LIST))))'
    for name in os.listdir(src):
        if name.endswith('-common'):
            continue
        edit(os.path.join(src, name, 'Makefile'), lambda text: re.sub(
            r'KBUILD_OUTPUT *=.*', f'KBUILD_OUTPUT := {here}',
            text.replace('include /usr/src/', f'include {here}../')))
        edit(os.path.join(src, name, '.kernelvariables'), lambda text: (
            text + ''.join(ANY_COMPILER.format(cc=cc) for cc in
                           re.findall(r'\bgcc-\d+', text)[:1])))
        # with it, modules would get BTF, and want pahole
        if os.path.exists(os.path.join(src, name, 'vmlinux')):
            os.unlink(os.path.join(src, name, 'vmlinux'))
    # what the module folder of the headers package points at
    modules = os.path.join(folder, 'lib', 'modules')
    for name in os.listdir(modules) if os.path.isdir(modules) else []:
        for link in ('build', 'source'):
            path = os.path.join(modules, name, link)
            if os.path.islink(path):
                target = os.readlink(path)
                os.unlink(path)
                os.symlink('../../..' + target, path)
    left = subprocess.run(['grep', '-rlI', '--include=Makefile',
                           '^include /usr/\\|=/usr/src', src], text=True,
                          check=False, capture_output=True).stdout.split()
    if left:
        raise LabError('headers with paths that were not expected: ' +
                       ' '.join(left))


WRAPPER = '''#!/bin/sh
here=${{0%/*}}
exec "$here/{up}/{loader}" --library-path "$here/{up}/{libraries}" \\
	--argv0 "$0" "$0.elf" "$@"
'''


def runs(program):
    """Is this machine's C library new enough for it?"""
    p = subprocess.run([LOADER, '--list', program], capture_output=True,
                       check=False)
    # a version that is missing is told, and is no error
    return p.returncode == 0 and not p.stderr


def borrow_libc(archive, folder):
    """Programs of the build (objtool, modpost) may be newer than this machine.
    Then they get the C library that they were made for, for themselves."""
    programs = []
    for where, _, files in os.walk(os.path.join(folder, 'usr', 'lib')):
        for path in (os.path.join(where, f) for f in files):
            if os.access(path, os.X_OK) and not os.path.islink(path):
                with open(path, 'rb') as f:
                    if f.read(4) == b'\x7fELF':
                        programs.append(path)
    if all(map(runs, programs)):
        return
    libc = os.path.join(folder, 'libc')
    archive.unpack(['libc6'], libc)
    loader, = (p for p in glob.glob(libc + '/usr/lib/*/ld-linux-x86-64.so.2')
               if not os.path.islink(p))
    for path in programs:
        os.rename(path, path + '.elf')
        with open(path, 'w') as f:
            f.write(WRAPPER.format(
                up=os.path.relpath(folder, os.path.dirname(path)),
                loader=os.path.relpath(loader, folder),
                libraries=os.path.relpath(os.path.dirname(loader), folder)))
        os.chmod(path, 0o755)
