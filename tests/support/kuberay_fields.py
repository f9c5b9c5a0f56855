"""What KubeRay's operator takes: every field of a RayCluster and a RayJob with its type, out of its definitions (CRDs).

`tests/infra/kuberay_fields.json` is that record, so that manifests are checked where no definitions are. To write it,
with `rayclusters_crd.yaml` and `rayjobs_crd.yaml` in a folder (`ray.io_rayclusters.yaml` and `ray.io_rayjobs.yaml` in
ray-operator/config/crd/bases of the operator's repository, v1.7.0):

    GANFLOW_SCHEMAS=folder python -m tests.support.kuberay_fields
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

RECORD = Path(__file__).parents[1] / "infra" / "kuberay_fields.json"
KINDS = {"RayCluster": "rayclusters_crd.yaml", "RayJob": "rayjobs_crd.yaml"}
_KEPT = {"required", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "nullable"}
_METADATA = {  # the API server's own, of which definitions say nothing
    "type": "object",
    "properties": {
        **{key: {"type": "string"} for key in ("name", "generateName", "namespace")},
        **{key: {"type": "object", "additionalProperties": {"type": "string"}} for key in ("labels", "annotations")},
    },
    "additionalProperties": False,
}


def definitions(folder: Path) -> dict[str, Any]:
    """JSON Schema of each kind, closed: a field that the operator would drop without a word is refused."""
    schemas = {}
    for kind, name in KINDS.items():
        crd = yaml.load((folder / name).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        (version,) = (version for version in crd["spec"]["versions"] if version["name"] == "v1")
        schema = version["schema"]["openAPIV3Schema"]
        del schema["properties"]["status"]  # the operator's to write
        schemas[kind] = _closed(schema)
        schemas[kind]["properties"] |= {"kind": {"enum": [kind]}, "apiVersion": {"enum": ["ray.io/v1"]}}
        schemas[kind]["properties"]["metadata"] = _METADATA
    return schemas


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    closed: dict[str, Any] = {key: schema[key] for key in schema if key in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        return closed | {"type": ["integer", "string"]}
    closed["type"] = schema["type"]
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    if schema["type"] == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed["properties"] = {name: _closed(field) for name, field in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", False)
        closed["additionalProperties"] = _closed(others) if isinstance(others, dict) else others
    return closed


def compact(schemas: dict[str, Any]) -> dict[str, Any]:
    """The same with what occurs more than once written once: a pod's template stands in each kind several times."""
    seen: Counter[str] = Counter()
    _count(schemas, seen)
    names = {text: f"{number}" for number, text in enumerate(text for text, times in seen.items() if times > 1)}
    shared = {name: _shared(json.loads(text), names, top=True) for text, name in names.items()}
    return {"$defs": _shared(schemas, names, top=True) | shared}


def _count(value: Any, seen: Counter[str]) -> None:
    text = json.dumps(value, sort_keys=True)
    is_schema = isinstance(value, dict) and not isinstance(value.get("type", {}), dict)  # and no field called `type`
    if is_schema and len(text) > 100:
        seen[text] += 1
        if seen[text] > 1:
            return
    for inner in value.values() if isinstance(value, dict) else ():
        _count(inner, seen)


def _shared(value: Any, names: dict[str, str], *, top: bool = False) -> Any:
    if not isinstance(value, dict):
        return value
    name = None if top else names.get(json.dumps(value, sort_keys=True))
    return {"$ref": f"#/$defs/{name}"} if name else {key: _shared(inner, names) for key, inner in value.items()}


def write(record: dict[str, Any], path: Path) -> None:
    """One line for each definition, so that a new version of the operator is a diff that can be read."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(schema)}" for name, schema in record["$defs"].items())
    path.write_text(f'{{"$defs": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    write(compact(definitions(Path(os.environ["GANFLOW_SCHEMAS"]))), RECORD)
