#!/usr/bin/env python3
"""Prints the advisories about crates of Cargo.lock, from a clone of https://github.com/rustsec/advisory-db.

    git clone https://github.com/rustsec/advisory-db ../advisory-db
    python3 scripts/advisories.py ../advisory-db > security/advisories.toml
"""
import json
import re
import subprocess
import sys
import tomllib


def git(database, *arguments):
    return subprocess.run(["git", "-C", database, *arguments], capture_output=True, text=True, check=True).stdout


def advisories(database, crates):
    for path in git(database, "ls-tree", "-r", "--name-only", "HEAD", "crates").split():
        if path.split("/")[1] in crates and path.endswith(".md"):
            text = git(database, "show", f"HEAD:{path}")
            front = tomllib.loads(re.search(r"```toml\n(.*?)```", text, re.S).group(1))
            if "withdrawn" not in front["advisory"]:
                title = re.search(r"^# (.*)$", text, re.M).group(1).strip()
                yield front["advisory"], front.get("versions", {}), title


def main(database):
    with open("Cargo.lock", "rb") as file:
        crates = {package["name"] for package in tomllib.load(file)["package"]}
    commit, date = git(database, "log", "-1", "--format=%H %cs").split()
    print("# Advisories about crates of Cargo.lock, in all their versions. Written by scripts/advisories.py; a test compares them with")
    print("# Cargo.lock. Versions that were yanked are not in here: `cargo deny check advisories` asks the registry for those.\n")
    print('source = "https://github.com/rustsec/advisory-db"')
    print(f'commit = "{commit}"\ndate = "{date}"')
    found = sorted(advisories(database, crates), key=lambda each: (each[0]["package"], each[0]["id"]))
    for advisory, versions, title in found:
        print(f'\n[[advisory]]\nid = "{advisory["id"]}"\ncrate = "{advisory["package"]}"\ndate = "{advisory["date"]}"')
        print(f'kind = "{advisory.get("informational", "vulnerability")}"\ntitle = {json.dumps(title)}')
        print(f'patched = {json.dumps(versions.get("patched", []))}\nunaffected = {json.dumps(versions.get("unaffected", []))}')


main(*sys.argv[1:])
