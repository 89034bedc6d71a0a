"""Writes JSON schemas for kubeconform into a folder: python schemas.py OUT KUBERNETES CRD_FOLDER...

KUBERNETES holds the published schemas of one release; what they refer to lies beside them, but is named by an
absolute path, which is made relative. Each CRD_FOLDER holds custom resource definitions; every version of each
becomes a schema that refuses what it does not know.
"""
import json
import pathlib
import sys

import yaml


def closed(schema):
    """The same schema, refusing properties that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    free = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and not free:
        made["additionalProperties"] = False
    return made


class Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a bare `=` is a text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def main(out, kubernetes, *folders):
    out = pathlib.Path(out)
    for path in pathlib.Path(kubernetes).glob("*.json"):
        text = path.read_text().replace('"/api/_definitions.json#', '"_definitions.json#')
        schema = json.loads(text)
        # By its id a schema would look for what is beside it on the network.
        schema.pop("$id", None)
        (out / path.name).write_text(json.dumps(schema))
    for path in (path for folder in folders for path in pathlib.Path(folder).glob("*.yaml")):
        for crd in yaml.load_all(path.read_text(), Loader):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            group, kind = spec["group"].split(".")[0], spec["names"]["kind"].lower()
            for version in spec["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                # Known to be objects' own, and left open by the definition.
                schema["properties"]["metadata"] = {"type": "object"}
                (out / f"{kind}-{group}-{version['name']}.json").write_text(json.dumps(schema))


main(*sys.argv[1:])
