"""Makes what the chart takes from elsewhere, and what is made of the chart. `make chart` runs it.

    generate.py           writes what is stale
    generate.py --check   writes nothing, names what is stale, and fails
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

HELM = pathlib.Path(__file__).resolve().parent
ROOT = HELM.parents[1]
CHART = HELM / "gateprobe"
MANIFESTS = ROOT / "deploy/kubernetes"
RELEASE, NAMESPACE = "gateprobe", "gateprobe"
NULL = {"type": "null"}


def main(arguments):
    check = arguments == ["--check"]
    if arguments and not check:
        sys.exit(__doc__)
    stale = []
    # In this order: the manifests are made of what comes before.
    for make in copies, schema, readme, manifests:
        fresh, folders = make()
        old = {path for folder, pattern in folders for path in folder.glob(pattern)} - fresh.keys()
        stale += sorted(old) + [p for p, text in fresh.items() if not p.exists() or p.read_text() != text]
        if not check:
            write(fresh, old)
    for path in stale:
        print("stale:" if check else "written:", path.relative_to(ROOT))
    if check and stale:
        sys.exit("run `make chart` and commit what it writes")


def write(fresh, old):
    for path, text in fresh.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in old:
        path.unlink()


# --- what the chart takes from elsewhere: a chart can't read outside of itself


def copies():
    kinds = ("deploy/prometheus", "*.rules.yaml", "files/rules"), ("dashboards", "*.json", "files/dashboards")
    fresh = {
        CHART / copied / source.name: source.read_text()
        for folder, pattern, copied in kinds
        for source in sorted((ROOT / folder).glob(pattern))
    }
    return fresh, [(CHART / copied, pattern) for _, pattern, copied in kinds]


def schema():
    """The values' schema with the agent's own schemas in it, in the draft that every Helm 3 reads."""
    whole = yaml.safe_load((HELM / "values.schema.yaml").read_text())
    for name, file in ("agent", "gateprobe"), ("dialect", "dialect"):
        part = json.loads((ROOT / f"config/{file}.schema.json").read_text())
        for definition, value in part.pop("$defs").items():
            whole["definitions"][f"{name}.{definition}"] = in_draft7(value, name)
        whole["definitions"][name] = in_draft7(part, name)
    whole["properties"] = {key: point(value) for key, value in whole["properties"].items()}
    return {CHART / "values.schema.json": json.dumps(whole, indent=1) + "\n"}, []


def point(value):
    """Makes references of `$ref: agent` and `$ref: dialect`."""
    if isinstance(value, dict):
        return {k: f"#/definitions/{v}" if k == "$ref" and "/" not in v else point(v) for k, v in value.items()}
    return value


def in_draft7(node, name, fields=False):
    """Without what only editors read. Null is allowed everywhere, since to the agent it means "not set"; as a type, for
    alternatives make an error's text long. `fields`: the keys are names of fields, not words of the schema.
    """
    if isinstance(node, list):
        return [in_draft7(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    if fields:
        return {key: in_draft7(value, name) for key, value in node.items()}
    if "$ref" in node:
        # In this draft a reference stands alone.
        made = {"$ref": node["$ref"].replace("#/$defs/", f"#/definitions/{name}.")}
        return {"allOf": [made], "pattern": node["pattern"]} if "pattern" in node else made
    alternatives = [option for option in node.get("anyOf", []) if option != NULL]
    if len(alternatives) == 1:
        return in_draft7(alternatives[0], name)
    if all("const" in option for option in node.get("oneOf", [{}])):
        return {"enum": [*(option["const"] for option in node["oneOf"]), None]} | keep(node, "description")
    dropped = {"$schema", "title", "default", "examples", "x-expects", "x-host"}
    made = {key: in_draft7(value, name, key == "properties") for key, value in node.items() if key not in dropped}
    if "type" in made:
        kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
        made["type"] = [*kinds, *({"null"} - set(kinds))]
    if "enum" in made:
        made["enum"] = [*made["enum"], *([] if None in made["enum"] else [None])]
    return made


def keep(node, *words):
    return {word: node[word] for word in words if word in node}


# --- the chart's README, from the comments of its values


def readme():
    values = (CHART / "values.yaml").read_text()
    lines = values.splitlines()
    rows = [row for row in described(yaml.compose(values), lines, ()) if row]
    table = "".join(f"| `{key}` | `{default}` | {text} |\n" for key, default, text in rows)
    page = (HELM / "README.template.md").read_text()
    cases = "".join(use_case(path) for path in sorted((CHART / "ci").glob("*-values.yaml")))
    page = page.replace("@VALUES@", "| value | default | |\n|---|---|---|\n" + table)
    return {CHART / "README.md": page.replace("@CASES@", "| file | what it shows |\n|---|---|\n" + cases)}, []


def use_case(path):
    lines = path.read_text().splitlines()
    head = lines[: next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    return f"| [ci/{path.name}](ci/{path.name}) | {' '.join(line.lstrip('# ') for line in head)} |\n"


def described(node, lines, path):
    """A row for each value that has a comment, or that no comment above it speaks for."""
    for key, value in node.value:
        here = (*path, key.value)
        text = comment(lines, key.start_mark.line)
        if text is None and isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from described(value, lines, here)
            continue
        yield ".".join(here), default(value), text or ""
        if text and isinstance(value, yaml.MappingNode) and not value.flow_style:
            inside = described(value, lines, here)
            yield from (row for row in inside if row[2])


def default(node):
    text = json.dumps(yaml.safe_load(yaml.serialize(node)))
    return text if len(text) < 60 else "see values.yaml"


def comment(lines, at):
    """The text of the block above a line that begins with `# --`."""
    block = []
    while at and lines[at - 1].strip().startswith("#"):
        at -= 1
        block.insert(0, lines[at].strip())
        if block[0].startswith("# --"):
            return " ".join(line.lstrip("# -") if n == 0 else line.lstrip("# ") for n, line in enumerate(block))
    return None


# --- plain manifests, for those who have no Helm


def manifests():
    command = [ROOT / ".tools/bin/helm", "template", RELEASE, CHART, "--namespace", NAMESPACE]
    command += ["--values", HELM / "plain-values.yaml"]
    # A chart of its own files: nothing is fetched, and nothing of the caller's settings is read.
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={"HOME": "/nonexistent"}).stdout
    fresh = {}
    for text in re.split(r"^---\n", made, flags=re.MULTILINE):
        text = re.sub(r"^( *helm\.sh/chart:.*| *app\.kubernetes\.io/managed-by:.*|# Source:.*)\n", "", text, flags=re.MULTILINE)
        parsed = yaml.safe_load(text)
        if parsed:
            fresh[MANIFESTS / f"{parsed['kind'].lower()}.yaml"] = text.strip() + "\n"
    names = sorted(path.name for path in fresh)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    fresh[MANIFESTS / "namespace.yaml"] = yaml.safe_dump(namespace, sort_keys=False)
    top = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": ["namespace.yaml", *names],
    }
    fresh[MANIFESTS / "kustomization.yaml"] = yaml.safe_dump(top, sort_keys=False)
    return fresh, [(MANIFESTS, "*.yaml")]


main(sys.argv[1:])
