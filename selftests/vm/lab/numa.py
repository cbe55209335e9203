# SPDX-License-Identifier: MIT
"""What `run --numa` says: the nodes of a machine, and how qemu is told.

  2                                        two equal shares
  cpus=0-1,mem=256;cpus=2,mem=128          node by node, mem in MB
  cpus=0,mem=256;cpus=1                    a node without memory
  cpus=0-1,mem=256;mem=128                 a node without CPUs
  cpus=0,mem=256;hole;cpus=1,mem=256       nodes 0 and 2
  cpus=0,mem=256;cpus=1;mem=256,near=1     node 2 is nearer to 1 than others

CPUs and nodes are numbered here as the guest's kernel numbers them: nodes in
the order in which the firmware's table names them, where CPUs come first. So
nodes without CPUs are the last ones.
"""

from . import LabError

FAR, NEAR = 21, 15  # two sockets; two halves of one


class Node:
    """Of CPUs, MB, and the nodes that are near. A hole has nothing."""

    def __init__(self, cpus=(), memory=0, near=None, hole=False):
        self.cpus = list(cpus)
        self.memory = memory
        self.near = near
        self.hole = hole


def number(text, what):
    if not text.isascii() or not text.isdigit():
        raise LabError(f'--numa: {what}={text} is no number')
    return int(text)


def cpu_range(text):
    first, dash, last = text.partition('-')
    a = number(first, 'cpus')
    b = number(last, 'cpus') if dash else a
    if b < a:
        raise LabError(f'--numa: cpus={text} are none')
    return range(a, b + 1)


def node_of(text):
    if text == 'hole':
        return Node(hole=True)
    node, seen = Node(), set()
    for part in text.split(','):
        key, _, value = part.partition('=')
        if key in seen:
            raise LabError(f'--numa: {key} twice in one node')
        seen.add(key)
        match key:
            case 'cpus':
                node.cpus = list(cpu_range(value))
            case 'mem':
                node.memory = number(value, key)
            case 'near':
                node.near = number(value, key)
            case _:
                raise LabError(f"--numa: what is '{part}'?")
    return node


def check(nodes):
    """Is it what the guest's kernel will make of it?"""
    cpus = [c for n in nodes for c in n.cpus]
    if cpus != list(range(len(cpus))) or not cpus:
        raise LabError('--numa: CPUs are numbered from 0, node by node')
    without = [not n.cpus and not n.hole for n in nodes]
    if without != sorted(without):
        raise LabError('--numa: nodes without CPUs are numbered last')
    if nodes[0].hole:
        raise LabError('--numa: the first node has the first CPU')
    if sum(n.hole for n in nodes) > 1:
        raise LabError('--numa: the kernel can leave out one CPU only')
    for n in nodes:
        if not n.hole and not n.cpus and not n.memory:
            raise LabError('--numa: a node of nothing is a hole')
        if n.near is not None and n.near >= len(nodes):
            raise LabError(f'--numa: there is no node {n.near} to be near')
    if not any(n.memory for n in nodes):
        raise LabError('--numa: no node has memory')


def shares(count, cpus, memory):
    if not 1 <= count <= cpus:
        raise LabError(f'{count} NUMA nodes need as many CPUs')
    nodes = []
    for i in range(count):
        first, end = cpus * i // count, cpus * (i + 1) // count
        nodes.append(Node(range(first, end), memory // count))
    nodes[0].memory += memory % count
    return nodes


def parse(text, cpus, memory):
    """The nodes. A layout says how many CPUs and how much memory there are;
    shares are of those given."""
    if text.isascii() and text.isdigit():
        return shares(int(text), cpus, memory)
    nodes = [node_of(part) for part in text.split(';')]
    check(nodes)
    return nodes


def slots(nodes):
    """For each node its CPUs, as the machine numbers them: a hole has one, too,
    for which it gets a number, and which the kernel is told to leave out."""
    first = 0
    for n in nodes:
        end = first + (1 if n.hole else len(n.cpus))
        yield range(first, end)
        first = end


def parameters(nodes):
    """For the kernel. CPUs are a socket each, so these numbers are APIC IDs."""
    return ' '.join(f'disable_cpu_apicid={s[0]}'
                    for n, s in zip(nodes, slots(nodes)) if n.hole)


def arguments(nodes, total):
    """qemu's, all that say of CPUs and memory; total MB, where what the nodes
    do not have is in the first that has some."""
    args = []
    rest = total - sum(n.memory for n in nodes)
    for i, (n, cpus) in enumerate(zip(nodes, slots(nodes))):
        words = ['node', f'nodeid={i}'] + [f'cpus={c}' for c in cpus]
        if n.memory:
            args += ['-object',
                     f'memory-backend-ram,id=m{i},size={n.memory + rest}M']
            words.append(f'memdev=m{i}')
            rest = 0
        args += ['-numa', ','.join(words)]
    for a, x in enumerate(nodes):
        for b, y in enumerate(nodes):
            if a != b:
                near = x.near == b or y.near == a
                args += ['-numa', f'dist,src={a},dst={b},'
                                  f'val={NEAR if near else FAR}']
    count = sum(len(cpus) for cpus in slots(nodes))
    return args + ['-smp', f'{count},sockets={count},cores=1,threads=1']
