#!/usr/bin/python
"""Ansible: aliases of network devices in a file of declarations, and the kernel made to agree."""

from __future__ import annotations

import os
import tempfile

DOCUMENTATION = r"""
module: netalias
short_description: Alias devices of netalias, declared and made
description:
  - Declares an alias, or a range of aliases, in a file of netalias.conf(5), and lets
    C(netalias reconcile) make the kernel agree with the files. Without O(name) only the latter is
    done.
  - The file is replaced in one step, and only with what C(netalias check --syntax) accepts. Other
    lines and comments stay as they are.
options:
  name:
    description: The alias as in a file, C(eth0:0), or a range, C(eth0:10-13). Its line has this
      very name.
    type: str
  address:
    description: Its address or addresses with their prefix length, C(10.0.0.5/24),
      C(10.30.0.1-4/32). Needed for O(state=present).
    type: str
  words:
    description: Further words of the line, C(kind label announce 3).
    type: str
    default: ""
  state:
    description: Whether the line is there.
    choices: [present, absent]
    default: present
    type: str
  path:
    description: The file of declarations. It is made where it is missing. Any other file than
      /etc/netalias.conf and those in /etc/netalias.d is all that is declared.
    type: path
    default: /etc/netalias.conf
  reconcile:
    description: Make the kernel agree. Otherwise only the file is changed.
    type: bool
    default: true
  allow_empty:
    description: Go on where nothing is declared any more.
    type: bool
    default: false
  facts:
    description: Give back all aliases of the host as the fact C(netalias).
    type: bool
    default: false
  executable:
    description: The command.
    type: str
    default: netalias
attributes:
  check_mode:
    support: full
    description: The kernel's differences are told where the file stays as it is, or is all that
      is declared.
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: One alias
  netalias:
    name: eth0:0
    address: 10.0.0.5/24

- name: Many
  netalias:
    name: eth0:10-13
    address: 10.30.0.1-4/32
    words: kind label

- name: A file of one's own, whose lines come from a template, is reconciled once
  netalias:
  register: done

- name: No longer
  netalias:
    name: eth0:0
    state: absent

- name: What is there
  netalias:
    reconcile: false
    facts: true
"""

RETURN = r"""
differences:
  description: What was changed in the kernel, or would be, in the lines of C(netalias reconcile).
  returned: always
  type: list
  elements: str
  sample: ["+ eth0:0 10.0.0.5/24 macvlan"]
ansible_facts:
  description: With O(facts=true), the objects of C(netalias -j show).
  returned: on request
  type: dict
"""

ARGUMENTS = {
    "name": {"type": "str"},
    "address": {"type": "str"},
    "words": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "path": {"type": "path", "default": "/etc/netalias.conf"},
    "reconcile": {"type": "bool", "default": True},
    "allow_empty": {"type": "bool", "default": False},
    "facts": {"type": "bool", "default": False},
    "executable": {"type": "str", "default": "netalias"},
}

USUAL = ("/etc/netalias.conf", "/etc/netalias.d/")
"""Files that netalias reads itself, together with others: see FILES in netalias.conf(5)."""
DRIFT = 3
"""Exit status of "netalias check" where the kernel differs."""


class Refused(Exception):
    """A request that makes no sense, or that netalias refuses."""


def declared(line):
    """The words of a line of netalias.conf(5), without its comment."""
    words = []
    for word in line.split():
        if word.startswith("#"):
            break
        words.append(word)
    return words


def slots(name):
    """The main device and the first and last slot of a name; None for a pattern of another form."""
    main, _, text = name.rpartition(":")
    first, _, last = text.partition("-")
    if not main or not first.isdigit() or not (last or first).isdigit():
        return None
    return main, int(first), int(last or first)


def overlaps(one, other):
    """Whether two names have a slot in common."""
    first, second = slots(one), slots(other)
    if first is None or second is None or first[0] != second[0]:
        return False
    return first[1] <= second[2] and second[1] <= first[2]


def edited(text, name, wanted):
    """*text* with the line of *name* made *wanted*, None for none. Raises Refused where another
    line declares slots of it.

    A line that has these words already stays as it is, comment included; a new one comes behind the
    last one of its main device, or to the end.
    """
    lines = text.splitlines()
    place = None
    behind = len(lines)
    main = name.rpartition(":")[0]
    for index, line in enumerate(lines):
        words = declared(line)
        if not words:
            continue
        if words[0] == name:
            place = index
        elif overlaps(words[0], name):
            raise Refused("%s: line %d declares it, as %s" % (name, index + 1, words[0]))
        if words[0].rpartition(":")[0] == main:
            behind = index + 1
    if wanted is None:
        if place is not None:
            del lines[place]
    elif place is None:
        lines.insert(behind, " ".join(wanted))
    elif declared(lines[place]) != wanted:
        lines[place] = " ".join(wanted)
    else:
        return text
    return "".join(line + "\n" for line in lines)


class Host:
    """The command and the file on the host that is managed."""

    def __init__(self, module):
        self.module = module
        self.path = module.params["path"]
        self.alone = not self.path.startswith(USUAL)

    def netalias(self, *words, statuses=(0,)):
        """The output of the command. Raises Refused for another exit status."""
        words = [self.module.params["executable"], *words]
        status, out, err = self.module.run_command(words)
        if status not in statuses:
            raise Refused((err or out).strip() or "exit status %d" % status)
        return out

    def text(self):
        """The content of the file; empty without one."""
        try:
            with open(self.path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def draft(self, text):
        """A file with *text* in the folder of ours, which is the module's to remove. Raises Refused
        for wrong words."""
        file, path = tempfile.mkstemp(prefix=".netalias-", dir=os.path.dirname(self.path) or ".")
        self.module.add_cleanup_file(path)
        with os.fdopen(file, "w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
            opened.write(text)
        os.chmod(path, 0o644)
        try:
            self.netalias("check", "--syntax", path)
        except Refused as error:
            raise Refused(str(error).replace(path, self.path)) from None
        return path

    def differences(self, path, *, dry):
        """The lines of what is changed, or differs, for one file or for the usual ones, None."""
        words = ["--allow-empty"] if self.module.params["allow_empty"] else []
        files = [path] if path else []
        if dry:
            out = self.netalias("check", *words, *files, statuses=(0, DRIFT))
        else:
            out = self.netalias("reconcile", *words, *files)
        return out.splitlines()


def work(module):
    """Do what the parameters say; the result. Raises Refused, OSError."""
    host = Host(module)
    parameters = module.params
    name, path = parameters["name"], host.path if host.alone else None
    before = after = host.text()
    if name:
        wanted = None
        if parameters["state"] == "present":
            if not parameters["address"]:
                raise Refused("address is needed to declare %s" % name)
            wanted = [name, parameters["address"], *parameters["words"].split()]
        after = edited(before, name, wanted)
    found = {"changed": after != before, "differences": []}
    foreseen = True
    if after != before:
        found["diff"] = {
            "before": before, "after": after,
            "before_header": host.path, "after_header": host.path,
        }  # fmt: skip
        draft = host.draft(after)
        if module.check_mode:
            path, foreseen = draft, host.alone
        else:
            new = not os.path.exists(host.path)
            module.atomic_move(draft, host.path)
            if new:
                os.chmod(host.path, 0o644)  # the services read it, as the user netalias
    if parameters["reconcile"] and foreseen:
        found["differences"] = host.differences(path, dry=module.check_mode)
        found["changed"] = found["changed"] or bool(found["differences"])
    if parameters["facts"]:
        found["ansible_facts"] = {"netalias": module.from_json(host.netalias("-j", "show"))}
    return found


def main():
    """Run by Ansible."""
    from ansible.module_utils.basic import AnsibleModule

    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = work(module)
    except (Refused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
